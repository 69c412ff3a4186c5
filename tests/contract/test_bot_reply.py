"""The JSON examples that the assistant's own tests read too: the service understands every one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suggest_api.bot_client import BotClient
from suggest_api.bot_client.model import (
    BotReply,
    HandOver,
    HandOverReason,
    NoAnswer,
    OptIn,
    OptOut,
    Say,
    SayDraft,
)
from suggest_api.bot_client.service import read_answer
from tests.doubles.rasa import Rasa, running_rasa

HERE = Path(__file__).parent
SESSION = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def rasa() -> Iterator[Rasa]:
    with running_rasa() as running:
        yield running


def example(name: str) -> bytes:
    return (HERE / f"bot_reply_{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("first_contact", (Say(snippet_key="assistant.hello"),)),
        ("ask_order_number", (Say(snippet_key="assistant.ask_order_number"),)),
        ("opt_out", (Say(snippet_key="assistant.opted_out"), OptOut())),
        ("opt_in", (OptIn(), Say(snippet_key="assistant.opted_in"))),
        (
            "draft",
            (
                Say(snippet_key="assistant.hello"),
                SayDraft(draft_id="drf_01hzzzzzzzzzzzzzzzzzzzzzzz"),
            ),
        ),
        (
            "not_confident",
            (
                HandOver(
                    reason=HandOverReason.NOT_CONFIDENT,
                    asked="can the pan go in the oven",
                    intent="products.advice",
                    topic="products",
                    collected={"product": "pan"},
                ),
            ),
        ),
        (
            "order_needs_person",
            (
                Say(snippet_key="assistant.checking_order", facts={"order_number": "QH-1048213"}),
                HandOver(
                    reason=HandOverReason.ORDER_NEEDED_PERSON,
                    asked="where is my order",
                    intent="orders.where",
                    topic="orders",
                    collected={"order_number": "QH-1048213"},
                ),
            ),
        ),
    ],
)
def test_the_example_is_understood(name: str, items: tuple[Any, ...]) -> None:
    assert read_answer(example(name)) == BotReply(items)


def test_every_example_is_understood() -> None:
    names = sorted(HERE.glob("bot_reply_*.json"))
    assert len(names) >= 9
    for path in names:
        answer = read_answer(path.read_bytes())
        if path.stem == "bot_reply_nothing":
            assert answer == NoAnswer(HandOverReason.BOT_SILENT, "an empty list")
        else:
            assert isinstance(answer, BotReply), path.name


def test_a_turn_is_asked_as_the_example_says(rasa: Rasa) -> None:
    wanted = json.loads((HERE / "bot_turn.json").read_text())
    BotClient(rasa.url).turn(
        wanted["message"],
        session_id=wanted["sender"],
        conversation_id=wanted["metadata"]["conversation_id"],
        channel=wanted["metadata"]["channel"],
        locale=wanted["metadata"]["locale"],
    )
    assert rasa.turns == [wanted]
