"""The generic network: JSON over HTTP, signed by Standard Webhooks in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from suggest_api.channels.generic import parse, send, verify
from suggest_api.channels.port import InboundEvent, OutgoingMessage, SendOutcome
from suggest_api.settings import MIB, Account


@dataclass(frozen=True, slots=True)
class GenericChannel:
    """A network that speaks Standard Webhooks (standardwebhooks.com), whose receivers must take
    `webhook-id` as the idempotency key: a send may be repeated under the same id."""

    name: str = "generic"
    max_body_bytes: int = MIB
    idempotent_send: bool = True
    messaging_window: timedelta | None = None
    send_deadline: float = send.DEADLINE_SECONDS

    def verify(
        self, headers: Mapping[str, str], body: bytes, *, account: Account, now: datetime
    ) -> None:
        """See `channels.port.Channel`."""
        verify.verify(headers, body, account=account, now=now)

    def delivery_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """The `webhook-id`, which covers the signature."""
        return verify.delivery_id(headers)

    def parse(self, body: bytes) -> tuple[InboundEvent, ...]:
        """See `channels.port.Channel`."""
        return parse.parse(body)

    def send(
        self, message: OutgoingMessage, *, account: Account, deadline: float, now: datetime
    ) -> SendOutcome:
        """See `channels.port.Channel`."""
        return send.send(message, account=account, deadline=deadline, now=now)
