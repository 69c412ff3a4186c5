"""Reading live snippets again: which are due, and who stands by one for another while."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, insert, literal, or_, select
from sqlalchemy.orm import Session

from knowledge_base import workflow
from knowledge_base.errors import ContentError
from knowledge_base.snippet import Revision
from knowledge_base.store import audit, repository, review
from knowledge_base.store.curation_tables import VerificationRow
from knowledge_base.store.people import ensure_person
from knowledge_base.store.revisions import COLUMNS, LIVE, TABLE, subject, to_revision

SOON = timedelta(days=14)  # listed before it is due: two weeks to find the time
LONGEST = 730  # days; whoever stands by words for longer than two years has not thought about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A live revision that somebody has to read again. `verified_by` None means that nobody did since approval."""

    revision: Revision
    due_at: datetime
    overdue: bool
    verified_by: str | None = None


def due(session: Session, *, now: datetime, within: timedelta = SOON) -> list[Due]:
    """What is live and has to be read again by then or was so before, the longest overdue first."""
    until = now + within
    newest = newest_verification().subquery()
    statement: Select[Any] = (
        select(*COLUMNS, newest.c.due_at, newest.c.by)
        .select_from(TABLE.outerjoin(newest, newest.c.revision_id == TABLE.c.id))
        .where(LIVE, due_before(until, newest.c.due_at))
    )
    found = []
    for row in session.execute(statement):
        revision = to_revision(row)
        at = workflow.due_for_verification(revision, verified_until=row.due_at)
        if at is not None:
            found.append(Due(revision=revision, due_at=at, overdue=at <= now, verified_by=row.by))
    return sorted(found, key=lambda each: (each.due_at, each.revision.key))


def reverify(
    session: Session,
    revision_id: int,
    *,
    by: str,
    now: datetime,
    teams: Collection[str] = ("*",),
    days: int = workflow.REVERIFY_AFTER.days,
) -> datetime:
    """Stand by a live revision for another while; returns until when.

    `teams` are those that `by` approves for ('*' is all): one of them has to be on the path of its topic.
    Raises NotFound, WorkflowError when it is not live or the topic is other teams', SamePerson for its author,
    ContentError for fewer than 1 or more than 730 days.
    """
    if not 1 <= days <= LONGEST:
        msg = f"a snippet is verified for 1 to {LONGEST} days, not {days}"
        raise ContentError(msg)
    revision = repository.get_revision(session, revision_id)
    person = ensure_person(session, by, now=now)
    path = review.path_of(review.paths(session), revision.content.topic)
    workflow.verify_again(revision, by=person, teams=teams, path=path)
    until = now + timedelta(days=days)
    row = {"revision_id": revision_id, "by": person, "at": now, "due_at": until}
    session.execute(insert(VerificationRow).values(row))
    audit.append(
        session,
        actor=person,
        action="revision.reverify",
        subject=subject(revision.key, revision.number),
        detail={"content_hash": revision.content_hash, "until": until.isoformat()},
        now=now,
    )
    return until


def newest_verification() -> Select[Any]:
    """The last verification of each revision."""
    last = select(func.max(VerificationRow.id)).group_by(VerificationRow.revision_id)
    columns: tuple[Any, ...] = (
        VerificationRow.revision_id,
        VerificationRow.by,
        VerificationRow.due_at,
    )
    return select(*columns).where(VerificationRow.id.in_(last))


def due_before(until: datetime, verified_until: ColumnElement[datetime]) -> ColumnElement[bool]:
    """SQL for `workflow.due_for_verification(...) <= until`; `verified_until` is NULL where nobody verified."""
    approved = TABLE.c.approved_at <= literal(
        until - workflow.REVERIFY_AFTER, TABLE.c.approved_at.type
    )
    return or_(
        verified_until <= literal(until, TABLE.c.approved_at.type),
        verified_until.is_(None) & approved,
    )
