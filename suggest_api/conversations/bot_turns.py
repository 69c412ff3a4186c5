"""The assistant's jobs: one in flight per conversation, in order, leased so that a crash frees them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from suggest_api.conversations import repository
from suggest_api.conversations.model import BotTurn, Conversation, Turn
from suggest_api.storage.tables import BotTurnRow, ConversationRow, TurnRow
from suggest_api.values import new_id

OPEN = ("ready", "leased")
MAX_TOLD = 20  # earlier turns told to a fresh session; a form needs two or three


def add(session: Session, turn: Turn, *, now: datetime) -> None:
    """The assistant owes an answer to this turn."""
    session.add(
        BotTurnRow(
            conversation_id=turn.conversation_id,
            turn_id=turn.id,
            state="ready",
            attempts=0,
            created_at=now,
        )
    )
    session.flush()


def anything_free(session: Session, *, now: datetime) -> bool:
    """Whether it is worth trying to take something; reads only."""
    return session.scalar(select(BotTurnRow.id).where(_free(now)).limit(1)) is not None


def count_open(session: Session, *, channel: str) -> int:
    """Turns on a channel ('' is all) that the assistant has yet to answer."""
    statement = select(func.count(BotTurnRow.id)).where(BotTurnRow.state.in_(OPEN))
    if channel:
        statement = statement.join(
            ConversationRow, ConversationRow.id == BotTurnRow.conversation_id
        ).where(ConversationRow.channel == channel)
    return session.scalar(statement) or 0


def take(session: Session, *, lease: timedelta, now: datetime) -> BotTurn | None:
    """Take the oldest turn that is first in its conversation and free, or whose lease has run out."""
    earlier = aliased(BotTurnRow)
    is_head = ~exists().where(
        earlier.conversation_id == BotTurnRow.conversation_id,
        earlier.id < BotTurnRow.id,
        earlier.state.in_(OPEN),
    )
    row = session.scalars(
        select(BotTurnRow)
        .where(_free(now), is_head)
        .order_by(BotTurnRow.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=BotTurnRow)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    row.state = "leased"
    row.lease_owner = new_id()
    row.lease_until = now + lease
    row.attempts += 1
    session.flush()
    conversation = repository.get(session, row.conversation_id)
    going_on = conversation.open_session(now=now)
    # After a crash the assistant may have heard this turn already: only a fresh session is certain.
    again = row.attempts > 1
    return BotTurn(
        id=row.id,
        token=row.lease_owner,
        conversation=conversation,
        turn=repository.get_turn(session, row.turn_id),
        attempts=row.attempts,
        session=None if again else going_on,
        earlier=_told(session, conversation, going_on) if again and going_on else (),
    )


def renew(session: Session, job: BotTurn, *, lease: timedelta, now: datetime) -> bool:
    """Keep the lease for another while; False if it is ours no more."""
    return _update(session, job, lease_until=now + lease)


def holds(session: Session, job: BotTurn) -> bool:
    """Whether the lease is still ours, with the row held until the transaction ends."""
    statement = (
        select(BotTurnRow.id)
        .where(BotTurnRow.id == job.id, BotTurnRow.lease_owner == job.token)
        .with_for_update()
    )
    return session.scalar(statement) is not None


def settle(
    session: Session,
    job: BotTurn,
    *,
    state: str,
    outcome: str,
    heard_in: str | None,
    now: datetime,
) -> None:
    """End the turn as done or skipped, with what came of it and the session that heard it."""
    _update(
        session,
        job,
        state=state,
        outcome=outcome,
        bot_session=heard_in,
        lease_owner=None,
        lease_until=None,
        settled_at=now,
    )


def move_session(session: Session, conversation: Conversation, *, to: str) -> None:
    """The earlier turns of the old session were told to a new one and belong to it now."""
    if conversation.bot_session is None:
        return
    session.execute(
        update(BotTurnRow)
        .where(
            BotTurnRow.conversation_id == conversation.id,
            BotTurnRow.bot_session == conversation.bot_session,
        )
        .values(bot_session=to)
        .execution_options(synchronize_session=False)
    )


def skip_open(session: Session, conversation_id: str, *, outcome: str, now: datetime) -> int:
    """A person answers instead: no turn of this conversation is left for the assistant.

    A turn in flight loses its lease, so whatever the assistant answers to it comes too late.
    """
    return repository.affected(
        session,
        update(BotTurnRow)
        .where(BotTurnRow.conversation_id == conversation_id, BotTurnRow.state.in_(OPEN))
        .values(
            state="skipped", outcome=outcome, lease_owner=None, lease_until=None, settled_at=now
        )
        .execution_options(synchronize_session=False),
    )


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(
        BotTurnRow.state == "ready",
        and_(BotTurnRow.state == "leased", BotTurnRow.lease_until < now),
    )


def _told(session: Session, conversation: Conversation, session_id: str) -> tuple[str, ...]:
    newest_first = session.scalars(
        select(TurnRow.text)
        .join(BotTurnRow, BotTurnRow.turn_id == TurnRow.id)
        .where(
            BotTurnRow.conversation_id == conversation.id,
            BotTurnRow.bot_session == session_id,
            BotTurnRow.state == "done",
        )
        .order_by(BotTurnRow.id.desc())
        .limit(MAX_TOLD)
    ).all()
    return tuple(reversed(newest_first))


def _update(session: Session, job: BotTurn, **values: object) -> bool:
    return (
        repository.affected(
            session,
            update(BotTurnRow)
            .where(BotTurnRow.id == job.id, BotTurnRow.lease_owner == job.token)
            .values(**values)
            .execution_options(synchronize_session=False),
        )
        == 1
    )
