"""Generations: immutable, sealed, published in one rename, verified before they serve."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from knowledge_base.errors import GenerationCorrupt, GenerationForeign, NotFound
from knowledge_base.home import Home
from knowledge_base.index import sealed
from knowledge_base.index.encoder import Vectors
from knowledge_base.index.rows import RowTable
from knowledge_base.index.search import FaissIndex, IndexKind, read_faiss, write_faiss
from knowledge_base.snippet import Revision

FORMAT = 4  # the layout of the folder; a reader refuses any other
BUILDER = 6  # what the builder computes; raise it when the same content would give other bytes
BUILD_ID_LENGTH = 32  # hex digits: 128 bits
FILES = (
    "index.faiss",
    "vectors.npy",
    "rows.json",
    "classifier.npz",
    "lexicon.npz",
    "calibration.json",
)
STALE_SECONDS = 3600  # an interrupted build's leftovers; no build takes an hour


@dataclass(frozen=True, slots=True)
class Generation:
    """A verified generation, ready to search. `vectors` is mapped read-only from its file."""

    build_id: str
    folder: Path
    encoder_fingerprint: str
    dimension: int
    manifest: Mapping[str, Any]
    rows: RowTable
    vectors: Vectors
    index: FaissIndex


@dataclass(frozen=True, slots=True)
class GenerationEntry:
    """One line of the list of generations; `problem` says why it cannot be used."""

    build_id: str
    live: bool
    published_at: datetime
    snippets: int
    vectors: int
    encoder_fingerprint: str
    problem: str | None


def make_build_id(
    revisions: Sequence[Revision], *, encoder_fingerprint: str, parameters: Mapping[str, Any]
) -> str:
    """SHA-256 (first 32 hex) over everything that decides the bytes: same input, same id.

    Database ids are not part of it, so the same content gives the same id on another installation.
    """
    identity = {
        "format": FORMAT,
        "builder": BUILDER,
        "encoder": encoder_fingerprint,
        "revisions": sorted([r.key, r.number, r.content_hash] for r in revisions),
        "parameters": dict(parameters),
    }
    return hashlib.sha256(sealed.canonical(identity)).hexdigest()[:BUILD_ID_LENGTH]


def write(
    home: Home,
    *,
    build_id: str,
    encoder_fingerprint: str,
    rows: RowTable,
    vectors: Vectors,
    artefacts: Mapping[str, bytes],
    parameters: Mapping[str, Any],
) -> Path:
    """Write, seal and publish a generation's folder; CURRENT is left as it is.

    `artefacts` holds the ranking's own files by name. Killed at any moment it leaves only a
    temporary folder, which a later build removes.
    """
    sealed.remove_leftovers(home.index, older_than=STALE_SECONDS, now=time.time())
    made = sealed.temporary_folder(home.index)
    try:
        np.save(made / "vectors.npy", vectors)
        kind = write_faiss(vectors, made / "index.faiss")
        (made / "rows.json").write_bytes(rows.to_json())
        for name, content in artefacts.items():
            (made / name).write_bytes(content)
        sealed.seal(
            made, _manifest(build_id, encoder_fingerprint, rows, vectors, kind, parameters)
        )
        target = home.index / build_id
        sealed.publish(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def load(
    home: Home, build_id: str | None = None, *, encoder_fingerprint: str | None = None
) -> Generation:
    """Verify and open a generation (the live one unless named). It never falls back to another.

    Raises NotFound (no such generation, or none is live), GenerationCorrupt (a file missing, cut short
    or changed), GenerationForeign (another format, or not made by `encoder_fingerprint`).
    """
    chosen = build_id or current_build_id(home)
    if chosen is None:
        raise NotFound("no generation is published yet: run `firstline kb build`")
    folder = home.index / chosen
    if not chosen.isalnum() or not folder.is_dir():
        raise NotFound(f"there is no generation {chosen} in {home.index}")
    try:
        manifest = sealed.read_manifest(folder)
        _check_format(folder, manifest)
        sealed.verify_files(folder, manifest, required=FILES)
        generation = _open(folder, manifest)
    except sealed.SealBroken as broken:
        raise GenerationCorrupt(
            f"generation {chosen}: {broken}. Run `firstline kb build`"
        ) from None
    if encoder_fingerprint not in (None, generation.encoder_fingerprint):
        raise GenerationForeign(
            f"generation {chosen} was made by the encoder {generation.encoder_fingerprint[:12]},"
            f" in use is {str(encoder_fingerprint)[:12]}: run `firstline kb build`"
        )
    return generation


def current_build_id(home: Home) -> str | None:
    """The live generation's id; None when none was published. Raises GenerationCorrupt."""
    try:
        return sealed.read_current(home.index)
    except sealed.SealBroken as broken:
        raise GenerationCorrupt(f"{broken}. Run `firstline kb build` to set it again") from None


def activate(home: Home, build_id: str) -> None:
    """Make a generation the live one, in one atomic step; `load` it first to know that it is whole."""
    sealed.write_current(home.index, build_id)


def available(home: Home) -> tuple[GenerationEntry, ...]:
    """Every generation on disk, newest first, each verified."""
    if not home.index.is_dir():
        return ()
    try:
        live = current_build_id(home)
    except GenerationCorrupt:
        live = None
    folders = [p for p in home.index.iterdir() if p.is_dir() and not p.name.startswith(".")]
    entries = [_entry(home, folder, live) for folder in folders]
    return tuple(sorted(entries, key=lambda e: (e.published_at, e.build_id), reverse=True))


def _entry(home: Home, folder: Path, live: str | None) -> GenerationEntry:
    manifest: dict[str, Any] = {}
    problem: str | None = None
    try:
        manifest = sealed.read_manifest(folder)
        load(home, folder.name)
    except (sealed.SealBroken, GenerationCorrupt, GenerationForeign, NotFound) as error:
        problem = str(error)
    counts = manifest.get("counts", {})
    return GenerationEntry(
        build_id=folder.name,
        live=folder.name == live,
        published_at=datetime.fromtimestamp(folder.stat().st_mtime, UTC),
        snippets=int(counts.get("snippets", 0)),
        vectors=int(counts.get("vectors", 0)),
        encoder_fingerprint=str(manifest.get("encoder", "")),
        problem=problem,
    )


def _manifest(
    build_id: str,
    encoder_fingerprint: str,
    rows: RowTable,
    vectors: Vectors,
    kind: IndexKind,
    parameters: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "builder": BUILDER,
        "build_id": build_id,
        "encoder": encoder_fingerprint,
        "dimension": int(vectors.shape[1]),
        "index": kind,
        "counts": {"snippets": len(rows.snippets), "vectors": int(vectors.shape[0])},
        "revisions": {s.key: [s.revision_id, s.revision, s.content_hash] for s in rows.snippets},
        "parameters": dict(parameters),
    }


def _check_format(folder: Path, manifest: Mapping[str, Any]) -> None:
    if manifest.get("format") != FORMAT:
        raise GenerationForeign(
            f"generation {folder.name} has format {manifest.get('format')!r}, this version reads"
            f" {FORMAT}: run `firstline kb build`"
        )


def _open(folder: Path, manifest: Mapping[str, Any]) -> Generation:
    """Open verified files and check that they belong together. Raises SealBroken."""
    rows = RowTable.from_json((folder / "rows.json").read_bytes())
    try:
        vectors: Vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        expected = (len(rows.snippet), manifest["dimension"])
        if vectors.dtype != np.float32 or vectors.shape != expected:
            raise sealed.SealBroken(
                f"vectors.npy has shape {vectors.shape} of {vectors.dtype}, the manifest says {expected}"
            )
        index = read_faiss(folder / "index.faiss", vectors)
    except (ValueError, KeyError, EOFError) as error:
        raise sealed.SealBroken(str(error)) from None
    if manifest.get("build_id") != folder.name:
        raise sealed.SealBroken(f"{folder} holds the generation {manifest.get('build_id')}")
    return Generation(
        build_id=folder.name,
        folder=folder,
        encoder_fingerprint=str(manifest["encoder"]),
        dimension=int(manifest["dimension"]),
        manifest=manifest,
        rows=rows,
        vectors=vectors,
        index=index,
    )
