"""A small server that speaks Rasa's REST channel: answers by a function, remembers what each sender said."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.doubles.http_server import serving

Reply = Callable[[str, list[str]], Any]  # (message, what this sender said before) -> JSON


def say(key: str, **facts: str) -> dict[str, Any]:
    """An item that says a snippet."""
    return {"recipient_id": "x", "custom": {"type": "say", "snippet_key": key, "facts": facts}}


def hand_over(reason: str = "asked_for_person", **more: Any) -> dict[str, Any]:
    """An item that hands over."""
    return {"recipient_id": "x", "custom": {"type": "hand_over", "reason": reason, **more}}


class Rasa:
    """What the double knows. `reply` may be changed at any time."""

    def __init__(self) -> None:
        self.url = ""
        self.reply: Reply = lambda message, earlier: [say("assistant.hello")]
        self.status = 200
        self.delay = 0.0
        self.drip = 0.0
        self.raw: bytes | None = None
        self.turns: list[dict[str, Any]] = []
        self.in_flight: dict[str, int] = {}
        self.most_in_flight = 0
        self.said: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def take(self, turn: dict[str, Any]) -> bytes:
        conversation = turn["metadata"]["conversation_id"]
        with self._lock:
            self.turns.append(turn)
            busy = self.in_flight.get(conversation, 0) + 1
            self.in_flight[conversation] = busy
            self.most_in_flight = max(self.most_in_flight, busy)
            earlier = list(self.said.setdefault(turn["sender"], []))
            self.said[turn["sender"]].append(turn["message"])
        try:
            time.sleep(self.delay)
            raw = self.raw
            return (
                json.dumps(self.reply(turn["message"], earlier)).encode() if raw is None else raw
            )
        finally:
            with self._lock:
                self.in_flight[conversation] -= 1

    def messages(self) -> list[str]:
        """All that was heard, in order."""
        return [turn["message"] for turn in self.turns]


@contextmanager
def running_rasa(*, port: int = 0) -> Iterator[Rasa]:
    """A Rasa that listens."""
    rasa = Rasa()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path != "/webhooks/rest/webhook":
                self.send_error(404)
                return
            raw = rasa.take(json.loads(body))
            self.send_response(rasa.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            if not rasa.drip:
                self.wfile.write(raw)
                return
            for byte in raw:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(rasa.drip)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with serving(Handler, port=port) as url:
        rasa.url = url
        yield rasa
