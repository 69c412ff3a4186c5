"""What happened to a snippet, oldest first: written, submitted, decided, published, verified, pulled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from knowledge_base.snippet import Revision, Snippet, base_key
from knowledge_base.store import review
from knowledge_base.store.curation_tables import RecallRow, VerificationRow
from knowledge_base.store.tables import SnippetRow
from knowledge_base.workflow import due_for_verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that somebody did; `kind` colours it, `reason` is theirs to read."""

    at: datetime
    by: str
    kind: str
    words: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """A revision that was pulled."""

    id: int
    revision_id: int
    by: str
    at: datetime
    reason: str


def recalls(session: Session, key: str) -> list[Recall]:
    """Every recall of this snippet, oldest first."""
    columns = [getattr(RecallRow, name) for name in Recall.__dataclass_fields__]
    rows = session.execute(
        select(*columns).where(RecallRow.snippet_key == key).order_by(RecallRow.id)
    )
    return [Recall(**row._mapping) for row in rows]  # SQLAlchemy's documented access


def variants(session: Session, key: str) -> tuple[str, ...]:
    """The keys of the other variants of this snippet (formal, short, another language)."""
    base = base_key(key)
    statement = select(SnippetRow.key).where(
        or_(SnippetRow.key == base, SnippetRow.key.startswith(f"{base}~", autoescape=True)),
        SnippetRow.key != key,
    )
    return tuple(session.scalars(statement.order_by(SnippetRow.key)))


def due(session: Session, live: Revision | None) -> datetime | None:
    """When somebody has to read the live revision again; None where nothing is live."""
    if live is None:
        return None
    statement = select(VerificationRow.due_at).where(VerificationRow.revision_id == live.id)
    until = session.scalar(statement.order_by(VerificationRow.id.desc()).limit(1))
    return due_for_verification(live, verified_until=until)


def events(session: Session, snippet: Snippet, recalled: Sequence[Recall]) -> tuple[Event, ...]:
    """What happened, newest first."""
    numbers = {revision.id: revision.number for revision in snippet.revisions}
    decided = review.decisions(session, list(numbers))
    found = [
        *_of_revisions(snippet.revisions, pulled={r.revision_id for r in recalled}),
        *_approvals(snippet.revisions, decided={d.revision_id for d in decided}),
        *_decisions(decided, numbers),
        *_verifications(session, numbers),
        *(
            Event(
                at=r.at,
                by=r.by,
                kind="recall",
                words=f"recalled revision {numbers[r.revision_id]}",
                reason=r.reason,
            )
            for r in recalled
        ),
    ]
    return tuple(sorted(found, key=lambda event: event.at, reverse=True))


def _of_revisions(revisions: Iterable[Revision], *, pulled: set[int]) -> Iterator[Event]:
    for r in revisions:
        yield Event(at=r.created_at, by=r.author, kind="add", words=f"wrote revision {r.number}")
        if r.submitted_at is not None:
            words = f"submitted revision {r.number} for review"
            yield Event(at=r.submitted_at, by=r.author, kind="submit", words=words)
        if r.retired_at is not None and r.id not in pulled:
            words = f"retired revision {r.number}"
            yield Event(at=r.retired_at, by=r.retired_by or "", kind="retire", words=words)


def _approvals(revisions: Iterable[Revision], *, decided: set[int]) -> Iterator[Event]:
    """Approvals that came with an import, which keeps no single decisions."""
    for r in revisions:
        if r.approved_at is not None and r.id not in decided:
            words = f"approved revision {r.number}"
            yield Event(at=r.approved_at, by=r.approved_by or "", kind="approve", words=words)


def _decisions(decided: Iterable[review.Decision], numbers: dict[int, int]) -> Iterator[Event]:
    told = {
        "approve": "signed off revision {number}",
        "return": "returned revision {number} to its author",
        "withdraw": "withdrew revision {number} from review",
    }
    for d in decided:
        team = f" for {d.team}" if d.team else ""
        words = told[d.kind].format(number=numbers[d.revision_id]) + team
        yield Event(at=d.at, by=d.by, kind=d.kind, words=words, reason=d.reason)


def _verifications(session: Session, numbers: dict[int, int]) -> Iterator[Event]:
    rows = session.execute(
        select(VerificationRow).where(VerificationRow.revision_id.in_(list(numbers)))
    ).scalars()
    for row in rows:
        words = f"read revision {numbers[row.revision_id]} again and stands by it until {row.due_at:%Y-%m-%d}"
        yield Event(at=row.at, by=row.by, kind="approve", words=words)
