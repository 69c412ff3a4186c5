"""Imports on both databases: all rows or none, every problem named, nothing done twice."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from knowledge_base import exchange
from knowledge_base.errors import ImportRefused, PolicyBlocked, SamePerson, StaleRevision
from knowledge_base.exchange import ImportReport
from knowledge_base.policy import Policy
from knowledge_base.snippet import Status
from knowledge_base.store import audit, repository
from knowledge_base.store.batch import newest_revisions
from knowledge_base.store.engine import read_session, write_session
from tests.small_policy import small_policy
from tests.starter_policy import starter_policy

STARTER = Path(exchange.__file__).parents[1] / "content" / "snippets"
POLICY = small_policy()
GOOD = """key,title,text,examples,topic
orders.track,Track,"You can follow it, here",where is it | wheres my stuff,orders
orders.cancel,Cancel,Too late!!,cancel it,orders
"""


class Desk:
    """Imports texts into one database."""

    def __init__(self, engine: Engine, folder: Path, now: datetime) -> None:
        self.engine = engine
        self.now = now
        self._folder = folder

    def load(
        self,
        content: str,
        *,
        name: str = "f.csv",
        author: str | None = "Ana",
        approve_as: str | None = "Bo",
        dry_run: bool = False,
        policy: Policy = POLICY,
    ) -> ImportReport:
        file = self._folder / name
        file.write_text(content, newline="")
        with write_session(self.engine) as session:
            return exchange.import_file(
                session,
                file,
                policy=policy,
                author=author,
                approve_as=approve_as,
                dry_run=dry_run,
                now=self.now,
            )

    def refused(self, content: str, **how: object) -> list[tuple[int, str | None, str]]:
        with pytest.raises(ImportRefused) as caught:
            self.load(content, **how)  # type: ignore[arg-type]  # passed on as they come
        problems = [p for p in caught.value.problems if isinstance(p, exchange.Problem)]
        return [(p.line, p.column, p.reason) for p in problems]

    def rows(self) -> int:
        with read_session(self.engine) as session:
            tables = ("person", "snippet", "revision", "audit")
            counts = [session.execute(text("SELECT count(*) FROM " + t)) for t in tables]  # noqa: S608 - fixed names
            return sum(count.scalar_one() for count in counts)

    def statuses(self, key: str) -> list[Status]:
        with read_session(self.engine) as session:
            return [revision.status for revision in repository.snippet(session, key).revisions]


@pytest.fixture
def desk(engine: Engine, tmp_path: Path, now: datetime) -> Desk:
    return Desk(engine, tmp_path, now)


def test_new_snippets_are_approved_by_the_second_person(desk: Desk) -> None:
    report = desk.load(GOOD)
    assert report.added == report.approved == ("orders.track", "orders.cancel")
    assert (report.rows, report.phrasings, report.unchanged, report.waiting) == (2, 3, 0, ())
    assert [(w.line, w.column, w.key) for w in report.warnings] == [(3, "text", "orders.cancel")]
    with read_session(desk.engine) as session:
        (only,) = repository.snippet(session, "orders.track").revisions
        assert only.content.text == "You can follow it, here"
        assert only.content.examples == ("where is it", "wheres my stuff")
        assert (only.author, only.approved_by, only.approved_at) == ("Ana", "Bo", desk.now)
        assert only.policy_version == POLICY.version
        assert not only.live  # that takes a publication
        said = session.execute(text("SELECT action FROM audit ORDER BY seq")).scalars().all()
        assert said == ["revision.add", "revision.submit", "revision.approve"] * 2
        assert audit.verify(session).intact


def test_without_a_second_person_they_wait_in_review(desk: Desk) -> None:
    report = desk.load(GOOD, author=None, approve_as=None)
    assert report.waiting == ("orders.track", "orders.cancel")
    assert report.approved == ()
    assert desk.statuses("orders.track") == [Status.IN_REVIEW]
    again = desk.load(GOOD, author=None, approve_as=None)
    assert (again.unchanged, again.waiting) == (2, ("orders.track", "orders.cancel"))
    approved = desk.load(GOOD, author="Ana", approve_as="Bo")
    assert approved.approved == ("orders.track", "orders.cancel")
    assert desk.statuses("orders.track") == [Status.APPROVED]


def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    desk.load(GOOD)
    before = desk.rows()
    report = desk.load(GOOD)
    assert (report.unchanged, report.added, report.changed, report.approved) == (2, (), (), ())
    assert desk.rows() == before


def test_a_changed_row_is_a_new_revision_that_waits_for_publication(desk: Desk) -> None:
    desk.load(GOOD)
    report = desk.load(GOOD.replace("You can follow it", "Follow it"))
    assert (report.changed, report.approved, report.unchanged) == (("orders.track",),) * 2 + (1,)
    assert desk.statuses("orders.track") == [Status.APPROVED, Status.APPROVED]
    with read_session(desk.engine) as session:
        assert [r.number for r in repository.approved_revisions(session)] == [1, 2]
        assert repository.all_live(session) == []
        assert audit.verify(session).intact


def test_a_changed_row_without_approval_leaves_the_live_one_in_service(desk: Desk) -> None:
    desk.load(GOOD)
    desk.load(GOOD.replace("You can follow it", "Follow it"), approve_as=None)
    assert desk.statuses("orders.track") == [Status.APPROVED, Status.IN_REVIEW]


def test_a_column_that_is_not_in_the_file_keeps_what_is_there(desk: Desk) -> None:
    desk.load(GOOD)
    desk.load("key,text,topic\norders.track,New words,\n")
    with read_session(desk.engine) as session:
        newest = repository.snippet(session, "orders.track").revisions[-1]
    assert newest.status is Status.APPROVED
    assert newest.content.text == "New words"
    assert newest.content.examples == ("where is it", "wheres my stuff")
    assert newest.content.title == "Track"
    assert newest.content.topic == ""  # an empty cell empties


def test_what_was_retired_in_these_words_stays_retired(desk: Desk) -> None:
    desk.load(GOOD)
    with write_session(desk.engine) as session:
        (only,) = repository.snippet(session, "orders.track").revisions
        repository.retire(session, only.id, by="Cy", now=desk.now)
    report = desk.load(GOOD)
    assert (report.retired, report.unchanged) == (("orders.track",), 1)
    assert desk.statuses("orders.track") == [Status.RETIRED]
    assert desk.load(GOOD.replace("You can", "Now you can")).approved == ("orders.track",)


def test_every_problem_is_named_and_nothing_is_imported(desk: Desk) -> None:
    before = desk.rows()
    problems = desk.refused(
        "key,text,auto_send,valid_from,valid_until,locale,channels\n"
        "ok.row,Fine,,,,,\n"
        "Bad Key,Hello {nickname},maybe,2026-01-01,2025-01-01,english,X!\n"
        f"too.long,{'x' * 140},,,,,\n"
        "ok.row,Again,,,,,\n"
        "asks.it,Tell us your password,,,,,\n"
        "short.row,oops\n"
    )
    assert [(line, column) for line, column, _ in problems] == [
        (3, "key"),
        (3, "text"),
        (3, "auto_send"),
        (3, "locale"),
        (3, "channels"),
        (3, "valid_until"),
        (4, "text"),
        (5, "key"),
        (6, "text"),
        (7, None),
    ]
    reasons = " / ".join(reason for _, _, reason in problems)
    for said in ("not a key", "nickname", "neither true nor false", "language tag", "can become 140",
                 "valid_until is not later", "stands already in f.csv, line 2", "asks for a password",
                 "has 2 cells where the first line names 7"):  # fmt: skip
        assert said in reasons
    assert desk.rows() == before


def test_a_dry_run_says_the_same_and_changes_nothing(desk: Desk) -> None:
    before = desk.rows()
    dry = desk.load(GOOD, dry_run=True)
    assert desk.rows() == before
    real = desk.load(GOOD)
    assert dry.dry_run
    assert (dry.added, dry.approved, dry.warnings) == (real.added, real.approved, real.warnings)
    assert desk.refused("key,text\nBad,x\n", dry_run=True)


def test_one_person_is_not_two(desk: Desk) -> None:
    before = desk.rows()
    with pytest.raises(SamePerson, match="name two people"):
        desk.load(GOOD, author="Ana Lima", approve_as=" Ana  Lima ")
    with pytest.raises(SamePerson):
        desk.load(GOOD, author=None, approve_as="import")
    assert desk.rows() == before


def test_nobody_approves_what_they_left_waiting(desk: Desk) -> None:
    desk.load(GOOD, author="Ana", approve_as=None)
    with pytest.raises(SamePerson, match="was written by Ana"):
        desk.load(GOOD, author="Bo", approve_as="Ana")


def test_without_rules_nothing_comes_in(desk: Desk) -> None:
    problems = desk.refused(GOOD, policy=Policy(version="none", rules=()))
    assert len(problems) == 2


def test_phrasings_of_two_snippets_are_warned_about(desk: Desk) -> None:
    desk.load(GOOD)
    report = desk.load("key,text,examples\nnew.one,Hi,WHERE IS IT | mine\nnew.two,Hey,mine\n")
    assert [(w.key, w.reason) for w in report.warnings] == [
        ("new.one", "the phrasing 'WHERE IS IT' also belongs to orders.track"),
        ("new.two", "the phrasing 'mine' also belongs to new.one"),
    ]


def test_somebody_else_in_between_is_noticed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load(GOOD)
    calls: list[None] = []

    def stale(session: object, keys: object) -> object:
        calls.append(None)
        return {} if len(calls) == 1 else newest_revisions(session, keys)  # type: ignore[arg-type]

    monkeypatch.setattr("knowledge_base.exchange.importer.newest_revisions", stale)
    with pytest.raises(StaleRevision, match="run the import again"):
        desk.load(GOOD.replace("follow", "track"))
    assert desk.statuses("orders.track") == [Status.APPROVED]


@pytest.mark.parametrize("name", ["out.csv", "out.yaml", "out.yml"])
def test_an_export_imports_as_unchanged(desk: Desk, tmp_path: Path, name: str) -> None:
    desk.load(GOOD.replace("Track,", "=Track | -1,"))
    with read_session(desk.engine) as session:
        assert exchange.export_file(session, tmp_path / name).snippets == 2
    report = desk.load((tmp_path / name).read_bytes().decode(), name=f"again-{name}")
    assert (report.unchanged, report.added, report.changed) == (2, (), ())


def test_the_starter_content_comes_in_whole(engine: Engine, tmp_path: Path, now: datetime) -> None:
    shutil.copytree(STARTER, tmp_path / "snippets")
    with write_session(engine) as session:
        report = exchange.import_file(
            session,
            tmp_path / "snippets",
            policy=starter_policy(),
            author="Ana",
            approve_as="Bo",
            now=now,
        )
    assert len(report.approved) == report.rows >= 120
    assert report.phrasings >= 6 * 120
    with read_session(engine) as session:
        assert exchange.lint(session, policy=starter_policy(), now=now).findings == ()


def test_lint_judges_with_the_policy_of_today(desk: Desk) -> None:
    desk.load(
        "key,text,valid_until\nfine.one,Hello,\nloud.one,Hello!!,\n"
        "soon.one,Hi,2026-03-10\ngone.one,Hey,2026-03-01\nlater.one,Yo,2027-01-01\n"
    )
    with read_session(desk.engine) as session:
        report = exchange.lint(session, policy=POLICY, now=desk.now)
    assert report.snippets == 5
    assert [(f.key, f.kind, f.severity) for f in report.findings] == [
        ("gone.one", "expired", "warn"),
        ("loud.one", "policy", "warn"),
        ("soon.one", "expiring", "warn"),
    ]


def test_approving_by_hand_after_the_import(desk: Desk) -> None:
    desk.load("key,text\nlater,Words\n", approve_as=None)
    with write_session(desk.engine) as session:
        (waiting,) = repository.snippet(session, "later").revisions
        with pytest.raises(PolicyBlocked):
            repository.approve(session, waiting.id, by="Bo", now=desk.now, policy=Policy("x", ()))
        repository.approve(session, waiting.id, by="Bo", now=desk.now, policy=POLICY)
    assert desk.statuses("later") == [Status.APPROVED]
