"""Reading a request from the tracker: what was asked, what was collected, all of it checked."""

from __future__ import annotations

from typing import Any

import pytest
from rasa_sdk import Tracker

from bot.actions.request import (
    Request,
    collected,
    conversation_id,
    is_first_turn,
    keep_request,
    latest_confidence,
    latest_intent,
    latest_text,
    open_request,
    topic_of,
)


def tracker(message: Any = None, events: list[Any] | None = None, **slots: Any) -> Tracker:
    return Tracker(
        "session1", slots, message or {}, events or [], False, None, {}, "action_listen"
    )


MESSAGE = {
    "text": "where is it",
    "intent": {"name": "orders.where", "confidence": 0.9},
    "metadata": {"conversation_id": "cnv_7", "channel": "generic"},
}


def test_the_latest_message() -> None:
    read = tracker(MESSAGE)
    assert (latest_text(read), latest_intent(read)) == ("where is it", "orders.where")
    assert (latest_confidence(read), conversation_id(read)) == (0.9, "cnv_7")


@pytest.mark.parametrize("message", [{}, {"text": None, "intent": None, "metadata": None}])
def test_a_message_without_anything(message: Any) -> None:
    read = tracker(message)
    assert (latest_text(read), latest_intent(read)) == ("", "nlu_fallback")
    assert (latest_confidence(read), conversation_id(read)) == (0.0, "session1")


def test_the_open_request_comes_before_the_latest_message() -> None:
    kept = {
        event["name"]: event["value"] for event in keep_request(Request("first", "returns.how"))
    }
    assert open_request(tracker(MESSAGE, **kept)) == Request("first", "returns.how")
    assert open_request(tracker(MESSAGE)) == Request("where is it", "orders.where")


@pytest.mark.parametrize(
    ("intent", "topic"),
    [("orders.where", "orders"), ("talk_to_person", "other"), ("nlu_fallback", "other")],
)
def test_topics(intent: str, topic: str) -> None:
    assert topic_of(intent) == topic
    assert Request("", intent).topic == topic


def test_collected_values_are_checked() -> None:
    assert collected(
        tracker(order_number="#1048213", product=" wool  coat ", date="last monday")
    ) == {
        "order_number": "QH-1048213",
        "product": "wool coat",
        "date": "last monday",
    }
    wrong = tracker(order_number="QH-1", product="{order_number}", date="x" * 31)
    assert collected(wrong) == {}
    assert collected(tracker(order_number=7, product=["mug"], date=None)) == {}


def test_the_first_turn() -> None:
    user = {"event": "user", "text": "hi"}
    assert is_first_turn(tracker(events=[{"event": "session_started"}, user]))
    assert not is_first_turn(tracker(events=[user, {"event": "bot"}, user]))
