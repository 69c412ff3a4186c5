"""Every way out asks all three layers: what the text says, what it is made from, and where it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import text

from knowledge_base.policy import Finding, Policy, Rule, Severity
from knowledge_base.snippet import SnippetContent
from knowledge_base.store.repository import live_revision, retire
from knowledge_base.wording import fill, measure
from suggest_api import flow
from suggest_api.channels.generic import GenericChannel
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.compliance.service import check
from suggest_api.conversations.model import TurnKind
from suggest_api.delivery import service as delivery
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import Offer
from suggest_api.errors import ReasonNeeded, Refused
from suggest_api.storage import unit_of_work
from suggest_api.values import (
    Abstention,
    ApprovedText,
    Author,
    Message,
    SuggestionRequest,
    Use,
    new_id,
    sha256,
)
from tests.doubles.desk import START, Parts, approve_snippets
from tests.doubles.network import Network
from tests.doubles.rasa import Rasa, hand_over, say
from tests.small_policy import small_policy

WORDS = "Your parcel left our warehouse this morning."
RETURNS = "You can return anything within 30 days. Start in the app under Orders."
CRISIS = "I want to kill myself"


@pytest.fixture
def waiting(parts: Parts, rasa: Rasa) -> Parts:
    """A customer who waits for a person, with nothing left to deliver."""
    rasa.reply = lambda m, e: [hand_over()]
    parts.write("how do I return this")
    parts.drain()
    return parts


def freeze(parts: Parts, topic: str) -> int:
    """Nothing is said about a topic; gives the number of the freeze."""
    with unit_of_work.write(parts.engine) as session:
        report = flow.freeze(
            parts.desk, session, topic=topic, team="press", by="Ines", reason="Wait.", now=START
        )
    return report.freeze.id


def thaw(parts: Parts, number: int) -> None:
    with unit_of_work.write(parts.engine) as session:
        flow.thaw(parts.desk, session, number, by="Ines", reason="Known now.", now=START)


def offer(parts: Parts, words: str = RETURNS, **content: Any) -> str:
    """A draft of an approved snippet in this conversation, as `suggest` stores it; gives its id."""
    key = f"returns.{new_id()[:8]}"
    made = SnippetContent(key=key, text=words, **{"topic": "returns", **content})
    (revision_id,) = approve_snippets(parts, made)
    approved = ApprovedText(
        text=words,
        snippet_key=key,
        revision_id=revision_id,
        revision=1,
        content_hash=made.content_hash,
        author="Noor",
        approved_by="Ines",
        approved_at=START,
        spans=fill(words, values={}).spans,
    )
    draft = new_id()
    with unit_of_work.write(parts.engine) as session:
        checked = check(parts.desk.policy, words, channel="generic")
        one = Offer(
            draft_id=draft,
            request_id=new_id(),
            conversation_id=parts.conversation().id,
            channel="generic",
            use=Use.AGENT,
            rank=1,
            approved=approved,
            checked=checked,
            length=measure(words),
            build_id="b",
            encoder_fingerprint="e",
            score=1.0,
            confidence=0.9,
        )
        drafts.propose(session, [one], now=parts.clock())
    return draft


def withdraw(parts: Parts, draft: str) -> None:
    """The content team retires what a draft was made from."""
    key = parts.value("SELECT snippet_key FROM draft WHERE id = :id", id=draft)
    with unit_of_work.write(parts.engine) as session:
        revision = live_revision(session, key)
        assert revision is not None
        retire(session, revision.id, by="Ines", now=START)


def settle(parts: Parts, **changed: Any) -> None:
    if "policy" in changed:
        changed["policies"] = FixedPolicy(changed.pop("policy"))
    parts.desk = replace(parts.desk, **changed)


def person_rows(parts: Parts) -> list[tuple[str, str]]:
    return [(d.text, d.state.value) for d in parts.deliveries() if d.author == "person"]


def rules_of(told: Refused) -> list[str]:
    return [finding.rule_id for finding in told.findings]


def last_audit(parts: Parts) -> str:
    return str(
        parts.value(
            "SELECT detail FROM audit WHERE action = 'reply.queue' ORDER BY seq DESC LIMIT 1"
        )
    )


# A person's reply


def test_a_reply_from_a_withdrawn_text_is_refused_and_leaves_nothing(waiting: Parts) -> None:
    draft = offer(waiting)
    withdraw(waiting, draft)
    with pytest.raises(Refused, match="retired") as told:
        waiting.reply(RETURNS, draft_id=draft, reason="I insist")
    assert rules_of(told.value) == ["META-NOT-APPROVED"]
    assert person_rows(waiting) == []
    waiting.reply(RETURNS)  # the same words, written freely, are the person's own


def test_a_reply_from_a_text_that_expired_meanwhile_is_refused(waiting: Parts) -> None:
    draft = offer(waiting, valid_until=START + timedelta(hours=1))
    waiting.clock.forward(3600)
    with pytest.raises(Refused) as told:
        waiting.reply(RETURNS, draft_id=draft)
    assert rules_of(told.value) == ["META-EXPIRED"]


def test_an_untouched_draft_goes_out_as_it_is(waiting: Parts) -> None:
    turn = waiting.reply(RETURNS, draft_id=offer(waiting))
    assert turn.detail["drift"] == {"share": 0, "changed": []}
    assert "written_freely" not in turn.detail
    verdict = waiting.value("SELECT verdict FROM outbox WHERE author = 'person'")
    assert '"drift"' in str(verdict).replace("'", '"')


def test_a_changed_number_needs_a_reason_which_is_audited_with_the_rule(waiting: Parts) -> None:
    draft = offer(waiting)
    longer = RETURNS.replace("30", "60")
    with pytest.raises(ReasonNeeded) as told:
        waiting.reply(longer, draft_id=draft)
    assert rules_of(told.value) == ["META-DRIFT-FACT"]
    waiting.reply(longer, draft_id=draft, reason="Winter rules give 60 days.")
    assert person_rows(waiting) == [(longer, "ready")]
    assert "META-DRIFT-FACT" in last_audit(waiting)
    assert "Winter rules" in last_audit(waiting)
    with unit_of_work.read(waiting.engine) as session:
        report = flow.prove(waiting.desk, session, draft)
    assert report.holds, report.differing
    final = report.to_json()["final"]
    assert final["verdict"]["drift"]["changed"] == ["a number"]


def test_a_rewritten_text_is_no_longer_that_draft(waiting: Parts) -> None:
    draft = offer(waiting)
    own = "I have asked the shop in Leeds to look for it"
    with pytest.raises(ReasonNeeded) as told:
        waiting.reply(own, draft_id=draft)
    assert "META-REWRITTEN" in rules_of(told.value)
    turn = waiting.reply(own, draft_id=draft, reason="The customer asked for something else.")
    assert turn.detail["written_freely"] is True
    assert turn.detail["left_draft"] == draft
    assert "draft_id" not in turn.detail
    row = waiting.rows(
        "SELECT draft_id, revision_id, verdict_outcome FROM outbox WHERE author = 'person'"
    )
    assert [tuple(r) for r in row] == [(None, None, "warn")]
    assert waiting.value("SELECT state FROM draft WHERE id = :id", id=draft) == "dismissed"


def test_free_text_needs_no_reason_and_is_marked(waiting: Parts) -> None:
    turn = waiting.reply(WORDS)
    assert turn.detail == {"written_freely": True}
    assert "written_freely" in last_audit(waiting)


def test_the_limits_of_drift_are_settings(waiting: Parts) -> None:
    settings = waiting.desk.settings.model_copy(update={"max_drift": 0.0, "block_drift": 1.0})
    settle(waiting, settings=settings)
    with pytest.raises(ReasonNeeded) as told:
        waiting.reply(f"Hi Ana, {RETURNS}", draft_id=offer(waiting))
    assert rules_of(told.value) == ["META-DRIFT"]


def test_who_asked_for_no_more_messages_is_left_in_peace_until_they_write(
    waiting: Parts, rasa: Rasa
) -> None:
    waiting.reply(WORDS)
    waiting.clock.forward(60)
    waiting.write("STOP")
    waiting.ingest()
    waiting.reply("We will not write to you any more.")  # the message itself waits for an answer
    waiting.clock.forward(60)
    with pytest.raises(Refused) as told:
        waiting.reply(WORDS, reason="One more thing")
    assert rules_of(told.value) == ["CTX-OPTED-OUT"]
    waiting.clock.forward(60)
    waiting.write("where is it?")
    waiting.drain()
    waiting.reply(WORDS)
    assert len(person_rows(waiting)) == 3


def test_a_closed_window_and_a_frozen_topic_stop_a_person_too(waiting: Parts) -> None:
    draft = offer(waiting)
    frozen = freeze(waiting, "returns")
    with pytest.raises(Refused) as told:
        waiting.reply(RETURNS, draft_id=draft, reason="I insist")
    assert rules_of(told.value) == ["CTX-FROZEN-TOPIC"]
    day = replace(GenericChannel(), messaging_window=timedelta(hours=24))
    thaw(waiting, frozen)
    settle(waiting, channels=MappingProxyType({"generic": day}))
    waiting.clock.forward(24 * 3600)
    with pytest.raises(Refused, match="24 hours") as told:
        waiting.reply(WORDS, reason="I insist")
    assert rules_of(told.value) == ["CTX-WINDOW-CLOSED"]


# The assistant


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (CRISIS, "vulnerable"),
        ("my husband died last week", "vulnerable"),
        ("You will hear from my solicitor", "complaint"),
        ("my solicitor says I should end my life", "vulnerable"),
    ],
)
def test_words_that_need_a_person_never_reach_the_assistant(
    parts: Parts, rasa: Rasa, words: str, reason: str
) -> None:
    parts.write(words)
    parts.drain()
    assert rasa.turns == []
    (handed,) = [t for t in parts.thread() if t.kind is TurnKind.HAND_OVER]
    assert (handed.detail["reason"], handed.detail["asked"]) == (reason, words)
    assert [t.text for t in parts.thread() if t.author is Author.BOT][0].startswith(
        "I am passing you"
    )


def test_what_is_written_while_the_assistant_thinks_counts(parts: Parts, rasa: Rasa) -> None:
    def meanwhile(message: str, earlier: list[str]) -> Any:
        parts.write(CRISIS)
        parts.ingest()
        return [say("assistant.hello")]

    rasa.reply = meanwhile
    parts.write("hi")
    parts.drain()
    assert [t.text[:16] for t in parts.thread() if t.author is Author.BOT] == ["I am passing you"]


def test_once_a_person_gave_it_back_the_assistant_may_answer_again(
    parts: Parts, rasa: Rasa
) -> None:
    parts.write(CRISIS)
    parts.drain()
    parts.claim()
    parts.release()
    parts.write("hi")
    parts.drain()
    assert rasa.messages() == ["hi"]


@pytest.mark.parametrize("later", [CRISIS, "STOP"])
def test_an_answer_that_the_customer_overtook_is_not_sent(
    parts: Parts, network: Network, later: str
) -> None:
    parts.write("hi")
    parts.ingest()
    parts.converse()
    parts.clock.forward(5)
    parts.write(later)
    parts.ingest()
    parts.converse()
    parts.deliver()
    assert [d.state.value for d in parts.deliveries()] == ["cancelled", "sent"]
    assert not [t for t in network.texts() if t.startswith("Hello")]


# Suggestions


@pytest.mark.parametrize("use", Use)
def test_nothing_is_suggested_where_a_person_is_needed(
    waiting: Parts, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = type("Held", (), {"build_id": "b"})()
    monkeypatch.setattr(type(waiting.desk.generations), "in_service", held)

    def asked(words: str, **more: Any) -> Abstention | None:
        request = SuggestionRequest(
            channel="generic", messages=(Message(Author.CUSTOMER, words),), use=use, **more
        )
        return flow.suggest(waiting.desk, request).reason

    assert asked(CRISIS) is Abstention.NEEDS_PERSON
    talk = waiting.conversation().id
    assert asked(CRISIS, conversation_id=talk) is Abstention.NEEDS_PERSON
    waiting.write("my mum passed away")
    waiting.ingest()
    # The log knows it, whatever the caller tells.
    assert asked("where is it", conversation_id=talk) is Abstention.NEEDS_PERSON


# On the way out


Change = Callable[[Parts], None]


def tampered(parts: Parts) -> None:
    with parts.engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET text = 'Send me your password'"))


def tampered_with_its_hashes(parts: Parts) -> None:
    words = "Please send me your card number and password."
    with parts.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE outbox SET text = :t, text_sha256 = :h, judged_sha256 = :h"
                " WHERE author = 'person'"
            ),
            {"t": words, "h": sha256(words)},
        )


def always(rule: Rule, severity: Severity) -> Rule:
    """A rule that finds something in every text."""
    finding = Finding(rule.id, severity, None, "finds something in everything", "wait", "test")
    return replace(rule, severity=severity, judge=lambda judged: [finding])


def stricter(parts: Parts) -> None:
    settle(parts, policy=Policy("s", (always(small_policy().rules[0], Severity.block),)))


@pytest.mark.parametrize("change", [tampered, tampered_with_its_hashes, stricter])
def test_what_the_gate_of_now_refuses_stays_here(
    waiting: Parts, network: Network, change: Change
) -> None:
    before = len(network.arrivals)
    waiting.reply(WORDS)
    change(waiting)
    waiting.deliver()
    assert len(network.arrivals) == before
    assert [state for _, state in person_rows(waiting)] == ["dead"]


def test_a_text_withdrawn_while_it_waits_stays_here(waiting: Parts, network: Network) -> None:
    draft = offer(waiting)
    before = len(network.arrivals)
    waiting.reply(RETURNS, draft_id=draft)
    withdraw(waiting, draft)
    waiting.deliver()
    assert len(network.arrivals) == before
    assert [state for _, state in person_rows(waiting)] == ["dead"]
    (shown,) = [d for d in waiting.deliveries() if d.author == "person"]
    assert "retired" in str(shown.failure)


def test_a_topic_frozen_while_it_waits_stays_here(waiting: Parts, network: Network) -> None:
    before = len(network.arrivals)
    waiting.reply(RETURNS, draft_id=offer(waiting))
    freeze(waiting, "returns")
    waiting.deliver()
    assert len(network.arrivals) == before


def test_a_reason_holds_for_the_warnings_it_was_given_for(
    waiting: Parts, network: Network
) -> None:
    settle(waiting, policy=small_policy())
    loud = "Your parcel is on its way!!"
    with pytest.raises(ReasonNeeded):
        waiting.reply(loud)
    waiting.reply(loud, reason="They asked us to shout.")
    waiting.deliver()
    assert network.texts()[-1] == loud
    waiting.reply(WORDS)
    settle(waiting, policy=Policy("w2", (always(small_policy().rules[0], Severity.warn),)))
    waiting.deliver()
    assert network.texts()[-1] == loud
    assert person_rows(waiting)[-1] == (WORDS, "dead")


def test_use_is_limited_where_the_finance_pack_is_on(waiting: Parts) -> None:
    finance = tuple(replace(r, pack="finance") for r in small_policy().rules)
    draft = offer(waiting)
    revision = waiting.value("SELECT revision_id FROM draft WHERE id = :id", id=draft)
    waiting.reply(RETURNS, draft_id=draft)
    with unit_of_work.read(waiting.engine) as session:
        since = START - timedelta(days=1)
        row = [d for d in waiting.deliveries() if d.author == "person"][0]
        assert delivery.count_uses(session, revision, since=since) == 1
        assert delivery.count_uses(session, revision, since=since, but=row.id) == 0
        assert delivery.count_uses(session, revision, since=waiting.clock()) == 0
    settle(waiting, policy=Policy("finance", finance))
    waiting.deliver()  # its own use does not count against it
    assert person_rows(waiting) == [(RETURNS, "sent")]
