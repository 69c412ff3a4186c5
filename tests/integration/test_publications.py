"""Publications from the request to what is live: gate, override, staleness, rollback, and kills in between."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from knowledge_base import publish
from knowledge_base.errors import (
    GateRefused,
    NothingToBuild,
    SamePerson,
    StaleCandidate,
    WorkflowError,
)
from knowledge_base.home import Home
from knowledge_base.index import generation, sealed
from knowledge_base.publish import State, candidates, switching
from knowledge_base.publish.generations import BUILD_LOCK
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import audit, golden, merges, publications, repository
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.tables import AuditRow
from tests.fixtures_generation import WordHashEncoder, shop
from tests.prepared import MIGRATED, Filling
from tests.small_policy import small_policy

POLICY = small_policy()
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ENCODER = WordHashEncoder()
HARMFUL = SnippetContent(
    key="delivery.late", text="Ask our robot.", title="Robots", examples=("robot", "machine")
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(switching, "encoder_of", lambda _home, _loaded: ENCODER)
    return Home.at(tmp_path / "home")


def _live(engine: Engine, folder: Path) -> None:
    approve(engine, *(revision.content for revision in shop()))
    publish.build(Home.at(folder / "home"), engine, now=NOW, encoder=ENCODER)


LIVE = Filling("live_shop", _live)


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling:
    return LIVE if "live" in request.fixturenames else MIGRATED


@pytest.fixture
def live(home: Home, filled_folder: Path) -> str:
    """The build id of a small shop that is live, with golden questions of which it answers all."""
    shutil.copytree(filled_folder / "home", home.root)
    build_id = generation.current_build_id(home)
    assert build_id is not None
    return build_id


def approve(engine: Engine, *contents: SnippetContent) -> None:
    with write_session(engine) as session:
        for content in contents:
            added = repository.add_revision(session, content, author="ana", now=NOW)
            repository.submit(session, added.id, by="ana", now=NOW)
            repository.approve(session, added.id, by="ben", now=NOW, policy=POLICY)


def expect(engine: Engine, *rows: tuple[str, str | None], must_pass: bool = False) -> None:
    with write_session(engine) as session:
        for question, key in rows:
            golden.add(session, question, expected_key=key, must_pass=must_pass, by="ben", now=NOW)


def request(engine: Engine, by: str = "ana") -> int:
    with write_session(engine) as session:
        return publish.request(session, by=by, now=NOW).id


def prepare(home: Home, engine: Engine, number: int) -> publish.Candidate:
    return publish.prepare_candidate(home, engine, number, clock=lambda: NOW, encoder=ENCODER)


def state(engine: Engine, number: int) -> State:
    with read_session(engine) as session:
        return publications.get(session, number).state


def words_of(engine: Engine, key: str) -> str | None:
    with read_session(engine) as session:
        found = repository.live_revision(session, key)
        return None if found is None else found.content.text


LATE = ("my order is late", "delivery.late")
HOURS = ("are you open on sunday", "stores.hours")
MORE = SnippetContent(
    key="gift.wrap", text="We wrap gifts in any shop.", examples=("can you wrap it",)
)


def test_a_candidate_waits_beside_what_is_live_until_it_is_published(
    home: Home, engine: Engine, live: str
) -> None:
    expect(engine, LATE, HOURS)
    approve(engine, MORE)
    number = request(engine)
    candidate = prepare(home, engine, number)
    assert candidate.report.passes, candidate.report.reasons
    assert (state(engine, number), candidate.publication.base_build_id) == (State.READY, live)
    assert generation.current_build_id(home) == live
    assert words_of(engine, "gift.wrap") is None
    done = publish.publish_ready(home, engine, number, by="cy", now=NOW, encoder=ENCODER)
    assert (done.state, done.published_by, done.build_id) == (
        State.PUBLISHED,
        "cy",
        candidate.report.build_id,
    )
    assert generation.current_build_id(home) == done.build_id
    assert words_of(engine, "gift.wrap") == MORE.text
    with pytest.raises(WorkflowError, match="only a ready one"):
        publish.publish_ready(home, engine, number, by="cy", now=NOW, encoder=ENCODER)


def test_a_harmful_edit_is_refused_with_the_lost_question_and_nothing_changes(
    home: Home, engine: Engine, live: str
) -> None:
    expect(engine, LATE, HOURS)
    approve(engine, HARMFUL)
    with pytest.raises(GateRefused, match="1 golden question lost") as refused:
        publish.build(home, engine, now=NOW, encoder=ENCODER)
    report = refused.value.report
    assert isinstance(report, publish.GateReport)
    assert [judged.question.text for judged in report.lost] == [LATE[0]]
    assert generation.current_build_id(home) == live
    assert words_of(engine, "delivery.late") != HARMFUL.text
    assert state(engine, refused.value.publication) is State.REFUSED
    with read_session(engine) as session:
        kept = publish.report_of(publish.get(session, refused.value.publication))
    assert kept == report


def test_a_merge_loses_nothing_where_the_snippet_it_goes_into_answers(
    home: Home, engine: Engine, live: str
) -> None:
    asked = (LATE[0], "can you wrap it")
    approve(engine, MORE)
    before = publish.build(home, engine, now=NOW, encoder=ENCODER).build_id
    expect(engine, (asked[0], "delivery.late"), (asked[1], "gift.wrap"), must_pass=True)
    with write_session(engine) as session:
        draft = merges.merge(session, "gift.wrap", into="delivery.late", by="ana", now=NOW)
        repository.submit(session, draft.revision_id, by="ana", now=NOW)
        repository.approve(session, draft.revision_id, by="ben", now=NOW, policy=POLICY)
    number = request(engine)
    report = prepare(home, engine, number).report
    assert report.passes, report.reasons
    [moved] = report.changes  # the candidate is asked as it will be: without the snippet that goes
    assert (moved.question.text, moved.question.merged_into) == (asked[1], "delivery.late")
    assert moved.before is not None
    assert (moved.before.key, moved.after.key) == ("gift.wrap", "delivery.late")
    assert publish.GateReport.from_json(report.to_json()) == report
    publish.publish_ready(home, engine, number, by="cy", now=NOW, encoder=ENCODER)
    assert words_of(engine, "gift.wrap") is None

    # A rollback does not bring it back, and says so.
    publish.rollback(home, engine, before, by="cy", now=NOW)
    with read_session(engine) as session:
        [gone] = publish.not_back(home, session, before)
        assert publish.not_back(home, session, "0" * 32) == ()
    assert (gone.key, gone.why, gone.live) == ("gift.wrap", "merged into delivery.late", False)
    assert words_of(engine, "gift.wrap") is None
    publish.rollback(home, engine, report.build_id, by="cy", now=NOW)

    # From then on the other one answers for it: an edit that loses its phrasing is refused.
    approve(engine, HARMFUL)
    with pytest.raises(GateRefused) as refused:
        publish.build(home, engine, now=NOW, encoder=ENCODER)
    lost = refused.value.report
    assert isinstance(lost, publish.GateReport)
    assert {judged.question.text for judged in lost.lost} == set(asked)
    assert not lost.given_up


def test_two_people_set_a_refusal_aside_and_both_are_named(
    home: Home, engine: Engine, live: str
) -> None:
    expect(engine, LATE, must_pass=True)
    approve(engine, HARMFUL)
    number = request(engine)
    assert not prepare(home, engine, number).report.passes
    with pytest.raises(WorkflowError, match="refused by the gate"):
        publish.publish_ready(home, engine, number, by="ana", now=NOW, encoder=ENCODER)
    with write_session(engine) as session:
        with pytest.raises(WorkflowError, match="say why"):
            publish.ask_override(session, number, by="ana", reason=" ", now=NOW)
        with pytest.raises(WorkflowError, match="nobody asked"):
            publish.confirm_override(session, number, by="ben", now=NOW)
        publish.ask_override(session, number, by="ana", reason="the robot is live", now=NOW)
        with pytest.raises(SamePerson):
            publish.confirm_override(session, number, by=" ana ", now=NOW)
    with pytest.raises(WorkflowError):
        publish.publish_ready(home, engine, number, by="ana", now=NOW, encoder=ENCODER)
    with write_session(engine) as session:
        assert publish.confirm_override(session, number, by="ben", now=NOW).publishable
    publish.publish_ready(home, engine, number, by="ana", now=NOW, encoder=ENCODER)
    assert words_of(engine, "delivery.late") == HARMFUL.text
    with read_session(engine) as session:
        assert audit.verify(session).intact
        rows = session.execute(
            select(AuditRow.actor, AuditRow.action, AuditRow.detail).order_by(AuditRow.seq)
        ).all()
    steps = [row.action for row in rows if row.action.startswith(("publication", "generation"))]
    assert steps[-5:] == [
        "publication.request",
        "publication.refused",
        "publication.ask_override",
        "publication.confirm_override",
        "generation.publish",
    ]
    assert (rows[-1].detail["override_by"], rows[-1].detail["confirmed_by"]) == ("ana", "ben")


def test_a_build_can_bring_its_override_along(home: Home, engine: Engine, live: str) -> None:
    expect(engine, LATE)
    approve(engine, HARMFUL)
    override = publish.Override(by="ana", confirmed_by="ben", reason="the robot is live")
    report = publish.build(home, engine, now=NOW, encoder=ENCODER, override=override)
    assert report.published
    assert report.gate is not None
    assert not report.gate.passes
    assert words_of(engine, "delivery.late") == HARMFUL.text


def test_a_recall_makes_a_candidate_stale_and_its_questions_are_given_up(
    home: Home, engine: Engine, live: str
) -> None:
    expect(engine, LATE, HOURS)
    approve(engine, MORE)
    number = request(engine)
    prepare(home, engine, number)
    with write_session(engine) as session:
        repository.recall(session, "delivery.late", by="ben", reason="wrong", now=NOW)
    with pytest.raises(StaleCandidate, match="recalled") as stale:
        publish.publish_ready(home, engine, number, by="cy", now=NOW, encoder=ENCODER)
    assert state(engine, number) is State.SUPERSEDED
    again = prepare(home, engine, stale.value.publication).report
    assert [judged.question.text for judged in again.given_up] == [LATE[0]]
    assert again.passes, again.reasons
    publish.publish_ready(home, engine, stale.value.publication, by="cy", now=NOW, encoder=ENCODER)
    assert words_of(engine, "delivery.late") is None
    assert words_of(engine, "gift.wrap") == MORE.text


def test_what_another_publication_made_live_has_to_be_compared_again(
    home: Home, sqlite_engine: Engine
) -> None:
    engine = sqlite_engine
    approve(engine, *(revision.content for revision in shop()))
    first = publish.build(home, engine, now=NOW, encoder=ENCODER).build_id
    approve(engine, MORE)
    number = request(engine)
    candidate = prepare(home, engine, number)
    publish.publish_ready(home, engine, number, by="cy", now=NOW, encoder=ENCODER)
    # A rollback and a candidate that was compared before it.
    with write_session(engine) as session:
        repository.recall(session, "praise.thanks", by="ben", reason="old", now=NOW)
    later = request(engine)
    prepare(home, engine, later)
    publish.rollback(home, engine, first, by="cy", now=NOW + timedelta(minutes=1))
    assert words_of(engine, "praise.thanks") is None  # what was pulled stays gone
    with pytest.raises(StaleCandidate, match="another generation"):
        publish.publish_ready(home, engine, later, by="cy", now=NOW, encoder=ENCODER)
    with read_session(engine) as session:
        [_, back, *_] = publications.recent(session)
        assert back.is_rollback
        assert publish.report_of(back) is None
        last = publications.last_published(session)
    assert last is not None
    assert (last.build_id, candidate.report.build_id != first) == (first, True)


def test_a_newer_candidate_supersedes_the_ones_that_wait(
    home: Home, engine: Engine, live: str
) -> None:
    approve(engine, MORE)
    first = request(engine)
    assert request(engine, by="ben") == first  # not started yet: it takes everything along
    prepare(home, engine, first)
    second = request(engine)
    assert second != first
    assert state(engine, first) is State.READY  # until there is another to publish instead
    prepare(home, engine, second)
    assert (state(engine, first), state(engine, second)) == (State.SUPERSEDED, State.READY)


def test_a_candidate_that_cannot_be_built_says_why(home: Home, engine: Engine) -> None:
    number = request(engine)
    with pytest.raises(NothingToBuild):
        prepare(home, engine, number)
    with read_session(engine) as session:
        failed = publications.get(session, number)
    assert failed.state is State.FAILED
    assert "no approved snippet" in (failed.failure or "")
    assert publish.due(home, engine) is None


def test_a_publication_whose_builder_died_is_due_again(home: Home, sqlite_engine: Engine) -> None:
    number = request(sqlite_engine)
    assert publish.due(home, sqlite_engine) == number
    with write_session(sqlite_engine) as session:
        publications.start(session, number, now=NOW)
    with sealed.lock(home.index, BUILD_LOCK):  # somebody builds
        assert publish.due(home, sqlite_engine) is None
    assert publish.due(home, sqlite_engine) == number


def test_real_questions_are_put_beside_the_golden_ones(
    home: Home, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(sqlite_engine, *(revision.content for revision in shop()))
    publish.build(home, sqlite_engine, now=NOW, encoder=ENCODER)
    expect(sqlite_engine, HOURS)
    approve(sqlite_engine, HARMFUL)
    number = request(sqlite_engine)
    candidate = publish.prepare_candidate(
        home,
        sqlite_engine,
        number,
        clock=lambda: NOW,
        encoder=ENCODER,
        accepted=lambda _session: [LATE, HOURS],
    )
    assert (candidate.report.golden.total, candidate.report.accepted.total) == (1, 1)
    assert [judged.question.text for judged in candidate.report.lost] == [LATE[0]]


_HANGING = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.index import generation, sealed
from knowledge_base.publish import switching
from knowledge_base.store import audit, publications
from knowledge_base.store.engine import open_engine
from tests.fixtures_generation import WordHashEncoder

home, seam, number = Home.at(Path(sys.argv[1])), sys.argv[3], int(sys.argv[4])
def hang(*_args, **_kwargs):
    print("there", flush=True)
    time.sleep(600)
activate = generation.activate
def activate_and_hang(*args):
    activate(*args)
    hang()
if seam == "comparing": publications.compared = hang
if seam == "auditing": audit.append = hang
if seam == "before the index": generation.activate = hang
if seam == "after the index": generation.activate = activate_and_hang
engine, encoder = open_engine(sys.argv[2]), WordHashEncoder()
if seam == "comparing":
    publish.prepare_candidate(home, engine, number, clock=lambda: datetime.now(UTC), encoder=encoder)
else:
    publish.publish_ready(home, engine, number, by="cy", now=datetime.now(UTC), encoder=encoder)
"""


@pytest.mark.parametrize("seam", ["comparing", "auditing", "before the index", "after the index"])
def test_a_publication_killed_at_any_seam_leaves_index_and_texts_together(
    home: Home, engine: Engine, live: str, seam: str
) -> None:
    approve(engine, MORE)
    number = request(engine)
    if seam != "comparing":
        prepare(home, engine, number)
    url = engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", _HANGING, str(home.root), url, seam, str(number)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    process.kill()
    process.wait()
    process.stdout.close()
    # The texts are those of before whatever the index says; the next start puts the index back.
    assert words_of(engine, "gift.wrap") is None
    ahead = seam == "after the index"
    assert (generation.current_build_id(home) == live) is not ahead
    assert publish.recover(home, engine) == (live if ahead else None)
    assert generation.current_build_id(home) == live
    if seam == "comparing":
        assert publish.due(home, engine) == number
        prepare(home, engine, number)
    publish.publish_ready(home, engine, number, by="cy", now=NOW, encoder=ENCODER)
    assert words_of(engine, "gift.wrap") == MORE.text
    assert publish.recover(home, engine) is None
    with read_session(engine) as session:
        assert audit.verify(session).intact


def test_recovery_keeps_its_hands_off_what_it_cannot_open(
    home: Home, sqlite_engine: Engine
) -> None:
    approve(sqlite_engine, *(revision.content for revision in shop()))
    built = publish.build(home, sqlite_engine, now=NOW, encoder=ENCODER)
    (home.index / "CURRENT").write_text("0" * 32 + "\n")
    (home.index / built.build_id / "rows.json").unlink()
    assert publish.recover(home, sqlite_engine) is None
    with sealed.lock(home.index):
        assert publish.recover(home, sqlite_engine) is None  # somebody is switching
    assert publish.build(home, sqlite_engine, now=NOW, encoder=ENCODER).built


def test_an_error_while_switching_takes_everything_back(
    home: Home, engine: Engine, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(engine, MORE)
    number = request(engine)
    prepare(home, engine, number)

    def full(*_args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(generation, "activate", full)
    with pytest.raises(OSError, match="disk full"):
        publish.publish_ready(home, engine, number, by="cy", now=NOW, encoder=ENCODER)
    assert state(engine, number) is State.READY
    assert generation.current_build_id(home) == live
    assert words_of(engine, "gift.wrap") is None


def test_an_unexpected_error_while_building_is_kept_as_a_failure(
    home: Home, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(sqlite_engine, *(revision.content for revision in shop()))
    number = request(sqlite_engine)

    def broken(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(candidates, "compared", broken)
    with pytest.raises(ZeroDivisionError):
        prepare(home, sqlite_engine, number)
    with read_session(sqlite_engine) as session:
        assert publications.get(session, number).failure == "ZeroDivisionError"


def test_only_candidates_that_nobody_will_publish_are_deleted(
    home: Home, engine: Engine, live: str
) -> None:
    later = datetime.now(UTC) + timedelta(days=8)
    made: list[str] = []
    for hour in (7, 8, 9):
        changed = replace(MORE, text=f"We wrap gifts from {hour}.")
        approve(engine, changed)
        made.append(prepare(home, engine, request(engine)).report.build_id)
    for age, build_id in enumerate(reversed(made)):
        moment = (datetime.now(UTC) - timedelta(hours=age)).timestamp()
        os.utime(home.index / build_id, (moment, moment))
    named = home.index / ("f" * 32)  # of another database perhaps: no publication names it
    shutil.copytree(home.index / live, named)

    def would(**kept: int) -> list[str]:
        found = publish.stale(home, engine, now=later, **kept)
        return [one.build_id for one in found]

    assert would() == []  # the newest three stay
    assert would(keep_newest=0) == [made[1], made[0]]  # not the one that may be published
    assert would(keep_newest=1) == [made[0]]
    assert would(keep_newest=0, keep_days=9) == []
    with sealed.lock(home.index, BUILD_LOCK):  # somebody builds
        assert publish.prune(home, engine, now=later, keep_newest=0) == ()
    [gone] = publish.prune(home, engine, now=later, keep_newest=1, by="cy")
    assert (gone.build_id, gone.size > 0) == (made[0], True)
    assert not (home.index / made[0]).exists()
    assert {path.name for path in home.index.iterdir() if path.is_dir()} == {
        live, made[1], made[2], named.name,
    }  # fmt: skip
    with read_session(engine) as session:
        entry = session.execute(select(AuditRow).order_by(AuditRow.seq.desc()).limit(1)).scalar()
        assert entry is not None
        assert (entry.actor, entry.action) == ("cy", "generation.delete")
        assert entry.subject == f"generation:{made[0]}"
    publish.rollback(home, engine, live, by="cy", now=NOW)
