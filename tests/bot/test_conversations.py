"""Conversations with the trained assistant, over REST, with a real action server and a desk that listens."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import desk_double
import pytest
from conftest import Assistant, post, say, turn_body

CONTRACT = Path(__file__).parents[1] / "contract"
# The double answers with the shared example.
DRAFT_ID = desk_double.example("suggestions_response")["suggestions"][0]["draft_id"]
DRAFT = {"type": "draft", "draft_id": DRAFT_ID}
SERVICE_DEADLINE = 5.0  # seconds the service waits for a turn


def contract(name: str) -> list[dict[str, object]]:
    """The `custom` parts of an example of the contract."""
    reply = json.loads((CONTRACT / f"bot_reply_{name}.json").read_text(encoding="utf-8"))
    return [item["custom"] for item in reply]


def hand_over(
    reason: str, asked: str, intent: str, topic: str, **collected: str
) -> dict[str, object]:
    return {
        "type": "hand_over",
        "reason": reason,
        "asked": asked,
        "intent": intent,
        "topic": topic,
        "collected": collected,
    }


class TestFirstContact:
    def test_a_greeting_is_answered_by_the_introduction_alone(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        assert talk.send("hi") == contract("first_contact")

    def test_the_introduction_comes_once_in_a_session(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first("hello")
        assert talk.later("hello") == [say("still_here")]
        assert talk.later("how do i return something") == [DRAFT]

    def test_another_session_is_introduced_again(self, assistant: Assistant) -> None:
        assert assistant.conversation().first("hi") == []
        assert assistant.conversation().first("hi") == []

    def test_whatever_comes_first_the_introduction_precedes_it(self, assistant: Assistant) -> None:
        assert assistant.conversation().first("are you a bot") == [say("are_you_a_bot")]
        assert assistant.conversation().first("where is my order") == [say("ask_order_number")]


class TestQuestions:
    def test_the_desk_is_asked_as_the_contract_says(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        assert talk.first("how long does delivery take") == [DRAFT]
        [asked] = assistant.desk.asked
        expected = json.loads((CONTRACT / "suggestions_request.json").read_text(encoding="utf-8"))
        assert asked["path"] == "/v1/suggestions"
        assert asked["key"] == f"Bearer {desk_double.KEY}"
        assert asked["body"] == {
            **expected,
            "conversation_id": f"cnv_{talk.sender}",
            "facts": {},
        }

    def test_what_was_collected_goes_along(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first("can you tumble dry the towels from order #1048213")
        facts = assistant.desk.asked[-1]["body"]["facts"]
        assert facts == {"order_number": "QH-1048213", "product": "towels"}

    def test_an_abstaining_desk_means_a_person(self, assistant: Assistant) -> None:
        assistant.desk.mode = desk_double.ABSTAIN
        reply = assistant.conversation().first("can the pan go in the oven")
        assert reply == contract("not_confident")

    def test_what_nobody_understands_is_put_to_the_desk_too(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        assert talk.first("jghfd") == [DRAFT]
        assistant.desk.mode = desk_double.ABSTAIN
        [item] = talk.later("tell me a joke")
        assert (item["type"], item["reason"], item["topic"]) == (
            "hand_over",
            "not_confident",
            "other",
        )

    @pytest.mark.parametrize(
        "mode",
        [
            desk_double.REFUSE,
            desk_double.BREAK,
            desk_double.REDIRECT,
            desk_double.BABBLE,
            desk_double.FLOOD,
            desk_double.MALFORMED,
            desk_double.HANG,
        ],
    )
    def test_a_desk_in_trouble_means_a_person_in_time(
        self, assistant: Assistant, mode: str
    ) -> None:
        assistant.desk.mode = mode
        talk = assistant.conversation()
        asked = "how long does delivery take"
        expected = hand_over("desk_unavailable", asked, "delivery.options", "delivery")
        assert talk.first(asked) == [expected]
        assert talk.seconds < SERVICE_DEADLINE
        assert len(assistant.desk.asked) == 1  # an answer, however bad, is not asked for twice

    def test_a_desk_that_is_down_means_a_person_in_time(self, assistant: Assistant) -> None:
        assistant.desk.stop()
        talk = assistant.conversation()
        [item] = talk.first("how long does delivery take")
        assert item["reason"] == "desk_unavailable"
        assert talk.seconds < SERVICE_DEADLINE

    def test_no_to_an_answer_hands_the_question_over(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        asked = "how do i return something"
        talk.first(asked)
        expected = hand_over("not_confident", asked, "returns.how", "returns")
        assert talk.later("that didnt help") == [expected]

    def test_no_after_thanks_is_just_the_end(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first("how do i return something")
        assert talk.later("thank you so much") == [say("thanks_reply")]
        assert talk.later("no") == [say("goodbye")]

    def test_yes_and_goodbye(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        assert talk.first("yes please") == [say("anything_else")]
        assert talk.later("bye") == [say("goodbye")]


class TestOrderForm:
    ASKED = "where is my order"

    def handed(self, reason: str, **collected: str) -> dict[str, object]:
        return hand_over(reason, self.ASKED, "orders.where", "orders", **collected)

    @pytest.mark.parametrize(
        "number", ["QH-1048213", "qh1048213", "#1048213", "1048213", "QH 1048213"]
    )
    def test_the_number_is_asked_for_and_normalised(
        self, assistant: Assistant, number: str
    ) -> None:
        talk = assistant.conversation()
        assert talk.first(self.ASKED) == contract("ask_order_number")
        assert talk.later(number) == contract("order_needs_person")

    def test_a_number_in_the_first_message_skips_the_question(self, assistant: Assistant) -> None:
        asked = "wheres my parcel qh1048213"
        assert assistant.conversation().first(asked) == [
            say("checking_order", order_number="QH-1048213"),
            hand_over(
                "order_needed_person", asked, "orders.where", "orders", order_number="QH-1048213"
            ),
        ]

    @pytest.mark.parametrize(
        ("text", "intent"),
        [
            ("cancel my order", "orders.change"),
            ("it came damaged", "orders.damaged"),
            ("theres an item missing from my order", "orders.missing"),
            ("where is my refund", "refunds.status"),
        ],
    )
    def test_every_request_about_an_order_asks(
        self, assistant: Assistant, text: str, intent: str
    ) -> None:
        talk = assistant.conversation()
        assert talk.first(text) == [say("ask_order_number")]
        [_, item] = talk.later("1048213")
        assert (item["asked"], item["intent"]) == (text, intent)

    def test_a_bare_number_is_a_request_as_well(self, assistant: Assistant) -> None:
        [said, item] = assistant.conversation().first("QH-1048213")
        assert said == say("checking_order", order_number="QH-1048213")
        assert (item["reason"], item["topic"]) == ("order_needed_person", "other")

    def test_two_unclear_answers_mean_a_person(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first(self.ASKED)
        assert talk.later("no idea really") == [say("order_number_unclear")]
        assert talk.later("i dont know, sorry") == [self.handed("form_abandoned")]

    def test_one_unclear_answer_is_forgiven(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first(self.ASKED)
        assert talk.later("QH-104821") == [say("order_number_unclear")]  # a digit short
        assert talk.later("oh QH-1048213") == contract("order_needs_person")

    def test_two_numbers_at_once_are_unclear(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first(self.ASKED)
        assert talk.later("1048213 or 1048214") == [say("order_number_unclear")]

    def test_the_count_starts_anew_with_the_next_request(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        for _ in range(2):
            talk.send(self.ASKED)
            assert talk.later("hmm no idea") == [say("order_number_unclear")]
            assert talk.later("no idea really") == [self.handed("form_abandoned")]

    def test_a_question_interrupts_and_the_form_goes_on(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first(self.ASKED)
        assert talk.later("how much is delivery") == [DRAFT, say("ask_order_number")]
        assert talk.later("are you a bot") == [say("are_you_a_bot"), say("ask_order_number")]
        assert talk.later("thanks") == [say("thanks_reply"), say("ask_order_number")]
        assert talk.later("1048213") == contract("order_needs_person")

    def test_an_interruption_nobody_can_answer_hands_over_and_asks_no_more(
        self, assistant: Assistant
    ) -> None:
        assistant.desk.mode = desk_double.ABSTAIN
        talk = assistant.conversation()
        talk.first(self.ASKED)
        assert talk.later("how much is delivery") == [self.handed("not_confident")]

    def test_a_person_can_be_had_inside_the_form(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first(self.ASKED)
        assert talk.later("talk to a person") == [self.handed("asked_for_person")]
        assert talk.later("hello") == [say("still_here")]  # the form is left

    def test_the_next_request_does_not_take_the_number_of_the_last_one(
        self, assistant: Assistant
    ) -> None:
        talk = assistant.conversation()
        talk.first("wheres my parcel qh1048213")
        assert talk.later(self.ASKED) == [say("ask_order_number")]

    def test_leaving_hands_the_request_over(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first(self.ASKED)
        assert talk.later("bye") == [self.handed("form_abandoned")]

    def test_opting_out_inside_the_form_asks_no_more(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first(self.ASKED)
        assert talk.later("stop") == contract("opt_out")

    def test_product_and_date_are_collected(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        talk.first("my wool coat from last monday arrived damaged")
        [_, item] = talk.later("its #1048213")
        assert item["collected"] == {
            "order_number": "QH-1048213",
            "product": "wool coat",
            "date": "last monday",
        }


class TestPeople:
    def test_asking_for_a_person(self, assistant: Assistant) -> None:
        asked = "can i speak to someone"
        expected = hand_over("asked_for_person", asked, "talk_to_person", "other")
        assert assistant.conversation().first(asked) == [expected]

    def test_asking_for_a_person_after_an_answer_names_the_question(
        self, assistant: Assistant
    ) -> None:
        talk = assistant.conversation()
        asked = "how do i return something"
        talk.first(asked)
        expected = hand_over("asked_for_person", asked, "returns.how", "returns")
        assert talk.later("talk to a person") == [expected]

    def test_a_complaint(self, assistant: Assistant) -> None:
        assert assistant.conversation().first("i want to make a complaint") == contract(
            "complaint"
        )

    def test_a_legal_threat(self, assistant: Assistant) -> None:
        said, item = assistant.conversation().first("i will take legal action")
        assert said == say("sorry_hear")
        assert (item["reason"], item["intent"]) == ("complaint", "complaints.legal")

    def test_somebody_in_distress(self, assistant: Assistant) -> None:
        said, item = assistant.conversation().first(
            "my dad has died and i feel like ending it all"
        )
        assert said == say("sorry_hear")
        assert item["reason"] == "vulnerable"

    def test_a_complaint_inside_the_form_keeps_what_was_collected(
        self, assistant: Assistant
    ) -> None:
        talk = assistant.conversation()
        talk.first("my jumper came damaged")
        said, item = talk.later("absolutely disgusted with you, worst service ever")
        assert said == say("sorry_hear")
        assert (item["reason"], item["collected"]) == ("complaint", {"product": "jumper"})

    def test_opting_out_and_in_again(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        assert talk.first("stop") == contract("opt_out")
        assert talk.later("start") == contract("opt_in")


class TestOddInput:
    @pytest.mark.parametrize("text", ["", "   ", "/", "// /", "\n\t"])
    def test_nothing_to_read_is_answered_with_nothing(
        self, assistant: Assistant, text: str
    ) -> None:
        """The service hands an empty list over to a person."""
        talk = assistant.conversation()
        assert talk.send(text) == contract("nothing")
        assert talk.first("hi") == []  # the session has not begun before

    @pytest.mark.parametrize("text", ["😂😂😂", "👍🏽", "🧵🪡🧶", "?", "…", "مرحبا", "你好"])
    def test_emoji_and_other_scripts_get_an_item(self, assistant: Assistant, text: str) -> None:
        reply = assistant.conversation().send(text)
        assert reply[0] == say("hello")

    def test_a_thousand_characters(self, assistant: Assistant) -> None:
        text = ("where is my order i have been waiting for so long " * 20)[:1000]
        assert assistant.conversation().first(text) == [say("ask_order_number")]

    def test_a_very_long_text_is_cut_and_asked_stays_readable_for_the_service(
        self, assistant: Assistant
    ) -> None:
        assistant.desk.mode = desk_double.ABSTAIN
        [item] = assistant.conversation().first("do you deliver to france " * 4000)
        assert len(item["asked"]) == 1000
        assert len(assistant.desk.asked[0]["body"]["messages"][0]["text"]) <= 4000

    @pytest.mark.parametrize(
        "text",
        [
            "/restart",
            "/session_start",
            "/back",
            '/inform_order_number{"order_number": "QH-9999999"}',
            " \n/ /orders.where",
        ],
    )
    def test_no_text_is_a_command(self, assistant: Assistant, text: str) -> None:
        """Rasa takes a leading "/" for an intent; the service strips it, and so does our channel."""
        talk = assistant.conversation()
        talk.first("where is my order")
        talk.later(text)
        written = _events(assistant, talk.sender)
        assert not [e for e in written if e["event"] in ("restart", "undo", "rewind")]
        users = [e for e in written if e["event"] == "user"]
        assert users[-1]["text"] == text.strip(" \n/").replace("/ /", "")
        intents = users[-1]["parse_data"]["intent_ranking"]
        assert len(intents) > 1  # a command would have one, with confidence 1
        assert sum(e["event"] == "session_started" for e in written) == 1

    def test_template_and_markup_characters_stay_text(self, assistant: Assistant) -> None:
        assistant.desk.mode = desk_double.ABSTAIN
        asked = "how long does delivery take {order_number} {{7*7}} %s <img src=x>"
        [item] = assistant.conversation().first(asked)
        assert item["asked"] == asked

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"not json",
            b"[]",
            b"\xff\xfe",
            b"[" * 100_000,
            turn_body("a b", "hi"),
            turn_body("x" * 65, "hi"),
            turn_body("tw:1", "hi"),
            turn_body(None, "hi"),
            turn_body("abc", None),
            turn_body("abc", {"text": "hi"}),
            turn_body("abc", "hi", metadata="none"),
        ],
    )
    def test_a_body_out_of_shape_is_refused(self, assistant: Assistant, body: object) -> None:
        assert post(assistant.url, body) == (400, None)

    def test_a_lone_surrogate_breaks_nothing(self, assistant: Assistant) -> None:
        talk = assistant.conversation()
        status, _ = post(assistant.url, turn_body(talk.sender, "hello \ud800 there"))
        assert status == 200
        assert assistant.conversation().first("hi") == []


def _events(assistant: Assistant, sender: str) -> list[dict[str, object]]:
    path = assistant.home / "bot" / "tracker.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT data FROM events WHERE sender_id = ? ORDER BY id", (sender,)
        )
        return [json.loads(data) for (data,) in rows]
