"""Golden questions in the database: what customers ask, with the snippet that has to answer it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from knowledge_base.errors import ContentError, NotFound
from knowledge_base.store import audit
from knowledge_base.store.curation_tables import GoldenQuestionRow
from knowledge_base.store.people import ensure_person
from knowledge_base.store.tables import SnippetRow

# Code points: what the ranker looks at of one message; the end of a longer question would count for nothing.
MAX_QUESTION = 2000

_COLUMNS = (
    GoldenQuestionRow.id,
    GoldenQuestionRow.question,
    GoldenQuestionRow.expected_key,
    GoldenQuestionRow.must_pass,
    GoldenQuestionRow.added_by,
    GoldenQuestionRow.added_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenQuestion:
    """A question in use; `expected_key` None means that no answer may be offered.

    A publication after which a `must_pass` question is not answered as expected is refused.
    """

    id: int
    question: str
    expected_key: str | None
    must_pass: bool
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuestion:
    """A question to be added."""

    question: str
    expected_key: str | None
    must_pass: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What adding many did: `changed` had another expected snippet or another `must_pass` before."""

    added: int
    changed: int
    unchanged: int


def in_use(session: Session) -> list[GoldenQuestion]:
    """Every question that was not removed, in the order in which they were added."""
    statement = select(*_COLUMNS).where(GoldenQuestionRow.removed_at.is_(None))
    rows = session.execute(statement.order_by(GoldenQuestionRow.id))
    return [GoldenQuestion(**row._mapping) for row in rows]


def add(
    session: Session,
    question: str,
    *,
    expected_key: str | None,
    must_pass: bool = False,
    by: str,
    now: datetime,
) -> GoldenQuestion:
    """Add one question, or change what is expected of one that is in use; audited.

    Raises ContentError for a question without words or one that is too long, NotFound when there is no
    snippet of this key.
    """
    new = NewQuestion(question=question, expected_key=expected_key, must_pass=must_pass)
    reason = why_bad(question)
    if reason is not None:
        raise ContentError(f"the question {reason}")
    if unknown_keys(session, [new]):
        raise NotFound(f"there is no snippet with the key {expected_key}")
    add_all(session, [new], by=by, now=now)
    wanted = folded(question)
    return next(found for found in in_use(session) if found.question == wanted)


def add_all(
    session: Session, questions: Sequence[NewQuestion], *, by: str, now: datetime
) -> Added:
    """Add questions that were found to be in order (`why_bad`, `unknown_keys`), with one audit row.

    One that is in use with another expectation is removed and added again, so that nothing is overwritten.
    """
    person = ensure_person(session, by, now=now)
    known = {found.question: found for found in in_use(session)}
    rows: list[dict[str, Any]] = []
    replaced: list[int] = []
    for new in questions:
        text = folded(new.question)
        old = known.get(text)
        if old and (old.expected_key, old.must_pass) == (new.expected_key, new.must_pass):
            continue
        if old:
            replaced.append(old.id)
        rows.append(
            {
                "question": text,
                "expected_key": new.expected_key,
                "must_pass": new.must_pass,
                "added_by": person,
                "added_at": now,
            }
        )
    _remove(session, replaced, by=person, now=now)
    if rows:
        session.execute(insert(GoldenQuestionRow), rows)
        added = Added(
            added=len(rows) - len(replaced),
            changed=len(replaced),
            unchanged=len(questions) - len(rows),
        )
        detail = {
            "added": added.added,
            "changed": added.changed,
            "must_pass": sum(row["must_pass"] for row in rows),
        }
        _record(session, "golden.add", by=person, detail=detail, now=now)
        return added
    return Added(added=0, changed=0, unchanged=len(questions))


def remove(session: Session, question_id: int, *, by: str, now: datetime) -> GoldenQuestion:
    """Take a question out of use, audited; it stays in the database. Raises NotFound."""
    found = next((question for question in in_use(session) if question.id == question_id), None)
    if found is None:
        raise NotFound(f"there is no golden question {question_id} in use")
    person = ensure_person(session, by, now=now)
    _remove(session, [question_id], by=person, now=now)
    detail = {"question": question_id, "expected_key": found.expected_key}
    _record(session, "golden.remove", by=person, detail=detail, now=now)
    return found


def folded(question: str) -> str:
    """The question as it is kept: white space folded to single spaces."""
    return " ".join(question.split())


def why_bad(question: str) -> str | None:
    """Why this cannot be a golden question, or None."""
    text = folded(question)
    if not any(character.isalpha() for character in text):
        return "has no words in it: write what a customer would ask"
    if len(text) > MAX_QUESTION:
        return f"has {len(text):,} characters, at most {MAX_QUESTION:,} are looked at: shorten it"
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in text):
        return "holds characters that are no text: type it again"
    return None


def unknown_keys(session: Session, questions: Iterable[NewQuestion]) -> set[str]:
    """The expected keys that no snippet has."""
    wanted = {new.expected_key for new in questions if new.expected_key is not None}
    return wanted - set(session.scalars(select(SnippetRow.key))) if wanted else set()


def _remove(session: Session, ids: Sequence[int], *, by: str, now: datetime) -> None:
    for question_id in ids:
        session.execute(
            update(GoldenQuestionRow)
            .where(GoldenQuestionRow.id == question_id, GoldenQuestionRow.removed_at.is_(None))
            .values(removed_by=by, removed_at=now)
            .execution_options(synchronize_session=False)
        )


def _record(
    session: Session, action: str, *, by: str, detail: dict[str, Any], now: datetime
) -> None:
    audit.append(
        session, actor=by, action=action, subject="golden_questions", detail=detail, now=now
    )
