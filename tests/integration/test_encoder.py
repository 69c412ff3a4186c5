"""The real encoder: exported once, verified, as good as sentence-transformers, and used by the commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from knowledge_base.cli import encoder_app, kb_app
from knowledge_base.errors import (
    ConfigurationError,
    EncoderCorrupt,
    EncoderError,
    EncoderMissing,
)
from knowledge_base.home import Home
from knowledge_base.index import export, sealed
from knowledge_base.index.encoder import (
    MODEL,
    QUERY_MODEL,
    TOKENIZER,
    Encoder,
    current_encoder_folder,
    load_current_encoder,
    verify_encoder,
)
from knowledge_base.index.query_graph import MIN_QUERY_COSINE
from knowledge_base.ranking import Ranker
from tests.fixtures_generation import WordHashEncoder, build, exported_home, real_encoder, shop

# Loading torch and tracing the model takes a while on a busy machine.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, encoders: Path) -> Home:
    """A home with the real encoder."""
    return exported_home(tmp_path_factory.mktemp("encoder") / "home", encoders)


@pytest.fixture(scope="module")
def encoder(home: Home) -> Encoder:
    return real_encoder(home)


@pytest.fixture
def copied(home: Home, tmp_path: Path) -> Path:
    """A copy of the exported encoder that a test may damage."""
    source = current_encoder_folder(home)
    return Path(shutil.copytree(source.resolve(), tmp_path / source.name))


def test_vectors_are_unit_length_and_in_the_order_of_the_texts(encoder: Encoder) -> None:
    texts = [
        "a much longer text about returning boots to the shop",
        "hi",
        "where is my parcel",
        "",
    ]
    vectors = encoder.encode(texts)
    assert vectors.shape == (4, encoder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        # Single texts go through the 8-bit graph.
        assert float(vector @ encoder.encode_one(text)) > MIN_QUERY_COSINE


def test_meaning_is_near(encoder: Encoder) -> None:
    question, answer, other = encoder.encode(
        ["wheres my parcel", "my delivery has not arrived", "do you sell gift cards"]
    )
    assert question @ answer > question @ other + 0.2


def test_batches_do_not_change_a_vector(encoder: Encoder) -> None:
    texts = [f"question number {n} about {'returns ' * (n % 7)}" for n in range(70)]
    steps: list[tuple[int, int]] = []
    together = encoder.encode(
        texts, progress=lambda _step, done, total: steps.append((done, total))
    )
    alone = np.stack([encoder.encode([text])[0] for text in texts])
    assert np.allclose(together, alone, atol=1e-5)
    assert steps == [(32, 70), (64, 70), (70, 70)]


@pytest.mark.parametrize("text", ["x " * 50_000, "\ud800", "\x00", "👍" * 500, "배송"])
def test_any_text_has_a_vector(encoder: Encoder, text: str) -> None:
    vector = encoder.encode_one(text)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_no_texts_make_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_repeated_questions_come_from_a_bounded_cache(home: Home) -> None:
    small = Encoder.load(current_encoder_folder(home), threads=1, cache=2)
    first = small.encode_one("one")
    assert small.encode_one("one") is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0
    small.encode_one("two")
    small.encode_one("three")
    assert small.encode_one("one") is not first


def test_the_manifest_keeps_the_contract_with_the_assistant(home: Home) -> None:
    folder = current_encoder_folder(home)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format"] == 1
    assert (
        manifest["fingerprint"] == folder.name == (home.encoders / "CURRENT").read_text().strip()
    )
    assert (manifest["dimension"], manifest["max_tokens"]) == (384, 256)
    assert (manifest["pooling"], manifest["normalised"]) == ("mean", True)
    assert manifest["precision"] == "fp32"
    assert set(manifest["files"]) == {MODEL, QUERY_MODEL, TOKENIZER}
    for name, digest in manifest["files"].items():
        assert sealed.sha256_file(folder / name) == digest


def test_the_graph_takes_ids_and_mask_and_gives_the_embedding(home: Home) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(current_encoder_folder(home) / MODEL))
    inputs = {item.name: item.type for item in session.get_inputs()}
    assert inputs == {"input_ids": "tensor(int64)", "attention_mask": "tensor(int64)"}
    assert [item.name for item in session.get_outputs()] == ["embedding"]


@pytest.mark.parametrize("name", [MODEL, TOKENIZER, "manifest.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_damaged_encoder_is_refused(copied: Path, name: str, damage: str) -> None:
    path = copied / name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(raw if damage == "bit" else raw[:-1])
    with pytest.raises(EncoderCorrupt, match="encoder export"):
        Encoder.load(copied)


def test_a_renamed_encoder_is_refused(copied: Path) -> None:
    renamed = copied.rename(copied.parent / ("0" * 64))
    with pytest.raises(EncoderCorrupt, match="moved or renamed"):
        verify_encoder(renamed)


def test_no_encoder_yet_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(EncoderMissing, match="firstline encoder export"):
        load_current_encoder(Home.at(tmp_path))
    with pytest.raises(EncoderMissing):
        Encoder.load(tmp_path / "none")


def test_an_intact_export_is_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_args: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(export, "_export", never)
    assert export.export_default(home, environ={}) == current_encoder_folder(home).name


def test_a_local_folder_needs_no_network_and_gives_the_same_fingerprint(home: Home) -> None:
    packaged = export.packaged_source()
    local = export.named_source(str(packaged.folder))
    assert local.fingerprint == packaged.fingerprint == current_encoder_folder(home).name
    assert local.label != packaged.label


def test_other_weights_than_the_expected_ones_are_never_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "DEFAULT_WEIGHTS", "0" * 64)
    monkeypatch.setattr(export, "load_model", lambda _source: pytest.fail("loaded"))
    with pytest.raises(EncoderCorrupt, match="was not loaded"):
        export.export_default(Home.at(tmp_path), environ={})
    assert not (tmp_path / "encoders" / "CURRENT").exists()


@pytest.mark.parametrize("setting", ["/nowhere/at/all", "./nowhere"])
def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        export.export_default(Home.at(tmp_path), environ={export.SETTING: setting})


def test_a_folder_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no sentence-transformers model"):
        export.named_source(str(tmp_path))


def test_an_export_that_disagrees_is_refused(encoder: Encoder) -> None:
    class Other:
        """Gives vectors of another model."""

        def encode(self, texts: list[str], **_settings: object) -> np.ndarray:
            return WordHashEncoder(dimension=384).encode(texts)

    with pytest.raises(EncoderError, match="disagrees"):
        export._compare(Other(), encoder)


def test_real_questions_find_their_snippet_and_strange_ones_none(
    encoder: Encoder, tmp_path: Path
) -> None:
    ranker = Ranker(build(Home.at(tmp_path), shop(), encoder), encoder)
    for question, key in {
        "i'd like to send a jumper back, how?": "returns.how",
        "my package still has not turned up!!": "delivery.late",
        "what are your hours on saturday": "stores.hours",
        "how do i check the money on a gift card": "gift_cards.balance",
    }.items():
        assert ranker.rank([question], limit=3).candidates[0].snippet_key == key
    for question in ("who won the world cup in 1998", "write me a poem about the sea"):
        ranking = ranker.rank([question], limit=3)
        assert (ranking.abstained, ranking.reason) == (True, "low_confidence")


class TestCommands:
    """`firstline kb ...` and `firstline encoder ...` as a user runs them."""

    @pytest.fixture
    def run(self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
        root = tmp_path / "home"
        root.mkdir()
        (root / "encoders").symlink_to(home.encoders.resolve())
        monkeypatch.setenv("FIRSTLINE_HOME", str(root))
        monkeypatch.delenv("FIRSTLINE_DATABASE_URL", raising=False)
        monkeypatch.delenv(export.SETTING, raising=False)
        rows = ["key,text,title,examples"]
        for revision in shop():
            content = revision.content
            examples = " | ".join(content.examples)
            rows.append(f'{content.key},"{content.text}","{content.title}","{examples}"')
        (tmp_path / "shop.csv").write_text("\n".join(rows))
        (tmp_path / "questions.csv").write_text(
            "# split: by hand\nquestion,expected_key\nare you open on saturdays,stores.hours\n"
            "who won the world cup in 1998,\n"
        )
        monkeypatch.chdir(tmp_path)
        return CliRunner()

    def test_build_status_eval_rollback(self, run: CliRunner) -> None:
        assert run.invoke(kb_app, ["status"]).exit_code == 1
        empty = run.invoke(kb_app, ["build", "--json"])
        assert empty.exit_code == 1
        assert json.loads(empty.output)["kind"] == "NothingToBuild"
        people = ["--author", "ana", "--approve-as", "ben"]
        assert run.invoke(kb_app, ["import", "shop.csv", *people]).exit_code == 0
        built = run.invoke(kb_app, ["build", "--json"])
        assert built.exit_code == 0, built.output
        build_id = json.loads(built.stdout)["build_id"]
        again = run.invoke(kb_app, ["build"])
        assert "already built, verified" in again.output
        status = run.invoke(kb_app, ["status", "--json"])
        assert status.exit_code == 0
        assert json.loads(status.output)["up_to_date"] is True
        report = run.invoke(kb_app, ["eval", "questions.csv", "--json", "--min-hit1", "1"])
        assert report.exit_code == 0, report.output
        figures = json.loads(report.stdout)
        assert figures["split"] == "by hand"
        assert figures["hit_at_1"]["value"] == 1.0
        assert figures["unanswerable_abstained"]["value"] == 1.0
        rolled = run.invoke(kb_app, ["rollback", build_id, "--json"])
        assert json.loads(rolled.output)["live"] == build_id
        assert run.invoke(kb_app, ["rollback", "0" * 32]).exit_code == 1

    def test_a_figure_below_its_floor_is_exit_code_1(self, run: CliRunner, tmp_path: Path) -> None:
        people = ["--author", "ana", "--approve-as", "ben"]
        run.invoke(kb_app, ["import", "shop.csv", *people])
        run.invoke(kb_app, ["build"])
        wrong = tmp_path / "wrong.csv"
        wrong.write_text("question,expected_key\nare you open on saturdays,returns.how\n")
        done = run.invoke(kb_app, ["eval", "wrong.csv", "--min-hit1", "0.5"])
        assert done.exit_code == 1
        assert "hit@1 is 0.000, at least 0.500" in done.output
        wrong.write_text("question,expected_key\nare you open,not.there\n")
        unknown = run.invoke(kb_app, ["eval", "wrong.csv"])
        assert unknown.exit_code == 2
        assert "line 2: not.there" in unknown.output

    def test_export_of_what_is_there_is_quick_and_says_what_it_is(self, run: CliRunner) -> None:
        done = run.invoke(encoder_app, ["export", "--json"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["dimension"] == 384
        bad = run.invoke(encoder_app, ["export", "/nowhere/at/all"])
        assert bad.exit_code == 2
        assert "no such folder" in bad.output
