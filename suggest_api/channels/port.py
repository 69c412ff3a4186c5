"""The port that every network stands behind: verify and parse what comes in, send what goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from suggest_api.settings import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMessage:
    """A customer wrote. `text` is as it came; `supported` is False for a picture, sticker or the like.

    `said_at` is the network's time, aware; None when the event tells none.
    """

    external_id: str
    peer: str
    display_name: str
    locale: str | None
    text: str
    said_at: datetime | None
    supported: bool = True


class ReceiptKind(StrEnum):
    """What a network tells about a message of ours, weakest first."""

    ECHO = "echo"
    DELIVERED = "delivered"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReceipt:
    """The network has a message of ours. `reference` is the outbox id that we sent along."""

    reference: str
    kind: ReceiptKind
    at: datetime | None
    platform_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent:
    """A readable event of a type that means nothing to us: stored, ignored and counted."""

    type: str


InboundEvent = CustomerMessage | DeliveryReceipt | UnknownEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """What is handed to a network. `reference` is the outbox id and the idempotency key."""

    reference: str
    to: str
    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The network took it and gave it an id."""

    platform_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The network said no for good; sending again cannot help."""

    reason: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The network certainly did not take it and may later; `after` in seconds if it said when."""

    reason: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """The network may have taken it: the connection broke after our bytes were on their way."""

    reason: str


SendOutcome = Sent | Rejected | RetryLater | Unclear


class Channel(Protocol):
    """One network. Nothing here touches the database."""

    @property
    def name(self) -> str:
        """The name in addresses, settings and rows."""

    @property
    def max_body_bytes(self) -> int:
        """The largest event of this network; a larger body is refused unread."""

    @property
    def idempotent_send(self) -> bool:
        """Whether the network promises to drop a second send with the same reference."""

    def verify(
        self, headers: Mapping[str, str], body: bytes, *, account: Account, now: datetime
    ) -> None:
        """Check the signature over the raw bytes; raises SignatureWrong. Header names in lower case."""

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """The network's id of this event, by which a second delivery is known; raises MalformedEvent."""

    def parse(self, body: bytes) -> tuple[InboundEvent, ...]:
        """The events in a body; raises MalformedEvent with the reason."""

    def send(
        self, message: OutgoingMessage, *, account: Account, deadline: float, now: datetime
    ) -> SendOutcome:
        """Hand one message to the network within `deadline` seconds; never raises."""

    @property
    def messaging_window(self) -> timedelta | None:
        """How long after the customer's last message this network lets us answer; None if it sets no time."""

    @property
    def send_deadline(self) -> float:
        """Seconds that one send should be given, if the sender's lease allows it."""
