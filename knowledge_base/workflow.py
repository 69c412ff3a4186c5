"""A revision's way through the workflow, pure: who may take which step from which state.

draft ──submit──> in review ──sign-offs──> approved ──publish──> live (approved still)
  ^                   │                        │                    │
  └──return, withdraw─┘                        └───retire───────────┴──retire, recall──> retired

An edit is a new revision and a reopened snippet is a new draft, so nothing that was said ever changes. An approved
revision is offered only while it is live (`knowledge_base.publish`); the one before it stays live until then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from knowledge_base.errors import PolicyBlocked, SamePerson, StaleRevision, WorkflowError
from knowledge_base.snippet import Revision, Status

_BLOCK = "block"

ANY_TEAM = ""  # a step of a review path that any approver may take

# The path of a topic for which none was set: one approver, whoever it is.
ONE_APPROVER = (ANY_TEAM,)

# A quarter: long enough not to be a ritual, short enough that a wrong price is found.
REVERIFY_AFTER = timedelta(days=90)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """One step of a review path, taken: `step` counts from 0, `team` is '' where the path names none."""

    step: int
    team: str
    by: str
    at: datetime


def submit(revision: Revision, *, by: str, at: datetime) -> Revision:
    """Hand a draft to the approvers. Raises WorkflowError unless it is a draft and `by` wrote it."""
    _expect(revision, Status.DRAFT, verb="submitted")
    if by != revision.author:
        msg = f"{_name(revision)} was written by {revision.author}: only the author submits it, not {by}"
        raise WorkflowError(msg)
    return replace(revision, status=Status.IN_REVIEW, submitted_at=at)


def withdraw(revision: Revision, *, by: str) -> Revision:
    """Take a submitted revision back. Raises WorkflowError unless it is in review and `by` wrote it."""
    _expect(revision, Status.IN_REVIEW, verb="withdrawn")
    if by != revision.author:
        msg = f"{_name(revision)} was written by {revision.author}: {by} can only return it, with a reason"
        raise WorkflowError(msg)
    return replace(revision, status=Status.DRAFT, submitted_at=None)


def return_to_author(revision: Revision, *, by: str, reason: str) -> Revision:
    """Ask the author for changes. Raises WorkflowError without a reason, SamePerson for the author."""
    _expect(revision, Status.IN_REVIEW, verb="returned")
    _refuse_author(revision, by=by, verb="return")
    _need_reason(revision, reason, verb="return")
    return replace(revision, status=Status.DRAFT, submitted_at=None)


def sign_off(
    revision: Revision,
    *,
    by: str,
    at: datetime,
    teams: Collection[str],
    path: Sequence[str] = ONE_APPROVER,
    signed: Sequence[SignOff] = (),
) -> SignOff:
    """The next step of the review path, taken by a member of its team.

    `teams` are those that `by` approves for ('*' is all), `signed` the sign-offs of this submission.
    Raises WorkflowError unless it is in review and the step is for one of the teams, SamePerson when `by`
    wrote it or took another step, StaleRevision when its content is not what its hash was taken over.
    """
    _expect(revision, Status.IN_REVIEW, verb="approved")
    _refuse_author(revision, by=by, verb="approve")
    if revision.content.content_hash != revision.content_hash:
        msg = f"{_name(revision)} is not what was submitted: its content hash differs"
        raise StaleRevision(msg)
    if any(other.by == by for other in signed):
        msg = f"{_name(revision)} was signed off by {by} already: the next step is somebody else's"
        raise SamePerson(msg)
    step = len(signed)
    if step >= len(path):
        msg = f"{_name(revision)} has every sign-off already"
        raise WorkflowError(msg)
    team = path[step]
    if team != ANY_TEAM and team not in teams and "*" not in teams:
        msg = f"{_name(revision)} waits for {team}: {by} does not approve for that team"
        raise WorkflowError(msg)
    return SignOff(step=step, team=team, by=by, at=at)


def approve(
    revision: Revision,
    *,
    by: str,
    at: datetime,
    verdict: Judgement,
    teams: Collection[str] = ("*",),
    path: Sequence[str] = ONE_APPROVER,
    signed: Sequence[SignOff] = (),
) -> Revision:
    """Sign off; with the last step of the path it is approved, as it stands and under the policy that judged it.

    Before the last step it stays in review as it is. Raises as `sign_off` does, and PolicyBlocked when
    the verdict blocks.
    """
    taken = sign_off(revision, by=by, at=at, teams=teams, path=path, signed=signed)
    refuse_blocked(revision, verdict)
    if taken.step + 1 < len(path):
        return revision
    return replace(
        revision,
        status=Status.APPROVED,
        approved_by=by,
        approved_at=at,
        policy_version=verdict.policy_version,
    )


def refuse_blocked(revision: Revision, verdict: Judgement) -> None:
    """Raise PolicyBlocked, with every reason, when the verdict blocks."""
    if verdict.outcome == _BLOCK:
        reasons = "; ".join(
            str(getattr(finding, "reason", finding)) for finding in verdict.findings
        )
        msg = f"{_name(revision)} breaks the policy: {reasons}"
        raise PolicyBlocked(msg, verdict=verdict)


def retire(revision: Revision, *, by: str, at: datetime) -> Revision:
    """Take it out of use for good. Raises WorkflowError when it already is."""
    if revision.status is Status.RETIRED:
        msg = f"{_name(revision)} is already retired, by {revision.retired_by}"
        raise WorkflowError(msg)
    return replace(revision, status=Status.RETIRED, retired_by=by, retired_at=at, live=False)


def recall(revision: Revision, *, by: str, at: datetime, reason: str) -> Revision:
    """Pull what is live, now. Raises WorkflowError unless it is live and a reason is given."""
    if not revision.live:
        msg = f"{_name(revision)} is not live: there is nothing to recall"
        raise WorkflowError(msg)
    _need_reason(revision, reason, verb="recall")
    return retire(revision, by=by, at=at)


def due_for_verification(
    revision: Revision, *, verified_until: datetime | None
) -> datetime | None:
    """When somebody has to read it again: as last verified, or 90 days from approval; None if not approved."""
    if revision.approved_at is None or revision.status is not Status.APPROVED:
        return None
    return verified_until or revision.approved_at + REVERIFY_AFTER


def verify_again(
    revision: Revision,
    *,
    by: str,
    teams: Collection[str],
    path: Sequence[str] = ONE_APPROVER,
) -> None:
    """Whether `by` may stand by a live revision for another while.

    Raises WorkflowError unless it is live and one of the teams is on its path, SamePerson for its author.
    """
    if not revision.live:
        msg = f"{_name(revision)} is not live: there is nothing to verify"
        raise WorkflowError(msg)
    _refuse_author(revision, by=by, verb="verify")
    if "*" not in teams and ANY_TEAM not in path and not set(teams) & set(path):
        msg = (
            f"{_name(revision)} is signed off by {', '.join(path)}: {by} does not approve for them"
        )
        raise WorkflowError(msg)


def _refuse_author(revision: Revision, *, by: str, verb: str) -> None:
    if by == revision.author:
        msg = f"{_name(revision)} was written by {by}: somebody else has to {verb} it"
        raise SamePerson(msg)


def _need_reason(revision: Revision, reason: str, *, verb: str) -> None:
    if not reason.strip():
        msg = f"say why: to {verb} {_name(revision)} takes a reason that its author can read"
        raise WorkflowError(msg)


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
