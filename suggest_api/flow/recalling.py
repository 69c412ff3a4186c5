"""Recall: a snippet is pulled at once, everywhere; and the report of where it had been used."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.snippet import Revision
from knowledge_base.store import recalls
from knowledge_base.store import repository as knowledge
from knowledge_base.store.recalls import Recalled
from suggest_api.bot_client.model import HandOverReason
from suggest_api.conversations import service as conversations
from suggest_api.delivery import stopping
from suggest_api.delivery.stopping import Reply
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import Draft
from suggest_api.flow.desk import Desk
from suggest_api.flow.stopping import leave, recall_detail
from suggest_api.values import Author

__all__ = ["RecallReport", "Recalled", "Usage", "UsageReport", "recall", "usage_report"]


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
    # Everything is locked before the first audit entry: whoever waits for the chain holds nothing that we need.
    recalls.keep_out(session, key)
    which = stopping.about_snippet(key)
    waiting = stopping.conversations_with(session, which)
    for conversation_id in waiting:
        conversations.lock(session, conversation_id)
    queued = stopping.hold(session, which, conversation_ids=waiting)
    sending = [reply.draft_id for reply in queued if reply.draft_id is not None]
    held = drafts.lock_open(session, key, also=sending)
    revision, recall_id = knowledge.recall(session, key, by=by, reason=reason, now=now)
    made = recalls.get(session, recall_id)
    stopping.cancel(session, queued, why=f"{key} was recalled by {made.by}", now=now)
    withdrawn = drafts.withdraw(
        session,
        held,
        recall_id=recall_id,
        by=made.by,
        reason=made.reason,
        now=now,
    )
    touched = leave(
        desk,
        session,
        queued,
        reason=HandOverReason.RECALLED,
        detail=recall_detail(made, topic=revision.content.topic),
        by=made.by,
        now=now,
    )
    return RecallReport(
        recall=made,
        revision=revision,
        drafts_withdrawn=withdrawn,
        replies_stopped=len(queued),
        replies_in_flight=stopping.count_leased(session, which),
        conversations=touched,
    )


def usage_report(session: Session, which: str | int) -> UsageReport:
    """Where a snippet had been used: by its key, or by the id of a recall of it.

    Raises NotFound.
    """
    key = recalls.get(session, which).snippet_key if isinstance(which, int) else which
    revisions = {r.id: r.number for r in knowledge.snippet(session, key).revisions}
    uses = [_ours(reply) for reply in stopping.replies_of(session, key)]
    known = {use.draft_id for use in uses}
    elsewhere = [d for d in drafts.sent_of(session, key) if d.id not in known]
    uses += [_elsewhere(draft, number=revisions[draft.revision_id]) for draft in elsewhere]
    uses.sort(key=lambda use: use.at, reverse=True)
    offered, withdrawn = drafts.count_of(session, key)
    return UsageReport(
        snippet_key=key,
        recalls=recalls.of_snippet(session, key),
        uses=tuple(uses),
        states=dict(sorted(Counter(use.state for use in uses).items())),
        conversations=len({use.conversation_id for use in uses if use.conversation_id}),
        offered=offered,
        withdrawn=withdrawn,
    )


def _ours(reply: Reply) -> Usage:
    """A reply that went, or was to go, through our own outbox."""
    return Usage(
        at=reply.at,
        conversation_id=reply.conversation_id,
        channel=reply.channel,
        author=reply.author,
        by=reply.author_name or reply.author,
        revision_id=reply.revision_id,
        revision=reply.revision,
        text=reply.text,
        edited=reply.edited,
        state=reply.state,
        attempts=reply.attempts,
        repeats=reply.repeats,
        failure=reply.failure,
        draft_id=reply.draft_id,
        outbox_id=reply.id,
    )


def _elsewhere(draft: Draft, *, number: int) -> Usage:
    """A draft that another desk told us it sent."""
    return Usage(
        at=draft.decided_at or draft.created_at,
        conversation_id=draft.conversation_id,
        channel=draft.channel,
        author=Author.PERSON.value,
        by=draft.decided_by or "",
        revision_id=draft.revision_id,
        revision=number,
        text=draft.outgoing_text,
        edited=draft.final_text is not None,
        state=draft.state.value,
        attempts=1,
        repeats=0,
        failure=None,
        draft_id=draft.id,
        outbox_id=None,
    )
