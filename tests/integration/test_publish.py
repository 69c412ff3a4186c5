"""From the database to the generation in service: build, status, rollback, evaluation, on the real tables."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from knowledge_base import publish
from knowledge_base.errors import (
    EncoderMissing,
    GenerationCorrupt,
    GenerationForeign,
    NotFound,
    NothingToBuild,
)
from knowledge_base.home import Home
from knowledge_base.index import generation, sealed
from knowledge_base.publish import switching
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import audit, migrate, repository
from knowledge_base.store.engine import open_engine, read_session, write_session
from knowledge_base.store.tables import AuditRow
from tests.fixtures_generation import WordHashEncoder, shop
from tests.small_policy import small_policy

POLICY = small_policy()
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ENCODER = WordHashEncoder()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def _approve(engine: Engine, contents: list[SnippetContent]) -> None:
    with write_session(engine) as session:
        for content in contents:
            added = repository.add_revision(session, content, author="ana", now=NOW)
            repository.submit(session, added.id, by="ana", now=NOW)
            repository.approve(session, added.id, by="ben", now=NOW, policy=POLICY)


def _shop(engine: Engine) -> None:
    _approve(engine, [revision.content for revision in shop()])


def _build(home: Home, engine: Engine) -> publish.BuildReport:
    return publish.build(home, engine, now=NOW, encoder=ENCODER)


def _actions(engine: Engine) -> list[tuple[str, str]]:
    with read_session(engine) as session:
        assert audit.verify(session).intact
        rows = session.execute(
            select(AuditRow.action, AuditRow.subject)
            .where(AuditRow.action.like("generation.%"))
            .order_by(AuditRow.seq)
        )
        return [(action, subject) for action, subject in rows]


def test_a_build_publishes_all_approved_snippets_with_an_audit_row(
    home: Home, engine: Engine
) -> None:
    _shop(engine)
    steps: set[str] = set()
    report = publish.build(
        home, engine, now=NOW, encoder=ENCODER, progress=lambda step, _d, _t: steps.add(step)
    )
    assert (report.built, report.published, report.snippets) == (True, True, 5)
    assert generation.current_build_id(home) == report.build_id
    assert _actions(engine) == [("generation.publish", f"generation:{report.build_id}")]
    assert {"Encoding texts", "Learning the ranking", "Writing", "Verifying"} <= steps
    loaded = generation.load(home, encoder_fingerprint=ENCODER.fingerprint)
    with read_session(engine) as session:
        live = repository.approved_revisions(session)
    assert [s.revision_id for s in loaded.rows.snippets] == [revision.id for revision in live]


def test_nothing_approved_is_nothing_to_build(home: Home, sqlite_engine: Engine) -> None:
    with write_session(sqlite_engine) as session:
        repository.add_revision(session, shop()[0].content, author="ana", now=NOW)
    with pytest.raises(NothingToBuild, match="no approved snippet"):
        _build(home, sqlite_engine)
    assert not home.index.exists() or not list(home.index.iterdir())


def test_the_same_content_is_recognised_but_still_verified(
    home: Home, sqlite_engine: Engine
) -> None:
    _shop(sqlite_engine)
    first = _build(home, sqlite_engine)
    again = _build(home, sqlite_engine)
    assert again.build_id == first.build_id
    assert (again.built, again.published) == (False, False)
    assert len(_actions(sqlite_engine)) == 1
    (home.index / first.build_id / "vectors.npy").write_bytes(b"rubbish")
    repaired = _build(home, sqlite_engine)
    assert (repaired.build_id, repaired.built) == (first.build_id, True)
    generation.load(home)


def test_other_row_ids_for_the_same_content_are_written_anew(home: Home, tmp_path: Path) -> None:
    reports = []
    for number, contents in enumerate((shop(), list(reversed(shop())))):
        engine = open_engine(f"sqlite:///{tmp_path / f'{number}.db'}")
        migrate.upgrade(engine)
        _approve(engine, [revision.content for revision in contents])
        reports.append(_build(home, engine))
        loaded = generation.load(home)
        with read_session(engine) as session:
            known = {r.key: r.id for r in repository.approved_revisions(session)}
        assert {s.key: s.revision_id for s in loaded.rows.snippets} == known
        engine.dispose()
    assert reports[0].build_id == reports[1].build_id


def test_status_shows_what_changed_since(home: Home, sqlite_engine: Engine) -> None:
    empty = publish.status(home, sqlite_engine)
    assert (empty.live, empty.problem, empty.generations) == (None, None, ())
    _shop(sqlite_engine)
    assert len(publish.status(home, sqlite_engine).drift.missing) == 5
    report = _build(home, sqlite_engine)
    assert not publish.status(home, sqlite_engine).drift.any
    contents = [revision.content for revision in shop()]
    changed = SnippetContent(key=contents[0].key, text="Other words.")
    _approve(sqlite_engine, [changed, SnippetContent(key="new.one", text="New words.")])
    with write_session(sqlite_engine) as session:
        gone = repository.live_revision(session, "praise.thanks")
        assert gone is not None
        repository.retire(session, gone.id, by="ben", now=NOW)
    status = publish.status(home, sqlite_engine)
    assert status.live == report.build_id
    assert status.drift == publish.Drift(
        missing=("new.one",), changed=("returns.how",), no_longer_approved=("praise.thanks",)
    )


def test_status_names_what_is_wrong_with_the_live_generation(
    home: Home, sqlite_engine: Engine
) -> None:
    _shop(sqlite_engine)
    report = _build(home, sqlite_engine)
    (home.index / report.build_id / "rows.json").unlink()
    status = publish.status(home, sqlite_engine)
    assert status.live == report.build_id
    assert "rows.json is missing" in (status.problem or "")
    assert status.generations[0].problem is not None


def test_rollback_verifies_first_and_leaves_an_audit_row(
    home: Home, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switching, "encoder_of", lambda _home, _loaded: ENCODER)
    _shop(sqlite_engine)
    first = _build(home, sqlite_engine)
    _approve(sqlite_engine, [SnippetContent(key="new.one", text="New words.")])
    second = _build(home, sqlite_engine)
    assert first.build_id != second.build_id
    publish.rollback(home, sqlite_engine, first.build_id, now=NOW, by="ben")
    assert generation.current_build_id(home) == first.build_id
    assert _actions(sqlite_engine)[-1] == ("generation.rollback", f"generation:{first.build_id}")
    (home.index / second.build_id / "index.faiss").write_bytes(b"")
    with pytest.raises(GenerationCorrupt):
        publish.rollback(home, sqlite_engine, second.build_id, now=NOW)
    with pytest.raises(NotFound):
        publish.rollback(home, sqlite_engine, "0" * 32, now=NOW)
    assert generation.current_build_id(home) == first.build_id
    assert len(_actions(sqlite_engine)) == 3


def test_rollback_needs_the_encoder_of_that_generation(home: Home, sqlite_engine: Engine) -> None:
    _shop(sqlite_engine)
    report = _build(home, sqlite_engine)
    with pytest.raises(EncoderMissing):
        publish.rollback(home, sqlite_engine, report.build_id, now=NOW)


def test_without_its_audit_row_a_generation_does_not_go_live(
    home: Home, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _shop(sqlite_engine)
    first = _build(home, sqlite_engine)
    _approve(sqlite_engine, [SnippetContent(key="new.one", text="New words.")])

    def fail(*_args: object, **_kwargs: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(audit, "append", fail)
    with pytest.raises(OSError, match="disk full"):
        _build(home, sqlite_engine)
    assert generation.current_build_id(home) == first.build_id


def test_an_encoder_of_another_fingerprint_makes_another_generation(
    home: Home, sqlite_engine: Engine
) -> None:
    _shop(sqlite_engine)
    one = _build(home, sqlite_engine)
    other_encoder = WordHashEncoder(fingerprint="e" * 64)
    other = publish.build(home, sqlite_engine, now=NOW, encoder=other_encoder)
    assert one.build_id != other.build_id
    with pytest.raises(GenerationForeign):
        generation.load(home, one.build_id, encoder_fingerprint=other_encoder.fingerprint)


# Builds in another process that stops for ever at the named step, so that the kill hits exactly there.
_HANGING_BUILD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.index import generation, sealed
from knowledge_base.publish import switching
from knowledge_base.store.engine import open_engine
from tests.fixtures_generation import WordHashEncoder

home, step = Home.at(Path(sys.argv[1])), sys.argv[3]
def hang(*_args, **_kwargs):
    print("there", flush=True)
    time.sleep(600)
if step == "sealing": sealed.seal = hang
if step == "renaming": sealed.publish = hang
if step == "activating": generation.activate = hang
def progress(name, _done, _total):
    if name == step: hang()
publish.build(home, open_engine(sys.argv[2]), now=datetime.now(UTC), progress=progress,
              encoder=WordHashEncoder())
"""


@pytest.mark.parametrize(
    "step", ["Encoding texts", "Learning the ranking", "sealing", "renaming", "activating"]
)
def test_a_build_killed_at_any_step_leaves_the_last_good_generation_in_service(
    home: Home, sqlite_engine: Engine, step: str
) -> None:
    _shop(sqlite_engine)
    good = _build(home, sqlite_engine)
    _approve(sqlite_engine, [SnippetContent(key="new.one", text="New words.")])
    url = sqlite_engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", _HANGING_BUILD, str(home.root), url, step],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert generation.current_build_id(home) == good.build_id
    assert len(generation.load(home).rows.snippets) == 5
    assert all(entry.problem is None for entry in generation.available(home))
    assert len(_actions(sqlite_engine)) == 1
    again = _build(home, sqlite_engine)
    assert again.published
    assert len(generation.load(home).rows.snippets) == 6


def test_leftovers_of_a_killed_build_are_removed_later(home: Home, sqlite_engine: Engine) -> None:
    _shop(sqlite_engine)
    home.index.mkdir(parents=True)
    leftover = sealed.temporary_folder(home.index)
    old = time.time() - 2 * generation.STALE_SECONDS
    os.utime(leftover, (old, old))
    _build(home, sqlite_engine)
    assert not leftover.exists()
