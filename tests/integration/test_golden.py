"""Golden questions: in and out of files and the database, all rows or none, audited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from knowledge_base.errors import ContentError, ImportRefused, NotFound, UnreadableFile
from knowledge_base.exchange import golden_file
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import audit, golden, repository
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.tables import AuditRow


@pytest.fixture
def session(engine: Engine, now: datetime) -> Iterator[Session]:
    with write_session(engine) as opened:
        for key in ("returns.how", "delivery.late"):
            content = SnippetContent(key=key, text="Some words.")
            repository.add_revision(opened, content, author="ana", now=now)
        yield opened


def load(session: Session, text: str, now: datetime, *, must_pass: bool = False) -> golden.Added:
    planned = golden_file.plan(session, text.encode(), name="g.csv", must_pass=must_pass)
    golden_file.refuse(planned)
    return golden.add_all(session, planned.questions, by="ben", now=now)


def test_a_file_is_read_with_its_remarks_and_written_back_the_same(
    session: Session, now: datetime
) -> None:
    done = load(
        session,
        "# split: mine\n# and why\nquestion,expected_key,must_pass\n"
        '"how do I,  return?",returns.how,yes\n=what is 1+1,,\n\nwhere is it,delivery.late,no\n',
        now,
    )
    assert done == golden.Added(added=3, changed=0, unchanged=0)
    first, second, third = golden.in_use(session)
    assert (first.question, first.expected_key, first.must_pass) == (
        "how do I, return?",
        "returns.how",
        True,
    )
    assert (second.question, second.expected_key) == ("=what is 1+1", None)
    assert not third.must_pass
    text = golden_file.write(golden.in_use(session))
    assert "'=what" in text  # a spreadsheet would run it
    assert load(session, text, now) == golden.Added(added=0, changed=0, unchanged=3)


def test_every_bad_row_is_named_and_nothing_is_kept(session: Session, now: datetime) -> None:
    text = (
        "question,expected_key,must_pass\n"
        "fine question,returns.how,\n"
        "???,returns.how,\n"
        f"{'long ' * 500},returns.how,\n"
        "where is it,no.such.key,\n"
        "fine question,delivery.late,\n"
        "what now,returns.how,maybe\n"
    )
    with pytest.raises(ImportRefused, match="5 problems") as refused:
        load(session, text, now)
    found = [(p.line, p.column) for p in refused.value.problems]  # type: ignore[attr-defined]
    assert found == [
        (3, "question"),
        (4, "question"),
        (5, "expected_key"),
        (6, "question"),
        (7, "must_pass"),
    ]
    assert golden.in_use(session) == []


@pytest.mark.parametrize(
    "text",
    ["", "question\nhow\n", "question,expected_key,colour\nhow,,red\n", "question,expected_key\n"],
)
def test_a_file_that_is_none_of_ours_is_refused(
    session: Session, now: datetime, text: str
) -> None:
    with pytest.raises(ImportRefused):
        load(session, text, now)


def test_a_workbook_is_no_text(session: Session, now: datetime) -> None:
    with pytest.raises(UnreadableFile, match="Excel"):
        golden_file.plan(session, b"PK\x03\x04rest", name="g.csv")


def test_another_expectation_replaces_the_row_and_keeps_the_old_one(
    session: Session, now: datetime
) -> None:
    first = golden.add(session, "where is it", expected_key="returns.how", by="ben", now=now)
    later = now + timedelta(hours=1)
    second = golden.add(
        session, " where  is it", expected_key="delivery.late", must_pass=True, by="cy", now=later
    )
    assert (second.expected_key, second.must_pass, second.added_by) == (
        "delivery.late",
        True,
        "cy",
    )
    assert second.id != first.id
    assert golden.in_use(session) == [second]
    assert golden.remove(session, second.id, by="ben", now=later).id == second.id
    assert golden.in_use(session) == []
    again = golden.add(session, "where is it", expected_key=None, by="ben", now=later)
    assert again.expected_key is None


def test_what_cannot_be_a_question_is_refused(session: Session, now: datetime) -> None:
    with pytest.raises(ContentError, match="no words"):
        golden.add(session, "🙂 12", expected_key=None, by="ben", now=now)
    with pytest.raises(NotFound, match=r"no\.such"):
        golden.add(session, "where is it", expected_key="no.such", by="ben", now=now)
    with pytest.raises(NotFound):
        golden.remove(session, 99, by="ben", now=now)


def test_every_change_is_in_the_audit_chain(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        added = golden.add(session, "are you open", expected_key=None, by="ben", now=now)
        golden.add(session, "are you open", expected_key=None, by="ben", now=now)  # no change
        golden.remove(session, added.id, by="cy", now=now)
    with read_session(engine) as session:
        assert audit.verify(session).intact
        rows = session.execute(
            select(AuditRow.actor, AuditRow.action).where(AuditRow.action.like("golden.%"))
        )
        assert [tuple(row) for row in rows] == [("ben", "golden.add"), ("cy", "golden.remove")]
