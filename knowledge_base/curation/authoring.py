"""Writing: a draft is saved over what its author saw, never over what somebody else wrote meanwhile."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base import workflow
from knowledge_base.errors import EditConflict, WorkflowError
from knowledge_base.policy import Policy
from knowledge_base.snippet import Revision, SnippetContent, Status
from knowledge_base.store import repository
from knowledge_base.store.approval import verdict_on
from knowledge_base.store.people import ensure_person


def save_draft(
    session: Session,
    content: SnippetContent,
    *,
    author: str,
    based_on: int | None,
    now: datetime,
) -> Revision:
    """Keep what somebody wrote as the newest draft of its snippet; returns it.

    `based_on` is the number of the newest revision that they saw, None or 0 for a snippet that did not exist.
    Their own older draft retires in the same step; a draft of somebody else stays in the history, and what is
    live stays live until a new revision is approved and published. Saving the same words again changes nothing.
    The content has to be in order already (see `knowledge_base.exchange`); findings of the policy do not matter
    before it is submitted.
    Raises EditConflict with the other revision when somebody saved in between, WorkflowError while the newest
    revision is in review, ContentError when the words are those of an approved revision that is the newest.
    """
    person = ensure_person(session, author, now=now)
    newest = repository.lock_newest(session, content.key, now=now)
    if newest is None:
        return repository.add_revision(session, content, author=person, now=now)
    if newest.number != (based_on or 0):
        raise _conflict(newest, based_on)
    if newest.status is Status.IN_REVIEW:
        msg = (
            f"revision {newest.number} of {newest.key} is in review and cannot be edited:"
            f" {newest.author} has to withdraw it first, or an approver to return it"
        )
        raise WorkflowError(msg)
    own_draft = newest.status is Status.DRAFT and newest.author == person
    if own_draft and newest.content_hash == content.content_hash:
        return newest
    if own_draft:
        repository.retire(session, newest.id, by=person, now=now)
    return repository.add_revision(session, content, author=person, now=now)


def submit(
    session: Session, revision_id: int, *, by: str, now: datetime, policy: Policy
) -> Revision:
    """Hand a draft to the approvers, if the policy lets it pass; from here on its words are frozen.

    Raises PolicyBlocked with the verdict, EditConflict when a newer revision is open, and what
    `repository.submit` raises.
    """
    revision = repository.get_revision(session, revision_id)
    newest = repository.lock_newest(session, revision.key, now=now)
    if newest is not None and newest.number > revision.number and _open(newest):
        raise _conflict(newest, revision.number)
    workflow.refuse_blocked(revision, verdict_on(policy, revision.content))
    return repository.submit(session, revision_id, by=by, now=now)


def discard(session: Session, revision_id: int, *, by: str, now: datetime) -> Revision:
    """Retire a draft of one's own. Raises NotFound, WorkflowError for anything else."""
    revision = repository.get_revision(session, revision_id)
    if revision.status is not Status.DRAFT or revision.author != " ".join(by.split()):
        msg = (
            f"revision {revision.number} of {revision.key} is no draft of {by}: only its author discards"
            " a draft; whatever else is out of date is retired by an approver or a publisher"
        )
        raise WorkflowError(msg)
    return repository.retire(session, revision_id, by=by, now=now)


def _open(revision: Revision) -> bool:
    return revision.status in (Status.DRAFT, Status.IN_REVIEW)


def _conflict(theirs: Revision, based_on: int | None) -> EditConflict:
    seen = f"revision {based_on}" if based_on else "nothing"
    msg = (
        f"{theirs.author} saved revision {theirs.number} of {theirs.key} while you were writing, and you"
        f" started from {seen}: look at both and save again"
    )
    return EditConflict(msg, theirs=theirs)
