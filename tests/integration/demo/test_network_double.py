"""The network double over real HTTP: its own process, and a receiver that checks every signature."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE = 20.0  # seconds; a loaded machine is slow, a broken double is silent for ever


class Receiver:
    """Plays the service: checks every signature, remembers every event, answers as it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.paths: set[str] = set()
        self.bad_signatures = 0
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                receiver.paths.add(self.path)
                try:
                    body = Webhook(SECRET).verify(raw, dict(self.headers.items()))
                except Exception:  # whatever is wrong with it is counted and asserted on
                    receiver.bad_signatures += 1
                    body = {}
                if receiver.status == 200:
                    receiver.events.append((self.headers["webhook-id"], body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [body["data"] for _, body in self.events if body["type"] == kind]

    def texts(self) -> list[str]:
        return [data["text"] for data in self.of("message.received")]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Double:
    """The network's process, which can be killed and started again on the same file."""

    def __init__(self, folder: Path, *, service: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.who = "Ana Lima"
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=10, trust_env=False)
        self._env = {
            **os.environ,
            "FIRSTLINE_DOUBLE_SECRET": SECRET,
            "FIRSTLINE_DOUBLE_PORT": str(self.port),
            "FIRSTLINE_DOUBLE_DATA": str(folder / "network.db"),
            "FIRSTLINE_URL": service,
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "suggest_api.demo.network_double"], env=self._env
        )
        eventually(self._ready)

    def _ready(self) -> bool:
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            assert self.process.poll() is None, "the double ended"
            return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def write(self, text: str, *, who: str | None = None, **weather: Any) -> str:
        answer = self.http.post(
            "/api/events", json={"as": who or self.who, "text": text, **weather}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["message_id"])

    def messages(self, who: str | None = None) -> list[dict[str, Any]]:
        answer = self.http.get("/api/messages", params={"as": who or self.who})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found

    def peer(self) -> str:
        return str(
            self.http.get("/api/messages", params={"as": self.who}).json()["customer"]["peer"]
        )

    def send(
        self, data: dict[str, Any], *, secret: str = SECRET, **changed: str
    ) -> httpx.Response:
        body = json.dumps(
            {"type": "message.send", "timestamp": "2026-03-01T09:00:00Z", "data": data}
        )
        now = datetime.now(UTC)
        reference = str(data.get("client_reference", "none"))
        headers = {
            "webhook-id": reference,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(reference, now, body),
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }
        return self.http.post("/api/send", content=body, headers=headers)


def eventually(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds; fail when it does not within PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Receiver, Double]]:
    """One receiver and one network for all tests here: a process for each would take minutes."""
    receiver = Receiver()
    double = Double(tmp_path_factory.mktemp("network"), service=receiver.url)
    yield receiver, double
    if double.process.poll() is None:
        double.process.terminate()
        double.process.wait(timeout=PATIENCE)
    double.http.close()
    receiver.close()


@pytest.fixture
def receiver(world: tuple[Receiver, Double]) -> Receiver:
    """The receiver, with nothing of an earlier test left to come."""
    receiver, double = world
    receiver.status = 200
    double.http.post("/api/weather", json={"sends": "normal"})
    eventually(lambda: double.http.get("/api/weather").json()["events_waiting"] == 0)
    receiver.events.clear()
    receiver.bad_signatures = 0
    return receiver


@pytest.fixture
def double(
    world: tuple[Receiver, Double], receiver: Receiver, request: pytest.FixtureRequest
) -> Double:
    """The network, with a customer of this test alone."""
    double = world[1]
    double.who = request.node.name[:60]
    return double


def test_a_customers_message_arrives_signed_as_the_contract_says(
    double: Double, receiver: Receiver
) -> None:
    message_id = double.write("where is my parcel? 📦", who="Zoë O'Neil")
    eventually(lambda: receiver.events)
    [data] = receiver.of("message.received")
    assert receiver.paths == {"/webhooks/generic/quillhaven"}
    assert receiver.bad_signatures == 0
    assert data["message_id"] == message_id
    assert data["text"] == "where is my parcel? 📦"
    assert data["from"] == {"id": data["conversation"], "name": "Zoë O'Neil", "locale": "en"}
    sent_at = datetime.fromisoformat(data["sent_at"])
    assert abs(datetime.now(UTC) - sent_at) < timedelta(minutes=1)
    eventually(lambda: double.messages("Zoë O'Neil")[0]["state"] == "delivered")


def test_two_customers_are_two_conversations_and_a_name_is_one_customer(
    double: Double, receiver: Receiver
) -> None:
    double.write("hello", who="Ana Lima")
    double.write("hello", who="Ben")
    double.write("me again", who=" ana lima ")
    eventually(lambda: len(receiver.events) == 3)
    peers = [data["conversation"] for data in receiver.of("message.received")]
    assert peers[0] == peers[2] != peers[1]
    names = {each["name"] for each in double.http.get("/api/customers").json()["customers"]}
    assert {"Ana Lima", "Ben"} <= names
    assert " ana lima " not in names


def test_messages_of_one_customer_arrive_in_order(double: Double, receiver: Receiver) -> None:
    written = [f"number {count}" for count in range(25)]
    for text in written:
        double.write(text)
    eventually(lambda: len(receiver.events) == 25)
    assert receiver.texts() == written


def test_a_duplicate_is_the_same_event_again(double: Double, receiver: Receiver) -> None:
    double.write("twice please", duplicate=3)
    eventually(lambda: len(receiver.events) == 3)
    assert len({webhook_id for webhook_id, _ in receiver.events}) == 1
    assert len({json.dumps(body) for _, body in receiver.events}) == 1
    assert len(double.messages()) == 1


def test_a_duplicate_may_come_under_a_new_event_id(double: Double, receiver: Receiver) -> None:
    double.write("twice please", duplicate=2, fresh_ids=True)
    eventually(lambda: len(receiver.events) == 2)
    assert len({webhook_id for webhook_id, _ in receiver.events}) == 2
    assert len({data["message_id"] for data in receiver.of("message.received")}) == 1


def test_a_late_message_is_overtaken_and_keeps_the_time_it_was_written(
    double: Double, receiver: Receiver
) -> None:
    double.write("first", delay_seconds=1.0)
    double.write("second")
    eventually(lambda: len(receiver.events) == 2)
    assert receiver.texts() == ["second", "first"]
    second, first = receiver.of("message.received")
    assert first["sent_at"] <= second["sent_at"]


def test_an_out_of_order_message_comes_after_the_next_one(
    double: Double, receiver: Receiver
) -> None:
    double.write("first", out_of_order=True)
    time.sleep(0.5)
    assert receiver.events == []
    double.write("second")
    eventually(lambda: len(receiver.events) == 2)
    assert receiver.texts() == ["second", "first"]


def test_what_the_service_did_not_take_is_tried_again_in_order(
    double: Double, receiver: Receiver
) -> None:
    receiver.status = 503
    for text in ("one", "two", "three"):
        double.write(text)
    time.sleep(0.6)
    assert [message["state"] for message in double.messages()] == ["waiting"] * 3
    receiver.status = 200
    eventually(lambda: len(receiver.events) == 3)
    assert receiver.texts() == ["one", "two", "three"]


def test_a_refused_body_is_not_tried_again_and_does_not_hold_up_the_next(
    double: Double, receiver: Receiver
) -> None:
    receiver.status = 400
    double.write("rubbish")
    eventually(lambda: double.messages()[0]["state"] == "refused")
    receiver.status = 200
    double.write("fine")
    eventually(lambda: receiver.events)
    time.sleep(0.5)
    assert receiver.texts() == ["fine"]


def test_nothing_is_lost_when_the_double_is_killed(double: Double, receiver: Receiver) -> None:
    receiver.status = 503
    for text in ("one", "two"):
        double.write(text)
    double.kill()
    receiver.status = 200
    double.start()
    eventually(lambda: len(receiver.events) >= 2)
    assert list(dict.fromkeys(receiver.texts())) == ["one", "two"]
    assert [message["text"] for message in double.messages()] == ["one", "two"]


def test_a_send_is_shown_echoed_and_confirmed(double: Double, receiver: Receiver) -> None:
    answer = double.send(
        {"to": double.peer(), "text": "On its way.", "client_reference": double.who}
    )
    assert answer.status_code == 201
    eventually(lambda: len(receiver.events) == 2)
    assert receiver.of("message.echo") == [
        {"message_id": answer.json()["message_id"], "client_reference": double.who}
    ]
    [delivered] = receiver.of("message.delivered")
    assert delivered["client_reference"] == double.who
    [message] = double.messages()
    assert (message["from"], message["text"], message["state"]) == (
        "brand",
        "On its way.",
        "delivered",
    )


def test_a_receipt_follows_when_the_customer_looks(double: Double, receiver: Receiver) -> None:
    double.send({"to": double.peer(), "text": "On its way.", "client_reference": double.who})
    assert double.http.post("/api/seen", json={"as": double.who}).json() == {"newly_read": 1}
    assert double.http.post("/api/seen", json={"as": double.who}).json() == {"newly_read": 0}
    eventually(lambda: receiver.of("message.read"))
    assert [data["client_reference"] for data in receiver.of("message.read")] == [double.who]
    assert double.messages()[0]["state"] == "read"


def test_a_repeated_send_is_answered_409_counted_and_shown_once(
    double: Double, receiver: Receiver
) -> None:
    data = {"to": double.peer(), "text": "On its way.", "client_reference": double.who}
    first, again = double.send(data), double.send(data)
    assert (first.status_code, again.status_code) == (201, 409)
    assert first.json() == again.json()
    [message] = double.messages()
    assert message["repeats"] == 1
    eventually(lambda: len(receiver.events) == 2)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook_signature": "v1,AAAA"},
        {"webhook_signature": "nonsense"},
        {"webhook_timestamp": "1000000000"},
        {"webhook_timestamp": "soon"},
        {"webhook_id": "another"},
    ],
)
def test_a_send_with_a_wrong_signature_is_refused(double: Double, changed: dict[str, str]) -> None:
    data = {"to": double.peer(), "text": "On its way.", "client_reference": double.who}
    assert double.send(data, **changed).status_code == 401
    assert double.messages() == []


def test_a_send_signed_with_another_secret_is_refused(double: Double) -> None:
    data = {"to": double.peer(), "text": "On its way.", "client_reference": double.who}
    assert (
        double.send(data, secret="whsec_c2VjcmV0IG9mIGFub3RoZXIgYWNjb3VudA==").status_code == 401
    )


@pytest.mark.parametrize(
    "data",
    [
        {"to": "u-1", "text": "no reference"},
        {"to": "u-1", "text": "", "client_reference": "out-1"},
        {"to": 7, "text": "number", "client_reference": "out-1"},
    ],
)
def test_a_malformed_send_is_refused(double: Double, data: dict[str, Any]) -> None:
    assert double.send(data).status_code == 422


def test_a_send_to_nobody_is_refused(double: Double) -> None:
    data = {"to": "u-nobody", "text": "Hello?", "client_reference": double.who}
    assert double.send(data).status_code == 404


@pytest.mark.parametrize(("weather", "status"), [("busy", 429), ("down", 503)])
def test_disturbed_sends_are_refused_as_often_as_asked(
    double: Double, weather: str, status: int
) -> None:
    data = {"to": double.peer(), "text": "On its way.", "client_reference": double.who}
    double.http.post("/api/weather", json={"sends": weather, "times": 2})
    answers = [double.send(data) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 201]
    assert answers[0].headers["retry-after"] == "1"
    assert len(double.messages()) == 1


def test_a_lost_answer_leaves_the_message_with_the_customer(
    double: Double, receiver: Receiver
) -> None:
    data = {"to": double.peer(), "text": "On its way.", "client_reference": double.who}
    double.http.post(
        "/api/weather", json={"sends": "lost_answer", "times": 1, "hold_seconds": 0.2}
    )
    assert double.send(data).status_code == 504
    assert [message["text"] for message in double.messages()] == ["On its way."]
    eventually(lambda: receiver.of("message.echo"))
    assert double.send(data).status_code == 409


@pytest.mark.parametrize(
    "event",
    [
        {"as": "", "text": "x"},
        {"as": "   ", "text": "x"},
        {"as": "Ana"},
        {"as": "Ana", "text": "x", "duplicate": 0},
        {"as": "Ana", "text": "x", "delay_seconds": -1},
        {"as": "Ana", "text": "x", "colour": "green"},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(double: Double, event: dict[str, Any]) -> None:
    assert double.http.post("/api/events", json=event).status_code == 422


def test_hostile_text_travels_unchanged(double: Double, receiver: Receiver) -> None:
    text = "</script><script>alert(1)</script> /restart\n{first_name}\u202e"
    double.write(text)
    eventually(lambda: receiver.events)
    assert receiver.texts() == [text]
    assert double.messages()[0]["text"] == text


def test_the_page_has_a_strict_policy_and_no_inline_code(double: Double) -> None:
    page = double.http.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert " on" + "click" not in page.text
    for name in ("chat.css", "chat.js", "icon.svg"):
        assert double.http.get(f"/static/{name}").status_code == 200


def test_another_sites_name_for_this_machine_is_refused(double: Double) -> None:
    answer = double.http.get("/api/customers", headers={"host": "evil.example.com"})
    assert answer.status_code == 400


def test_a_missing_secret_is_named() -> None:
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("FIRSTLINE_")
    }
    done = subprocess.run(
        [sys.executable, "-m", "suggest_api.demo.network_double"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "FIRSTLINE_DOUBLE_SECRET" in done.stderr
