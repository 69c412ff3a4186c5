"""Reads the generic network's events out of a signed body, refusing whatever cannot be kept as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NoReturn

from suggest_api.channels.port import (
    CustomerMessage,
    DeliveryReceipt,
    InboundEvent,
    ReceiptKind,
    UnknownEvent,
)
from suggest_api.errors import MalformedEvent

MAX_ID = 255  # characters; what the columns for a network's ids hold
MAX_TYPE = 64  # characters of an event type that are kept for the count
MAX_DEPTH = 50  # our deepest event has three levels; far below where Python's parser gives up
RECEIPTS = {
    "message.echo": ReceiptKind.ECHO,
    "message.delivered": ReceiptKind.DELIVERED,
    "message.read": ReceiptKind.READ,
}


def parse(body: bytes) -> tuple[InboundEvent, ...]:
    """The one event of a body; raises MalformedEvent naming the part that cannot be read.

    The body is UTF-8 JSON without a byte order mark, NaN, repeated names, lone surrogates or NUL:
    PostgreSQL cannot store the last two, and what it cannot store must not behave otherwise on SQLite.
    """
    event = _object(_load(body), "the body")
    kind = _text(event, "type", "type")
    if kind == "message.received":
        return (_message(event),)
    if kind in RECEIPTS:
        return (_receipt(event, RECEIPTS[kind]),)
    return (UnknownEvent(type=kind[:MAX_TYPE]),)


def _message(event: dict[str, Any]) -> CustomerMessage:
    data = _object(event.get("data"), "data")
    sender = _object(data.get("from"), "data.from")
    text = data.get("text")
    if text is not None and not isinstance(text, str):
        _refuse("data.text", "must be a string")
    return CustomerMessage(
        external_id=_id(data, "message_id"),
        peer=_id(data, "conversation"),
        display_name=_optional_text(sender, "name", "data.from.name") or "",
        locale=_optional_text(sender, "locale", "data.from.locale"),
        text=text or "",
        said_at=_time(data.get("sent_at"), "data.sent_at")
        or _time(event.get("timestamp"), "timestamp"),
        supported=text is not None or not data.get("attachments"),
    )


def _receipt(event: dict[str, Any], kind: ReceiptKind) -> DeliveryReceipt:
    data = _object(event.get("data"), "data")
    return DeliveryReceipt(
        reference=_id(data, "client_reference"),
        kind=kind,
        at=_time(data.get("at"), "data.at") or _time(event.get("timestamp"), "timestamp"),
        platform_id=_id(data, "message_id") if "message_id" in data else None,
    )


def _load(body: bytes) -> Any:
    try:
        # json.loads would guess UTF-16 and UTF-32 from bytes.
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse("the body", f"is not UTF-8 at byte {error.start}")
    try:
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    except RecursionError:
        _refuse("the body", f"is nested deeper than {MAX_DEPTH} levels")
    except ValueError as error:  # also an integer of more digits than Python reads
        _refuse("the body", f"is not JSON as we accept it: {error}")
    _check_strings(value)
    return value


def _check_strings(value: Any) -> None:
    """Refuse lone surrogates, NUL and deep nesting anywhere; no recursion, so depth cannot hurt."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            _refuse("the body", f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(item, dict):
            waiting.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, list):
            waiting.extend((part, depth + 1) for part in item)
        elif isinstance(item, str):
            if "\x00" in item:
                _refuse("the body", "has a NUL character in a string")
            if any("\ud800" <= character <= "\udfff" for character in item):
                _refuse("the body", "has a lone surrogate in a string")


def _id(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    # A number here has lost digits already (RFC 8259 section 6): an id is a string or it is nothing.
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID or not value.isprintable():
        _refuse(f"data.{name}", f"must be a printable string of 1 to {MAX_ID} characters")
    return value


def _text(event: dict[str, Any], name: str, where: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        _refuse(where, "must be a string")
    return value


def _optional_text(event: dict[str, Any], name: str, where: str) -> str | None:
    return None if event.get(name) in (None, "") else _text(event, name, where)


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(where, "must be an object")
    return value


def _time(value: Any, where: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else _naive(where)
    except (TypeError, ValueError, OverflowError):
        _refuse(where, "must be an ISO 8601 time with a zone")


def _naive(where: str) -> NoReturn:
    _refuse(where, "must be an ISO 8601 time with a zone")


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a name appears twice in one object"
        raise ValueError(msg)
    return found


def _refuse(where: str, what: str) -> NoReturn:
    msg = f"{where} {what}"
    raise MalformedEvent(msg)
