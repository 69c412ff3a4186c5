"""The generic network's events: what is read, and what is refused with which reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suggest_api.channels.generic.parse import MAX_ID, parse
from suggest_api.channels.port import (
    CustomerMessage,
    DeliveryReceipt,
    ReceiptKind,
    UnknownEvent,
)
from suggest_api.errors import MalformedEvent


def message(**data: Any) -> dict[str, Any]:
    return {
        "type": "message.received",
        "timestamp": "2026-03-02T09:30:00Z",
        "data": {
            "message_id": "m-1",
            "conversation": "peer-7",
            "from": {"id": "peer-7", "name": "Ana Lima", "locale": "en"},
            "text": "where is my order",
            "sent_at": "2026-03-02T10:29:58+01:00",
            **data,
        },
    }


def read(event: Any) -> Any:
    (one,) = parse(json.dumps(event).encode())
    return one


def test_a_message_is_read_whole() -> None:
    assert read(message()) == CustomerMessage(
        external_id="m-1",
        peer="peer-7",
        display_name="Ana Lima",
        locale="en",
        text="where is my order",
        said_at=datetime(2026, 3, 2, 9, 29, 58, tzinfo=UTC),
    )


def test_the_envelope_tells_the_time_when_the_message_does_not() -> None:
    assert read(message(sent_at=None)).said_at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    bare = message(sent_at=None)
    del bare["timestamp"]
    assert read(bare).said_at is None


def test_an_attachment_without_words_is_unsupported_and_with_words_is_not() -> None:
    picture = [{"type": "image"}]
    assert not read(message(text=None, attachments=picture)).supported
    assert read(message(text="look", attachments=picture)).supported
    assert read(message(text="")).supported


def test_names_and_locales_may_be_missing() -> None:
    event = read(message(**{"from": {"id": "peer-7"}}))
    assert (event.display_name, event.locale) == ("", None)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("message.echo", ReceiptKind.ECHO),
        ("message.delivered", ReceiptKind.DELIVERED),
        ("message.read", ReceiptKind.READ),
    ],
)
def test_receipts(type_: str, kind: ReceiptKind) -> None:
    data = {"client_reference": "a" * 32, "message_id": "p-1", "at": "2026-03-02T09:31:00Z"}
    assert read({"type": type_, "data": data}) == DeliveryReceipt(
        reference="a" * 32,
        kind=kind,
        at=datetime(2026, 3, 2, 9, 31, tzinfo=UTC),
        platform_id="p-1",
    )


def test_an_unknown_type_is_no_error() -> None:
    assert read({"type": "typing.started", "data": 5}) == UnknownEvent(type="typing.started")


BAD: list[tuple[str, bytes, str]] = [
    ("empty", b"", "JSON"),
    ("not utf-8", b'{"type":"\xff"}', "UTF-8 at byte 9"),
    ("utf-16", '{"type":"x"}'.encode("utf-16"), "UTF-8"),
    ("byte order mark", b"\xef\xbb\xbf{}", "JSON"),
    ("not json", b"hello", "JSON"),
    ("truncated", b'{"type":"message.rec', "JSON"),
    ("NaN", b'{"type":"x","n":NaN}', "NaN"),
    ("Infinity", b'{"type":"x","n":-Infinity}', "Infinity"),
    ("a name twice", b'{"type":"x","type":"y"}', "twice"),
    ("5,000 digits", b'{"type":"x","n":' + b"9" * 5000 + b"}", "JSON"),
    ("nested 100,000 deep", b"[" * 100_000 + b"]" * 100_000, "nested"),
    ("nested 60 deep", b'{"type":"x","n":' + b"[" * 60 + b"]" * 60 + b"}", "nested"),
    ("lone surrogate", b'{"type":"x","n":"\\ud83d"}', "surrogate"),
    ("lone surrogate in a name", b'{"type":"x","\\udc00":1}', "surrogate"),
    ("NUL", b'{"type":"x","n":"a\\u0000b"}', "NUL"),
    ("a list", b"[]", "object"),
    ("a number", b"5", "object"),
    ("no type", b"{}", "type"),
    ("type is a number", b'{"type":1}', "type"),
    ("no data", b'{"type":"message.received"}', "data"),
    ("data is a list", b'{"type":"message.received","data":[]}', "data"),
]


@pytest.mark.parametrize(("body", "reason"), [pytest.param(b, r, id=i) for i, b, r in BAD])
def test_a_body_that_cannot_be_read_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedEvent, match=reason):
        parse(body)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"message_id": 1.92e18}, "message_id"),
        ({"message_id": 1920000000000000001}, "message_id"),
        ({"message_id": ""}, "message_id"),
        ({"message_id": "x" * (MAX_ID + 1)}, "message_id"),
        ({"message_id": "a\nb"}, "message_id"),
        ({"message_id": None}, "message_id"),
        ({"conversation": 7}, "conversation"),
        ({"from": None}, "data.from"),
        ({"from": {"name": ["Ana"]}}, "name"),
        ({"text": 5}, "text"),
        ({"text": {"a": 1}}, "text"),
        ({"sent_at": "yesterday"}, "sent_at"),
        ({"sent_at": "2026-03-02T09:30:00"}, "zone"),
        ({"sent_at": 1772443800}, "sent_at"),
        ({"sent_at": "0001-01-01T00:00:00+14:00"}, "sent_at"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedEvent, match=where):
        read(message(**change))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_is_read_or_refused_and_never_breaks(body: bytes) -> None:
    try:
        events = parse(body)
    except MalformedEvent:
        return
    assert all(isinstance(event, UnknownEvent) for event in events)


@given(
    st.dictionaries(
        st.sampled_from(["message_id", "conversation", "from", "text", "sent_at", "attachments"]),
        JSON,
    )
)
def test_a_message_with_any_field_replaced_is_read_or_refused(change: dict[str, Any]) -> None:
    try:
        event = read(message(**change))
    except MalformedEvent:
        return
    assert isinstance(event, CustomerMessage)
    assert 0 < len(event.external_id) <= MAX_ID
    event.text.encode()  # can be stored
