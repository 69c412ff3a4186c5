"""Snippets and revisions on both databases: reading, adding, the steps of the workflow, and who comes first."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from knowledge_base.errors import (
    ContentError,
    FirstlineError,
    NotFound,
    PolicyBlocked,
    SamePerson,
    WorkflowError,
)
from knowledge_base.policy import Policy
from knowledge_base.snippet import Revision, SnippetContent, Status
from knowledge_base.store import audit, repository
from knowledge_base.store.engine import read_session, write_session
from tests.small_policy import small_policy

POLICY = small_policy()
CONTENT = SnippetContent(
    key="orders.track",
    text="Hello {first_name}, caf\u00e9 \U0001f44d",
    title="Track",
    examples=("where is it", "=1+1", "\U0001f621 | no"),
    topic="orders",
    tags=("a", "b"),
    locale="en-GB",
    channels=("generic", "x"),
    auto_send=True,
    valid_from=datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC),
    valid_until=datetime(2027, 1, 1, tzinfo=UTC),
    owner="Care",
)


def add(session: Session, content: SnippetContent, now: datetime) -> Revision:
    return repository.add_revision(session, content, author="Ana", now=now)


def make_live(
    session: Session, content: SnippetContent, now: datetime, policy: Policy = POLICY
) -> Revision:
    revision = add(session, content, now)
    repository.submit(session, revision.id, by="Ana", now=now)
    repository.approve(session, revision.id, by="Bo", now=now, policy=policy)
    repository.go_live(session, [r.id for r in repository.approved_revisions(session)])
    return repository.get_revision(session, revision.id)


def test_what_is_added_is_read_back_whole(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        added = add(session, CONTENT, now)
    with read_session(engine) as session:
        found = repository.get_revision(session, added.id)
    assert found == added
    assert found.content == CONTENT
    assert (found.number, found.status, found.author, found.created_at) == (
        1,
        Status.DRAFT,
        "Ana",
        now,
    )
    assert found.content_hash == CONTENT.content_hash


def test_revisions_are_numbered_and_the_same_words_are_not_added_twice(
    engine: Engine, now: datetime
) -> None:
    with write_session(engine) as session:
        add(session, CONTENT, now)
        assert add(session, replace(CONTENT, title="New"), now).number == 2
        with pytest.raises(
            ContentError, match="already says exactly this .revision 2.: nothing to add"
        ):
            add(session, replace(CONTENT, title="New"), now)
        snippet = repository.snippet(session, CONTENT.key)
    assert [revision.number for revision in snippet.revisions] == [1, 2]
    assert snippet.live is None


def test_the_whole_way_is_stored_and_audited(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        first = make_live(session, CONTENT, now)
        second = make_live(session, replace(CONTENT, title="New"), now + timedelta(hours=1))
        repository.retire(session, second.id, by="Cy", now=now + timedelta(hours=2))
    with read_session(engine) as session:
        revisions = repository.snippet(session, CONTENT.key).revisions
        said = session.execute(text("SELECT actor, action, subject FROM audit ORDER BY seq")).all()
        assert audit.verify(session).intact
    assert [r.status for r in revisions] == [Status.RETIRED, Status.RETIRED]
    assert [(r.approved_by, r.retired_by) for r in revisions] == [("Bo", "Cy"), ("Bo", "Cy")]
    assert revisions[0].approved_at == now == first.approved_at
    assert revisions[0].policy_version == POLICY.version
    assert [tuple(row) for row in said] == [
        ("Ana", "revision.add", "revision:orders.track@1"),
        ("Ana", "revision.submit", "revision:orders.track@1"),
        ("Bo", "revision.approve", "revision:orders.track@1"),
        ("Ana", "revision.add", "revision:orders.track@2"),
        ("Ana", "revision.submit", "revision:orders.track@2"),
        ("Bo", "revision.approve", "revision:orders.track@2"),
        # What it had replaced goes with it: no rollback brings back what was taken out of use.
        ("Cy", "revision.retire", "revision:orders.track@1"),
        ("Cy", "revision.retire", "revision:orders.track@2"),
    ]


def test_what_step_returns_is_what_is_stored(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        live = make_live(session, CONTENT, now)
        assert repository.get_revision(session, live.id) == live
        assert repository.live_revision(session, CONTENT.key) == live


def test_live_revisions_are_only_the_approved_ones_asked_for(
    engine: Engine, now: datetime
) -> None:
    with write_session(engine) as session:
        for key in ("a", "b", "c"):
            make_live(session, replace(CONTENT, key=key), now)
        add(session, replace(CONTENT, key="d"), now)
        add(session, replace(CONTENT, key="a", text="Newer draft"), now)
    with read_session(engine) as session:
        found = repository.live_revisions(session, ["c", "a", "d", "missing", "a"])
        assert sorted(found) == ["a", "c"]
        assert found["a"].content.text == CONTENT.text
        assert repository.live_revisions(session, []) == {}
        assert [r.key for r in repository.approved_revisions(session)] == ["a", "b", "c"]
        assert [s.key for s in repository.snippets(session)] == ["a", "b", "c", "d"]
        assert [len(s.revisions) for s in repository.snippets(session, ["a", "d"])] == [2, 1]
        assert repository.live_revision(session, "missing") is None


def test_keys_sort_by_code_points_on_both_databases(engine: Engine, now: datetime) -> None:
    keys = ["a", "a-b", "a.b", "a0", "a_b"]
    with write_session(engine) as session:
        for key in reversed(keys):
            make_live(session, replace(CONTENT, key=key), now)
    with read_session(engine) as session:
        assert [r.key for r in repository.approved_revisions(session)] == sorted(keys)


def test_live_revisions_are_one_indexed_query(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        for number in range(30):
            make_live(session, replace(CONTENT, key=f"k{number}"), now)
    seen: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *said: seen.append((said[2], said[3])))
    with read_session(engine) as session:
        assert len(repository.live_revisions(session, [f"k{n}" for n in range(30)])) == 30
        selects = [said for said in seen if said[0].startswith("SELECT")]
        assert len(selects) == 1
        if engine.dialect.name == "sqlite":
            plan = session.connection().exec_driver_sql(
                "EXPLAIN QUERY PLAN " + selects[0][0], selects[0][1]
            )
            assert "USING INDEX uq_revision_one_live" in str(plan.all())


def test_missing_things_are_named(engine: Engine, now: datetime) -> None:
    with read_session(engine) as session:
        with pytest.raises(NotFound, match="no revision with the id 7"):
            repository.get_revision(session, 7)
        with pytest.raises(NotFound, match="no snippet with the key a.b"):
            repository.snippet(session, "a.b")
    with write_session(engine) as session, pytest.raises(NotFound):
        repository.submit(session, 7, by="Ana", now=now)


def test_steps_out_of_order_change_nothing(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        draft = add(session, CONTENT, now)
        before = audit.verify(session)
        with pytest.raises(WorkflowError, match="is a draft"):
            repository.approve(session, draft.id, by="Bo", now=now, policy=POLICY)
        repository.submit(session, draft.id, by="Ana", now=now)
        with pytest.raises(SamePerson):
            repository.approve(session, draft.id, by=" Ana ", now=now, policy=POLICY)
        assert audit.verify(session).length == before.length + 1


def test_the_policy_is_asked_at_approval(engine: Engine, now: datetime) -> None:
    bad = replace(CONTENT, text="Tell us your password")
    with (
        write_session(engine) as session,
        pytest.raises(PolicyBlocked, match="asks for a password"),
    ):
        make_live(session, bad, now)


def test_without_rules_nothing_is_approved(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session, pytest.raises(PolicyBlocked):
        make_live(session, CONTENT, now, policy=Policy(version="none", rules=()))


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        (
            (
                "UPDATE revision SET approved_by = 'Ana', "
                "approved_at = created_at, approved_hash = content_hash, policy_version = 'p'"
                " WHERE snippet_key = 'orders.track'"
            ),
            "two_people",
        ),
        (
            "UPDATE revision SET status = 'approved' WHERE snippet_key = 'orders.track'",
            "approved_by_someone",
        ),
        (
            "UPDATE revision SET approved_by = 'Bo' WHERE snippet_key = 'orders.track'",
            "approval_whole",
        ),
        (
            (
                "UPDATE revision SET approved_by = 'Bo', "
                "approved_at = created_at, approved_hash = 'other', policy_version = 'p'"
                " WHERE snippet_key = 'orders.track'"
            ),
            "bound_to_content",
        ),
        (
            "UPDATE revision SET status = 'retired' WHERE snippet_key = 'orders.track'",
            "retired_by_someone",
        ),
        ("UPDATE revision SET status = 'published' WHERE snippet_key = 'orders.track'", "status"),
    ],
)
def test_the_database_holds_the_rules_as_well(
    engine: Engine, now: datetime, change: str, constraint: str
) -> None:
    with write_session(engine) as session:
        add(session, CONTENT, now)
        repository.add_revision(session, replace(CONTENT, key="other"), author="Bo", now=now)
    with pytest.raises(IntegrityError, match=constraint), engine.begin() as connection:
        connection.execute(text(change))


def test_of_many_approvals_at_once_one_revision_is_published(
    engine: Engine, now: datetime
) -> None:
    with write_session(engine) as session:
        revisions = [add(session, replace(CONTENT, title=f"{n}"), now) for n in range(6)]
        for revision in revisions:
            repository.submit(session, revision.id, by="Ana", now=now)

    def approve(revision: Revision) -> str:
        try:
            with write_session(engine) as session:
                repository.approve(session, revision.id, by="Bo", now=now, policy=POLICY)
        except FirstlineError as error:
            return type(error).__name__
        return "approved"

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(approve, revisions))
    assert outcomes == ["approved"] * 6
    with read_session(engine) as session:
        statuses = _statuses(repository.snippet(session, CONTENT.key).revisions)
        assert statuses == [Status.APPROVED] * 6
        assert [r.number for r in repository.approved_revisions(session)] == [6]
        assert audit.verify(session).intact


def test_numbers_are_not_given_twice(engine: Engine, now: datetime) -> None:
    def write(number: int) -> int:
        with write_session(engine) as session:
            return add(session, replace(CONTENT, title=f"{number}"), now).number

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(write, range(12))) == list(range(1, 13))


def _statuses(revisions: Iterable[Revision]) -> list[Status]:
    return [revision.status for revision in revisions]
