"""First contact: the assistant answers in order with approved words only, hands over, and falls silent."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from knowledge_base.snippet import SnippetContent
from knowledge_base.store import audit
from knowledge_base.store.repository import live_revision, retire
from knowledge_base.wording import measure
from suggest_api import flow
from suggest_api.bot_client import BotClient
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.compliance.service import check
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import DraftState, Offer
from suggest_api.storage import unit_of_work
from suggest_api.values import ApprovedText, Owner, Use, new_id
from tests.doubles.desk import START, Parts, approve_snippets
from tests.doubles.network import Network
from tests.doubles.rasa import Rasa, hand_over, say

HELLO = (
    'Hello, I am Quillhaven\'s automated assistant. Ask me a question, or write "person" at any time to'
    " reach a colleague."
)
PASSED_ON = "I am passing you to a colleague, with what you have told me so far."
OUTAGE = "I could not answer that just now."
TIMES = SnippetContent(
    key="delivery.times",
    text="Delivery takes 3 to 5 working days.",
    topic="delivery",
    auto_send=True,
)


def bot_said(parts: Parts, peer: str = "peer-7") -> list[str]:
    return [words for author, words in parts.said(peer) if author == "bot"]


def handed_over(parts: Parts) -> dict[str, Any]:
    (turn,) = [t for t in parts.thread() if t.kind.value == "hand_over"]
    return dict(turn.detail)


def test_a_question_is_answered_with_the_approved_words(
    parts: Parts, network: Network, rasa: Rasa
) -> None:
    parts.write("hi")
    parts.drain()
    assert network.texts("peer-7") == [HELLO]
    assert parts.said() == [("customer", "hi"), ("bot", HELLO)]
    conversation = parts.conversation()
    (turn,) = rasa.turns
    assert turn["metadata"] == {
        "conversation_id": conversation.id,
        "channel": "generic",
        "locale": "en",
    }
    assert turn["sender"] == conversation.bot_session
    assert len(turn["sender"]) == 32
    assert (conversation.owner, conversation.first_name) == (Owner.BOT, "Ana")
    assert conversation.waiting_since is None


def test_what_the_assistant_says_is_in_the_audit_chain_with_its_proof(parts: Parts) -> None:
    parts.write("hi")
    parts.drain()
    with unit_of_work.read(parts.engine) as session:
        assert audit.verify(session).intact
        revision = live_revision(session, "assistant.hello")
    (entry,) = parts.rows("SELECT actor, detail FROM audit WHERE action = 'reply.queue'")
    detail = json.loads(entry.detail)
    assert entry.actor == "assistant"
    assert revision is not None
    assert detail["revision_id"] == revision.id
    assert detail["policy_version"]
    assert HELLO not in entry.detail


def test_turns_reach_rasa_one_at_a_time_in_order(parts: Parts, rasa: Rasa) -> None:
    for number in range(4):
        parts.write(f"question {number}")
        parts.write(f"question {number}", peer="peer-8")
    parts.ingest()
    rasa.delay = 0.03
    threads = [threading.Thread(target=parts.converse) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parts.converse()
    for peer in ("peer-7", "peer-8"):
        mine = parts.conversation(peer).id
        heard = [t["message"] for t in rasa.turns if t["metadata"]["conversation_id"] == mine]
        assert heard == [f"question {number}" for number in range(4)]
    assert rasa.most_in_flight == 1


def test_slots_are_filled_from_facts_and_nothing_else(parts: Parts, rasa: Rasa) -> None:
    rasa.reply = lambda m, e: [
        say("assistant.checking_order", order_number="qh1048213", first_name="Mallory")
    ]
    parts.write("qh1048213")
    parts.drain()
    (words,) = bot_said(parts)
    assert "order QH-1048213," in words
    assert "Mallory" not in words


@pytest.mark.parametrize("value", ["QH-1048213 http://evil.example", "{first_name}", "1234", ""])
def test_a_fact_that_does_not_fit_its_slot_becomes_a_hand_over(
    parts: Parts, rasa: Rasa, value: str
) -> None:
    rasa.reply = lambda m, e: [say("assistant.checking_order", order_number=value)]
    parts.write("my order")
    parts.drain()
    assert handed_over(parts)["reason"] == "answer_unavailable"
    assert handed_over(parts)["asked"] == "my order"
    (words,) = bot_said(parts)
    assert words.startswith(PASSED_ON)


def test_a_hand_over_keeps_the_summary_the_facts_and_tells_the_customer(
    parts: Parts, rasa: Rasa, network: Network
) -> None:
    rasa.reply = lambda m, e: [
        say("assistant.sorry_hear"),
        hand_over(
            "complaint",
            asked="my parcel is broken",
            intent="complaints.damaged",
            topic="complaints",
            collected={"order_number": "#1048213", "product": "<b>", "colour": "red"},
        ),
        say("assistant.anything_else"),
    ]
    parts.write("my parcel is broken")
    parts.drain()
    conversation = parts.conversation()
    assert conversation.owner is Owner.PERSON
    assert conversation.waiting_since == parts.clock()
    assert dict(conversation.facts) == {"order_number": "QH-1048213"}
    assert handed_over(parts) == {
        "reason": "complaint",
        "asked": "my parcel is broken",
        "intent": "complaints.damaged",
        "topic": "complaints",
        "collected": {"order_number": "QH-1048213"},
    }
    words = network.texts("peer-7")
    # It says itself that a colleague takes over: the notice after it would say so twice.
    assert [w.split(".")[0] for w in words] == ["I am sorry to hear that"]


def test_after_a_hand_over_rasa_hears_nothing_more(parts: Parts, rasa: Rasa) -> None:
    rasa.reply = lambda m, e: [hand_over()]
    parts.write("person please")
    parts.write("are you there")  # was in the queue already
    parts.drain()
    parts.write("hello?")
    parts.drain()
    assert rasa.messages() == ["person please"]
    assert len(bot_said(parts)) == 1
    assert parts.rows("SELECT state FROM bot_turn ORDER BY id") == [("done",), ("skipped",)]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"delay": 1.5}, "bot_slow"),
        ({"status": 500}, "bot_failed"),
        ({"raw": b"[]"}, "bot_silent"),
        ({"raw": b'[{"text":"Buy now!"}]'}, "bot_failed"),
        ({"raw": b'[{"custom":{"type":"dance"}}]'}, "bot_failed"),
        ({"raw": b"{}"}, "bot_failed"),
    ],
)
def test_trouble_with_rasa_hands_over_and_says_so(
    parts: Parts, rasa: Rasa, trouble: dict[str, Any], reason: str
) -> None:
    for name, value in trouble.items():
        setattr(rasa, name, value)
    if "delay" in trouble:
        parts.desk = replace(parts.desk, bot=BotClient(rasa.url, deadline=0.5))
    parts.write("where is my order")
    parts.drain()
    assert handed_over(parts)["reason"] == reason
    assert handed_over(parts)["asked"] == "where is my order"
    (words,) = bot_said(parts)
    assert words.startswith(OUTAGE)
    assert "automated" in words
    assert parts.conversation().owner is Owner.PERSON


def _retire(parts: Parts, key: str) -> None:
    with unit_of_work.write(parts.engine) as session:
        revision = live_revision(session, key)
        assert revision is not None
        retire(session, revision.id, by="Noor", now=START)


def test_a_snippet_that_is_gone_is_a_hand_over(parts: Parts) -> None:
    _retire(parts, "assistant.hello")
    parts.write("hi")
    parts.drain()
    assert handed_over(parts)["reason"] == "answer_unavailable"
    assert bot_said(parts)[0].startswith(PASSED_ON)


def test_when_nothing_may_be_said_nothing_is_said(parts: Parts) -> None:
    _retire(parts, "assistant.hello")
    _retire(parts, "assistant.hand_over")
    parts.write("hi")
    parts.drain()
    assert bot_said(parts) == []
    assert parts.conversation().owner is Owner.PERSON


def test_without_a_policy_the_gate_is_shut(parts: Parts) -> None:
    parts.desk = replace(parts.desk, policies=FixedPolicy(None))
    parts.write("hi")
    parts.drain()
    assert bot_said(parts) == []
    assert handed_over(parts)["reason"] == "answer_unavailable"


def test_a_snippet_for_agents_only_is_not_said(parts: Parts, rasa: Rasa) -> None:
    approve_snippets(parts, SnippetContent(key="orders.apology", text="We are sorry."))
    rasa.reply = lambda m, e: [say("orders.apology")]
    parts.write("hi")
    parts.drain()
    assert handed_over(parts)["reason"] == "answer_unavailable"


@pytest.mark.parametrize("words", ["/restart", " /restart", "\uff0frestart"])
def test_a_customer_cannot_drive_the_dialogue(parts: Parts, rasa: Rasa, words: str) -> None:
    parts.write(words)
    parts.drain()
    assert rasa.messages() == ["restart"]
    assert parts.said()[0] == ("customer", words.strip())


@pytest.mark.parametrize("words", ["", "   ", "/", "\u200b\u202e"])
def test_nothing_to_read_goes_to_a_person_without_rasa(
    parts: Parts, rasa: Rasa, words: str
) -> None:
    parts.write(words)
    parts.drain()
    assert rasa.turns == []
    assert handed_over(parts)["reason"] == "nothing_to_read"


def test_an_attachment_goes_to_a_person_without_rasa(parts: Parts, rasa: Rasa) -> None:
    parts.write(None, attachments=[{"type": "image"}])
    parts.drain()
    assert rasa.turns == []
    assert parts.thread()[0].kind.value == "unsupported"
    assert handed_over(parts)["reason"] == "nothing_to_read"


def test_hostile_text_is_cleaned_for_us_and_kept_as_it_came(parts: Parts, rasa: Rasa) -> None:
    parts.write("a\u202eb\u0007 {{7*7}} %s <img onerror=x>" + "x" * 3000, name="\x1b[31mRed\nRose")
    parts.drain()
    (turn, *_) = parts.thread()
    assert turn.text.startswith("ab {{7*7}} %s <img onerror=x>")
    assert len(turn.text) == 1000
    assert turn.detail == {"changed": True, "truncated": True}
    assert rasa.messages() == [turn.text]
    assert "\x1b" not in parts.conversation().display_name
    assert len(parts.value("SELECT raw FROM inbox_event")) > 3000


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Ana Lima", "Ana"),
        ("", None),
        ("4ever Young", None),
        ("{first_name}", None),
        ("名前", "名前"),
    ],
)
def test_the_first_name_is_one_that_fits_the_slot(
    parts: Parts, name: str, first: str | None
) -> None:
    parts.write("hi", name=name)
    parts.ingest()
    assert parts.conversation().first_name == first


# Sessions


def test_a_session_goes_on_and_a_new_one_starts_after_half_an_hour(
    parts: Parts, rasa: Rasa
) -> None:
    for wait in (0, 600, 1799, 1801):
        parts.clock.forward(wait)
        parts.write("hi")
        parts.drain()
    senders = [turn["sender"] for turn in rasa.turns]
    assert senders[0] == senders[1] == senders[2] != senders[3]


def test_a_new_session_after_a_person_gave_it_back(parts: Parts, rasa: Rasa) -> None:
    parts.write("hi")
    parts.drain()
    parts.claim()
    parts.release()
    parts.write("hi again")
    parts.drain()
    assert len({turn["sender"] for turn in rasa.turns}) == 2
    assert len(bot_said(parts)) == 2


def test_a_turn_that_a_crash_cut_off_is_heard_by_a_fresh_session_that_knows_the_rest(
    parts: Parts, rasa: Rasa, monkeypatch: pytest.MonkeyPatch
) -> None:
    rasa.reply = lambda message, earlier: [
        say(f"assistant.{['hello', 'thanks_reply'][len(earlier) % 2]}")
    ]
    for words in ("one", "two"):
        parts.write(words)
        parts.drain()
    parts.write("three")
    parts.ingest()
    with monkeypatch.context() as patch:
        patch.setattr("suggest_api.flow.assistant._conclude", _crash)
        with pytest.raises(KeyboardInterrupt):
            flow.converse(parts.desk)
    parts.write("four")
    parts.ingest()
    assert not flow.converse(parts.desk)  # the lease is not over, and four may not overtake three
    parts.clock.forward(parts.desk.settings.lease_seconds + 1)
    parts.drain()
    first, fresh = rasa.turns[0]["sender"], parts.conversation().bot_session
    assert rasa.said[first] == ["one", "two", "three"]
    assert fresh is not None
    assert rasa.said[fresh] == ["one", "two", "three", "four"]
    assert len(bot_said(parts)) == 4
    assert parts.rows("SELECT DISTINCT bot_session FROM bot_turn") == [(fresh,)]


def _crash(*_args: Any, **_more: Any) -> None:
    raise KeyboardInterrupt  # not an Exception: nothing tidies up, as after SIGKILL


# Ownership


def test_a_claim_while_rasa_thinks_silences_the_answer(parts: Parts, rasa: Rasa) -> None:
    parts.write("hi")
    parts.ingest()

    def claimed_meanwhile(message: str, earlier: list[str]) -> Any:
        parts.claim()
        return [say("assistant.hello")]

    rasa.reply = claimed_meanwhile
    parts.drain()
    assert bot_said(parts) == []
    assert parts.rows("SELECT state FROM bot_turn") == [("skipped",)]
    assert parts.conversation().waiting_since is not None


def test_a_message_that_comes_while_rasa_thinks_does_not_silence_it(
    parts: Parts, rasa: Rasa
) -> None:
    parts.write("hi")
    parts.ingest()

    def more_meanwhile(message: str, earlier: list[str]) -> Any:
        if message == "hi":
            parts.write("and another thing")
            parts.ingest()
        return [say("assistant.hello")]

    rasa.reply = more_meanwhile
    parts.drain()
    assert rasa.messages() == ["hi", "and another thing"]
    assert len(bot_said(parts)) == 2


def test_what_the_bot_has_not_sent_yet_is_withdrawn_by_a_claim(
    parts: Parts, network: Network
) -> None:
    parts.write("hi")
    parts.ingest()
    parts.converse()
    parts.claim()
    parts.deliver()
    assert network.texts() == []
    (withdrawn,) = parts.deliveries()
    assert (withdrawn.state.value, withdrawn.failure) == ("cancelled", "a person took over")


# Opting out and in


@pytest.mark.parametrize("words", ["STOP", "stop.", " Unsubscribe "])
def test_stop_works_even_when_rasa_is_down(parts: Parts, rasa: Rasa, words: str) -> None:
    rasa.status = 500
    parts.write(words)
    parts.drain()
    assert rasa.turns == []
    assert [w.split(" in ")[0] for w in bot_said(parts)] == ["Automated replies are now off"]
    conversation = parts.conversation()
    assert conversation.opted_out_at is not None
    assert conversation.waiting_since is None


def test_after_an_opt_out_the_assistant_is_silent_and_people_see_the_message(
    parts: Parts, rasa: Rasa
) -> None:
    rasa.reply = lambda m, e: [
        say("assistant.opted_out"),
        {"custom": {"type": "opt_out"}},
    ]
    parts.write("no more robots please")
    parts.drain()
    assert len(bot_said(parts)) == 1  # told once, whoever said it
    parts.write("where is my order")
    parts.drain()
    assert len(rasa.turns) == 1
    assert len(bot_said(parts)) == 1
    conversation = parts.conversation()
    assert (conversation.owner, conversation.waiting_since) == (Owner.PERSON, parts.clock())


def test_start_switches_it_on_again(parts: Parts, rasa: Rasa) -> None:
    parts.write("STOP")
    parts.drain()
    parts.write("START")
    parts.drain()
    assert "on again" in bot_said(parts)[-1]
    assert parts.conversation().bot_may_speak
    parts.write("hi")
    parts.drain()
    assert bot_said(parts)[-1] == HELLO


def test_start_does_not_take_the_customer_from_who_they_wait_for(parts: Parts) -> None:
    parts.write("STOP")
    parts.drain()
    parts.write("where is my order")
    parts.drain()
    parts.write("START")
    parts.drain()
    conversation = parts.conversation()
    assert conversation.owner is Owner.PERSON
    assert conversation.waiting_since is not None
    assert conversation.opted_out_at is None


def test_stop_to_a_person_keeps_the_assistant_silent_later(parts: Parts, rasa: Rasa) -> None:
    parts.write("hi")
    parts.drain()
    parts.claim()
    parts.write("STOP")
    parts.drain()
    parts.release()
    parts.write("hello?")
    parts.drain()
    assert len(rasa.turns) == 1
    assert parts.conversation().owner is Owner.PERSON


# Drafts


def _offer(parts: Parts, revision_id: int, *, use: Use = Use.ASSISTANT, conversation: str) -> str:
    """What the suggestions stage stores when the assistant asks; ranking has its own tests."""
    checked = check(parts.desk.policy, TIMES.text, channel="generic")
    offer = Offer(
        draft_id=new_id(),
        request_id=new_id(),
        conversation_id=conversation,
        channel="generic",
        use=use,
        rank=1,
        approved=ApprovedText(
            text=TIMES.text,
            snippet_key=TIMES.key,
            revision_id=revision_id,
            revision=1,
            content_hash=TIMES.content_hash,
            author="Noor",
            approved_by="Ines",
            approved_at=START,
        ),
        checked=checked,
        length=measure(TIMES.text),
        build_id="b1",
        encoder_fingerprint="f1",
        score=0.9,
        confidence=0.9,
    )
    with unit_of_work.write(parts.engine) as session:
        (draft,) = drafts.propose(session, [offer], now=parts.clock())
    return draft.id


def _answer_with(rasa: Rasa, make: Any) -> None:
    rasa.reply = lambda m, e: [{"custom": {"type": "draft", "draft_id": make()}}]


def test_a_draft_is_sent_as_it_was_approved_and_marked(
    parts: Parts, rasa: Rasa, network: Network
) -> None:
    (revision,) = approve_snippets(parts, TIMES)
    made: list[str] = []

    def make() -> str:
        made.append(_offer(parts, revision, conversation=parts.conversation().id))
        return made[-1]

    _answer_with(rasa, make)
    parts.write("how long is delivery")
    parts.drain()
    assert network.texts() == [TIMES.text]
    with unit_of_work.read(parts.engine) as session:
        draft = drafts.get(session, made[0])
    assert (draft.state, draft.decided_by) == (DraftState.SENT, "assistant")


@pytest.mark.parametrize(
    "flaw", ["missing", "other_conversation", "for_agents", "retired", "used"]
)
def test_a_draft_that_does_not_stand_is_a_hand_over(parts: Parts, rasa: Rasa, flaw: str) -> None:
    (revision,) = approve_snippets(parts, TIMES)
    parts.write("hi", peer="peer-8")
    parts.ingest()
    other = parts.conversation("peer-8").id

    def make() -> str:
        mine = parts.conversation().id
        if flaw == "missing":
            return "no such draft"
        if flaw == "other_conversation":
            return _offer(parts, revision, conversation=other)
        if flaw == "for_agents":
            return _offer(parts, revision, use=Use.AGENT, conversation=mine)
        draft_id = _offer(parts, revision, conversation=mine)
        if flaw == "retired":
            _retire(parts, TIMES.key)
        else:
            with unit_of_work.write(parts.engine) as session:
                drafts.dismiss(session, draft_id, by="Sam", now=START)
        return draft_id

    with unit_of_work.write(parts.engine) as session:
        session.execute(text("DELETE FROM bot_turn"))  # the other customer's turn is not the test
    _answer_with(rasa, make)
    parts.write("how long is delivery")
    parts.drain()
    assert handed_over(parts)["reason"] == "answer_unavailable"
    assert TIMES.text not in bot_said(parts)


# Late and out of order


def test_late_and_unordered_messages_are_kept_sorted_and_answered(
    parts: Parts, rasa: Rasa
) -> None:
    parts.clock.forward(60)
    parts.write("second")
    parts.drain()
    parts.clock.forward(-60)
    at = parts.clock()
    parts.clock.forward(120)
    parts.write("first, but late", message_id="m-late", sent_at=at.isoformat())
    parts.drain()
    customer = [w for a, w in parts.said() if a == "customer"]
    assert customer == ["first, but late", "second"]
    assert rasa.messages() == ["second", "first, but late"]
    assert len(bot_said(parts)) == 2


def test_a_message_from_the_future_is_dated_when_it_came(parts: Parts) -> None:
    parts.write("hi", sent_at="2031-01-01T00:00:00Z")
    parts.ingest()
    assert parts.thread()[0].said_at == parts.clock()


def test_a_message_that_comes_twice_under_two_event_ids_is_answered_once(
    parts: Parts, rasa: Rasa
) -> None:
    for event_id in ("e-1", "e-2", "e-3"):
        parts.write("hi", message_id="m-1", event_id=event_id)
    parts.drain()
    assert rasa.messages() == ["hi"]
    assert (
        parts.rows("SELECT state, reason FROM inbox_event ORDER BY id")[1:]
        == [("ignored", "duplicate: we know this message")] * 2
    )
