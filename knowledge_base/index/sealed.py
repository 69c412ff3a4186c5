"""Sealed folders: a manifest with the SHA-256 of every file, published in one rename, verified before use."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
CURRENT = "CURRENT"
TEMPORARY_PREFIX = ".making-"
# Bytes per read; larger blocks do not make SHA-256 faster.
B = 1 << 20
# A manifest lists a few files and one line per revision; anything larger was not written by us.
MAX_MANIFEST = 256 << 20
# A name in CURRENT is a hexadecimal digest; a longer file was not written by us.
MAX_NAME = 128


class SealBroken(Exception):
    """A sealed folder is not what its manifest says; callers turn it into their own error."""


def sha256_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(B):
            digest.update(block)
    return digest.hexdigest()


def canonical(value: Any) -> bytes:
    """One spelling for one JSON value: sorted keys, no NaN, a final newline."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    return (text + "\n").encode()


@contextmanager
def lock(parent: Path, name: str = ".lock") -> Iterator[None]:
    """One writer at a time in this folder; the operating system releases it when the process dies.

    Another `name` is another lock: what takes long must not hold up what is quick.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / name).open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def try_lock(parent: Path, name: str = ".lock") -> Iterator[bool]:
    """The same lock when it is free now; yields whether it was."""
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / name).open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def temporary_folder(parent: Path) -> Path:
    """A new empty folder beside the published ones, so that the rename stays on one file system."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir()
    return folder


def seal(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write `manifest.json` with the hash of every file and a seal over itself; everything reaches the disk.

    The seal is the SHA-256 of the manifest without it, so a changed manifest is noticed as well.
    """
    names = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)
    body = {**manifest, "files": {name: sha256_file(folder / name) for name in names}}
    sealed = {**body, "seal": hashlib.sha256(canonical(body)).hexdigest()}
    (folder / MANIFEST).write_bytes(canonical(sealed))
    for name in (*names, MANIFEST):
        _sync(folder / name)
    _sync(folder)
    return sealed


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, once its own seal holds.

    Raises SealBroken: no manifest, not JSON, not spelled as `seal` spells it, or changed.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MAX_MANIFEST:
            raise SealBroken(f"{path} is larger than any manifest")
        raw = path.read_bytes()
        manifest = json.loads(raw)
    except FileNotFoundError:
        raise SealBroken(f"{path} is missing") from None
    except (ValueError, RecursionError) as error:
        raise SealBroken(f"{path} is not JSON: {error}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise SealBroken(f"{path} is not a manifest")
    body = {name: value for name, value in manifest.items() if name != "seal"}
    expected = hashlib.sha256(canonical(body)).hexdigest()
    if manifest.get("seal") != expected or raw != canonical(manifest):
        raise SealBroken(f"{path} was changed after it was sealed")
    return manifest


def verify_files(folder: Path, manifest: Mapping[str, Any], *, required: Collection[str]) -> None:
    """Compare every file with its hash.

    Raises SealBroken and names the first file that is missing, unlisted or different.
    """
    listed: Mapping[str, Any] = manifest["files"]
    for name in sorted(required):
        if name not in listed:
            raise SealBroken(f"{folder / MANIFEST} does not list {name}")
    for name, expected in sorted(listed.items()):
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise SealBroken(f"{path} is missing")
        if sha256_file(path) != expected:
            raise SealBroken(f"{path} was changed or cut short: its SHA-256 is not the one sealed")


def publish(made: Path, target: Path) -> None:
    """Give a sealed folder its final name in one rename; a folder already there is replaced.

    A reader sees the old folder or the new one, never a half: the old one steps aside first and
    readers that have its files open keep them.
    """
    aside: Path | None = None
    if target.exists():
        aside = target.parent / f"{TEMPORARY_PREFIX}old-{secrets.token_hex(4)}"
        target.rename(aside)
    made.rename(target)
    _sync(target.parent)
    if aside is not None:
        shutil.rmtree(aside, ignore_errors=True)


def write_current(parent: Path, name: str) -> None:
    """Point CURRENT at `name`, atomically and durably."""
    temporary = parent / f"{TEMPORARY_PREFIX}{CURRENT}-{secrets.token_hex(4)}"
    temporary.write_text(name + "\n", encoding="ascii")
    _sync(temporary)
    temporary.replace(parent / CURRENT)
    _sync(parent)


def read_current(parent: Path) -> str | None:
    """The name in CURRENT; None when there is none. Raises SealBroken when it is no plain name."""
    try:
        with (parent / CURRENT).open("rb") as stream:
            raw = stream.read(MAX_NAME + 1)
    except FileNotFoundError:
        return None
    name = raw.decode("ascii", errors="replace").strip()
    if len(raw) > MAX_NAME or not name.isalnum():
        raise SealBroken(f"{parent / CURRENT} does not hold a name: it was changed")
    return name


def remove_leftovers(parent: Path, *, older_than: float, now: float) -> None:
    """Delete temporary folders that an interrupted run left behind.

    `older_than` is in seconds; younger ones may belong to a run that is still busy.
    """
    for path in parent.glob(f"{TEMPORARY_PREFIX}*"):
        if now - path.stat().st_mtime > older_than:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
