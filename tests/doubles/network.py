"""The receiving end of the generic network: checks signatures with the public package, keeps a ledger."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.doubles.http_server import serving

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes or more").decode()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network does with one send. `status` None cuts the connection without a word."""

    status: int | None = 200
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    keep: bool = True  # whether it takes the message (and remembers it)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that arrived, in order."""

    reference: str
    to: str
    text: str


class Network:
    """Takes sends; `plan` says how to answer each, by default as the network should."""

    def __init__(self, *, secret: str = SECRET, check_time: bool = True) -> None:
        self.url = ""
        self.secret = secret
        self.arrivals: list[Arrival] = []
        self.wrong_signatures = 0
        self.messages: dict[
            str, str
        ] = {}  # reference -> platform id: what customers see, once each
        self.order: list[str] = []  # references in the order in which customers saw them
        self.plan: Callable[[Arrival, int], Answer] = lambda arrival, nth: Answer()
        self._check_time = check_time
        self._lock = threading.Lock()

    def texts(self, to: str | None = None) -> list[str]:
        """What customers saw, in order."""
        first: dict[str, Arrival] = {}
        for arrival in self.arrivals:
            first.setdefault(arrival.reference, arrival)
        return [first[ref].text for ref in self.order if to in (None, first[ref].to)]

    def take(self, body: bytes, headers: dict[str, str]) -> Answer:
        try:
            self._verify(body, headers)
        except Exception:
            with self._lock:
                self.wrong_signatures += 1
            return Answer(status=401, body={"error": "signature"})
        data = json.loads(body)["data"]
        arrival = Arrival(data["client_reference"], data["to"], data["text"])
        assert headers["webhook-id"] == arrival.reference
        with self._lock:
            self.arrivals.append(arrival)
            nth = sum(1 for a in self.arrivals if a.reference == arrival.reference)
            answer = self.plan(arrival, nth)
            known = arrival.reference in self.messages
            if answer.keep and (answer.status is None or answer.status < 400):
                if not known:
                    self.order.append(arrival.reference)
                self.messages.setdefault(arrival.reference, f"p-{len(self.messages) + 1}")
            if answer.body is None and answer.status is not None and answer.status < 300:
                body_out = {"message_id": self.messages[arrival.reference]}
                return Answer(
                    409 if known else answer.status, body_out, answer.headers, answer.delay
                )
        return answer

    def _verify(self, body: bytes, headers: dict[str, str]) -> None:
        if self._check_time:
            Webhook(self.secret).verify(body, headers)
            return
        # The clock of the sender stands still in this test: sign again with its time.
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        expected = Webhook(self.secret).sign(headers["webhook-id"], at, body.decode())
        assert headers["webhook-signature"] == expected


@contextmanager
def running_network(
    *, port: int = 0, secret: str = SECRET, check_time: bool = True
) -> Iterator[Network]:
    """A network that listens."""
    network = Network(secret=secret, check_time=check_time)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = network.take(body, {k.lower(): v for k, v in self.headers.items()})
            time.sleep(answer.delay)
            if answer.status is None:
                # Reset, as a crashed peer would: the sender cannot know whether it was taken.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                self.close_connection = True
                return
            raw = json.dumps(answer.body or {}).encode()
            self.send_response(answer.status)
            self.send_header("content-length", str(len(raw)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with serving(Handler, port=port) as url:
        network.url = url
        yield network
