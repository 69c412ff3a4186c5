"""The SQL of the outbox: the head of each conversation is leased, attempts are rows of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Update,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session, aliased

from knowledge_base.store.repository import KEYS_AT_ONCE
from knowledge_base.store.revisions import TABLE as REVISION
from suggest_api.delivery.model import (
    AMBIGUOUS,
    BLOCKING,
    AttemptResult,
    Delivery,
    DeliveryState,
    LeasedDelivery,
)
from suggest_api.storage.tables import (
    ConversationRow,
    DeliveryAttemptRow,
    OutboxRow,
    ReceiptRow,
)
from suggest_api.values import Author, new_id

RECEIPT_ORDER = ("echo", "delivered", "read")  # weakest first
LIST_LIMIT = 500  # deliveries on one page


def insert(session: Session, **values: Any) -> str:
    """A new reply at the end of its conversation's queue; the conversation is locked by the caller."""
    newest = session.scalar(
        select(func.max(OutboxRow.seq)).where(
            OutboxRow.conversation_id == values["conversation_id"]
        )
    )
    row = OutboxRow(id=new_id(), seq=(newest or 0) + 1, **values)
    session.add(row)
    session.flush()
    return row.id


def lock(session: Session, outbox_id: str) -> OutboxRow | None:
    """The row, held until the transaction ends."""
    return session.scalars(
        select(OutboxRow)
        .where(OutboxRow.id == outbox_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def queued_from(session: Session, draft_id: str) -> tuple[dict[str, Any], ...]:
    """The replies that were made from a draft."""
    statement = select(
        OutboxRow.id.label("outbox_id"),
        OutboxRow.text,
        OutboxRow.text_sha256,
        OutboxRow.judged_sha256,
        OutboxRow.revision_id,
        OutboxRow.verdict,
        OutboxRow.verdict_outcome,
    ).where(OutboxRow.draft_id == draft_id)
    return tuple(dict(row) for row in session.execute(statement).mappings())


def lock_head(session: Session, *, now: datetime) -> tuple[OutboxRow, ConversationRow] | None:
    """The reply that has been due longest among those that are first in their conversation."""
    earlier = aliased(OutboxRow)
    is_head = ~exists().where(
        earlier.conversation_id == OutboxRow.conversation_id,
        earlier.seq < OutboxRow.seq,
        earlier.state.in_(BLOCKING),
    )
    found = session.execute(
        select(OutboxRow, ConversationRow)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .where(OutboxRow.state == DeliveryState.READY, OutboxRow.next_attempt_at <= now, is_head)
        .order_by(OutboxRow.next_attempt_at, OutboxRow.created_at, OutboxRow.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=OutboxRow)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def anything_due(session: Session, *, now: datetime) -> bool:
    """Whether some reply is due, or its sender did not come back."""
    due = and_(OutboxRow.state == DeliveryState.READY, OutboxRow.next_attempt_at <= now)
    expired = and_(OutboxRow.state == DeliveryState.LEASED, OutboxRow.lease_until < now)
    return session.scalar(select(OutboxRow.id).where(or_(due, expired)).limit(1)) is not None


def lock_expired(session: Session, *, now: datetime) -> list[tuple[OutboxRow, str]]:
    """Replies whose sender did not come back, each with its channel."""
    found = session.execute(
        select(OutboxRow, ConversationRow.channel)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .where(OutboxRow.state == DeliveryState.LEASED, OutboxRow.lease_until < now)
        .order_by(OutboxRow.id)
        .with_for_update(skip_locked=True, of=OutboxRow)
        .execution_options(populate_existing=True)
    )
    return [(row, channel) for row, channel in found]


def open_attempt(
    session: Session,
    row: OutboxRow,
    conversation: ConversationRow,
    *,
    until: datetime,
    now: datetime,
) -> LeasedDelivery:
    """Lease the reply and write down that an attempt begins: committed before the network hears of it."""
    number, ambiguous = _attempts_so_far(session, row.id)
    row.state = DeliveryState.LEASED
    row.lease_owner = new_id()
    row.lease_until = until
    row.attempts += 1
    attempt = DeliveryAttemptRow(
        outbox_id=row.id, number=number + 1, possible_repeat=ambiguous, started_at=now
    )
    session.add(attempt)
    session.flush()
    return LeasedDelivery(
        id=row.id,
        token=row.lease_owner,
        attempt_id=attempt.id,
        number=attempt.number,
        possible_repeat=ambiguous,
        conversation_id=row.conversation_id,
        channel=conversation.channel,
        account=conversation.account,
        peer=conversation.peer,
        text=row.text,
        text_sha256=row.text_sha256,
        author=row.author,
        author_name=row.author_name,
        draft_id=row.draft_id,
        lease_until=until,
        turn_id=row.turn_id,
        revision_id=row.revision_id,
        created_at=row.created_at,
        warned=_warned(row.verdict),
    )


def count_uses(session: Session, revision_id: int, *, since: datetime, but: str | None) -> int:
    """Replies made from a revision since then that went out or still may, without the one of the id `but`."""
    statement = select(func.count()).where(
        OutboxRow.revision_id == revision_id,
        OutboxRow.created_at > since,
        OutboxRow.state.not_in((DeliveryState.CANCELLED, DeliveryState.FAILED)),
    )
    if but is not None:
        statement = statement.where(OutboxRow.id != but)
    return session.scalar(statement) or 0


def sent_of(session: Session, keys: Sequence[str], *, since: datetime) -> dict[str, int]:
    """How many replies of each of these snippets a network took since then; those without one are left out."""
    found: dict[str, int] = {}
    for start in range(0, len(keys), KEYS_AT_ONCE):
        page = keys[start : start + KEYS_AT_ONCE]
        statement = (
            select(REVISION.c.snippet_key, func.count())
            .join_from(OutboxRow, REVISION, REVISION.c.id == OutboxRow.revision_id)
            .where(
                REVISION.c.snippet_key.in_(page),
                OutboxRow.state == DeliveryState.SENT.value,
                OutboxRow.created_at >= since,
            )
            .group_by(REVISION.c.snippet_key)
        )
        found.update((key, int(count)) for key, count in session.execute(statement))
    return found


def sent_keys(session: Session, *, since: datetime) -> frozenset[str]:
    """The snippets of which a network took a reply since then."""
    statement = (
        select(REVISION.c.snippet_key)
        .join_from(OutboxRow, REVISION, REVISION.c.id == OutboxRow.revision_id)
        .where(OutboxRow.state == DeliveryState.SENT.value, OutboxRow.created_at >= since)
        .distinct()
    )
    return frozenset(session.scalars(statement))


def close_attempt(
    session: Session,
    attempt_id: int | None,
    outbox_id: str,
    result: AttemptResult,
    *,
    now: datetime,
) -> None:
    """Write how an attempt ended; without an id, the one that is still open. An ended one stays as it is."""
    which: ColumnElement[bool] = (
        DeliveryAttemptRow.id == attempt_id
        if attempt_id is not None
        else DeliveryAttemptRow.outbox_id == outbox_id
    )
    session.execute(
        update(DeliveryAttemptRow)
        .where(which, DeliveryAttemptRow.ended_at.is_(None))
        .values(ended_at=now, outcome=result.outcome, detail=result.detail or None)
        .execution_options(synchronize_session=False)
    )


def cancel_bot_rows(session: Session, conversation_id: str, *, why: str, now: datetime) -> int:
    """The assistant's replies that wait here are not sent any more; an earlier failure stays told."""
    told = case(
        (OutboxRow.failure.is_(None), literal(why)),
        else_=literal(f"{why}; before that: ") + OutboxRow.failure,
    )
    return _affected(
        session,
        update(OutboxRow)
        .where(
            OutboxRow.conversation_id == conversation_id,
            OutboxRow.author == Author.BOT,
            OutboxRow.state == DeliveryState.READY,
        )
        .values(state=DeliveryState.CANCELLED, failure=told, settled_at=now)
        .execution_options(synchronize_session=False),
    )


def is_claimed(session: Session, conversation_id: str) -> bool:
    """Whether a person has taken the conversation."""
    statement = select(ConversationRow.assignee).where(ConversationRow.id == conversation_id)
    return session.scalar(statement) is not None


def belongs_to(session: Session, outbox_id: str, *, channel: str, account: str) -> bool:
    """Whether a reply of this id went to this account: one account cannot settle another's."""
    statement = (
        select(OutboxRow.id)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .where(
            OutboxRow.id == outbox_id,
            ConversationRow.channel == channel,
            ConversationRow.account == account,
        )
    )
    return session.scalar(statement) is not None


def add_receipt(session: Session, outbox_id: str, *, kind: str, at: datetime) -> bool:
    """Keep the first receipt of each kind; False if we have it."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = (
        insert(ReceiptRow)
        .values(outbox_id=outbox_id, kind=kind, at=at)
        .on_conflict_do_nothing(index_elements=["outbox_id", "kind"])
        .returning(ReceiptRow.id)
    )
    return session.scalar(statement) is not None


def deliveries(
    session: Session,
    *,
    conversation_id: str | None = None,
    outbox_id: str | None = None,
    states: Collection[DeliveryState] = (),
) -> tuple[Delivery, ...]:
    """Replies with what is known about them, in the order in which they were queued."""
    statement = select(OutboxRow, ConversationRow.display_name).join(
        ConversationRow, ConversationRow.id == OutboxRow.conversation_id
    )
    if conversation_id is not None:
        statement = statement.where(OutboxRow.conversation_id == conversation_id)
    if outbox_id is not None:
        statement = statement.where(OutboxRow.id == outbox_id)
    if states:
        statement = statement.where(OutboxRow.state.in_(states))
    statement = statement.order_by(OutboxRow.created_at, OutboxRow.seq).limit(LIST_LIMIT)
    rows = session.execute(statement.execution_options(populate_existing=True)).all()
    ids = [row.id for row, _ in rows]
    receipts = _receipts(session, ids)
    repeats = _repeats(session, ids)
    return tuple(
        _delivery(row, name, receipts.get(row.id), repeat=row.id in repeats) for row, name in rows
    )


def counts(session: Session) -> dict[str, int]:
    """How many replies there are in each state."""
    statement = select(OutboxRow.state, func.count()).group_by(OutboxRow.state)
    found = {str(state): number for state, number in session.execute(statement)}
    return {state.value: found.get(state.value, 0) for state in DeliveryState}


def _warned(verdict: Mapping[str, Any]) -> frozenset[str]:
    """The rules that warned in a stored verdict; whatever else is stored there warned of nothing."""
    found = verdict.get("findings")
    return frozenset(
        str(finding.get("rule_id"))
        for finding in (found if isinstance(found, list) else [])
        if isinstance(finding, dict) and finding.get("severity") == "warn"
    )


def _attempts_so_far(session: Session, outbox_id: str) -> tuple[int, bool]:
    rows = session.execute(
        select(DeliveryAttemptRow.number, DeliveryAttemptRow.outcome).where(
            DeliveryAttemptRow.outbox_id == outbox_id
        )
    ).all()
    number = max((row.number for row in rows), default=0)
    return number, any(row.outcome is None or row.outcome in AMBIGUOUS for row in rows)


def _receipts(session: Session, ids: list[str]) -> dict[str, str]:
    strongest: dict[str, str] = {}
    statement = select(ReceiptRow.outbox_id, ReceiptRow.kind).where(ReceiptRow.outbox_id.in_(ids))
    for outbox_id, kind in session.execute(statement):
        known = strongest.get(outbox_id, kind)
        strongest[outbox_id] = max(known, kind, key=RECEIPT_ORDER.index)
    return strongest


def _repeats(session: Session, ids: list[str]) -> frozenset[str]:
    statement = select(DeliveryAttemptRow.outbox_id).where(
        DeliveryAttemptRow.outbox_id.in_(ids), DeliveryAttemptRow.possible_repeat
    )
    return frozenset(session.scalars(statement))


def _delivery(row: OutboxRow, name: str, receipt: str | None, *, repeat: bool) -> Delivery:
    shown = receipt if receipt in ("delivered", "read") else row.state
    return Delivery(
        id=row.id,
        conversation_id=row.conversation_id,
        seq=row.seq,
        turn_id=row.turn_id,
        name=name or "Customer",
        author=row.author,
        author_name=row.author_name,
        text=row.text,
        state=DeliveryState(row.state),
        shown=shown,
        attempts=row.attempts,
        possible_repeat=repeat,
        platform_id=row.platform_id,
        failure=row.failure,
        draft_id=row.draft_id,
        created_at=row.created_at,
        settled_at=row.settled_at,
    )


def _affected(session: Session, statement: Update) -> int:
    result = session.execute(statement)
    return result.rowcount if isinstance(result, CursorResult) else 0
