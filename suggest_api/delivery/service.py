"""The outbox: takes checked texts only, leases them in order, settles what became of each attempt."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.store import audit
from suggest_api.delivery import repository
from suggest_api.delivery.model import (
    NEEDS_PERSON,
    RETRY_SECONDS,
    AttemptOutcome,
    AttemptResult,
    Delivery,
    DeliveryState,
    LeasedDelivery,
    Next,
    Resolution,
    next_step,
)
from suggest_api.errors import DeliveryError
from suggest_api.storage.tables import OutboxRow
from suggest_api.values import Author, CheckedText

MAX_FAILURE = 500  # characters
TAKEN_OVER = "a person took over"

_JITTER = random.SystemRandom()


def enqueue(
    session: Session,
    checked: CheckedText,
    *,
    conversation_id: str,
    turn_id: int,
    author: Author,
    author_name: str = "",
    draft_id: str | None = None,
    revision_id: int | None = None,
    now: datetime,
) -> str:
    """Queue a text that the gate let through behind the others of its conversation; returns its id.

    The caller holds the conversation's lock. The assistant's texts need the approved `revision_id`.
    """
    return repository.insert(
        session,
        conversation_id=conversation_id,
        turn_id=turn_id,
        author=author,
        author_name=author_name,
        text=checked.text,
        text_sha256=checked.sha256,
        draft_id=draft_id,
        revision_id=revision_id,
        verdict=checked.verdict_json(),
        verdict_outcome=checked.verdict.outcome.value,
        judged_sha256=checked.verdict.judged_sha256,
        state=DeliveryState.READY,
        attempts=0,
        next_attempt_at=now,
        created_at=now,
    )


def recover(session: Session, *, idempotent: Collection[str], now: datetime) -> int:
    """Settle attempts whose sender died: on `idempotent` channels they are tried again, marked as possible
    repeats; on others the reply is `unknown` until a receipt or a person tells. Returns how many.
    """
    result = AttemptResult(
        outcome=AttemptOutcome.INTERRUPTED, detail="the sender stopped before it knew the outcome"
    )
    expired = repository.lock_expired(session, now=now)
    for row, channel in expired:
        repository.close_attempt(session, None, row.id, result, now=now)
        state = DeliveryState.READY if channel in idempotent else DeliveryState.UNKNOWN
        _apply(session, row, Next(state=state, failure=result.detail, at=now), now=now)
    session.flush()
    return len(expired)


def anything_due(session: Session, *, now: datetime) -> bool:
    """Whether it is worth trying to lease something or to recover it; reads only."""
    return repository.anything_due(session, now=now)


def lease_due(session: Session, *, lease: timedelta, now: datetime) -> LeasedDelivery | None:
    """Take the next reply that is due and first in its conversation, and open an attempt for it.

    Commit before the network hears of it. A reply of the assistant in a conversation that a person has
    taken is withdrawn instead.
    """
    while (head := repository.lock_head(session, now=now)) is not None:
        row, conversation = head
        if row.author == Author.BOT and repository.is_claimed(session, row.conversation_id):
            _apply(session, row, Next(state=DeliveryState.CANCELLED, failure=TAKEN_OVER), now=now)
            session.flush()
            continue
        return repository.open_attempt(session, row, conversation, until=now + lease, now=now)
    return None


def settle(
    session: Session,
    leased: LeasedDelivery,
    result: AttemptResult,
    *,
    idempotent: bool,
    delays: tuple[float, ...] = RETRY_SECONDS,
    now: datetime,
    jitter: random.Random = _JITTER,
) -> DeliveryState:
    """Write down how an attempt ended and what follows from it; returns the reply's state.

    A sender that lost its lease in between may still report that the network took the message.
    """
    repository.close_attempt(session, leased.attempt_id, leased.id, result, now=now)
    row = _locked(session, leased.id)
    if row.lease_owner != leased.token:
        if result.outcome is AttemptOutcome.SENT and row.state in (
            DeliveryState.READY,
            *NEEDS_PERSON,
        ):
            _apply(session, row, Next(state=DeliveryState.SENT), now=now)
            row.platform_id = result.platform_id
        return DeliveryState(row.state)
    step = next_step(
        result,
        attempts=row.attempts,
        idempotent=idempotent,
        delays=delays,
        now=now,
        jitter=jitter,
    )
    _apply(session, row, step, now=now)
    row.platform_id = result.platform_id or row.platform_id
    session.flush()
    return DeliveryState(row.state)


def record_receipt(
    session: Session,
    reference: str,
    *,
    channel: str,
    account: str,
    kind: str,
    at: datetime,
    platform_id: str | None,
    now: datetime,
) -> Delivery | None:
    """The network has this reply; whatever we thought, it was sent. None if no reply of this account has
    the reference. Receipts come in any order and more than once: the strongest counts, nothing goes back.
    """
    if not repository.belongs_to(session, reference, channel=channel, account=account):
        return None
    row = _locked(session, reference)
    repository.add_receipt(session, reference, kind=kind, at=at)
    if row.state != DeliveryState.SENT:
        # The open attempt of a leased row is closed by its sender, who still knows best how it ended.
        _apply(session, row, Next(state=DeliveryState.SENT), now=now)
    row.platform_id = row.platform_id or platform_id
    session.flush()
    return _one(session, reference)


def resolve_unknown(
    session: Session, outbox_id: str, *, action: Resolution, by: str, now: datetime
) -> Delivery:
    """A person decides about an unknown or dead reply: send it (again), or not. Raises DeliveryError if it
    is in another state by now, NotFound.
    """
    row = _locked(session, outbox_id)
    was = row.state
    if was not in NEEDS_PERSON:
        msg = f"this reply is {was} by now: there is nothing to decide"
        raise DeliveryError(msg)
    if action is Resolution.RESEND:
        # A new round of tries; the attempts themselves stay numbered through.
        row.attempts = 0
        row.state = DeliveryState.READY
        row.next_attempt_at = now
    else:
        _apply(
            session,
            row,
            Next(state=DeliveryState.CANCELLED, failure=f"discarded by {by}"),
            now=now,
        )
    session.flush()
    audit.append(
        session,
        actor=by,
        action=f"delivery.{action.value}",
        subject=f"outbox:{outbox_id}",
        detail={"was": str(was), "text_sha256": row.text_sha256},
        now=now,
    )
    return _one(session, outbox_id)


def withdraw_bot_replies(session: Session, conversation_id: str, *, now: datetime) -> int:
    """A person took over: what the assistant has not said yet stays unsaid. Returns how many."""
    return repository.cancel_bot_rows(session, conversation_id, why=TAKEN_OVER, now=now)


def count_uses(
    session: Session, revision_id: int, *, since: datetime, but: str | None = None
) -> int:
    """How many replies were made from a revision since then, without the one of the id `but`."""
    return repository.count_uses(session, revision_id, since=since, but=but)


def get(session: Session, outbox_id: str) -> Delivery:
    """One reply on its way out; raises NotFound."""
    return _one(session, outbox_id)


def of_conversation(session: Session, conversation_id: str) -> tuple[Delivery, ...]:
    """The replies of a conversation, in order."""
    return repository.deliveries(session, conversation_id=conversation_id)


def queued_from(session: Session, draft_id: str) -> tuple[dict[str, Any], ...]:
    """What was queued from a draft: id, text, hashes, revision and verdict of each reply, as they are stored."""
    return repository.queued_from(session, draft_id)


def attention(session: Session) -> tuple[Delivery, ...]:
    """What a person has to decide about, oldest first."""
    return repository.deliveries(session, states=NEEDS_PERSON)


def counts(session: Session) -> dict[str, int]:
    """How many replies there are in each state."""
    return repository.counts(session)


def _apply(session: Session, row: OutboxRow, step: Next, *, now: datetime) -> None:
    state, failure = step.state, step.failure
    if (
        state in (DeliveryState.READY, DeliveryState.UNKNOWN)
        and row.author == Author.BOT
        and repository.is_claimed(session, row.conversation_id)
    ):
        # The assistant does not speak again, and the person's answer must not wait behind this.
        state, failure = DeliveryState.CANCELLED, f"{TAKEN_OVER}; before that: {failure}"
    row.state = state
    row.failure = failure[:MAX_FAILURE] if failure else row.failure
    row.lease_owner = None
    row.lease_until = None
    row.next_attempt_at = step.at or row.next_attempt_at
    ended = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.CANCELLED)
    row.settled_at = now if state in ended else None
    if state is DeliveryState.SENT:
        row.failure = None


def _locked(session: Session, outbox_id: str) -> OutboxRow:
    row = repository.lock(session, outbox_id)
    if row is None:
        msg = "there is no such reply"
        raise NotFound(msg)
    return row


def _one(session: Session, outbox_id: str) -> Delivery:
    found = repository.deliveries(session, outbox_id=outbox_id)
    if not found:
        msg = "there is no such reply"
        raise NotFound(msg)
    return found[0]
