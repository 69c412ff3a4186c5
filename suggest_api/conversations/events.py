"""The stored webhook events: each once, worked off in their order, set aside with a reason or ended."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from suggest_api.conversations.model import EventState, StoredEvent
from suggest_api.conversations.repository import affected, to_event
from suggest_api.storage.tables import InboxEventRow

MAX_ATTEMPTS = 5  # an event that fails so often is set aside, so that it cannot hold up the others
MAX_REASON = 500  # characters


def store(
    session: Session,
    *,
    channel: str,
    account: str,
    external_id: str,
    raw: bytes,
    now: datetime,
) -> bool:
    """Keep the body exactly as it came; False if this event is here already."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = (
        insert(InboxEventRow)
        .values(
            channel=channel,
            account=account,
            external_id=external_id,
            raw=raw,
            raw_sha256=hashlib.sha256(raw).hexdigest(),
            received_at=now,
            state=EventState.PENDING,
            attempts=0,
        )
        .on_conflict_do_nothing(index_elements=["channel", "account", "external_id"])
        .returning(InboxEventRow.id)
    )
    return session.scalar(statement) is not None


def anything_pending(session: Session) -> bool:
    """Whether some event waits; reads only."""
    statement = select(InboxEventRow.id).where(InboxEventRow.state == EventState.PENDING)
    return session.scalar(statement.limit(1)) is not None


def next_pending(session: Session) -> StoredEvent | None:
    """The oldest event that waits, held until the transaction ends.

    On PostgreSQL a second worker waits here for the first (and then finds the row settled, so it gets None):
    events are ingested one after another, whatever the number of workers.
    """
    statement = (
        select(InboxEventRow)
        .where(InboxEventRow.state == EventState.PENDING)
        .order_by(InboxEventRow.id)
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = session.scalars(statement).one_or_none()
    return None if row is None else to_event(row)


def settle(
    session: Session,
    event_id: int,
    *,
    state: EventState,
    reason: str | None = None,
    now: datetime,
) -> None:
    """End an event as done, ignored or quarantined."""
    session.execute(
        update(InboxEventRow)
        .where(InboxEventRow.id == event_id)
        .values(state=state, reason=(reason or "")[:MAX_REASON] or None, settled_at=now)
        .execution_options(synchronize_session=False)
    )


def failed(session: Session, event_id: int, *, reason: str, now: datetime) -> EventState:
    """Count a failed try of our own; the last one quarantines. Returns the state it has now."""
    row = session.scalars(
        select(InboxEventRow).where(InboxEventRow.id == event_id).with_for_update()
    ).one()
    row.attempts += 1
    row.reason = reason[:MAX_REASON]
    if row.attempts >= MAX_ATTEMPTS:
        row.state = EventState.QUARANTINED
        row.settled_at = now
    return EventState(row.state)


def replay(session: Session, event_id: int) -> StoredEvent:
    """Let an event be worked off again; what it did before it does not do twice. Raises NotFound."""
    statement = (
        update(InboxEventRow)
        .where(InboxEventRow.id == event_id)
        .values(state=EventState.PENDING, settled_at=None, attempts=0, reason=None)
        .execution_options(synchronize_session=False)
    )
    if affected(session, statement) != 1:
        msg = f"there is no stored event {event_id}: `firstline inbox list` shows them"
        raise NotFound(msg)
    return to_event(session.get_one(InboxEventRow, event_id, populate_existing=True))


def in_state(session: Session, state: EventState | None, *, limit: int) -> tuple[StoredEvent, ...]:
    """The newest events of a state, or of every state."""
    statement = select(InboxEventRow).order_by(InboxEventRow.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(InboxEventRow.state == state)
    return tuple(to_event(row) for row in session.scalars(statement))


def counts(session: Session) -> dict[str, int]:
    """How many events there are in each state: together they are all that were ever acknowledged."""
    statement = select(InboxEventRow.state, func.count()).group_by(InboxEventRow.state)
    found = {str(state): number for state, number in session.execute(statement)}
    return {state.value: found.get(state.value, 0) for state in EventState}
