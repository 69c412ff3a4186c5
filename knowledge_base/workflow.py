"""A revision's way through the workflow: draft -> in review -> approved -> retired, with two people; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from knowledge_base.errors import PolicyBlocked, SamePerson, StaleRevision, WorkflowError
from knowledge_base.snippet import Revision, Status

_BLOCK = "block"


class Judgement(Protocol):
    """What the workflow needs of a policy verdict (`knowledge_base.policy.Verdict` has it)."""

    @property
    def outcome(self) -> str:
        """`pass`, `warn` or `block`."""

    @property
    def policy_version(self) -> str:
        """The version of the policy that judged."""

    @property
    def findings(self) -> Sequence[object]:
        """Why; each with `rule_id` and `reason`."""


def submit(revision: Revision, *, by: str, at: datetime) -> Revision:
    """Hand a draft to the approvers. Raises WorkflowError unless it is a draft and `by` wrote it."""
    _expect(revision, Status.DRAFT, verb="submitted")
    if by != revision.author:
        msg = f"{_name(revision)} was written by {revision.author}: only the author submits it, not {by}"
        raise WorkflowError(msg)
    return replace(revision, status=Status.IN_REVIEW, submitted_at=at)


def approve(revision: Revision, *, by: str, at: datetime, verdict: Judgement) -> Revision:
    """Let it be sent, as it stands and under the policy that judged it.

    Raises WorkflowError unless it is in review, SamePerson when `by` wrote it, PolicyBlocked when the
    verdict blocks, StaleRevision when its content is not what its hash was taken over.
    """
    _expect(revision, Status.IN_REVIEW, verb="approved")
    if by == revision.author:
        msg = f"{_name(revision)} was written by {by}: somebody else has to approve it"
        raise SamePerson(msg)
    if revision.content.content_hash != revision.content_hash:
        msg = f"{_name(revision)} is not what was submitted: its content hash differs"
        raise StaleRevision(msg)
    if verdict.outcome == _BLOCK:
        reasons = "; ".join(
            str(getattr(finding, "reason", finding)) for finding in verdict.findings
        )
        msg = f"{_name(revision)} breaks the policy: {reasons}"
        raise PolicyBlocked(msg, verdict=verdict)
    return replace(
        revision,
        status=Status.APPROVED,
        approved_by=by,
        approved_at=at,
        policy_version=verdict.policy_version,
    )


def retire(revision: Revision, *, by: str, at: datetime) -> Revision:
    """Take it out of use for good. Raises WorkflowError when it already is."""
    if revision.status is Status.RETIRED:
        msg = f"{_name(revision)} is already retired, by {revision.retired_by}"
        raise WorkflowError(msg)
    return replace(revision, status=Status.RETIRED, retired_by=by, retired_at=at)


def _expect(revision: Revision, status: Status, *, verb: str) -> None:
    if revision.status is not status:
        msg = (
            f"{_name(revision)} is {_words(revision.status)}: only a revision that is"
            f" {_words(status)} can be {verb}"
        )
        raise WorkflowError(msg)


def _name(revision: Revision) -> str:
    return f"revision {revision.number} of {revision.key}"


def _words(status: Status) -> str:
    return {
        Status.DRAFT: "a draft",
        Status.IN_REVIEW: "in review",
        Status.APPROVED: "approved",
        Status.RETIRED: "retired",
    }[status]
