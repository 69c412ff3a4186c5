"""What comes from another desk becomes drafts of its author, once, and never an approved word."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from knowledge_base import exchange
from knowledge_base.cli import kb_app
from knowledge_base.errors import ContentError, ImportRefused
from knowledge_base.exchange import Prepared
from knowledge_base.snippet import Status
from knowledge_base.store import repository
from knowledge_base.store.engine import read_session, write_session
from tests.small_policy import small_policy
from tests.unit.test_desks import CHATWOOT, ZAMMAD, ZENDESK

POLICY = small_policy()
TOO_LONG = {"id": 9, "short_code": "long", "content": "word " * 40}


class Move:
    """Brings files of another desk into one database."""

    def __init__(self, engine: Engine, folder: Path, now: datetime) -> None:
        self.engine = engine
        self.folder = folder
        self.now = now

    def bring(
        self, content: object, *, name: str = "f.json", write: bool = True, **how: object
    ) -> Prepared:
        file = self.folder / name
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        with read_session(self.engine) as session:
            prepared = exchange.prepare(
                session, file, policy=POLICY, author="Ana", now=self.now, **how  # type: ignore[arg-type]  # as they come
            )  # fmt: skip
        if write:
            with write_session(self.engine) as session:
                exchange.write(session, prepared)
        return prepared

    def revisions(self, key: str) -> list[tuple[Status, str, str]]:
        with read_session(self.engine) as session:
            found = repository.snippet(session, key).revisions
        return [(r.status, r.author, r.content.text) for r in found]


@pytest.fixture
def move(engine: Engine, tmp_path: Path, now: datetime) -> Move:
    return Move(engine, tmp_path, now)


@pytest.mark.parametrize(
    ("content", "name", "key", "words"),
    [
        (CHATWOOT, "f.json", "chatwoot.refund_late", "Hi {first_name}, it is on its way."),
        (ZENDESK, "f.json", "zendesk.returns_how_to_return", "Hi {first_name}, see the app."),
        (ZAMMAD, "f.csv", "zammad.refund", "Hi {first_name}, it is on its way."),
    ],
)
def test_everything_becomes_a_draft(
    move: Move, content: object, name: str, key: str, words: str
) -> None:
    report = move.bring(content, name=name).report
    assert key in report.added
    assert set(report.drafted) == set(report.added)
    assert (report.approved, report.waiting) == ((), ())
    assert move.revisions(key) == [(Status.DRAFT, "Ana", words)]
    again = move.bring(content, name=name).report
    assert (again.added, again.changed, again.unchanged) == ((), (), len(report.added))
    assert len(move.revisions(key)) == 1


def test_nobody_approves_what_comes_in(move: Move) -> None:
    with pytest.raises(ContentError, match="arrives as drafts"):
        move.bring(CHATWOOT, approve_as="Bo")


def test_what_is_too_long_says_by_how_much_and_keeps_the_rest_out(move: Move) -> None:
    with pytest.raises(ImportRefused) as refused:
        move.bring([*CHATWOOT, TOO_LONG])
    (problem,) = refused.value.problems
    assert isinstance(problem, exchange.Problem)
    assert "can become 199 characters long" in problem.reason
    assert "shorten it by 60" in problem.reason
    with read_session(move.engine) as session:
        assert repository.snippets(session) == []


def test_bad_rows_may_be_left_out_when_that_is_asked_for(move: Move) -> None:
    report = move.bring([*CHATWOOT, TOO_LONG], leave_out_bad=True).report
    assert len(report.drafted) == 2
    assert [p.key for p in report.left_out] == ["chatwoot.long"]
    assert report.problems == ()
    with pytest.raises(ContentError, match="mend the rows of your own file"):
        move.bring("key,text\nBad,x\n", name="own.csv", leave_out_bad=True)


def test_a_changed_text_is_a_new_draft_and_an_approved_one_stays(move: Move) -> None:
    move.bring(CHATWOOT)
    changed = [{**CHATWOOT[1], "content": "We are open from 8 to 6."}]
    report = move.bring(changed).report
    assert (report.changed, report.drafted) == (("chatwoot.hours",),) * 2
    assert [status for status, *_ in move.revisions("chatwoot.hours")] == [Status.DRAFT] * 2


def test_a_submitted_one_is_left_to_its_approvers(move: Move) -> None:
    move.bring(CHATWOOT)
    with write_session(move.engine) as session:
        (draft,) = repository.snippet(session, "chatwoot.hours").revisions
        repository.submit(session, draft.id, by="Ana", now=move.now)
    report = move.bring(CHATWOOT).report
    assert (report.unchanged, report.waiting) == (2, ("chatwoot.hours",))
    assert [status for status, *_ in move.revisions("chatwoot.hours")] == [Status.IN_REVIEW]


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FIRSTLINE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    file = tmp_path / "macros.json"
    file.write_text(json.dumps(ZENDESK))

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(kb_app, ["import", str(file), "--author", "Ana", *arguments])
        return done.exit_code, done.output

    code, said = run("--from", "zendesk", "--dry-run")
    assert code == 0
    for line in (
        "macros.json: zendesk, UTF-8",
        "skipped: inactive",
        "drafts to work on",
        "dry run",
    ):
        assert line in said
    assert run("--from", "chatwoot")[0] == 1
    assert run("--from", "elsewhere")[0] == 2
    code, said = run("--json")
    assert (code, len(json.loads(said)["drafted"])) == (0, 2)
    file.write_text(json.dumps([*CHATWOOT, TOO_LONG]))
    code, said = run("--dry-run")
    assert code == 1
    assert "shorten it by 60" in said
    assert "without these rows it would be" in said
    code, said = run("--leave-out-bad")
    assert code == 0
    assert "bad rows left out" in said
