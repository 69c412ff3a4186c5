"""Workflow steps on stored revisions: each judged, done by compare-and-set, and audited in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from knowledge_base import workflow
from knowledge_base.errors import NotFound, StaleRevision, WorkflowError
from knowledge_base.policy import Outcome, Policy, Verdict, judge
from knowledge_base.snippet import Revision, SnippetContent, Status
from knowledge_base.store import audit, review
from knowledge_base.store.curation_tables import RecallRow
from knowledge_base.store.people import ensure_person
from knowledge_base.store.revisions import COLUMNS, LIVE, TABLE, new_row, subject, to_revision
from knowledge_base.store.tables import SnippetRow

# Ids in one statement; SQLite takes at most 32,766 parameters (sqlite.org/limits.html).
IDS_AT_ONCE = 10_000

_WORST_FIRST = (Outcome.block, Outcome.warn, Outcome.pass_)

# What a snippet for every channel is judged for; what a network asks beyond that is judged at suggestion and send.
_ANY_CHANNEL = "generic"


def submit(session: Session, revision_id: int, *, by: str, now: datetime) -> Revision:
    """Hand a draft to the approvers. Raises NotFound, WorkflowError, StaleRevision."""
    before = _locked(session, revision_id)
    after = workflow.submit(before, by=ensure_person(session, by, now=now), at=now)
    return _move(session, before, after, action="revision.submit", by=by, now=now, detail={})


def withdraw(session: Session, revision_id: int, *, by: str, now: datetime) -> Revision:
    """The author takes a submitted revision back. Raises NotFound, WorkflowError, StaleRevision."""
    before = _locked(session, revision_id)
    person = ensure_person(session, by, now=now)
    after = workflow.withdraw(before, by=person)
    review.record(session, before, kind="withdraw", by=person, now=now)
    return _move(session, before, after, action="revision.withdraw", by=by, now=now, detail={})


def return_to_author(
    session: Session, revision_id: int, *, by: str, reason: str, now: datetime
) -> Revision:
    """An approver asks for changes. Raises NotFound, WorkflowError, SamePerson, StaleRevision."""
    before = _locked(session, revision_id)
    person = ensure_person(session, by, now=now)
    after = workflow.return_to_author(before, by=person, reason=reason)
    step = len(review.sign_offs(session, before))
    review.record(session, before, kind="return", by=person, now=now, step=step, reason=reason)
    return _move(session, before, after, action="revision.return", by=by, now=now, detail={})


def approve(
    session: Session,
    revision_id: int,
    *,
    by: str,
    now: datetime,
    policy: Policy,
    teams: Collection[str] = ("*",),
    reason: str = "",
) -> Revision:
    """Sign off what is in review, under a fresh verdict; the last step of its path makes it approved.

    `teams` are those that `by` approves for. An approved revision is offered once it is published
    (`go_live`); the one that is live stays so until then.
    Raises NotFound, WorkflowError, SamePerson, PolicyBlocked, StaleRevision.
    """
    _lock_snippet(session, revision_id)
    before = _locked(session, revision_id)
    person = ensure_person(session, by, now=now)
    verdict = verdict_on(policy, before.content)
    path = review.path_of(review.paths(session), before.content.topic)
    signed = review.sign_offs(session, before)
    after = workflow.approve(
        before, by=person, at=now, verdict=verdict, teams=teams, path=path, signed=signed
    )
    step = len(signed)
    review.record(
        session,
        before,
        kind="approve",
        by=person,
        now=now,
        step=step,
        team=path[step],
        reason=reason,
    )
    whole = after.status is Status.APPROVED
    detail = {
        "content_hash": after.content_hash,
        "policy_version": verdict.policy_version,
        "outcome": str(verdict.outcome),
        "team": path[step],
        "step": step,
        "reason_sha256": review.words_hash(reason),
    }
    action = "revision.approve" if whole else "revision.sign_off"
    return _move(session, before, after, action=action, by=person, now=now, detail=detail)


def retire(session: Session, revision_id: int, *, by: str, now: datetime) -> Revision:
    """Take a revision out of use for good, and with it the approved ones that it had replaced.

    A newer approved one is left to wait. Raises NotFound, WorkflowError, StaleRevision.
    """
    _lock_snippet(session, revision_id)
    before = _locked(session, revision_id)
    person = ensure_person(session, by, now=now)
    after = workflow.retire(before, by=person, at=now)
    return _retire(session, before, after, action="revision.retire", by=person, now=now)


def recall(
    session: Session, key: str, *, by: str, reason: str, now: datetime
) -> tuple[Revision, int]:
    """Pull what is live of a snippet, now; returns it as retired, and the id of the recall.

    The replaced ones retire with it, so that no rollback brings them back; a newer approved one is left to wait.
    Raises NotFound when nothing of it is live, WorkflowError without a reason.
    """
    session.execute(select(SnippetRow.key).where(SnippetRow.key == key).with_for_update())
    row = session.execute(select(*COLUMNS).where(TABLE.c.snippet_key == key, LIVE)).first()
    if row is None:
        msg = f"nothing of {key} is live: there is nothing to recall"
        raise NotFound(msg)
    before = to_revision(row)
    person = ensure_person(session, by, now=now)
    after = workflow.recall(before, by=person, at=now, reason=reason)
    recalled = {
        "snippet_key": key,
        "revision_id": before.id,
        "by": person,
        "at": now,
        "reason": review.words(reason),
    }
    number = session.execute(
        insert(RecallRow).values(recalled).returning(RecallRow.id)
    ).scalar_one()
    after = _retire(session, before, after, action="revision.recall", by=person, now=now)
    return after, number


def reopen(session: Session, key: str, *, by: str, now: datetime) -> Revision:
    """Start a new draft of a snippet of which nothing is in use any more, with its newest words.

    Raises NotFound, WorkflowError while a revision of it is a draft, in review or approved.
    """
    session.execute(select(SnippetRow.key).where(SnippetRow.key == key).with_for_update())
    statement = select(*COLUMNS).where(TABLE.c.snippet_key == key).order_by(TABLE.c.number)
    revisions = [to_revision(row) for row in session.execute(statement)]
    if not revisions:
        msg = f"there is no snippet with the key {key}"
        raise NotFound(msg)
    used = next((r for r in reversed(revisions) if r.status is not Status.RETIRED), None)
    if used is not None:
        msg = f"revision {used.number} of {key} is not retired: edit that one instead of reopening"
        raise WorkflowError(msg)
    newest = revisions[-1]
    person = ensure_person(session, by, now=now)
    row = new_row(newest.content, number=newest.number + 1, author=person, now=now)
    revision_id = session.execute(insert(TABLE).returning(TABLE.c.id), row).scalar_one()
    audit.append(
        session,
        actor=person,
        action="revision.reopen",
        subject=subject(key, newest.number + 1),
        detail={"content_hash": newest.content_hash, "from": newest.number},
        now=now,
    )
    return _locked(session, revision_id)


def go_live(session: Session, revision_ids: Iterable[int]) -> tuple[int, int]:
    """Make exactly these revisions live, as far as they are approved; returns how many came and how many went.

    The caller records it: a publication or a rollback, with its generation.
    """
    wanted = set(revision_ids)
    now_live = set(session.scalars(select(TABLE.c.id).where(LIVE)))
    approved = set(session.scalars(select(TABLE.c.id).where(TABLE.c.status == Status.APPROVED)))
    gone, come = sorted(now_live - wanted), sorted((wanted & approved) - now_live)
    for ids, live in ((gone, False), (come, True)):
        for start in range(0, len(ids), IDS_AT_ONCE):
            page = ids[start : start + IDS_AT_ONCE]
            session.execute(update(TABLE).where(TABLE.c.id.in_(page)).values(live=live))
    return len(come), len(gone)


def verdict_on(policy: Policy, content: SnippetContent) -> Verdict:
    """The verdict on the words as a template: the strictest one over the channels it is meant for."""
    verdicts = [
        judge(policy, content.text, channel=channel, template=True)
        for channel in content.channels or (_ANY_CHANNEL,)
    ]
    return min(verdicts, key=lambda verdict: _WORST_FIRST.index(verdict.outcome))


def _retire(
    session: Session, before: Revision, after: Revision, *, action: str, by: str, now: datetime
) -> Revision:
    """Retire a revision and those that it had replaced: approved, older, and not live.

    A draft replaced nothing, and one that waits for publication only those that waited before it.
    """
    since = 0 if before.live else _live_number(session, before.key)
    approved = before.status is Status.APPROVED
    older = (
        ()
        if not approved
        else session.execute(
            select(*COLUMNS).where(
                TABLE.c.snippet_key == before.key,
                TABLE.c.number < before.number,
                TABLE.c.number > since,
                TABLE.c.status == Status.APPROVED.value,
                TABLE.c.live.is_(False),
            )
        ).all()
    )
    for row in older:
        replaced = to_revision(row)
        gone = workflow.retire(replaced, by=by, at=now)
        _move(session, replaced, gone, action="revision.retire", by=by, now=now, detail={})
    return _move(session, before, after, action=action, by=by, now=now, detail={})


def _live_number(session: Session, key: str) -> int:
    live = select(TABLE.c.number).where(TABLE.c.snippet_key == key, LIVE)
    return session.execute(live).scalar() or 0


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
        "live": revision.live,
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
    found = (TABLE.c.id == before.id) & (TABLE.c.status == before.status.value)
    values = changes(before, after) or {"status": before.status.value}  # a sign-off moves nothing
    moved = session.execute(update(TABLE).where(found).values(values))
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
