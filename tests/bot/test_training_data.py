"""The training data: enough of it, no repeats, the same topics everywhere, and no wording in the domain."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DATA = ROOT / "training_data"
DOMAIN = ROOT / "bot" / "domain"
TOPICS = sorted(path.stem for path in DOMAIN.glob("*.yml"))
KEYS = {
    f"assistant.{name}"
    for name in (
        "hello",
        "are_you_a_bot",
        "ask_order_number",
        "order_number_unclear",
        "checking_order",
        "opted_out",
        "opted_in",
        "thanks_reply",
        "goodbye",
        "anything_else",
        "still_here",
        "sorry_hear",
    )
}  # hand_over and hand_over_outage are said by the service itself


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def intents_of(topic: str) -> list[str]:
    return list(read(DOMAIN / f"{topic}.yml")["intents"])


def phrasings() -> dict[str, list[str]]:
    """Every intent with its phrasings."""
    found: dict[str, list[str]] = {}
    for path in sorted((DATA / "nlu").glob("*.yml")):
        for block in read(path)["nlu"]:
            lines = block["examples"].splitlines()
            assert all(line.startswith("- ") for line in lines), block["intent"]
            found.setdefault(block["intent"], []).extend(line[2:] for line in lines)
    return found


def held_out() -> dict[str, list[str]]:
    """The phrasings kept apart from training."""
    return {
        intent: [str(text) for text in texts]
        for intent, texts in read(Path(__file__).parent / "held_out.yml").items()
    }


def essence(text: str) -> str:
    """What makes two phrasings the same: letters, digits and emoji, not case, spaces or punctuation."""
    return re.sub(r"[\s.,!?'\"#:;()/-]+", " ", text.casefold()).strip()


class TestPhrasings:
    def test_there_are_enough_intents(self) -> None:
        assert len(phrasings()) >= 15
        assert len(TOPICS) >= 9  # eight and the assistant's own

    @pytest.mark.parametrize("intent", sorted(phrasings()))
    def test_every_intent_has_thirty(self, intent: str) -> None:
        assert len(phrasings()[intent]) >= 30

    def test_none_occurs_twice_in_one_intent_or_in_two(self) -> None:
        counted = Counter(essence(text) for texts in phrasings().values() for text in texts)
        assert [text for text, times in counted.items() if times > 1] == []

    def test_none_is_empty_padded_or_annotated(self) -> None:
        for texts in phrasings().values():
            for text in texts:
                assert text == text.strip() != ""
                assert not re.search(r"\]\(|\]\{", text), "the entity patterns need no annotation"

    def test_they_are_no_templates(self) -> None:
        """No sentence is repeated with one word changed, over and over."""
        for intent, texts in phrasings().items():
            frames = Counter(
                " ".join([*words[:place], "_", *words[place + 1 :]])
                for words in (essence(text).split() for text in texts)
                if len(words) >= 4  # of short ones there are only so many
                for place in range(len(words))
            )
            assert [frame for frame, times in frames.items() if times > 3] == [], intent

    def test_the_domain_and_the_data_name_the_same_intents(self) -> None:
        declared = [intent for topic in TOPICS for intent in intents_of(topic)]
        assert sorted(declared) == sorted(phrasings())
        assert len(declared) == len(set(declared))


class TestHeldOut:
    def test_five_for_every_intent(self) -> None:
        assert {intent: len(texts) for intent, texts in held_out().items()} == dict.fromkeys(
            phrasings(), 5
        )

    def test_none_is_trained_on(self) -> None:
        trained = {essence(text) for texts in phrasings().values() for text in texts}
        kept = {essence(text) for texts in held_out().values() for text in texts}
        assert trained & kept == set()


class TestTopics:
    @pytest.mark.parametrize("kind", ["nlu", "rules", "stories"])
    def test_every_kind_of_data_has_the_topics_of_the_domain(self, kind: str) -> None:
        assert sorted(path.stem for path in (DATA / kind).glob("*.yml")) == TOPICS

    @pytest.mark.parametrize("topic", TOPICS)
    def test_an_intent_carries_its_topic_and_is_taught_and_ruled_there(self, topic: str) -> None:
        for intent in intents_of(topic):
            assert intent.partition(".")[0] == topic if "." in intent else topic == "assistant"
        taught = {block["intent"] for block in read(DATA / "nlu" / f"{topic}.yml")["nlu"]}
        assert taught == set(intents_of(topic))

    def test_every_intent_has_exactly_one_rule(self) -> None:
        ruled = Counter(
            step["intent"]
            for path in (DATA / "rules").glob("*.yml")
            for rule in read(path)["rules"]
            for step in rule["steps"]
            if "intent" in step
        )
        assert ruled == dict.fromkeys([*phrasings(), "nlu_fallback"], 1)


class TestDomain:
    def test_it_has_no_wording(self) -> None:
        """A response is an item of the contract, without text, buttons or images."""
        for topic in TOPICS:
            for name, variants in read(DOMAIN / f"{topic}.yml").get("responses", {}).items():
                assert name.startswith("utter_")
                for variant in variants:
                    assert variant.keys() == {"custom"}
                    assert variant["custom"].keys() == {"type", "snippet_key", "facts"}
                    assert variant["custom"]["type"] == "say"

    def test_the_assistant_asks_for_known_snippets_only(self) -> None:
        named: set[str] = set()
        for path in [*DOMAIN.glob("*.yml"), *(ROOT / "bot" / "actions").glob("*.py")]:
            named |= set(re.findall(r"\bassistant\.[a-z_]+\b", path.read_text(encoding="utf-8")))
        assert named == KEYS

    def test_the_starter_content_has_every_snippet_the_assistant_asks_for(self) -> None:
        content = (ROOT / "knowledge_base/content/snippets/assistant.yaml").read_text(
            encoding="utf-8"
        )
        assert {key for key in KEYS if key not in content} == set()

    def test_actions_say_nothing_in_words(self) -> None:
        for path in (ROOT / "bot" / "actions").glob("*.py"):
            code = path.read_text(encoding="utf-8")
            assert not re.search(r"utter_message\((?!json_message=|\s*json_message=)", code), (
                path.name
            )

    def test_questions_interrupt_the_order_form_and_answers_do_not(self) -> None:
        """Every intent the desk or a person takes is kept out of the order number, no other one."""
        mapping = read(DOMAIN / "orders.yml")["slots"]["order_number"]["mappings"][1]
        answers = {
            "greet",
            "affirm",
            "deny",
            "inform_order_number",
            "out_of_scope",
            "refunds.status",
        }
        answers |= set(intents_of("orders"))
        assert set(mapping["not_intent"]) == set(phrasings()) - answers

    def test_sessions_do_not_expire_inside_rasa(self) -> None:
        assert read(DOMAIN / "assistant.yml")["session_config"]["session_expiration_time"] == 0


class TestServer:
    def test_the_only_channel_is_the_private_one(self) -> None:
        assert list(read(ROOT / "bot" / "credentials.yml")) == [
            "bot.components.private_rest.PrivateRest"
        ]

    def test_the_actions_are_on_loopback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRSTLINE_HOME", "home")  # the file names it
        url = read(ROOT / "bot" / "endpoints.yml")["action_endpoint"]["url"]
        assert url.startswith("http://127.0.0.1:")

    def test_the_files_name_no_place_of_one_machine(self) -> None:
        for path in (ROOT / "bot").glob("*.*"):
            if path.is_file():
                assert not re.search(r"/(root|home|work|opt)/", path.read_text(encoding="utf-8"))
