"""The encoder at run time: text in, unit vector out, through onnxruntime and nothing heavier."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import EncoderCorrupt, EncoderMissing
from knowledge_base.home import Home
from knowledge_base.index import sealed
from knowledge_base.progress import Progress, silent

FORMAT = 1
MODEL = "model.onnx"
# The same network with 8-bit weights, for one short text at a time: a quarter of the time (docs/adr/0007).
# It is missing where it would not agree with the other one.
QUERY_MODEL = "queries.onnx"
TOKENIZER = "tokenizer.json"
BATCH = 32  # texts at a time; larger batches are not faster on a CPU and need more memory
CACHE = 4096  # exact queries kept; 384 floats each make 6 MB

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """What an encoder's manifest says about it; `dimension` in floats, `max_tokens` per text."""

    fingerprint: str
    source: str
    dimension: int
    pooling: str
    max_tokens: int
    precision: str


class Encoder:
    """Turns texts into unit vectors (float32, shape [n, dimension]); safe to share between threads."""

    def __init__(
        self,
        info: EncoderInfo,
        session: Any,
        tokenizer: Any,
        *,
        cache: int,
        query_session: Any = None,
    ) -> None:
        """`session` encodes texts in batches; `query_session`, where there is one, single ones."""
        self.info = info
        self._session = session
        self._query_session = query_session or session
        self._tokenizer = tokenizer
        self._cache_size = cache
        self._cache: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None, cache: int = CACHE) -> Encoder:
        """Verify an exported encoder against its manifest and open it.

        `threads` None means one per physical core (onnxruntime's own default).
        Raises EncoderMissing when there is no such folder, EncoderCorrupt when a file is not the one sealed.
        """
        from tokenizers import Tokenizer

        info = verify_encoder(folder)
        session = open_graph(folder / MODEL, threads=threads or 0)
        queries = folder / QUERY_MODEL
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.enable_truncation(max_length=info.max_tokens)
        # One thread for a query: requests run beside each other, and a small graph gains little from two.
        query_session = open_graph(queries, threads=threads or 1) if queries.is_file() else None
        return cls(info, session, tokenizer, cache=cache, query_session=query_session)

    @property
    def fingerprint(self) -> str:
        """What identifies this encoder: weights, tokenizer, pooling and precision."""
        return self.info.fingerprint

    @property
    def dimension(self) -> int:
        """Floats per vector."""
        return self.info.dimension

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> Vectors:
        """Vectors of many texts, in their order; batches are sorted by length to waste no padding."""
        result = np.empty((len(texts), self.dimension), dtype=np.float32)
        encodings = self._tokenizer.encode_batch([_safe(text) for text in texts])
        order = sorted(range(len(texts)), key=lambda i: (len(encodings[i].ids), i))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            result[chosen] = run_graph(self._session, [encodings[i] for i in chosen])
            progress("Encoding texts", start + len(chosen), len(order))
        return result

    def encode_one(self, text: str) -> Vectors:
        """The vector of one text (shape [dimension], read-only), from the cache when it was asked before."""
        with self._lock:
            known = self._cache.get(text)
            if known is not None:
                self._cache.move_to_end(text)
                return known
        # Never batched with other requests' texts: 8-bit activations are scaled over the batch, so the
        # answer would depend on who else asks (and a batch was no faster; docs/adr/0007).
        encoding = self._tokenizer.encode(_safe(text))
        vector: Vectors = run_graph(self._query_session, [encoding])[0]
        vector.setflags(write=False)
        with self._lock:
            self._cache[text] = vector
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return vector


def open_graph(path: Path, *, threads: int) -> Any:
    """An onnxruntime session on the CPU; `threads` 0 means one per physical core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would burn the other core between two requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: warnings about the machine are not for users
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )


def run_graph(session: Any, encodings: Sequence[Any]) -> Vectors:
    """Vectors ([n, dimension]) of tokenised texts in one run."""
    longest = max(len(encoding.ids) for encoding in encodings)
    ids = np.zeros((len(encodings), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        # Padding already in an encoding is masked; what we add is masked too, so its id does not matter.
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = encoding.attention_mask
    output = session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})
    vectors: Vectors = output[0]
    return vectors


def verify_encoder(folder: Path) -> EncoderInfo:
    """What the manifest says, once every file matches it.

    Raises EncoderMissing, EncoderCorrupt (also for a format that this version does not read).
    """
    if not folder.is_dir():
        raise EncoderMissing(f"no encoder in {folder}: run `firstline encoder export`")
    try:
        manifest = sealed.read_manifest(folder)
        if manifest.get("format") != FORMAT:
            raise sealed.SealBroken(
                f"{folder} has encoder format {manifest.get('format')!r}, this version reads {FORMAT}"
            )
        sealed.verify_files(folder, manifest, required=(MODEL, TOKENIZER))
        info = _info(manifest)
    except sealed.SealBroken as broken:
        raise EncoderCorrupt(
            f"{broken}. Run `firstline encoder export --force` to make it again"
        ) from None
    if info.fingerprint != folder.name:
        raise EncoderCorrupt(
            f"{folder} holds the encoder {info.fingerprint}: it was moved or renamed"
        )
    return info


def current_encoder_folder(home: Home) -> Path:
    """The folder that `encoders/CURRENT` names. Raises EncoderMissing when none was exported yet."""
    try:
        name = sealed.read_current(home.encoders)
    except sealed.SealBroken as broken:
        raise EncoderCorrupt(f"{broken}. Run `firstline encoder export` to set it again") from None
    if name is None:
        raise EncoderMissing(f"no encoder in {home.encoders}: run `firstline encoder export`")
    return home.encoders / name


def load_current_encoder(home: Home, *, threads: int | None = None) -> Encoder:
    """The encoder in use. Raises EncoderMissing and EncoderCorrupt."""
    return Encoder.load(current_encoder_folder(home), threads=threads)


def _info(manifest: dict[str, Any]) -> EncoderInfo:
    try:
        return EncoderInfo(
            fingerprint=str(manifest["fingerprint"]),
            source=str(manifest["source"]),
            dimension=int(manifest["dimension"]),
            pooling=str(manifest["pooling"]),
            max_tokens=int(manifest["max_tokens"]),
            precision=str(manifest["precision"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise sealed.SealBroken(f"the encoder's manifest lacks {error}") from None


def _safe(text: str) -> str:
    """Lone surrogates cannot be tokenised (they are not Unicode text): each becomes a question mark."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
