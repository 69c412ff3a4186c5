"""What a reply on its way out is, what became of an attempt, and when to try again: frozen, no database."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Seconds before the second, third, ... attempt: Svix's published table (docs.svix.com/retries),
# after which a reply is old enough that a person should look at it.
RETRY_SECONDS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0)
# A network that asks for more than a day gets a day: the customer has long gone elsewhere.
MOST_PATIENCE = timedelta(hours=24)


class DeliveryState(StrEnum):
    """Where a reply stands. `failed`: the network said no for good. `dead`: we gave up. `unknown`: it may
    have arrived, and only a person or a receipt can tell."""

    READY = "ready"
    LEASED = "leased"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DEAD = "dead"
    CANCELLED = "cancelled"


# Nothing overtakes an earlier reply in one of these states.
BLOCKING = (
    DeliveryState.READY,
    DeliveryState.LEASED,
    DeliveryState.UNKNOWN,
    DeliveryState.DEAD,
)
NEEDS_PERSON = (DeliveryState.UNKNOWN, DeliveryState.DEAD)


class AttemptOutcome(StrEnum):
    """How one attempt ended. `interrupted`: our process died in between."""

    SENT = "sent"
    REJECTED = "rejected"
    RETRY = "retry"
    UNCLEAR = "unclear"
    INTERRUPTED = "interrupted"
    WITHHELD = "withheld"  # the policy of today says no, so nothing was handed to the network
    WITHDRAWN = "withdrawn"  # by now it is the wrong thing to say: overtaken, recalled or frozen


# After these the network may have the message: another attempt is marked as a possible repeat.
AMBIGUOUS = (AttemptOutcome.UNCLEAR, AttemptOutcome.INTERRUPTED)


class Resolution(StrEnum):
    """What a person decides about an unknown or dead reply."""

    RESEND = "resend"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A reply on its way out, as pages show it. `shown` is its state, or what the receipts say beyond it."""

    id: str
    conversation_id: str
    seq: int
    turn_id: int
    name: str
    author: str
    author_name: str
    text: str
    state: DeliveryState
    shown: str
    attempts: int
    possible_repeat: bool
    platform_id: str | None
    failure: str | None
    draft_id: str | None
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedDelivery:
    """A reply that one sender may hand to the network now; `token` proves the lease."""

    id: str
    token: str
    attempt_id: int
    number: int
    possible_repeat: bool
    conversation_id: str
    channel: str
    account: str
    peer: str
    text: str
    text_sha256: str
    author: str
    author_name: str
    draft_id: str | None
    lease_until: datetime
    turn_id: int
    revision_id: int | None
    created_at: datetime
    warned: frozenset[str]  # rules that warned when it was queued, for which a reason was given


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """What is known after an attempt. `after` are the seconds that the network asked us to wait; `stopped_by` is
    the rule of the gate after which a person has to answer instead."""

    outcome: AttemptOutcome
    detail: str = ""
    stopped_by: str = ""
    platform_id: str | None = None
    after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What an attempt makes of its reply."""

    state: DeliveryState
    failure: str | None = None
    at: datetime | None = None


def next_step(
    result: AttemptResult,
    *,
    attempts: int,
    idempotent: bool,
    delays: tuple[float, ...],
    now: datetime,
    jitter: random.Random,
) -> Next:
    """The state after an attempt; `attempts` counts it. Waits are full jitter over `delays`
    (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter), but never less than was asked for.
    """
    match result.outcome:
        case AttemptOutcome.SENT:
            return Next(state=DeliveryState.SENT)
        case AttemptOutcome.REJECTED:
            return Next(state=DeliveryState.FAILED, failure=result.detail)
        case AttemptOutcome.WITHHELD:
            return Next(state=DeliveryState.DEAD, failure=result.detail)
        case AttemptOutcome.WITHDRAWN:
            return Next(state=DeliveryState.CANCELLED, failure=result.detail)
    if result.outcome in AMBIGUOUS and not idempotent:
        return Next(state=DeliveryState.UNKNOWN, failure=result.detail)
    if attempts > len(delays):
        return Next(
            state=DeliveryState.DEAD, failure=f"given up after {attempts} tries: {result.detail}"
        )
    wait = jitter.uniform(0, delays[attempts - 1])
    patience = MOST_PATIENCE.total_seconds()
    return Next(
        state=DeliveryState.READY,
        failure=result.detail,
        at=now + timedelta(seconds=min(max(wait, result.after or 0.0), patience)),
    )
