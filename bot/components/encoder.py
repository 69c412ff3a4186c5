"""Reads an exported encoder from FIRSTLINE_HOME, verifies it, and turns texts into unit vectors."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

MANIFEST_FORMAT = 1
FILES = ("model.onnx", "tokenizer.json")
FINGERPRINT = re.compile(r"[0-9a-f]{8,64}")
BATCH = 32  # texts per run in training: larger batches gain nothing on two cores and pad more
HASH_BLOCK = 1 << 20  # bytes read at a time while hashing

Vectors = npt.NDArray[np.float32]


class EncoderError(Exception):
    """The encoder cannot be used.

    EncoderError
    |- EncoderMissing     nothing has been exported to FIRSTLINE_HOME yet
    |- EncoderCorrupt     a file is not what its manifest says
    `- EncoderMismatch    the model was trained with another encoder
    """


class EncoderMissing(EncoderError):
    """No encoder has been exported."""


class EncoderCorrupt(EncoderError):
    """A file of the encoder is missing, unreadable or has another hash than its manifest says."""


class EncoderMismatch(EncoderError):
    """The trained model and the encoder in FIRSTLINE_HOME do not belong together."""


@dataclass(frozen=True)
class Encoder:
    """A verified encoder held in memory."""

    fingerprint: str
    dimension: int
    session: onnxruntime.InferenceSession
    tokenizer: Tokenizer

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector per text: float32, shape (texts, dimension)."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        parts = [self._encode_batch(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
        return np.concatenate(parts)

    def _encode_batch(self, texts: Sequence[str]) -> Vectors:
        encodings = self.tokenizer.encode_batch(list(texts))
        inputs = {
            "input_ids": np.array([e.ids for e in encodings], dtype=np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], dtype=np.int64),
        }
        (embedding,) = self.session.run(["embedding"], inputs)
        return np.asarray(embedding, dtype=np.float32)


def current_fingerprint(home: Path) -> str:
    """Return the fingerprint of the encoder in use.

    Raises:
        EncoderMissing: `encoders/CURRENT` does not exist.
        EncoderCorrupt: it does not hold a fingerprint.
    """
    pointer = home / "encoders" / "CURRENT"
    try:
        text = pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise EncoderMissing(
            f"no encoder in {home}: build the knowledge base first (firstline kb build)"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise EncoderCorrupt(f"{pointer} cannot be read: {error}") from error
    if not FINGERPRINT.fullmatch(text):  # also keeps the path below inside encoders/
        raise EncoderCorrupt(f"{pointer} does not hold an encoder's fingerprint")
    return text


def require_same_encoder(*, trained_with: str, current: str) -> None:
    """Refuse a model trained with another encoder: its classifier would read vectors of another space.

    Raises:
        EncoderMismatch: the fingerprints differ.
    """
    if trained_with != current:
        raise EncoderMismatch(
            f"the assistant was trained with encoder {trained_with}, but FIRSTLINE_HOME has {current}: "
            "train it again (bot/launch.py train)"
        )


def load_encoder(home: Path) -> Encoder:
    """Load the encoder in use, after comparing every file with the SHA-256 in its manifest.

    Raises:
        EncoderMissing, EncoderCorrupt: see there.
    """
    fingerprint = current_fingerprint(home)
    folder = home / "encoders" / fingerprint
    manifest = _read_manifest(folder, fingerprint=fingerprint)
    for name in FILES:
        _verify(folder / name, expected=manifest["files"].get(name))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(max_length=int(manifest["max_tokens"]))
    tokenizer.enable_padding()  # to the longest of a batch, not to the fixed length stored in the file
    return Encoder(
        fingerprint=fingerprint,
        dimension=int(manifest["dimension"]),
        session=_open_session(folder / "model.onnx"),
        tokenizer=tokenizer,
    )


def _read_manifest(folder: Path, *, fingerprint: str) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EncoderCorrupt(f"{path} cannot be read: {error}") from error
    needed = {"format", "fingerprint", "dimension", "max_tokens", "files"}
    if not isinstance(manifest, dict) or not needed <= manifest.keys():
        raise EncoderCorrupt(f"{path} lacks one of {', '.join(sorted(needed))}")
    if manifest["format"] != MANIFEST_FORMAT:
        raise EncoderCorrupt(f"{path} has format {manifest['format']!r}, not {MANIFEST_FORMAT}")
    if manifest["fingerprint"] != fingerprint or not isinstance(manifest["files"], dict):
        raise EncoderCorrupt(f"{path} belongs to another encoder")
    return manifest


def _verify(path: Path, *, expected: object) -> None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(HASH_BLOCK):
                digest.update(block)
    except OSError as error:
        raise EncoderCorrupt(f"{path} cannot be read: {error}") from error
    if digest.hexdigest() != expected:
        raise EncoderCorrupt(
            f"{path} is not the file its manifest describes: export the encoder again"
        )


def _open_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = (
        1  # one short text: more threads only take the core from the service
    )
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
