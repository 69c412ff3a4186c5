"""One turn with the assistant: every way of failing is a hand-over, and no customer can drive the dialogue."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suggest_api.bot_client import BotClient
from suggest_api.bot_client.model import BotReply, HandOver, HandOverReason, NoAnswer, neutralise
from suggest_api.bot_client.service import MAX_ITEMS, read_answer
from tests.doubles.rasa import Rasa, running_rasa, say


@pytest.fixture
def rasa() -> Iterator[Rasa]:
    with running_rasa() as running:
        yield running


def turn(rasa: Rasa, text: str = "hello", *, deadline: float = 5.0) -> BotReply | NoAnswer:
    return BotClient(rasa.url, deadline=deadline).turn(
        text, session_id="a" * 32, conversation_id="b" * 32, channel="generic", locale="en"
    )


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("/restart", "restart"),
        ("  /restart", "restart"),
        ("\uff0frestart", "restart"),
        ("/ / \uff0f /x{}", "x{}"),
        ("\u2003/\u3000/session_start", "session_start"),
        ('/order{"order_number":"QH-1"}', 'order{"order_number":"QH-1"}'),
        ("a/b", "a/b"),
        ("/", ""),
        ("///", ""),
        ("", ""),
        ("  hi  ", "hi"),
    ],
)
def test_a_leading_slash_never_reaches_rasa(text: str, heard: str) -> None:
    assert neutralise(text) == heard


@given(st.text(st.sampled_from('/\uff0f \t\n\u00a0\u2003ab{"}'), max_size=30))
def test_no_text_starts_with_a_slash_as_rasa_reads_it(text: str) -> None:
    heard = neutralise(text)
    assert not heard.strip().startswith(("/", "\uff0f"))
    assert neutralise(heard) == heard


def test_the_slash_is_gone_on_the_wire(rasa: Rasa) -> None:
    turn(rasa, "/restart")
    assert rasa.messages() == ["restart"]


def test_slow_is_a_hand_over_within_the_deadline(rasa: Rasa) -> None:
    rasa.delay = 4.0
    started = time.monotonic()
    answer = turn(rasa, deadline=0.3)
    assert isinstance(answer, NoAnswer)
    assert answer.reason is HandOverReason.BOT_SLOW
    assert time.monotonic() - started < rasa.delay  # nobody waited for the assistant to end


def test_a_slow_drip_is_held_to_the_deadline(rasa: Rasa) -> None:
    rasa.drip = 0.2
    started = time.monotonic()
    answer = turn(rasa, deadline=0.5)
    assert isinstance(answer, NoAnswer)
    assert answer.reason is HandOverReason.BOT_SLOW
    assert time.monotonic() - started < 3


def test_nobody_there_is_a_hand_over() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = BotClient(f"http://127.0.0.1:{port}")
    answer = client.turn("hi", session_id="a", conversation_id="b", channel="generic", locale="en")
    assert isinstance(answer, NoAnswer)
    assert answer.reason is HandOverReason.BOT_FAILED


@pytest.mark.parametrize("status", [201, 204, 301, 400, 404, 500, 503])
def test_any_other_status_is_a_hand_over(rasa: Rasa, status: int) -> None:
    rasa.status = status
    answer = turn(rasa)
    assert isinstance(answer, NoAnswer)
    assert answer.reason is HandOverReason.BOT_FAILED


def test_a_huge_answer_is_a_hand_over(rasa: Rasa) -> None:
    rasa.raw = b"[" + b" " * 2_000_000 + b"]"
    assert isinstance(turn(rasa), NoAnswer)


BAD: list[Any] = [
    {"custom": {"type": "say"}},
    "hello",
    None,
    [1],
    [{}],
    [{"text": "free words"}],
    [{"text": "free words", "custom": {"type": "say", "snippet_key": "assistant.hello"}}],
    [say("assistant.hello"), {"text": "and more"}],
    [{"custom": {"type": "dance"}}],
    [{"custom": {}}],
    [{"custom": {"type": "say"}}],
    [{"custom": {"type": "say", "snippet_key": 5}}],
    [{"custom": {"type": "say", "snippet_key": "x" * 2000}}],
    [{"custom": {"type": "say", "snippet_key": "x", "facts": ["a"]}}],
    [{"custom": {"type": "say", "snippet_key": "x", "facts": {"order_number": 5}}}],
    [{"custom": {"type": "draft"}}],
    [{"custom": {"type": "hand_over"}}],
    [{"custom": {"type": "hand_over", "reason": "because"}}],
    [{"custom": {"type": "hand_over", "reason": "complaint", "collected": "x"}}],
    [say("assistant.hello")] * (MAX_ITEMS + 1),
]


@pytest.mark.parametrize("answer", BAD)
def test_an_answer_of_another_shape_is_a_hand_over(answer: Any) -> None:
    found = read_answer(json.dumps(answer).encode())
    assert isinstance(found, NoAnswer)
    assert found.reason is HandOverReason.BOT_FAILED


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b"<html>"])
def test_an_answer_that_is_not_json_is_a_hand_over(raw: bytes) -> None:
    assert isinstance(read_answer(raw), NoAnswer)


def test_the_reason_of_a_failure_never_quotes_the_answer() -> None:
    found = read_answer(b'[{"text":"my card is 4111"}]')
    assert isinstance(found, NoAnswer)
    assert "4111" not in found.detail


def test_empty_slots_and_control_characters_are_dropped() -> None:
    custom = {
        "type": "hand_over",
        "reason": "complaint",
        "asked": "line\u0000one\n\ud800",
        "topic": None,
        "collected": {"order_number": "QH-1048213", "product": None},
    }
    found = read_answer(json.dumps([{"custom": custom}]).encode())
    assert isinstance(found, BotReply)
    (item,) = found.items
    assert isinstance(item, HandOver)
    assert item.asked == "line one  "
    assert item.topic == ""
    assert dict(item.collected) == {"order_number": "QH-1048213"}


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(raw: bytes) -> None:
    assert isinstance(read_answer(raw), BotReply | NoAnswer)
