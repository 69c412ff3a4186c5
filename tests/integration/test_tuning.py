"""Tuning for real: a tiny model learns, is exported and published, killed and resumed, refused and rolled back."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from knowledge_base import publish
from knowledge_base.cli import kb_app
from knowledge_base.errors import ConfigurationError, EncoderError, NothingToTune, UnreadableFile
from knowledge_base.home import Home
from knowledge_base.index import export, generation, sealed
from knowledge_base.index.encoder import Encoder, load_current_encoder, verify_encoder
from knowledge_base.store import audit
from knowledge_base.store.engine import read_session
from knowledge_base.store.tables import AuditRow
from knowledge_base.tuning import run
from knowledge_base.tuning.settings import TuningSettings
from tests.tuning_home import NOW, approve, contents, opened, prepare

# Loading torch takes a while on a busy machine.
pytestmark = pytest.mark.timeout(600)
SETTINGS = TuningSettings(
    epochs=3, learning_rate=3e-3, snippets_per_batch=6, texts_per_snippet=3, tuned_share=1.0
)
RUINOUS = replace(SETTINGS, learning_rate=0.5, epochs=1)  # each step moves a weight by half a unit


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """A tiny model gains nothing from a second core, and waiting for it costs a busy machine much."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Prepared once; tests work on copies of its folder."""
    return prepare(tmp_path_factory.mktemp("tuning"))


@pytest.fixture
def home(pattern: Home, tmp_path: Path) -> Home:
    return copied(pattern, tmp_path / "home")


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    opening = opened(home)
    yield opening
    opening.dispose()


def copied(pattern: Home, folder: Path) -> Home:
    return Home.at(Path(shutil.copytree(pattern.root, folder)))


def tuned(home: Home, engine: Engine, settings: TuningSettings = SETTINGS, **more: Any) -> Any:
    return run.tune(home, engine, now=NOW, settings=settings, **more)


def state(home: Home) -> tuple[Any, ...]:
    """What must not change when nothing is published."""
    folders = (home.encoders, home.index)
    return (
        *(sealed.read_current(folder) for folder in folders),
        *(sorted(p.name for p in folder.iterdir() if p.name != ".lock") for folder in folders),
    )


def questions(folder: Path, *rows: str) -> Path:
    path = folder / "questions.csv"
    path.write_text("\n".join(["question,expected_key", *rows]) + "\n")
    return path


def test_a_tuned_encoder_goes_into_service_with_its_generation_and_rollback_puts_both_back(
    home: Home, engine: Engine
) -> None:
    before = generation.load(home)
    steps: list[tuple[str, int, int]] = []
    report = tuned(home, engine, progress=lambda *step: steps.append(step))

    assert report.published
    assert report.refused == ()
    assert report.history[-1]["loss"] < report.history[0]["loss"]
    assert report.held_out == round(72 * 0.1)
    assert report.held_out_after >= report.held_out_before
    assert report.tuned_from == before.encoder_fingerprint
    assert report.encoder_fingerprint != before.encoder_fingerprint
    learning = [(done, total) for step, done, total in steps if step == "Tuning the encoder"]
    assert learning[-1][0] == learning[-1][1] == report.steps

    live = generation.load(home)
    assert live.build_id == report.build_id
    assert live.encoder_fingerprint == report.encoder_fingerprint
    assert load_current_encoder(home).fingerprint == report.encoder_fingerprint
    assert publish.open_ranker(home).rank(["parcel late"], limit=1).build_id == report.build_id
    assert list(home.tuning.glob("[!.]*")) == []

    publish.rollback(home, engine, before.build_id, now=NOW)
    assert load_current_encoder(home).fingerprint == before.encoder_fingerprint
    rebuilt = publish.build(home, engine, now=NOW)
    assert (rebuilt.build_id, rebuilt.published) == (before.build_id, False)
    with read_session(engine) as session:
        assert audit.verify(session).intact
        found = session.execute(
            select(AuditRow.action, AuditRow.subject, AuditRow.detail)
            .where(AuditRow.action.like("generation.%"))
            .order_by(AuditRow.seq)
        ).all()
    assert [row.action for row in found][-2:] == ["generation.publish", "generation.rollback"]
    assert "tuned_from" in str(found[-2].detail)


def test_the_manifest_says_what_it_was_tuned_from_and_the_export_is_the_tuned_model(
    home: Home, engine: Engine
) -> None:
    report = tuned(home, engine)
    folder = home.encoders / report.encoder_fingerprint
    info = verify_encoder(folder)
    manifest = sealed.read_manifest(folder)
    assert info.source == f"tuned from {report.tuned_from} on 72 phrasings, seed 7"
    assert manifest["tuned"]["base"] == report.tuned_from
    assert manifest["tuned"]["settings"]["seed"] == 7
    assert len(manifest["tuned"]["material"]) == 64
    untuned = Encoder.load(home.encoders / report.tuned_from)
    texts = ["parcel late waiting", "open sunday"]
    vectors = Encoder.load(folder).encode(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert float(np.abs(vectors - untuned.encode(texts)).max()) > 0.01


def test_a_tuned_encoder_stays_in_use_when_its_model_is_exported_or_built_again(
    home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = sealed.read_manifest(home.encoders / str(sealed.read_current(home.encoders)))["source"]
    report = tuned(home, engine)
    assert (
        export.export_default(home, environ={export.SETTING: base}) == report.encoder_fingerprint
    )
    monkeypatch.setenv(export.SETTING, base)
    rebuilt = publish.build(home, engine, now=NOW)
    assert (rebuilt.build_id, rebuilt.published) == (report.build_id, False)
    # Naming a source is another thing: it says which encoder is wanted.
    assert export.export(home, base) == report.tuned_from
    assert sealed.read_current(home.encoders) == report.tuned_from


def test_tuning_again_starts_from_the_untuned_encoder_and_the_same_content_gives_the_same_one(
    home: Home, engine: Engine
) -> None:
    first = tuned(home, engine)
    again = tuned(home, engine)
    assert again.tuned_from == first.tuned_from
    assert again.encoder_fingerprint == first.encoder_fingerprint
    other = tuned(home, engine, replace(SETTINGS, seed=8), dry_run=True)
    assert other.encoder_fingerprint != first.encoder_fingerprint
    assert sealed.read_current(home.encoders) == first.encoder_fingerprint


def test_a_dry_run_changes_nothing_and_spares_the_next_run_the_work(
    home: Home, engine: Engine
) -> None:
    before = state(home)
    dry = tuned(home, engine, dry_run=True)
    assert (dry.published, dry.refused) == (False, ())
    assert state(home) == before
    real = tuned(home, engine)
    assert real.published
    assert real.resumed_at_step == dry.steps
    assert real.encoder_fingerprint == dry.encoder_fingerprint


def test_an_encoder_that_got_worse_is_refused_and_nothing_changes(
    home: Home, engine: Engine, tmp_path: Path
) -> None:
    # Words that several snippets share count for nothing by themselves: only the encoder can tell these.
    asked = questions(
        tmp_path,
        "parcel late waiting courier,delivery.late",
        "late waiting parcel,delivery.late",
        "courier waiting late,delivery.late",
        "refund waiting late,returns.late",
        "waiting refund late refund,returns.late",
        "late refund waiting,returns.late",
    )
    before = state(home)
    report = tuned(home, engine, RUINOUS, questions=asked)
    assert not report.published
    assert any("hit@3" in reason for reason in report.refused)
    assert report.comparison is not None
    assert {figure.name for figure in report.comparison.figures} == {
        "hit@1",
        "hit@3",
        "abstention",
    }
    assert state(home) == before
    assert list(home.tuning.glob("[!.]*")) == []


_KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import torch
from knowledge_base.home import Home
from tests.integration.test_tuning import SETTINGS, LONG, tuned
from tests.tuning_home import opened
torch.set_num_threads(1)
home = Home.at(Path(sys.argv[1]))
tuned(home, opened(home), LONG, dry_run=True)
"""
LONG = replace(SETTINGS, epochs=12, patience=1000)


def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(
    home: Home, engine: Engine, pattern: Home, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(home.root)], cwd=Path(__file__).parents[2]
    )
    deadline = time.monotonic() + 300
    while not list(home.tuning.glob("*/state.pt")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = tuned(home, engine, LONG, dry_run=True)
    assert 0 < resumed.resumed_at_step < resumed.steps

    other = copied(pattern, tmp_path / "other")
    undisturbed = opened(other)
    whole = tuned(other, undisturbed, LONG, dry_run=True)
    undisturbed.dispose()
    assert whole.resumed_at_step == 0
    assert resumed.history == whole.history
    assert resumed.encoder_fingerprint == whole.encoder_fingerprint


@pytest.mark.parametrize("damage", ["cut short", "of another run", "no checkpoint"])
def test_a_checkpoint_that_cannot_be_used_is_left_aside(
    home: Home, engine: Engine, damage: str
) -> None:
    tuned(home, engine, dry_run=True)
    (path,) = home.tuning.glob("*/state.pt")
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "of another run":
        tuned(home, engine, replace(SETTINGS, seed=9), dry_run=True)
        other = next(p for p in home.tuning.glob("*/state.pt") if p != path)
        shutil.copyfile(other, path)
    else:
        path.write_bytes(b"not a checkpoint")
    again = tuned(home, engine)
    assert again.published
    assert again.resumed_at_step == 0


def test_too_little_to_learn_from_is_said(home: Home, engine: Engine) -> None:
    few = [replace(content, examples=content.examples[:2]) for content in contents()]
    approve(engine, few)
    with pytest.raises(NothingToTune, match=r"12 approved phrasings .* at least 20"):
        tuned(home, engine)


def test_a_question_for_a_snippet_that_nobody_approved_is_an_error_before_anything_is_learnt(
    home: Home, engine: Engine, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableFile, match=r"no\.such"):
        tuned(home, engine, questions=questions(tmp_path, "where is it,no.such"))
    assert not home.tuning.exists()


def test_a_source_that_changed_since_its_export_is_not_tuned(
    home: Home, engine: Engine, tmp_path: Path
) -> None:
    current = home.encoders / str(sealed.read_current(home.encoders))
    manifest = sealed.read_manifest(current)
    moved = Path(shutil.copytree(manifest["source"], tmp_path / "model"))
    body = {k: v for k, v in manifest.items() if k not in ("seal", "files")}
    sealed.seal(current, {**body, "source": str(moved)})
    (moved / "tokenizer.json").write_text(
        (moved / "tokenizer.json").read_text().replace("parcel", "packet")
    )
    with pytest.raises(ConfigurationError, match="has changed since"):
        tuned(home, engine)


def test_weights_that_are_no_numbers_are_never_published(home: Home, engine: Engine) -> None:
    before = state(home)
    with pytest.raises(EncoderError, match="disagrees"):
        tuned(home, engine, replace(RUINOUS, learning_rate=1e30))
    assert state(home) == before


def test_the_command_reports_for_people_and_programs(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLINE_HOME", str(home.root))
    monkeypatch.delenv("FIRSTLINE_DATABASE_URL", raising=False)
    asked = questions(tmp_path, "parcel late waiting,delivery.late", "sing me a song,")
    arguments = ["tune", "--questions", str(asked), "--epochs", "1", "--dry-run"]
    program = CliRunner().invoke(kb_app, [*arguments, "--json"])
    assert program.exit_code in (0, 1), program.output
    report = json.loads(program.stdout)
    assert report["dry_run"] is True
    assert report["published"] is False
    assert (program.exit_code == 1) == bool(report["refused"])
    assert [figure["total"] for figure in report["comparison"]["figures"]] == [1, 1, 1]
    person = CliRunner().invoke(kb_app, arguments)
    assert person.exit_code == program.exit_code
    assert "learnt from 72 phrasings of 6 snippets" in person.stdout
    assert "hit@1" in person.stdout
