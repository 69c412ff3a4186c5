"""Sending to the generic network: what each thing that can happen on the wire is taken for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from suggest_api.channels import all_channels
from suggest_api.channels.port import (
    OutgoingMessage,
    Rejected,
    RetryLater,
    SendOutcome,
    Sent,
    Unclear,
)
from suggest_api.settings import Account
from tests.doubles.network import SECRET, Answer, Network, running_network

MESSAGE = OutgoingMessage(reference="a" * 32, to="peer-7", text="Grüße, Ana 👋")


@pytest.fixture
def network() -> Iterator[Network]:
    with running_network() as running:
        yield running


def send(url: str, *, deadline: float = 5.0, secret: str = SECRET) -> SendOutcome:
    account = Account(
        channel="generic", account="quillhaven", secret=SecretStr(secret), send_url=url
    )
    channel = all_channels()["generic"]
    return channel.send(MESSAGE, account=account, deadline=deadline, now=datetime.now(UTC))


def test_a_message_arrives_signed_and_whole(network: Network) -> None:
    assert send(network.url) == Sent("p-1")
    assert network.texts("peer-7") == ["Grüße, Ana 👋"]
    assert network.wrong_signatures == 0


def test_a_repeat_under_the_same_id_is_the_same_message(network: Network) -> None:
    assert send(network.url) == send(network.url) == Sent("p-1")
    assert len(network.arrivals) == 2
    assert network.texts() == [MESSAGE.text]


def test_a_wrong_secret_is_refused_for_good(network: Network) -> None:
    other = "whsec_" + "QUJD" * 8
    assert isinstance(send(network.url, secret=other), Rejected)
    assert network.texts() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 301, 302, 307])
def test_a_plain_no_is_final(network: Network, status: int) -> None:
    network.plan = lambda arrival, nth: Answer(
        status, {"error": "blocked"}, {"location": "/elsewhere"}
    )
    outcome = send(network.url)
    assert isinstance(outcome, Rejected)
    assert str(status) in outcome.reason


@pytest.mark.parametrize("status", [408, 425, 429, 503, 501, 507])
def test_a_busy_network_is_asked_again(network: Network, status: int) -> None:
    network.plan = lambda arrival, nth: Answer(status, {}, keep=False)
    assert isinstance(send(network.url), RetryLater)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_network_that_broke_may_have_taken_it(network: Network, status: int) -> None:
    network.plan = lambda arrival, nth: Answer(status, {})
    assert isinstance(send(network.url), Unclear)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", 0.0), ("soon", None), ("-3", None), ("9" * 40, 999_999_999.0)],
)
def test_retry_after_in_seconds(network: Network, value: str, seconds: float | None) -> None:
    network.plan = lambda arrival, nth: Answer(429, {}, {"retry-after": value}, keep=False)
    outcome = send(network.url)
    assert isinstance(outcome, RetryLater)
    assert outcome.after == seconds


def test_retry_after_as_a_date(network: Network) -> None:
    at = datetime.now(UTC) + timedelta(seconds=90)
    headers = {"retry-after": format_datetime(at, usegmt=True)}
    network.plan = lambda arrival, nth: Answer(503, {}, headers, keep=False)
    outcome = send(network.url)
    assert isinstance(outcome, RetryLater)
    assert outcome.after == pytest.approx(90, abs=5)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message_id": None},
        {"message_id": 5},
        {"message_id": "a\x00b"},
        {"message_id": "\ud800"},
    ],
)
def test_a_yes_without_an_id_is_unclear(network: Network, body: dict[str, object]) -> None:
    network.plan = lambda arrival, nth: Answer(200, body)
    network.plan = lambda arrival, nth: Answer(200, {"x": 1, **body})
    assert isinstance(send(network.url), Unclear)


def test_a_connection_cut_after_our_bytes_is_unclear(network: Network) -> None:
    network.plan = lambda arrival, nth: Answer(None)
    assert isinstance(send(network.url), Unclear)
    assert network.texts() == [MESSAGE.text]


def test_a_network_that_answers_too_late_is_unclear_and_held_to_the_deadline(
    network: Network,
) -> None:
    network.plan = lambda arrival, nth: Answer(delay=3.0)
    started = time.monotonic()
    assert isinstance(send(network.url, deadline=0.3), Unclear)
    assert time.monotonic() - started < 2.5


def test_a_port_where_nobody_listens_is_safe_to_try_again() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert isinstance(send(f"http://127.0.0.1:{port}/"), RetryLater)


def test_a_slow_drip_is_held_to_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                for byte in b"HTTP/1.1 200 OK\r\n" + b"x-slow: 1\r\n" * 100:
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        started = time.monotonic()
        assert isinstance(
            send(f"http://127.0.0.1:{server.getsockname()[1]}/", deadline=0.4), Unclear
        )
        assert time.monotonic() - started < 3
        thread.join()


def test_the_explanation_of_a_network_is_kept_short_and_printable(network: Network) -> None:
    network.plan = lambda arrival, nth: Answer(400, {"error": "\x1b[31mred\x00" + "x" * 5000})
    outcome = send(network.url)
    assert isinstance(outcome, Rejected)
    assert outcome.reason.isprintable()
    assert len(outcome.reason) < 300
