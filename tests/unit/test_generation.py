"""Generations: same content same bytes, and no unusable one is ever opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knowledge_base.errors import GenerationCorrupt, GenerationForeign, NotFound
from knowledge_base.home import Home
from knowledge_base.index import generation, sealed
from knowledge_base.index.generation import FILES
from knowledge_base.ranking import Ranker
from tests.fixtures_generation import WordHashEncoder, build, reseal, revision, shop


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_content_gives_the_same_id_and_the_same_bytes(tmp_path: Path) -> None:
    one = build(Home.at(tmp_path / "one"), shop(), WordHashEncoder())
    other = build(Home.at(tmp_path / "other"), list(reversed(shop())), WordHashEncoder())
    assert one.build_id == other.build_id
    assert len(one.build_id) == generation.BUILD_ID_LENGTH
    assert _bytes(one.folder) == _bytes(other.folder)
    assert set(_bytes(one.folder)) == {*FILES, "manifest.json"}


@pytest.mark.parametrize("what", ["text", "number", "encoder", "parameters", "key"])
def test_whatever_decides_the_content_decides_the_id(what: str) -> None:
    def identify(
        *, key: str = "a", text: str = "t", number: int = 1, encoder: str = "e", tau: float = 1.0
    ) -> str:
        return generation.make_build_id(
            [revision(key, text=text, number=number)],
            encoder_fingerprint=encoder,
            parameters={"tau": tau},
        )

    changed = {
        "text": identify(text="u"),
        "number": identify(number=2),
        "encoder": identify(encoder="f"),
        "parameters": identify(tau=2.0),
        "key": identify(key="b"),
    }
    assert changed[what] != identify()


def test_the_manifest_names_revisions_counts_and_encoder(home: Home) -> None:
    made = build(home, shop(), WordHashEncoder())
    first = shop()[0]
    assert made.manifest["revisions"][first.key] == [first.id, 1, first.content_hash]
    assert made.manifest["counts"] == {"snippets": 5, "vectors": 35}
    assert made.manifest["encoder"] == WordHashEncoder().fingerprint
    assert made.vectors.shape == (35, 32)
    assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone", "empty"])
def test_a_damaged_file_is_refused_by_name(home: Home, name: str, damage: str) -> None:
    path = build(home, shop(), WordHashEncoder()).folder / name
    raw = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "bit":
        middle = len(raw) // 2
        path.write_bytes(raw[:middle] + bytes([raw[middle] ^ 4]) + raw[middle + 1 :])
    else:
        path.write_bytes(raw[:-1] if damage == "cut" else b"")
    with pytest.raises(GenerationCorrupt, match=name.replace(".", r"\.")):
        generation.load(home)


def test_another_format_is_foreign(home: Home) -> None:
    reseal(build(home, shop(), WordHashEncoder()).folder, format=generation.FORMAT + 1)
    with pytest.raises(GenerationForeign, match=f"format {generation.FORMAT + 1}"):
        generation.load(home)


def test_another_encoder_is_foreign(home: Home) -> None:
    made = build(home, shop(), WordHashEncoder())
    with pytest.raises(GenerationForeign, match="made by the encoder"):
        generation.load(home, encoder_fingerprint="0" * 64)
    with pytest.raises(GenerationForeign, match="made by the encoder"):
        Ranker(made, WordHashEncoder(fingerprint="0" * 64))


@pytest.mark.parametrize(
    "change", [{"dimension": 31}, {"build_id": "0" * 32}, {"dimension": None}]
)
def test_a_manifest_that_does_not_fit_its_files_is_corrupt(
    home: Home, change: dict[str, object]
) -> None:
    reseal(build(home, shop(), WordHashEncoder()).folder, **change)
    with pytest.raises(GenerationCorrupt):
        generation.load(home)


def test_files_of_two_generations_do_not_mix(home: Home) -> None:
    small = build(home, shop()[:3], WordHashEncoder())
    large = build(home, shop(), WordHashEncoder())
    (large.folder / "index.faiss").write_bytes((small.folder / "index.faiss").read_bytes())
    reseal(large.folder)
    with pytest.raises(GenerationCorrupt, match=r"index\.faiss holds"):
        generation.load(home)


def test_a_classifier_or_calibration_of_another_generation_is_refused(home: Home) -> None:
    small = build(home, shop()[:3], WordHashEncoder())
    large = build(home, shop(), WordHashEncoder())
    (large.folder / "classifier.npz").write_bytes((small.folder / "classifier.npz").read_bytes())
    reseal(large.folder)
    with pytest.raises(GenerationCorrupt, match=r"classifier\.npz"):
        Ranker(generation.load(home), WordHashEncoder())


def test_vectors_are_never_unpickled(home: Home) -> None:
    made = build(home, shop(), WordHashEncoder())
    np.save(made.folder / "vectors.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    reseal(made.folder)
    with pytest.raises(GenerationCorrupt):
        generation.load(home)


def test_without_a_generation_the_reason_says_what_to_do(home: Home) -> None:
    assert generation.current_build_id(home) is None
    assert generation.available(home) == ()
    with pytest.raises(NotFound, match="firstline kb build"):
        generation.load(home)


@pytest.mark.parametrize("name", ["0" * 32, "../index", "."])
def test_a_generation_that_is_not_there_is_not_found(home: Home, name: str) -> None:
    build(home, shop(), WordHashEncoder())
    with pytest.raises(NotFound):
        generation.load(home, name)


def test_a_changed_current_is_refused_and_nothing_else_is_opened_instead(home: Home) -> None:
    build(home, shop(), WordHashEncoder())
    (home.index / sealed.CURRENT).write_bytes(b"../../somewhere\n")
    with pytest.raises(GenerationCorrupt, match="CURRENT"):
        generation.load(home)


def test_the_list_verifies_each_generation(home: Home) -> None:
    bad = build(home, shop()[:3], WordHashEncoder())
    good = build(home, shop(), WordHashEncoder())
    (bad.folder / "rows.json").write_bytes(b"{}")
    listed = {entry.build_id: entry for entry in generation.available(home)}
    assert listed[good.build_id].live
    assert listed[good.build_id].problem is None
    assert not listed[bad.build_id].live
    assert "rows.json" in (listed[bad.build_id].problem or "")


def test_an_open_generation_survives_its_own_replacement(home: Home) -> None:
    made = build(home, shop(), WordHashEncoder())
    before = np.array(made.vectors)
    again = build(home, shop(), WordHashEncoder())
    assert np.array_equal(made.vectors, before)
    assert np.array_equal(again.vectors, before)
