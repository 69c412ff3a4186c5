"""Workflow steps on stored revisions: each judged, done by compare-and-set, and audited in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from knowledge_base import workflow
from knowledge_base.errors import NotFound, StaleRevision
from knowledge_base.policy import Outcome, Policy, Verdict, judge
from knowledge_base.snippet import Revision, SnippetContent
from knowledge_base.store import audit
from knowledge_base.store.people import ensure_person
from knowledge_base.store.revisions import COLUMNS, LIVE, TABLE, subject, to_revision
from knowledge_base.store.tables import SnippetRow

_WORST_FIRST = (Outcome.block, Outcome.warn, Outcome.pass_)

# What a snippet for every channel is judged for; what a network asks beyond that is judged at suggestion and send.
_ANY_CHANNEL = "generic"


def submit(session: Session, revision_id: int, *, by: str, now: datetime) -> Revision:
    """Hand a draft to the approvers. Raises NotFound, WorkflowError, StaleRevision."""
    before = _locked(session, revision_id)
    after = workflow.submit(before, by=ensure_person(session, by, now=now), at=now)
    return _move(session, before, after, action="revision.submit", by=by, now=now, detail={})


def approve(
    session: Session, revision_id: int, *, by: str, now: datetime, policy: Policy
) -> Revision:
    """Approve what is in review, under a fresh verdict; the snippet's live revision retires with it.

    Raises NotFound, WorkflowError, SamePerson, PolicyBlocked, StaleRevision.
    """
    _lock_snippet(session, revision_id)
    before = _locked(session, revision_id)
    person = ensure_person(session, by, now=now)
    verdict = verdict_on(policy, before.content)
    after = workflow.approve(before, by=person, at=now, verdict=verdict)
    statement = select(*COLUMNS).where(TABLE.c.snippet_key == before.key, LIVE)
    live = session.execute(statement).first()
    if live is not None:
        retire(session, live.id, by=person, now=now)
    detail = {
        "content_hash": after.content_hash,
        "policy_version": after.policy_version,
        "outcome": str(verdict.outcome),
    }
    return _move(
        session, before, after, action="revision.approve", by=person, now=now, detail=detail
    )


def retire(session: Session, revision_id: int, *, by: str, now: datetime) -> Revision:
    """Take a revision out of use for good. Raises NotFound, WorkflowError, StaleRevision."""
    before = _locked(session, revision_id)
    after = workflow.retire(before, by=ensure_person(session, by, now=now), at=now)
    return _move(session, before, after, action="revision.retire", by=by, now=now, detail={})


def verdict_on(policy: Policy, content: SnippetContent) -> Verdict:
    """The verdict on the words as a template: the strictest one over the channels it is meant for."""
    verdicts = [
        judge(policy, content.text, channel=channel, template=True)
        for channel in content.channels or (_ANY_CHANNEL,)
    ]
    return min(verdicts, key=lambda verdict: _WORST_FIRST.index(verdict.outcome))


def state(revision: Revision) -> dict[str, Any]:
    """The columns that the workflow moves; `approved_hash` binds an approval to the content."""
    approved = revision.approved_by is not None
    return {
        "status": revision.status.value,
        "submitted_at": revision.submitted_at,
        "approved_by": revision.approved_by,
        "approved_at": revision.approved_at,
        "approved_hash": revision.content_hash if approved else None,
        "policy_version": revision.policy_version,
        "retired_by": revision.retired_by,
        "retired_at": revision.retired_at,
    }


def changes(before: Revision, after: Revision) -> dict[str, Any]:
    """Only what a step changed: the triggers refuse to hear an approval named again."""
    old = state(before)
    return {name: value for name, value in state(after).items() if value != old[name]}


def _lock_snippet(session: Session, revision_id: int) -> None:
    """Two approvals of one snippet go one after the other: the second retires what the first made live."""
    key = select(TABLE.c.snippet_key).where(TABLE.c.id == revision_id).scalar_subquery()
    session.execute(select(SnippetRow.key).where(SnippetRow.key == key).with_for_update())


def _locked(session: Session, revision_id: int) -> Revision:
    statement = select(*COLUMNS).where(TABLE.c.id == revision_id).with_for_update()
    row = session.execute(statement).first()
    if row is None:
        msg = f"there is no revision with the id {revision_id}"
        raise NotFound(msg)
    return to_revision(row)


def _move(
    session: Session,
    before: Revision,
    after: Revision,
    *,
    action: str,
    by: str,
    now: datetime,
    detail: dict[str, Any],
) -> Revision:
    """Write the step unless somebody else moved the revision in between, and record it."""
    moved = session.execute(
        update(TABLE)
        .where(TABLE.c.id == before.id, TABLE.c.status == before.status.value)
        .values(changes(before, after))
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult
        msg = f"{subject(before.key, before.number)} was changed by somebody else in between: look again"
        raise StaleRevision(msg)
    audit.append(
        session,
        actor=" ".join(by.split()),
        action=action,
        subject=subject(before.key, before.number),
        detail=detail,
        now=now,
    )
    return after
