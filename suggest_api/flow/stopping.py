"""What follows when replies are stopped on their way: drafts are taken back, a person answers, it is on record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.snippet import Revision
from knowledge_base.store import audit, recalls
from suggest_api.bot_client.model import HandOverReason
from suggest_api.conversations import service as conversations
from suggest_api.delivery.stopping import Queued
from suggest_api.drafts import service as drafts
from suggest_api.flow.desk import Desk
from suggest_api.flow.handing_over import leave_to_person
from suggest_api.freezes import service as freezes
from suggest_api.values import Freeze

SYSTEM = "firstline"  # who stops a reply at the last moment


def after_recall(
    desk: Desk, session: Session, reply: Queued, revision: Revision, *, now: datetime
) -> tuple[str, ...]:
    """A reply of a recalled revision was stopped at the last moment; returns its conversation."""
    found = recalls.of_revision(session, revision.id)
    if found is None:
        return ()
    if reply.draft_id is not None:
        drafts.withdraw_one(
            session,
            reply.draft_id,
            recall_id=found.id,
            by=found.by,
            reason=found.reason,
            now=now,
        )
    return leave(
        desk,
        session,
        [reply],
        reason=HandOverReason.RECALLED,
        detail=recall_detail(found, topic=revision.content.topic),
        by=SYSTEM,
        now=now,
    )


def after_freeze(
    desk: Desk, session: Session, reply: Queued, *, topic: str, now: datetime
) -> tuple[str, ...]:
    """A reply about something frozen was stopped at the last moment; returns its conversation."""
    channel = conversations.get(session, reply.conversation_id).channel
    freeze = freezes.in_force(session).on(topic, channel=channel)
    return leave(
        desk,
        session,
        [reply],
        reason=HandOverReason.FROZEN,
        detail={"topic": topic} if freeze is None else freeze_detail(freeze, topic=topic),
        by=SYSTEM,
        now=now,
    )


def leave(
    desk: Desk,
    session: Session,
    stopped: Sequence[Queued],
    *,
    reason: HandOverReason,
    detail: dict[str, Any],
    by: str,
    now: datetime,
) -> tuple[str, ...]:
    """Leave the conversations of stopped replies to a person, with an audit entry for each reply."""
    touched = leave_to_person(desk, session, stopped, reason=reason, detail=detail, now=now)
    entries = [
        audit.Entry(
            actor=by,
            action="reply.stop",
            subject=f"conversation:{reply.conversation_id}",
            detail={
                "outbox_id": reply.id,
                "draft_id": reply.draft_id,
                "snippet_key": reply.snippet_key,
                "reason": reason.value,
                **{name: value for name, value in detail.items() if name in ("recall", "freeze")},
            },
        )
        for reply in stopped
    ]
    audit.append_all(session, entries, now=now)
    return touched


def recall_detail(recall: recalls.Recalled, *, topic: str) -> dict[str, Any]:
    """What a note about a stopped reply tells of a recall."""
    return {
        "recall": recall.id,
        "snippet_key": recall.snippet_key,
        "by": recall.by,
        "why": recall.reason,
        "topic": topic,
    }


def freeze_detail(freeze: Freeze, *, topic: str) -> dict[str, Any]:
    """What a note about a stopped reply tells of a freeze."""
    return {
        "freeze": freeze.id,
        "by": freeze.by,
        "why": freeze.reason,
        "topic": topic,
        "team": freeze.team,
    }
