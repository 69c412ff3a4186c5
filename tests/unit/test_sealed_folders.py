"""Sealed folders: what is published is whole, and any change is noticed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from knowledge_base.index import sealed
from knowledge_base.index.sealed import SealBroken


def _sealed(parent: Path) -> Path:
    made = sealed.temporary_folder(parent)
    (made / "a.bin").write_bytes(b"first")
    (made / "b.bin").write_bytes(b"second")
    sealed.seal(made, {"format": 1, "what": "test"})
    target = parent / "abc123"
    sealed.publish(made, target)
    return target


def _verify(folder: Path) -> None:
    sealed.verify_files(folder, sealed.read_manifest(folder), required=("a.bin", "b.bin"))


def test_a_sealed_folder_verifies(tmp_path: Path) -> None:
    folder = _sealed(tmp_path)
    _verify(folder)
    assert sealed.read_manifest(folder)["what"] == "test"
    assert not list(tmp_path.glob(f"{sealed.TEMPORARY_PREFIX}*"))


@pytest.mark.parametrize("name", ["a.bin", "b.bin", sealed.MANIFEST])
def test_every_flipped_bit_is_noticed(tmp_path: Path, name: str) -> None:
    path = _sealed(tmp_path) / name
    raw = path.read_bytes()
    for byte in range(len(raw)):
        changed = bytearray(raw)
        changed[byte] ^= 1
        path.write_bytes(changed)
        with pytest.raises(SealBroken):
            _verify(path.parent)
    path.write_bytes(raw)
    _verify(path.parent)


@pytest.mark.parametrize("name", ["a.bin", sealed.MANIFEST])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = _sealed(tmp_path)
    (folder / name).unlink()
    with pytest.raises(SealBroken, match=name.replace(".", r"\.")):
        _verify(folder)


def test_a_file_that_the_manifest_does_not_list_is_not_accepted_as_required(
    tmp_path: Path,
) -> None:
    folder = _sealed(tmp_path)
    with pytest.raises(SealBroken, match="does not list c"):
        sealed.verify_files(folder, sealed.read_manifest(folder), required=("c",))


def test_a_manifest_that_points_outside_its_folder_is_refused(tmp_path: Path) -> None:
    folder = _sealed(tmp_path)
    manifest = {"files": {"../abc123/a.bin": sealed.sha256_file(folder / "a.bin")}}
    with pytest.raises(SealBroken, match="missing"):
        sealed.verify_files(folder, manifest, required=())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"files": 1}', b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, raw: bytes) -> None:
    folder = _sealed(tmp_path)
    (folder / sealed.MANIFEST).write_bytes(raw)
    with pytest.raises(SealBroken):
        sealed.read_manifest(folder)


def test_a_manifest_of_the_same_meaning_in_another_spelling_is_refused(tmp_path: Path) -> None:
    folder = _sealed(tmp_path)
    manifest = sealed.read_manifest(folder)
    (folder / sealed.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(SealBroken, match="changed"):
        sealed.read_manifest(folder)


def test_publishing_over_an_existing_folder_replaces_it_and_open_files_stay_readable(
    tmp_path: Path,
) -> None:
    folder = _sealed(tmp_path)
    with (folder / "a.bin").open("rb") as reader:
        made = sealed.temporary_folder(tmp_path)
        (made / "a.bin").write_bytes(b"newer")
        sealed.seal(made, {"format": 1})
        sealed.publish(made, folder)
        assert reader.read() == b"first"
    assert (folder / "a.bin").read_bytes() == b"newer"
    assert not (folder / "b.bin").exists()


def test_current_is_what_was_written_last(tmp_path: Path) -> None:
    assert sealed.read_current(tmp_path) is None
    for name in ("one", "two"):
        sealed.write_current(tmp_path, name)
        assert sealed.read_current(tmp_path) == name
    assert (tmp_path / "CURRENT").read_text() == "two\n"


@pytest.mark.parametrize("raw", [b"", b"../../etc", b"a b", b"\xff\xfe", b"a" * 200])
def test_a_current_that_is_no_name_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "CURRENT").write_bytes(raw)
    with pytest.raises(SealBroken, match="does not hold a name"):
        sealed.read_current(tmp_path)


def test_only_old_leftovers_are_removed(tmp_path: Path) -> None:
    old, young = sealed.temporary_folder(tmp_path), sealed.temporary_folder(tmp_path)
    stray = tmp_path / f"{sealed.TEMPORARY_PREFIX}CURRENT-x"
    stray.write_text("x")
    folder = _sealed(tmp_path)
    now = time.time()
    for path in (old, stray):
        os.utime(path, (now - 7200, now - 7200))
    sealed.remove_leftovers(tmp_path, older_than=3600, now=now)
    assert not old.exists()
    assert not stray.exists()
    assert young.exists()
    _verify(folder)
