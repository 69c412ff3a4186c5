"""What comes in: stored once before it is acknowledged, then worked off, ignored or quarantined."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from knowledge_base.errors import NotFound
from suggest_api import flow
from suggest_api.conversations import events
from suggest_api.conversations.model import EventState
from suggest_api.errors import SignatureWrong, StorageError, TooLarge, UnknownAccount
from suggest_api.main import create_app
from suggest_api.storage import unit_of_work
from tests.doubles.desk import START, Parts, message, sign
from tests.doubles.network import SECRET

ADDRESS = "/webhooks/generic/quillhaven"
OTHER = "whsec_" + "QUJD" * 8


def stored(parts: Parts) -> int:
    return int(parts.value("SELECT count(*) FROM inbox_event"))


def hello(message_id: str = "m-1", text: str = "hello") -> bytes:
    return json.dumps(message(text, peer="peer-7", message_id=message_id, at=START)).encode()


@pytest.fixture
def client(parts: Parts) -> TestClient:
    return TestClient(create_app(parts.desk.settings, desk=parts.desk))


def test_a_signed_event_is_stored_before_the_200(parts: Parts, client: TestClient) -> None:
    body = hello()
    answer = client.post(ADDRESS, content=body, headers=sign(body, event_id="e-1", at=START))
    assert (answer.status_code, answer.json()) == (200, {"stored": True})
    ((raw, state, digest),) = parts.rows("SELECT raw, state, raw_sha256 FROM inbox_event")
    assert (bytes(raw), state, len(digest)) == (body, "pending", 64)


def test_the_same_event_again_is_a_duplicate(parts: Parts, client: TestClient) -> None:
    body = hello()
    for expected in ({"stored": True}, {"duplicate": True}, {"duplicate": True}):
        answer = client.post(ADDRESS, content=body, headers=sign(body, event_id="e-1", at=START))
        assert (answer.status_code, answer.json()) == (200, expected)
    assert stored(parts) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": "e-2"},
        {"webhook-timestamp": "1"},
    ],
)
def test_a_wrong_signature_is_401_and_nothing_is_stored(
    parts: Parts, client: TestClient, change: dict[str, str]
) -> None:
    body = hello()
    headers = {**sign(body, event_id="e-1", at=START), **change}
    answer = client.post(ADDRESS, content=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert stored(parts) == 0


def test_no_signature_at_all_and_other_secrets_are_401(parts: Parts, client: TestClient) -> None:
    assert client.post(ADDRESS, content=hello()).status_code == 401
    headers = sign(hello(), event_id="e-1", at=START, secret=OTHER)
    assert client.post(ADDRESS, content=hello(), headers=headers).status_code == 401
    assert stored(parts) == 0


@pytest.mark.parametrize("address", ["/webhooks/generic/nobody", "/webhooks/x/quillhaven"])
def test_an_account_that_is_not_configured_is_404(
    parts: Parts, client: TestClient, address: str
) -> None:
    body = hello()
    answer = client.post(address, content=body, headers=sign(body, event_id="e-1", at=START))
    assert answer.status_code == 404
    assert stored(parts) == 0


@pytest.mark.parametrize("size", [2**20 + 1, 10 * 2**20])
@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_a_body_over_a_megabyte_is_413(
    parts: Parts, client: TestClient, size: int, secret: str
) -> None:
    body = b"x" * size
    headers = sign(body, event_id="e-1", at=START, secret=secret)
    assert client.post(ADDRESS, content=body, headers=headers).status_code == 413
    assert stored(parts) == 0


def test_a_compressed_body_is_415(parts: Parts, client: TestClient) -> None:
    headers = {**sign(b"x", event_id="e-1", at=START), "content-encoding": "gzip"}
    assert client.post(ADDRESS, content=b"x", headers=headers).status_code == 415
    assert stored(parts) == 0


def test_an_id_that_cannot_be_kept_is_400(parts: Parts, client: TestClient) -> None:
    body, number = hello(), "x" * 300
    answer = client.post(ADDRESS, content=body, headers=sign(body, event_id=number, at=START))
    assert answer.status_code == 400
    assert stored(parts) == 0


def test_a_database_that_fails_is_503_and_never_200(parts: Parts, client: TestClient) -> None:
    body = hello()
    headers = sign(body, event_id="e-1", at=START)
    with parts.engine.begin() as connection:
        connection.execute(text("ALTER TABLE inbox_event RENAME TO inbox_event_gone"))
    answer = client.post(ADDRESS, content=body, headers=headers)
    assert answer.status_code >= 500
    with parts.engine.begin() as connection:
        connection.execute(text("ALTER TABLE inbox_event_gone RENAME TO inbox_event"))
    assert client.post(ADDRESS, content=body, headers=headers).json() == {"stored": True}


def test_a_commit_that_fails_is_503(parts: Parts, client: TestClient) -> None:
    def fail(_connection: Any) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    body = hello()
    headers = sign(body, event_id="e-1", at=START)
    event.listen(parts.engine, "commit", fail)
    answer = client.post(ADDRESS, content=body, headers=headers)
    event.remove(parts.engine, "commit", fail)
    assert answer.status_code == 503
    assert stored(parts) == 0


SIGNED_BUT_UNREADABLE: list[tuple[str, bytes]] = [
    ("not utf-8", b'{"type":"message.received","data":"\xff"}'),
    ("not json", b"hello"),
    ("empty", b""),
    ("lone surrogate", hello(text="\ud83d")),
    ("NUL", hello(text="a\x00b")),
    ("nested", b"[" * 100_000 + b"]" * 100_000),
    ("huge integer", b'{"type":"x","n":' + b"9" * 5000 + b"}"),
    ("NaN", b'{"type":"x","n":NaN}'),
    ("no fields", b'{"type":"message.received"}'),
    ("id as a float", hello().replace(b'"m-1"', b"1.92e18")),
    ("utf-16", hello().decode().encode("utf-16")),
]


@pytest.mark.parametrize("body", [pytest.param(b, id=i) for i, b in SIGNED_BUT_UNREADABLE])
def test_what_is_signed_but_unreadable_is_kept_in_quarantine(
    parts: Parts, client: TestClient, body: bytes
) -> None:
    answer = client.post(ADDRESS, content=body, headers=sign(body, event_id="e-1", at=START))
    assert answer.json() == {"stored": True}
    parts.write("hello", message_id="m-2")
    parts.ingest()
    with unit_of_work.read(parts.engine) as session:
        (kept,) = flow.stored_events(session, state=EventState.QUARANTINED)
        assert events.counts(session) == {"pending": 0, "done": 1, "ignored": 0, "quarantined": 1}
    assert kept.raw == body
    assert kept.reason
    assert parts.said() == [("customer", "hello")]


def test_a_quarantined_event_can_be_replayed_once_it_is_understood(parts: Parts) -> None:
    parts.post(hello().replace(b'"m-1"', b"17"), event_id="e-1")
    parts.ingest()
    with unit_of_work.write(parts.engine) as session:
        (kept,) = flow.stored_events(session, state=EventState.QUARANTINED)
        # What a new version of the parser would do: understand the body.
        session.execute(text("UPDATE inbox_event SET raw = :raw"), {"raw": hello()})
        assert flow.replay_event(session, kept.id).state is EventState.PENDING
    parts.ingest()
    assert parts.said() == [("customer", "hello")]


def test_replaying_what_was_done_changes_nothing(parts: Parts) -> None:
    parts.write("hello")
    parts.drain()
    before = parts.thread()
    with unit_of_work.write(parts.engine) as session:
        flow.replay_event(session, flow.stored_events(session)[0].id)
    parts.drain()
    assert parts.thread() == before
    assert parts.rows("SELECT state FROM inbox_event") == [("ignored",)]


def test_replaying_what_is_not_there_says_so(parts: Parts) -> None:
    with (
        unit_of_work.write(parts.engine) as session,
        pytest.raises(NotFound, match="inbox list"),
    ):
        flow.replay_event(session, 404)


def test_an_unknown_type_is_ignored_and_counted(parts: Parts) -> None:
    parts.tell("typing.started", who="peer-7")
    parts.ingest()
    assert parts.rows("SELECT state, reason FROM inbox_event") == [
        ("ignored", "unknown event type typing.started")
    ]


def test_our_own_error_is_tried_again_and_then_set_aside(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_more: Any) -> None:
        raise ZeroDivisionError

    parts.write("hello")
    parts.write("hello", peer="peer-8")
    with monkeypatch.context() as patch:
        patch.setattr("suggest_api.flow.reception.conversations.record_customer_turn", broken)
        for attempt in range(1, events.MAX_ATTEMPTS):
            assert flow.ingest(parts.desk)
            row = parts.rows("SELECT state, attempts FROM inbox_event ORDER BY id")[0]
            assert tuple(row) == ("pending", attempt)
        assert flow.ingest(parts.desk)
    parts.ingest()
    rows = parts.rows("SELECT state, reason FROM inbox_event ORDER BY id")
    assert rows == [("quarantined", "our own error: ZeroDivisionError"), ("done", None)]


def test_a_database_error_is_not_the_events_fault(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_args: Any, **_more: Any) -> None:
        msg = "the database is gone"
        raise StorageError(msg)

    parts.write("hello")
    with monkeypatch.context() as patch:
        patch.setattr("suggest_api.flow.reception.conversations.record_customer_turn", gone)
        for _ in range(events.MAX_ATTEMPTS + 1):
            with pytest.raises(StorageError):
                flow.ingest(parts.desk)
    assert parts.rows("SELECT state, attempts FROM inbox_event") == [("pending", 0)]
    parts.ingest()
    assert parts.said() == [("customer", "hello")]


def test_receive_refuses_by_the_same_errors_without_http(parts: Parts) -> None:
    with pytest.raises(SignatureWrong):
        parts.post(b"{}", secret=OTHER)
    with pytest.raises(TooLarge):
        parts.post(b"x" * (2**20 + 1))
    with pytest.raises(UnknownAccount):
        flow.receive(parts.desk, channel="generic", account="x", headers={}, body=b"")
