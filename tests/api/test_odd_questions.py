"""Odd questions and odd knowledge bases: each gets a sensible answer with a reason, and none an error."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.index.encoder import load_current_encoder
from knowledge_base.snippet import SnippetContent
from tests.api.conftest import Service, publish_revision
from tests.conftest import NOW
from tests.fixtures_generation import CONTENT, revision
from tests.fixtures_generation import build as build_generation

ASKED = "are you open on sunday"
REASONS = {"empty_query", "no_confident_match", "nothing_in_scope", "slots_missing", None}


def answered(answer: dict[str, Any]) -> bool:
    """The answer is whole: drafts, or silence with a reason."""
    assert answer["abstained"] is (not answer["suggestions"])
    assert answer["abstained"] is (answer.get("reason") is not None)
    assert answer.get("reason") in REASONS
    return not answer["abstained"]


WORDLESS = (
    "",
    "   ",
    "👍",
    "❤️",
    "?!",
    "https://quillhaven.example.com/returns",
    "www.example.com 👍",
    "1048213",
)
FOREIGN = (
    "配達はいつ届きますか",
    "wo bleibt mein paket",
    "أين طلبي",
    "דה חבילה שלי",
    "где моя посылка",
    "จะส่งเมื่อไหร่",
)
LONG = ("a" * 10_000, "help " * 2_000, "配" * 10_000, "?" * 9_999 + "x", "\n" * 9_990 + "open?")


def test_odd_questions_get_an_answer_or_a_reason(service: Service) -> None:
    for said in WORDLESS:
        answer = service.suggest(said)
        assert not answered(answer)
        assert answer["reason"] == "empty_query"
    for said in (*FOREIGN, *LONG):
        answered(service.suggest(said))


def test_a_long_message_that_opens_with_its_question_is_understood(service: Service) -> None:
    answer = service.suggest(f"{ASKED}? " + "." * 9_000)
    assert answered(answer)
    assert answer["suggestions"][0]["snippet_key"] == "stores.hours"


def test_two_snippets_with_the_same_phrasings_are_both_right(service: Service, home: Home) -> None:
    title, _, examples = CONTENT["stores.hours"]
    twin = SnippetContent(
        key="stores.sundays",
        title=title,
        text="On Sundays our shops open later, at ten.",
        examples=examples,
    )
    assert service.desk.policy is not None
    alone = service.suggest(ASKED)["suggestions"][0]["confidence"]
    publish_revision(service.desk.engine, twin, policy=service.desk.policy)
    publish.build(home, service.desk.engine, now=NOW, encoder=load_current_encoder(home))
    service.desk.generations.refresh(force=True)

    answer = service.suggest(ASKED)
    assert answered(answer)
    first, second = answer["suggestions"][:2]
    assert {first["snippet_key"], second["snippet_key"]} == {"stores.hours", "stores.sundays"}
    assert first["confidence"] == pytest.approx(second["confidence"], abs=0.02)
    assert first["confidence"] > alone - 0.2  # sharing a question does not make either doubtful


def test_a_knowledge_base_of_one_answers_its_question_and_no_other(
    service: Service, home: Home
) -> None:
    title, text, examples = CONTENT["stores.hours"]
    only = revision("stores.hours", title=title, text=text, examples=examples)
    build_generation(home, [only], load_current_encoder(home))
    service.desk.generations.refresh(force=True)
    answer = service.suggest(ASKED)
    assert answered(answer)
    assert [draft["snippet_key"] for draft in answer["suggestions"]] == ["stores.hours"]
    assert not answered(service.suggest("how do i send this back"))
