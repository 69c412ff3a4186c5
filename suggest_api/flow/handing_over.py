"""A person gets the conversation: by the assistant's hand-over, or because a reply was stopped on its way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy.orm import Session

from suggest_api.bot_client.model import OUTAGES, HandOver, HandOverReason
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation, TurnKind, sound_facts
from suggest_api.delivery import stopping
from suggest_api.delivery.stopping import Queued
from suggest_api.flow.circumstances import HANDED_OVER, OUTAGE, READ_BACK
from suggest_api.flow.desk import Desk
from suggest_api.flow.speaking import tell
from suggest_api.freezes import service as freezes
from suggest_api.values import Author, FreezeState, Owner


def hand_over(
    desk: Desk,
    session: Session,
    *,
    conversation_id: str,
    item: HandOver,
    now: datetime,
    told: bool = False,
) -> Conversation:
    """A person owes the reply: the summary goes into the log, and the customer is told, unless they are `told`.

    What is frozen goes to the team of the freeze, and the customer hears the holding statement instead, once.
    When nothing approved can be said, nothing is said: the gate fails closed.
    """
    summary = {
        "asked": item.asked,
        "intent": item.intent,
        "topic": item.topic,
        "collected": sound_facts(item.collected),
    }
    state = freezes.in_force(session)
    channel = conversations.get(session, conversation_id).channel
    freeze = state.on(item.topic, channel=channel)
    after = conversations.hand_over(
        session,
        conversation_id,
        reason=item.reason.value,
        summary=summary
        if freeze is None
        else {**summary, "team": freeze.team, "freeze": freeze.id},
        facts=item.collected,
        team="" if freeze is None else freeze.team,
        now=now,
    )
    if told:
        return after
    if freeze is not None:
        held = _hold(desk, session, after, state, item.topic, now=now)
        if held is not None:
            return held
    key = OUTAGE if item.reason in OUTAGES else HANDED_OVER
    return tell(desk, session, after, key, now=now) or after


def leave_to_person(
    desk: Desk,
    session: Session,
    stopped: Sequence[Queued],
    *,
    reason: HandOverReason,
    detail: dict[str, Any],
    now: datetime,
) -> tuple[str, ...]:
    """Replies were stopped, and their conversations are locked: nobody is left without an answer.

    What the assistant had is handed over, and the customer is told; who had written themselves, or waits to be
    answered, is told why by a note that carries `detail`. Returns the conversations, in order.
    """
    touched: list[str] = []
    for conversation_id, replies in groupby(
        sorted(stopped, key=lambda reply: reply.conversation_id), lambda r: r.conversation_id
    ):
        conversation = conversations.get(session, conversation_id)
        if conversation.owner is Owner.BOT:
            asked, topic = _asked(session, conversation_id), str(detail.get("topic", ""))
            item = HandOver(reason=reason, asked=asked, topic=topic)
            hand_over(desk, session, conversation_id=conversation_id, item=item, now=now)
        else:
            _tell_person(session, conversation, replies, reason=reason, detail=detail, now=now)
        touched.append(conversation_id)
    return tuple(touched)


def _hold(
    desk: Desk,
    session: Session,
    conversation: Conversation,
    state: FreezeState,
    topic: str,
    *,
    now: datetime,
) -> Conversation | None:
    """Say the holding statement unless it was said since the freeze began; None if there is none to say."""
    found = state.holding(topic, channel=conversation.channel)
    if found is None:
        return None
    freeze, key = found
    if stopping.said_since(session, conversation.id, key, since=freeze.at):
        return conversation
    return tell(desk, session, conversation, key, now=now)


def _tell_person(
    session: Session,
    conversation: Conversation,
    replies: Iterable[Queued],
    *,
    reason: HandOverReason,
    detail: dict[str, Any],
    now: datetime,
) -> None:
    told = {
        "reason": reason.value,
        "written_by": sorted({reply.author_name or reply.author for reply in replies}),
        **detail,
    }
    team = str(detail.get("team", ""))
    conversations.reply_stopped(session, conversation.id, detail=told, team=team, now=now)


def _asked(session: Session, conversation_id: str) -> str:
    """What the customer said last."""
    turns = conversations.latest(session, conversation_id, limit=READ_BACK)
    said = [t.text for t in turns if t.author is Author.CUSTOMER and t.kind is TurnKind.SAID]
    return said[-1] if said else ""
