"""Recall: a snippet is pulled at once, everywhere; and the report of where it had been used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.snippet import Revision
from suggest_api.flow.desk import Desk

__all__ = ["RecallReport", "Recalled", "Usage", "UsageReport", "recall", "usage_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A recall as it is kept: which revision of which snippet, by whom, when and why."""

    id: int
    snippet_key: str
    revision_id: int
    by: str
    at: datetime
    reason: str

    def to_json(self) -> dict[str, Any]:
        """All of it, the time in ISO 8601."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallReport:
    """What a recall did: the retired revision, the open drafts that were withdrawn, the queued replies that were
    stopped, the ones being sent at this moment (each is judged again before it leaves), and the ids of the
    conversations that went to a person because their reply was stopped.
    """

    recall: Recalled
    revision: Revision
    drafts_withdrawn: int
    replies_stopped: int
    replies_in_flight: int
    conversations: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            "recall": self.recall.to_json(),
            "revision": self.revision.number,
            "drafts_withdrawn": self.drafts_withdrawn,
            "replies_stopped": self.replies_stopped,
            "replies_in_flight": self.replies_in_flight,
            "conversations": list(self.conversations),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One time that somebody said it, or was about to. `by` is the person, `assistant`, or the key of another
    desk, which sends by itself: `conversation_id` may be None there, and `outbox_id` is.

    `state` is that of the delivery (with receipts) or of the draft. `edited` means that `text` is not what was
    approved. `repeats` counts attempts by which the customer may have seen it once more.
    """

    at: datetime
    conversation_id: str | None
    channel: str
    author: str
    by: str
    revision_id: int
    revision: int
    text: str
    edited: bool
    state: str
    attempts: int
    repeats: int
    failure: str | None
    draft_id: str | None
    outbox_id: str | None

    def to_json(self) -> dict[str, Any]:
        """All of it, the time in ISO 8601."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """Where a snippet had been used, newest first: every reply made from it, and how often it was only offered.

    `states` counts the uses by state; `offered` counts drafts, of which `withdrawn` were taken back by a recall.
    """

    snippet_key: str
    recalls: tuple[Recalled, ...]
    uses: tuple[Usage, ...]
    states: dict[str, int]
    conversations: int
    offered: int
    withdrawn: int

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "snippet_key": self.snippet_key,
            "recalls": [recall.to_json() for recall in self.recalls],
            "states": self.states,
            "conversations": self.conversations,
            "offered": self.offered,
            "withdrawn": self.withdrawn,
            "uses": [use.to_json() for use in self.uses],
        }


def recall(
    desk: Desk, session: Session, key: str, *, by: str, reason: str, now: datetime
) -> RecallReport:
    """Pull what is published of a snippet, now, in one transaction.

    From the commit on nobody is offered it, the assistant does not say it, its open drafts are withdrawn and its
    queued replies cancelled; where a customer would be left without an answer, a person has the conversation.
    Raises NotFound when nothing of it is live, WorkflowError without a reason; nothing is changed then.
    """
    raise NotImplementedError


def usage_report(session: Session, which: str | int) -> UsageReport:
    """Where a snippet had been used: by its key, or, for the revisions that a recall ended, by the recall's id.

    Raises NotFound.
    """
    raise NotImplementedError
