"""The examples of the contract, which the service's tests read as well, and that our items are of that shape."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.actions import items
from bot.components.private_rest import SENDER

CONTRACT = Path(__file__).parents[1] / "contract"
REPLIES = sorted(CONTRACT.glob("bot_reply_*.json"))
SHAPES: dict[str, set[str]] = {
    "say": {"type", "snippet_key", "facts"},
    "draft": {"type", "draft_id"},
    "hand_over": {"type", "reason", "asked", "intent", "topic", "collected"},
    "opt_out": {"type"},
    "opt_in": {"type"},
}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_every_item_of_an_example_is_of_its_shape(path: Path) -> None:
    for item in read(path):
        assert item.keys() == {"recipient_id", "custom"}
        custom = item["custom"]
        assert custom.keys() == SHAPES[custom["type"]]
        if custom["type"] == "hand_over":
            assert custom["reason"] in {reason.value for reason in items.Reason}
            assert custom["collected"].keys() <= {"order_number", "product", "date"}
        if custom["type"] == "say":
            assert re.fullmatch(r"assistant\.[a-z_]+", custom["snippet_key"])


def test_every_type_has_an_example() -> None:
    shown = {item["custom"]["type"] for path in REPLIES for item in read(path)}
    assert shown == set(SHAPES)


def test_the_constructors_make_those_shapes() -> None:
    handed = items.hand_over(
        items.Reason.COMPLAINT, asked="a", intent="b", topic="c", collected={"date": "today"}
    )
    made = [
        items.say("assistant.hello"),
        items.draft("drf"),
        handed,
        items.opt_out(),
        items.opt_in(),
    ]
    assert {item["type"]: set(item) for item in made} == SHAPES
    assert all(json.loads(json.dumps(item)) == item for item in made)


def test_the_customers_question_is_cut_where_the_service_stops_reading() -> None:
    item = items.hand_over(
        items.Reason.NOT_CONFIDENT, asked="x" * 5000, intent="", topic="", collected={}
    )
    assert len(item["asked"]) == items.MAX_ASKED


def test_the_turn_has_a_sender_rasa_can_address() -> None:
    turn = read(CONTRACT / "bot_turn.json")
    assert turn.keys() == {"sender", "message", "metadata"}
    assert turn["metadata"].keys() == {"conversation_id", "channel", "locale"}
    assert SENDER.fullmatch(turn["sender"])
