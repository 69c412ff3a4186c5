"""A person's reply: claimed by compare-and-set, judged on its final text, queued, or nothing at all."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from knowledge_base.errors import NotFound, PolicyUnavailable
from knowledge_base.policy import Outcome, Verdict
from knowledge_base.store import audit
from knowledge_base.wording import UnusableText
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.conversations import service as conversations
from suggest_api.delivery import service as delivery
from suggest_api.errors import OwnershipLost, ReasonNeeded, Refused, Unprocessable
from suggest_api.storage import unit_of_work
from suggest_api.values import Author, CheckedText, Owner, sha256
from tests.doubles.desk import Parts
from tests.doubles.network import Network
from tests.doubles.rasa import Rasa, hand_over
from tests.small_policy import small_policy

WORDS = "Your parcel left our warehouse this morning."


@pytest.fixture
def waiting(parts: Parts, rasa: Rasa) -> Parts:
    """A customer who waits for a person."""
    rasa.reply = lambda m, e: [hand_over()]
    parts.write("where is my parcel")
    parts.drain()
    return parts


def queued(parts: Parts) -> list[str]:
    return [d.text for d in parts.deliveries() if d.author == "person"]


def test_a_reply_reaches_the_customer_and_ends_the_wait(waiting: Parts, network: Network) -> None:
    turn = waiting.reply(WORDS)
    waiting.deliver()
    assert network.texts()[-1] == WORDS
    conversation = waiting.conversation()
    assert (conversation.owner, conversation.assignee) == (Owner.PERSON, "Sam")
    assert conversation.waiting_since is None
    assert (turn.author, turn.author_name) == (Author.PERSON, "Sam")
    assert waiting.thread()[-1].delivery == "sent"


def test_who_waits_and_who_does_not(waiting: Parts) -> None:
    waiting.write("hi", peer="peer-8", name="Bo")
    waiting.ingest()

    def lists() -> tuple[list[str], list[str]]:
        with unit_of_work.read(waiting.engine) as session:
            return (
                [f"{i.name}: {i.last_text}" for i in conversations.waiting(session)],
                [f"{i.name}: {i.last_text}" for i in conversations.others(session)],
            )

    # What the customer said last, though the assistant said something after it.
    first = [t.text for t in waiting.thread() if t.author is Author.CUSTOMER][-1]
    assert lists() == ([f"Ana Lima: {first}"], ["Bo: hi"])
    waiting.reply(WORDS)
    assert lists()[0] == []
    with unit_of_work.read(waiting.engine) as session:
        before = conversations.inbox_state(session)
    waiting.write("and when?")
    waiting.ingest()
    with unit_of_work.read(waiting.engine) as session:
        assert conversations.inbox_state(session) != before
    assert lists()[0] == ["Ana Lima: and when?"]


def test_the_final_text_is_normalised(waiting: Parts) -> None:
    waiting.reply("  Cafe\u0301 vouchers are fine. ")
    assert queued(waiting) == ["Café vouchers are fine."]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("", Unprocessable),
        ("   ", Unprocessable),
        ("a\u202eb", UnusableText),
        ("x" * 140, Refused),
        ("Please send me your card number and password.", Refused),
        ("Look at http://evil.example.net/now", Refused),
        ("Hello {first_name}", Refused),
    ],
)
def test_what_the_gate_refuses_leaves_nothing_behind(
    waiting: Parts, words: str, error: type[Exception]
) -> None:
    before = waiting.conversation(), waiting.thread(), waiting.value("SELECT count(*) FROM audit")
    with pytest.raises(error):
        waiting.reply(words, reason="I insist")
    after = waiting.conversation(), waiting.thread(), waiting.value("SELECT count(*) FROM audit")
    assert before == after
    assert queued(waiting) == []


def test_without_a_policy_nothing_goes_out(waiting: Parts) -> None:
    object.__setattr__(waiting.desk, "policies", FixedPolicy(None))
    with pytest.raises(PolicyUnavailable):
        waiting.reply(WORDS)
    assert queued(waiting) == []


def test_a_warning_needs_a_reason_that_is_kept(waiting: Parts) -> None:
    loud = f"{WORDS}!!"
    object.__setattr__(waiting.desk, "policies", FixedPolicy(small_policy()))
    for reason in (None, "", "  "):
        with pytest.raises(ReasonNeeded) as told:
            waiting.reply(loud, reason=reason)
        assert told.value.findings[0].rule_id == "test.shouting"
    waiting.reply(loud, reason="The customer asked for it in capitals.")
    assert queued(waiting) == [loud]
    detail = waiting.value(
        "SELECT detail FROM audit WHERE action = 'reply.queue' AND actor = 'Sam'"
    )
    assert "in capitals" in detail


def test_each_reply_is_in_the_audit_chain_by_its_hash(waiting: Parts) -> None:
    waiting.reply(WORDS)
    detail = waiting.value(
        "SELECT detail FROM audit WHERE action = 'reply.queue' AND actor = 'Sam'"
    )
    assert sha256(WORDS) in detail
    assert WORDS not in detail
    with unit_of_work.read(waiting.engine) as session:
        assert audit.verify(session).intact


def test_the_database_itself_refuses_a_text_without_its_verdict(waiting: Parts) -> None:
    passed = Verdict(Outcome.pass_, "v1", (), sha256("something else"))
    other = CheckedText(text=WORDS, sha256=sha256(WORDS), verdict=passed)
    turn = waiting.reply(WORDS)
    for author, checked in (
        (Author.PERSON, other),
        (Author.BOT, CheckedText(text=WORDS, sha256=sha256("something else"), verdict=passed)),
    ):
        with (
            pytest.raises(IntegrityError),
            unit_of_work.write(waiting.engine) as session,
        ):
            delivery.enqueue(
                session,
                checked,
                conversation_id=turn.conversation_id,
                turn_id=waiting.thread()[0].id,
                author=author,
                now=waiting.clock(),
            )


# Claim and release


def test_one_of_two_who_claim_at_once_gets_it(waiting: Parts) -> None:
    version = waiting.conversation().version
    results: list[str] = []

    def claim(name: str) -> None:
        try:
            waiting.claim(by=name, version=version)
            results.append(name)
        except OwnershipLost:
            results.append("lost")

    threads = [threading.Thread(target=claim, args=(name,)) for name in ("Sam", "Kim")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = waiting.conversation().assignee
    assert sorted(results) == sorted(["lost", str(winner)])


def test_nobody_answers_over_somebody_elses_shoulder(waiting: Parts) -> None:
    waiting.claim(by="Kim")
    with pytest.raises(OwnershipLost, match="Kim"):
        waiting.reply(WORDS)
    with pytest.raises(OwnershipLost, match="Kim"):
        waiting.claim(by="Sam")
    with pytest.raises(OwnershipLost, match="Kim"):
        waiting.release(by="Sam")
    assert queued(waiting) == []


def test_who_saw_an_older_conversation_looks_again(waiting: Parts) -> None:
    seen = waiting.conversation().version
    waiting.write("never mind, it came")
    waiting.ingest()
    with pytest.raises(OwnershipLost, match="look at it again"):
        waiting.reply(WORDS, version=seen)
    with pytest.raises(OwnershipLost, match="look at it again"):
        waiting.claim(version=seen)
    waiting.reply(WORDS, version=waiting.conversation().version)
    assert queued(waiting) == [WORDS]


def test_claiming_twice_changes_nothing_the_second_time(waiting: Parts) -> None:
    first = waiting.claim()
    assert waiting.claim() == first
    assert [t.kind.value for t in waiting.thread()].count("claim") == 1


def test_release_to_people_keeps_the_customer_waiting(waiting: Parts) -> None:
    waiting.claim()
    given = waiting.release(to=Owner.PERSON)
    assert (given.owner, given.assignee) == (Owner.PERSON, None)
    assert given.waiting_since is not None
    assert waiting.claim(by="Kim").assignee == "Kim"


def test_release_to_the_assistant_ends_the_wait(waiting: Parts) -> None:
    waiting.claim()
    given = waiting.release()
    assert (given.owner, given.assignee, given.waiting_since) == (Owner.BOT, None, None)


def test_a_claim_from_the_assistant_leaves_open_questions_to_the_person(
    parts: Parts, rasa: Rasa
) -> None:
    parts.write("hi")
    parts.ingest()
    assert parts.claim().waiting_since is not None
    parts.converse()
    assert rasa.turns == []


def test_a_conversation_that_is_not_there_is_said_so(waiting: Parts) -> None:
    with unit_of_work.read(waiting.engine) as session, pytest.raises(NotFound):
        conversations.get(session, "0" * 32)


def test_the_log_is_never_changed(waiting: Parts) -> None:
    for statement in ("UPDATE turn SET text = 'x'", "DELETE FROM turn"):
        with pytest.raises(DBAPIError), waiting.engine.begin() as connection:
            connection.execute(text(statement))
