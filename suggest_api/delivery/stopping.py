"""Replies that are stopped on their way because of what they say, and where a snippet's words have gone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, update
from sqlalchemy.orm import Session

from knowledge_base.store.revisions import TABLE as REVISION
from suggest_api.delivery.model import DeliveryState
from suggest_api.storage.tables import (
    ConversationRow,
    DeliveryAttemptRow,
    DraftRow,
    OutboxRow,
    ReceiptRow,
)

IDS_AT_ONCE = 10_000  # SQLite takes at most 32,766 parameters (sqlite.org/limits.html)

# What a delivery is shown as: its state, or what the receipts say beyond it.
_READ, _DELIVERED = "read", "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A reply that waits to be sent, held until the transaction ends."""

    id: str
    conversation_id: str
    author: str
    author_name: str
    draft_id: str | None
    snippet_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply made from a snippet. `state` is its delivery's, or what the receipts say beyond it; `repeats`
    counts attempts by which the customer may have got it once more."""

    id: str
    at: datetime
    conversation_id: str
    channel: str
    author: str
    author_name: str
    revision_id: int
    revision: int
    text: str
    edited: bool
    state: str
    attempts: int
    repeats: int
    failure: str | None
    draft_id: str | None


def about_snippet(key: str) -> ColumnElement[bool]:
    """Replies that were made from a snippet."""
    return REVISION.c.snippet_key == key


def about_topic(topic: str, *, channel: str, but: Collection[str]) -> ColumnElement[bool]:
    """Replies about a topic ('' is any) on a channel ('' is all), made from a snippet of it or, written freely,
    in a conversation about it; without those made from the snippets `but`.
    """
    from_snippet = OutboxRow.revision_id.is_not(None)
    which: list[ColumnElement[bool]] = [or_(~from_snippet, REVISION.c.snippet_key.not_in(but))]
    if channel:
        which.append(ConversationRow.channel == channel)
    if topic:
        freely = and_(~from_snippet, ConversationRow.topic == topic)
        which.append(or_(REVISION.c.topic == topic, freely))
    return and_(*which)


def conversations_with(session: Session, which: ColumnElement[bool]) -> tuple[str, ...]:
    """The conversations in which such a reply waits, in the order in which they are to be locked."""
    found = session.scalars(_waiting(select(OutboxRow.conversation_id).distinct(), which))
    return tuple(sorted(found))


def hold(
    session: Session, which: ColumnElement[bool], *, conversation_ids: Collection[str]
) -> tuple[Queued, ...]:
    """The replies that wait in these conversations, held; the caller holds the conversations already."""
    statement = select(OutboxRow, REVISION.c.snippet_key).order_by(OutboxRow.id)
    found: list[Queued] = []
    ids = list(conversation_ids)
    for start in range(0, len(ids), IDS_AT_ONCE):
        page = OutboxRow.conversation_id.in_(ids[start : start + IDS_AT_ONCE])
        rows = session.execute(
            _waiting(statement, and_(which, page))
            .with_for_update(of=OutboxRow)
            .execution_options(populate_existing=True)
        )
        found.extend(
            Queued(
                id=row.id,
                conversation_id=row.conversation_id,
                author=row.author,
                author_name=row.author_name,
                draft_id=row.draft_id,
                snippet_key=key,
            )
            for row, key in rows
        )
    return tuple(found)


def cancel(session: Session, queued: Collection[Queued], *, why: str, now: datetime) -> None:
    """They are not sent; an earlier failure stays told."""
    told = case(
        (OutboxRow.failure.is_(None), literal(why)),
        else_=literal(f"{why}; before that: ") + OutboxRow.failure,
    )
    ids = [reply.id for reply in queued]
    for start in range(0, len(ids), IDS_AT_ONCE):
        session.execute(
            update(OutboxRow)
            .where(OutboxRow.id.in_(ids[start : start + IDS_AT_ONCE]))
            .values(state=DeliveryState.CANCELLED, failure=told, settled_at=now)
            .execution_options(synchronize_session=False)
        )


def count_leased(session: Session, which: ColumnElement[bool]) -> int:
    """Such replies that are being sent at this moment; each is judged again before it leaves."""
    statement = _joined(select(func.count(OutboxRow.id)))
    return session.scalar(statement.where(which, OutboxRow.state == DeliveryState.LEASED)) or 0


def count_waiting(session: Session, which: ColumnElement[bool]) -> int:
    """Such replies that wait to be sent."""
    return session.scalar(_waiting(select(func.count(OutboxRow.id)), which)) or 0


def count_since(session: Session, which: ColumnElement[bool], *, since: datetime) -> int:
    """Such replies that were written since then, whatever became of them."""
    statement = _joined(select(func.count(OutboxRow.id)))
    return session.scalar(statement.where(which, OutboxRow.created_at >= since)) or 0


def conversations_since(
    session: Session, which: ColumnElement[bool], *, since: datetime
) -> frozenset[str]:
    """The conversations in which such a reply was written since then."""
    statement = _joined(select(OutboxRow.conversation_id).distinct())
    return frozenset(session.scalars(statement.where(which, OutboxRow.created_at >= since)))


def said_since(session: Session, conversation_id: str, key: str, *, since: datetime) -> bool:
    """Whether a snippet was said in a conversation since then, or waits to be."""
    statement = _joined(select(OutboxRow.id)).where(
        OutboxRow.conversation_id == conversation_id,
        REVISION.c.snippet_key == key,
        OutboxRow.created_at >= since,
        OutboxRow.state.not_in((DeliveryState.CANCELLED, DeliveryState.FAILED)),
    )
    return session.scalar(statement.limit(1)) is not None


def replies_of(session: Session, key: str) -> tuple[Reply, ...]:
    """Every reply that was made from a snippet, newest first."""
    receipt = (
        select(
            case(
                (func.sum(case((ReceiptRow.kind == _READ, 1), else_=0)) > 0, _READ),
                (func.sum(case((ReceiptRow.kind == _DELIVERED, 1), else_=0)) > 0, _DELIVERED),
            )
        )
        .where(ReceiptRow.outbox_id == OutboxRow.id)
        .scalar_subquery()
    )
    repeats = (
        select(func.count())
        .where(
            DeliveryAttemptRow.outbox_id == OutboxRow.id,
            DeliveryAttemptRow.possible_repeat.is_(True),
        )
        .scalar_subquery()
    )
    statement = _joined(
        select(
            OutboxRow,
            ConversationRow.channel,
            REVISION.c.number,
            DraftRow.final_text.is_not(None),
            receipt,
            repeats,
        )
    ).outerjoin(DraftRow, DraftRow.id == OutboxRow.draft_id)
    rows = session.execute(
        statement.where(about_snippet(key))
        .order_by(OutboxRow.created_at.desc(), OutboxRow.id)
        .execution_options(populate_existing=True)
    )
    return tuple(
        Reply(
            id=row.id,
            at=row.created_at,
            conversation_id=row.conversation_id,
            channel=channel,
            author=row.author,
            author_name=row.author_name,
            revision_id=row.revision_id or 0,  # never 0: the join is on it
            revision=number,
            text=row.text,
            edited=edited,
            state=told or row.state,
            attempts=row.attempts,
            repeats=repeated,
            failure=row.failure,
            draft_id=row.draft_id,
        )
        for row, channel, number, edited, told, repeated in rows
    )


def _waiting(statement: Select[Any], which: ColumnElement[bool]) -> Select[Any]:
    return _joined(statement).where(which, OutboxRow.state == DeliveryState.READY)


def _joined(statement: Select[Any]) -> Select[Any]:
    return (
        statement.select_from(OutboxRow)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .outerjoin(REVISION, REVISION.c.id == OutboxRow.revision_id)
    )
