"""A proposed policy and its way through the workflow, pure: who may take which step from which state.

draft ──submit──> in review ──approve──> live ──(another one is approved)──> superseded
  ^                 │    └──return──> returned ──save, submit──> draft, in review
  └─────────────────┴──withdraw (by its author, from any of these)──> withdrawn

What was submitted never changes. To go back is to propose an older policy again: it takes two people as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import regex

from knowledge_base.errors import PolicyRefused, SamePerson, WorkflowError
from knowledge_base.store.columns import canonical_json

FILE_NAME = regex.compile(r"[a-z][a-z0-9_]{0,40}\.yaml")
# Our own set has 13 files, the largest of 54 KB. Ten times that is a mistake, and takes long to read.
MOST_FILES = 60
MOST_CHARACTERS = 500_000  # of one file


class State(StrEnum):
    """Where a proposed policy stands."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    LIVE = "live"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


OPEN = (State.DRAFT, State.IN_REVIEW, State.RETURNED)
EDITABLE = (State.DRAFT, State.RETURNED)
WAS_IN_FORCE = (State.LIVE, State.SUPERSEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRevision:
    """A proposed policy. `note` says why; `content_hash` and `base_hash` name sets of files.

    `base_hash` was in force when it was begun. `weakenings` are those that the approver confirmed, for `reason`.
    """

    id: int
    state: State
    author: str
    note: str
    content_hash: str
    base_hash: str
    created_at: datetime
    changed_at: datetime
    submitted_at: datetime | None = None
    returned_by: str | None = None
    returned_at: datetime | None = None
    return_reason: str | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    approved_hash: str | None = None
    policy_version: str | None = None
    weakenings: tuple[str, ...] = ()
    reason: str = ""
    ended_at: datetime | None = None


def canonical(text: str) -> str:
    """A file's text as it is kept: line ends made one, no spaces at their ends, one line end at the end.

    Comments stay: they are for the people who read the policy.
    """
    lines = [line.rstrip() for line in text.removeprefix("\ufeff").splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def canonical_files(files: Mapping[str, str]) -> dict[str, str]:
    """All texts as they are kept. Raises PolicyRefused for names and sizes that cannot be."""
    if len(files) > MOST_FILES:
        raise PolicyRefused(f"a policy has at most {MOST_FILES} files, not {len(files)}")
    for name, text in files.items():
        if not FILE_NAME.fullmatch(name):
            msg = f"{name!r} is no name for a file of the policy: small letters, digits and _, then .yaml"
            raise PolicyRefused(msg)
        if len(text) > MOST_CHARACTERS:
            msg = f"{name}: a file has at most {MOST_CHARACTERS:,} characters, not {len(text):,}"
            raise PolicyRefused(msg)
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise PolicyRefused(f"{name}: there is a character that no text may have")
    return {name: canonical(text) for name, text in sorted(files.items())}


def text_hash(text: str) -> str:
    """SHA-256 (hex) of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(files: Mapping[str, str]) -> dict[str, str]:
    """The hash of each file's text, by name."""
    return {name: text_hash(text) for name, text in files.items()}


def content_hash(hashes: Mapping[str, str]) -> str:
    """SHA-256 (hex) of a manifest: two sets with the same one say the same, letter for letter."""
    return hashlib.sha256(canonical_json(dict(hashes)).encode()).hexdigest()


def saved(before: PolicyRevision, *, by: str, content: str, at: datetime) -> PolicyRevision:
    """Other files in a draft. Raises WorkflowError unless `by` wrote it and it can be edited."""
    _own(before, by=by, verb="edit")
    _expect(before, EDITABLE, verb="edited")
    return replace(before, state=State.DRAFT, content_hash=content, changed_at=at)


def submitted(before: PolicyRevision, *, by: str, at: datetime) -> PolicyRevision:
    """Hand it to somebody else. Raises WorkflowError unless `by` wrote it, it can be, and it changes something."""
    _own(before, by=by, verb="submit")
    _expect(before, EDITABLE, verb="submitted")
    if before.content_hash == before.base_hash:
        msg = (
            f"{_name(before)} says what is in force already: change something before you submit it"
        )
        raise WorkflowError(msg)
    return replace(before, state=State.IN_REVIEW, submitted_at=at)


def withdrawn(before: PolicyRevision, *, by: str, at: datetime) -> PolicyRevision:
    """Give it up. Raises WorkflowError unless `by` wrote it and it is still open."""
    _own(before, by=by, verb="withdraw")
    _expect(before, OPEN, verb="withdrawn")
    return replace(before, state=State.WITHDRAWN, ended_at=at)


def returned(before: PolicyRevision, *, by: str, at: datetime, reason: str) -> PolicyRevision:
    """Ask the author for changes. Raises WorkflowError without a reason, SamePerson for the author."""
    _expect(before, (State.IN_REVIEW,), verb="returned")
    _refuse_author(before, by=by, verb="return")
    if not reason.strip():
        raise WorkflowError(f"say why: to return {_name(before)} takes a reason for its author")
    return replace(
        before, state=State.RETURNED, returned_by=by, returned_at=at, return_reason=reason
    )


def may_approve(
    before: PolicyRevision,
    *,
    by: str,
    teams: Collection[str] = ("*",),
    wanted: Collection[str] = (),
) -> None:
    """Raise WorkflowError unless it is in review, SamePerson for its author.

    `teams` are those that `by` approves for ('*' is all); `wanted` those that may approve, none for any.
    """
    _expect(before, (State.IN_REVIEW,), verb="approved")
    _refuse_author(before, by=by, verb="approve")
    if wanted and "*" not in teams and not set(teams) & set(wanted):
        named = " or ".join(wanted)
        msg = f"{_name(before)} is approved by {named}: {by} does not approve for that team"
        raise WorkflowError(msg)


def approved(
    before: PolicyRevision,
    *,
    by: str,
    at: datetime,
    version: str,
    weakenings: Collection[str],
    confirmed: Collection[str],
    reason: str,
) -> PolicyRevision:
    """In force from now on. Raises as `may_approve`, and WorkflowError for a weakening that is not confirmed."""
    may_approve(before, by=by)
    missing = [name for name in weakenings if name not in confirmed]
    if missing:
        msg = f"{_name(before)} weakens the policy: confirm {', '.join(missing)}"
        raise WorkflowError(msg)
    if weakenings and not reason.strip():
        msg = f"{_name(before)} weakens the policy: say why that is right"
        raise WorkflowError(msg)
    return replace(
        before,
        state=State.LIVE,
        approved_by=by,
        approved_at=at,
        approved_hash=before.content_hash,
        policy_version=version,
        weakenings=tuple(weakenings),
        reason=reason,
    )


def _own(before: PolicyRevision, *, by: str, verb: str) -> None:
    if by != before.author:
        msg = f"{_name(before)} was proposed by {before.author}: {by} cannot {verb} it"
        raise WorkflowError(msg)


def _refuse_author(before: PolicyRevision, *, by: str, verb: str) -> None:
    if by == before.author:
        msg = f"{_name(before)} was proposed by {by}: somebody else has to {verb} it"
        raise SamePerson(msg)


def _expect(before: PolicyRevision, states: Collection[State], *, verb: str) -> None:
    if before.state not in states:
        wanted = " or ".join(state.value.replace("_", " ") for state in states)
        state = before.state.value.replace("_", " ")
        raise WorkflowError(f"{_name(before)} is {state}: only what is {wanted} can be {verb}")


def _name(before: PolicyRevision) -> str:
    return f"policy {before.id}"
