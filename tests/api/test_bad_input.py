"""Whatever is sent, the answer is one clear problem of one shape, and no log line holds a customer's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from suggest_api.logs import configure
from tests.api.conftest import Service

CANARY = "CANARY7391"
MESSAGE = {"author": "customer", "text": f"{CANARY} where is my parcel"}
GOOD = {"channel": "generic", "messages": [MESSAGE]}


def raw(service: Service, body: bytes | Iterator[bytes], **headers: str) -> Any:
    more = {"Content-Type": "application/json", **service.bearer("suggest"), **headers}
    return service.client.post("/v1/suggestions", content=body, headers=more)


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) >= {"type", "title", "status", "detail", "instance", "request_id"}
    assert problem["status"] == status
    assert problem["type"].startswith("urn:firstline:problem:")
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert CANARY not in answer.text
    return problem


BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "not json": (b"{" + CANARY.encode(), 400),
    "invalid utf-8": (b'{"channel":"\xff"}', 400),
    "utf-16": (json.dumps(GOOD).encode("utf-16"), 400),
    "nested": (b"[" * 100_000, 400),
    "nested and closed": (b"[" * 100_000 + b"]" * 100_000, 400),
    "huge number": (b'{"limit":' + b"9" * 5000 + b"}", 400),
    "not a number": (b'{"limit":NaN}', 400),
    "infinity": (b'{"limit":-Infinity}', 400),
    "one key twice": (b'{"channel":"generic","channel":"x","messages":[]}', 400),
    "half a pair": (
        b'{"channel":"generic","messages":[{"author":"customer","text":"\\ud800"}]}', 422,
    ),
    "half a pair in a key": (b'{"\\udfff":1}', 422),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "no channel": (b'{"messages":[]}', 422),
    "a channel of sql": (b'{"channel":"x\'; DROP TABLE draft","messages":[]}', 422),
    "too many": (json.dumps({**GOOD, "limit": 11}).encode(), 422),
    "none": (json.dumps({**GOOD, "limit": 0}).encode(), 422),
    "unknown field": (json.dumps({**GOOD, "shell": CANARY}).encode(), 422),
    "text too long": (
        json.dumps({**GOOD, "messages": [{**MESSAGE, "text": CANARY * 2000}]}).encode(), 422,
    ),
    "conversation id of another form": (
        json.dumps({**GOOD, "conversation_id": "../../etc"}).encode(), 422,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_used(service: Service, name: str) -> None:
    body, status = BODIES[name]
    assert_problem(raw(service, body), status)


def test_a_validation_problem_names_field_and_reason(service: Service) -> None:
    body = {"channel": "generic", "messages": [{"author": "nobody", "text": CANARY}], "limit": 99}
    problem = assert_problem(service.post("/v1/suggestions", body), 422)
    assert [entry["field"] for entry in problem["errors"]] == ["messages.0.author", "limit"]
    assert "10" in problem["errors"][1]["reason"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity"])
def test_a_compressed_body_is_refused(service: Service, encoding: str) -> None:
    body = json.dumps(GOOD).encode()
    assert_problem(raw(service, body, **{"Content-Encoding": encoding}), 415)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png",
                                  "application/json; charset=utf-16"])  # fmt: skip
def test_another_media_type_is_refused(service: Service, kind: str) -> None:
    body = json.dumps(GOOD).encode()
    assert_problem(raw(service, body, **{"Content-Type": kind}), 415)


class TestCap:
    def test_a_declared_length_is_enough_to_refuse(self, service: Service) -> None:
        problem = assert_problem(raw(service, b"x" * (1024 * 1024 + 1)), 413)
        assert "1048576" in problem["detail"]

    def test_bytes_are_counted_when_no_length_is_declared(self, service: Service) -> None:
        chunks = (b" " * 65536 for _ in range(200))
        assert_problem(raw(service, chunks), 413)

    def test_the_cap_itself_is_taken(self, service: Service) -> None:
        body = json.dumps(GOOD).encode()
        assert raw(service, body + b" " * (1024 * 1024 - len(body))).status_code == 200

    def test_webhooks_take_more(self, service: Service) -> None:
        big = b"x" * (2 * 1024 * 1024)
        answer = service.client.post("/webhooks/generic/nobody", content=big)
        assert answer.status_code == 404  # not 413: it was read
        assert_problem(answer, 404)
        bigger = b"x" * (4 * 1024 * 1024 + 1)
        assert_problem(service.client.post("/webhooks/generic/nobody", content=bigger), 413)


@pytest.mark.parametrize(
    "said",
    ["where is my parcel\x00", "\x00where is my parcel", "/restart where is my parcel",
     "{{7*7}} where is my parcel", "%s%n where is my parcel", "where is my parcel" + "\u0301" * 500,
     "where\u200bis my parcel \u202egnp.exe", "a.a." * 2000, "👩‍👩‍👧‍👦" * 300, "where is my parcel\r\n\x1b[31m"],
)  # fmt: skip
def test_hostile_words_are_a_question_like_any_other(service: Service, said: str) -> None:
    answer = service.suggest(said, customer={"first_name": "A"})
    assert isinstance(answer["abstained"], bool)
    for draft in answer["suggestions"]:
        assert "{{" not in draft["text"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("DELETE", "/v1/suggestions", 405), ("GET", "/v1/policy/check", 405),
     ("GET", "/v1/drafts/x/proof", 422), ("GET", "/metrics", 401), ("POST", "/webhooks/x/y", 404)],
)  # fmt: skip
def test_every_error_has_the_one_shape(
    service: Service, method: str, path: str, status: int
) -> None:
    headers = service.bearer("drafts") if "drafts" in path else {}
    assert_problem(service.client.request(method, path, headers=headers), status)


@pytest.mark.parametrize(
    "credential", ["", "Bearer", "Bearer fl_wrong", "Basic YTpi", "Bearer " + "x" * 5000]
)
def test_a_bad_credential_is_told_nothing(service: Service, credential: str) -> None:
    answer = service.client.get("/metrics", headers={"Authorization": credential})
    problem = assert_problem(answer, 401)
    assert problem["type"].endswith("not-authenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_is_taken_from_the_header_only(service: Service) -> None:
    answer = service.client.get("/metrics", params={"key": service.keys["metrics"]})
    assert answer.status_code == 401


def test_a_bug_is_a_problem_without_its_words(service: Service, capfd: Any) -> None:
    @service.client.app.get("/bug")
    def bug() -> None:
        raise RuntimeError(CANARY)

    configure(level="info", form="json")
    assert_problem(service.client.get("/bug"), 500)
    logged = capfd.readouterr().err
    assert "RuntimeError" in logged
    assert "test_bad_input.py" in logged
    assert CANARY not in logged


def test_no_log_line_holds_what_a_customer_or_agent_wrote(service: Service, capfd: Any) -> None:
    configure(level="debug", form="json")
    for name, (body, _) in BODIES.items():
        if name != "text too long":
            raw(service, body)
    service.suggest(f"{CANARY} where is my parcel", customer={"first_name": CANARY})
    service.post("/v1/policy/check", {"text": CANARY, "channel": "generic"}, key="check")
    service.client.get(f"/{CANARY}?q={CANARY}", headers={"User-Agent": CANARY})
    draft = service.suggest("what time does the shop close")["suggestions"][0]
    service.post(
        f"/v1/suggestions/{draft['draft_id']}/feedback",
        {"action": "edited", "final_text": f"{CANARY} your card number", "reason": CANARY},
    )
    logged = capfd.readouterr().err
    lines = [json.loads(line) for line in logged.splitlines()]
    assert sum(line["event"] == "request" for line in lines) > len(BODIES)
    assert all(line.get("request_id") for line in lines if line["event"] == "request")
    assert CANARY not in logged


def test_security_headers_are_on_every_answer(service: Service) -> None:
    for path in ("/healthz", "/nothing", "/metrics"):
        headers = service.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "server" not in headers
