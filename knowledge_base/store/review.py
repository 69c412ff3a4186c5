"""Review paths, sign-offs, returns and comments in the database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from knowledge_base.errors import ContentError
from knowledge_base.snippet import Revision
from knowledge_base.store import audit
from knowledge_base.store.curation_tables import (
    ReviewCommentRow,
    ReviewDecisionRow,
    ReviewPathRow,
)
from knowledge_base.store.people import ensure_person
from knowledge_base.store.revisions import subject
from knowledge_base.store.tables import NAME
from knowledge_base.workflow import ONE_APPROVER, SignOff

EVERY_TOPIC = ""  # the path of all topics that have none of their own

MAX_STEPS = 6  # a path that is longer is a mistake: nobody waits for seven teams
MAX_WORDS = 2000  # characters of a reason or a comment: a page, not a document


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided about a submitted revision. `kind`: approve, return or withdraw."""

    revision_id: int
    submitted_at: datetime
    kind: str
    step: int
    team: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A remark on a revision."""

    revision_id: int
    by: str
    at: datetime
    text: str


def paths(session: Session) -> dict[str, tuple[str, ...]]:
    """The teams in their order by topic; the key '' is the path of all other topics, where one was set."""
    rows = session.execute(select(ReviewPathRow.topic, ReviewPathRow.teams))
    return {row.topic: tuple(row.teams) for row in rows}


def path_of(known: Mapping[str, Sequence[str]], topic: str) -> tuple[str, ...]:
    """The path of a topic among those known: its own, the common one, or one approver of any team."""
    return tuple(known.get(topic) or known.get(EVERY_TOPIC) or ONE_APPROVER)


def set_path(
    session: Session, topic: str, teams: Sequence[str], *, by: str, now: datetime
) -> tuple[str, ...]:
    """Set the teams that sign off revisions of a topic ('' for all others); no team removes the path.

    Returns the path as it is kept. A revision that is in review goes on along the new path.
    Raises ContentError for more than six teams, a team named twice, or a name that is empty or too long.
    """
    kept = tuple(" ".join(team.split()) for team in teams)
    if len(kept) > MAX_STEPS or len(set(kept)) < len(kept):
        msg = f"a review path has at most {MAX_STEPS} teams, each once: {', '.join(kept)}"
        raise ContentError(msg)
    for team in kept:
        if not team or len(team) > NAME or not team.isprintable() or team == "*":
            msg = f"{team!r} is no name for a team: 1 to {NAME} visible characters, for example legal"
            raise ContentError(msg)
    person = ensure_person(session, by, now=now)
    session.execute(delete(ReviewPathRow).where(ReviewPathRow.topic == topic))
    if kept:
        session.execute(
            insert(ReviewPathRow).values(topic=topic, teams=list(kept), set_by=person, set_at=now)
        )
    audit.append(
        session,
        actor=person,
        action="review_path.set",
        subject=f"topic:{topic or '*'}",
        detail={"teams": list(kept)},
        now=now,
    )
    return kept


def sign_offs(session: Session, revision: Revision) -> tuple[SignOff, ...]:
    """The steps that were taken in the submission that is under way, in their order."""
    return all_sign_offs(session, [revision]).get(revision.id, ())


def all_sign_offs(
    session: Session, revisions: Sequence[Revision]
) -> dict[int, tuple[SignOff, ...]]:
    """`sign_offs` of many revisions by id, in one statement; those without one are left out."""
    submitted = {r.id: r.submitted_at for r in revisions if r.submitted_at is not None}
    taken: dict[int, list[SignOff]] = {}
    for d in decisions(session, list(submitted)) if submitted else ():
        if d.kind == "approve" and d.submitted_at == submitted[d.revision_id]:
            step = SignOff(step=d.step, team=d.team, by=d.by, at=d.at)
            taken.setdefault(d.revision_id, []).append(step)
    return {
        number: tuple(sorted(steps, key=lambda step: step.step)) for number, steps in taken.items()
    }


def decisions(session: Session, revision_ids: Sequence[int]) -> list[Decision]:
    """Everything that was decided about these revisions, oldest first."""
    columns = [getattr(ReviewDecisionRow, name) for name in Decision.__dataclass_fields__]
    statement = select(*columns).where(ReviewDecisionRow.revision_id.in_(revision_ids))
    rows = session.execute(statement.order_by(ReviewDecisionRow.id))
    return [Decision(**row._mapping) for row in rows]  # SQLAlchemy's documented access


def record(
    session: Session,
    revision: Revision,
    *,
    kind: str,
    by: str,
    now: datetime,
    step: int = 0,
    team: str = "",
    reason: str = "",
) -> None:
    """Keep a decision about a submitted revision. The step itself and its audit entry are the caller's."""
    row: dict[str, Any] = {
        "revision_id": revision.id,
        "author": revision.author,
        "content_hash": revision.content_hash,
        "submitted_at": revision.submitted_at,
        "kind": kind,
        "step": step,
        "team": team,
        "by": by,
        "at": now,
        "reason": words(reason),
    }
    session.execute(insert(ReviewDecisionRow).values(row))


def comment(session: Session, revision: Revision, text: str, *, by: str, now: datetime) -> Comment:
    """Add a remark, with its audit entry. Raises ContentError when it is empty or longer than 2,000 characters."""
    kept = words(text)
    if not kept:
        msg = "the comment is empty: write what the author should know"
        raise ContentError(msg)
    person = ensure_person(session, by, now=now)
    row = {"revision_id": revision.id, "by": person, "at": now, "text": kept}
    session.execute(insert(ReviewCommentRow).values(row))
    audit.append(
        session,
        actor=person,
        action="revision.comment",
        subject=subject(revision.key, revision.number),
        detail={},
        now=now,
    )
    return Comment(revision_id=revision.id, by=person, at=now, text=kept)


def comments(session: Session, revision_ids: Sequence[int]) -> list[Comment]:
    """The remarks on these revisions, oldest first."""
    columns = [getattr(ReviewCommentRow, name) for name in Comment.__dataclass_fields__]
    statement = select(*columns).where(ReviewCommentRow.revision_id.in_(revision_ids))
    rows = session.execute(statement.order_by(ReviewCommentRow.id))
    return [Comment(**row._mapping) for row in rows]  # SQLAlchemy's documented access


def words(text: str) -> str:
    """A reason or a comment as it is kept: line ends made one, ends stripped. Raises ContentError if too long."""
    kept = "\n".join(line.rstrip() for line in text.strip().splitlines())
    if len(kept) > MAX_WORDS:
        msg = (
            f"a reason or comment has at most {MAX_WORDS:,} characters, this one has {len(kept):,}"
        )
        raise ContentError(msg)
    return kept


def words_hash(text: str) -> str:
    """SHA-256 (hex) of a reason as it is kept: what the audit chain holds of it."""
    return hashlib.sha256(words(text).encode()).hexdigest()


def signed_rows(session: Session, revision: Revision) -> tuple[dict[str, Any], ...]:
    """The sign-offs of the revision's last submission as they are stored, in the order of their steps."""
    table = ReviewDecisionRow.__table__
    statement = (
        select(*table.columns)
        .where(
            ReviewDecisionRow.revision_id == revision.id,
            ReviewDecisionRow.submitted_at == revision.submitted_at,
            ReviewDecisionRow.kind == "approve",
        )
        .order_by(ReviewDecisionRow.step)
    )
    return tuple(dict(row) for row in session.execute(statement).mappings())
