"""The layers beside the text: each rule on its own, who it stops, and how the layers become one verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from knowledge_base.policy import Finding, Outcome, Severity, Verdict
from knowledge_base.snippet import Status
from suggest_api.compliance.drift import Drift, DriftLimits
from suggest_api.compliance.model import (
    Circumstances,
    ConversationFacts,
    RecallFacts,
    RevisionFacts,
    findings,
    merge,
)
from suggest_api.values import Freeze, FreezeState, Use, sha256

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = RevisionFacts(
    key="returns.how",
    number=3,
    status=Status.APPROVED,
    live=True,
    author="Noor",
    approved_by="Ines",
    locale="en",
    topic="returns",
)
TALK = ConversationFacts(last_customer_at=NOW)
HERE = Circumstances(
    use=Use.AGENT, channel="generic", locale="en", now=NOW, revision=GOOD, conversation=TALK
)


def freeze(topic: str, **more: Any) -> Freeze:
    return Freeze(
        **{
            "id": 1,
            "topic": topic,
            "channel": "",
            "holding_key": None,
            "team": "press",
            "drill": False,
            "by": "Ana",
            "at": NOW,
            "reason": "A fire in the warehouse.",
            **more,
        }
    )


def found(here: Circumstances) -> list[tuple[str, str]]:
    return [(f.rule_id, f.severity.value) for f in findings(here)]


def revised(**facts: Any) -> Circumstances:
    return replace(HERE, revision=replace(GOOD, **facts))


def talking(use: Use = Use.AGENT, *, notice: bool = False, **facts: Any) -> Circumstances:
    return replace(HERE, use=use, notice=notice, conversation=replace(TALK, **facts))


@pytest.mark.parametrize("use", Use)
def test_an_ordinary_answer_meets_nothing(use: Use) -> None:
    assert findings(replace(HERE, use=use)) == ()
    assert findings(replace(HERE, use=use, revision=None, conversation=None)) == ()


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"status": Status.RETIRED}, "META-NOT-APPROVED"),
        ({"status": Status.DRAFT}, "META-NOT-APPROVED"),
        ({"status": Status.IN_REVIEW}, "META-NOT-APPROVED"),
        ({"approved_by": None}, "META-NOT-APPROVED"),
        ({"approved_by": "Noor"}, "META-SELF-APPROVED"),
        ({"valid_from": NOW + HOUR}, "META-NOT-YET-VALID"),
        ({"valid_until": NOW - HOUR}, "META-EXPIRED"),
        ({"valid_until": NOW}, "META-EXPIRED"),  # exclusive
        ({"channels": ("x",)}, "META-CHANNEL"),
        ({"locale": "fr"}, "META-LOCALE"),
        ({"uses": 25, "use_limit": 25}, "META-OVERUSED"),
        ({"uses": 0, "use_limit": 0}, "META-OVERUSED"),
    ],
)
def test_what_is_wrong_with_a_revision_stops_everybody(
    facts: dict[str, Any], rule: str, use: Use
) -> None:
    here = replace(revised(**facts), use=use)
    assert found(here) == [(rule, "block")]
    (finding,) = findings(here)
    assert "revision 3 of returns.how" in finding.reason
    assert finding.mend
    assert finding.pack == "metadata"


@pytest.mark.parametrize(
    "facts",
    [
        {"valid_from": NOW},
        {"valid_from": NOW - HOUR, "valid_until": NOW + HOUR},
        {"channels": ("x", "generic")},
        {"uses": 24, "use_limit": 25},
        {"uses": 10_000},
    ],
)
def test_what_is_right_with_a_revision_stops_nobody(facts: dict[str, Any]) -> None:
    assert found(revised(**facts)) == []


@pytest.mark.parametrize(
    ("content", "wanted", "fits"),
    [
        ("en", "en-GB", True),
        ("en", "EN", True),
        ("en-GB", "en", False),
        ("en", "eng", False),
        ("de", None, True),
    ],
)
def test_a_language_serves_its_own_varieties(content: str, wanted: str | None, fits: bool) -> None:
    assert (found(replace(revised(locale=content), locale=wanted)) == []) is fits


# The conversation


def test_after_an_opt_out_the_assistant_is_silent_but_for_the_notice() -> None:
    out = {"opted_out_at": NOW, "written_since": True}
    assert found(talking(Use.ASSISTANT, **out)) == [("CTX-OPTED-OUT", "block")]
    assert found(talking(Use.ASSISTANT, notice=True, **out)) == []


def test_a_person_may_answer_who_writes_after_an_opt_out_and_nobody_else() -> None:
    assert found(talking(opted_out_at=NOW, written_since=True)) == []
    assert found(talking(opted_out_at=NOW, written_since=False)) == [("CTX-OPTED-OUT", "block")]
    assert found(talking(written_since=False)) == []


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize(
    ("ago", "open_"), [(timedelta(0), True), (23.9 * HOUR, True), (24 * HOUR, False)]
)
def test_a_messaging_window_closes(ago: timedelta, open_: bool, use: Use) -> None:
    here = talking(use, window=24 * HOUR, last_customer_at=NOW - ago)
    assert (found(here) == []) is open_
    if not open_:
        assert "24 hours" in findings(here)[0].reason


def test_a_window_needs_a_message_and_a_notice_needs_the_window() -> None:
    never = talking(Use.ASSISTANT, notice=True, window=HOUR, last_customer_at=None)
    assert found(never) == [("CTX-WINDOW-CLOSED", "block")]
    assert found(talking(window=None, last_customer_at=None)) == []


def test_a_frozen_topic_is_the_answers_or_the_conversations() -> None:
    frozen = FreezeState((freeze("returns"),))
    assert found(replace(HERE, freezes=frozen)) == [("CTX-FROZEN-TOPIC", "block")]
    assert found(replace(revised(topic="delivery"), freezes=frozen)) == []
    assert found(replace(revised(topic=""), freezes=frozen)) == []
    freely = replace(talking(topic="returns"), revision=None, freezes=frozen)
    assert found(freely) == [("CTX-FROZEN-TOPIC", "block")]
    assert found(replace(freely, conversation=replace(TALK, topic="delivery"))) == []
    rewritten = replace(freely, conversation=TALK, begun_about="returns")
    assert found(rewritten) == [("CTX-FROZEN-TOPIC", "block")]
    (told,) = findings(freely)
    assert told.reason == "returns is frozen by Ana (A fire in the warehouse.)"
    assert told.mend == "leave it to press until it is thawed"


def test_where_everything_is_frozen_only_the_holding_statement_goes_out_word_for_word() -> None:
    frozen = FreezeState((freeze("", holding_key="crisis.holding"),))
    assert found(replace(HERE, freezes=frozen)) == [("CTX-FROZEN", "block")]
    assert found(replace(HERE, revision=None, freezes=frozen)) == [("CTX-FROZEN", "block")]
    holding = replace(revised(key="crisis.holding", topic="crisis"), freezes=frozen)
    assert found(holding) == []
    assert found(replace(holding, word_for_word=False)) == [("CTX-FROZEN", "block")]
    (told,) = findings(replace(HERE, freezes=frozen))
    assert told.mend.startswith("send the holding statement as it is, or leave it to press")


@pytest.mark.parametrize(
    "silent", [freeze("returns", drill=True), freeze("returns", channel="x"), freeze("delivery")]
)
def test_a_drill_another_channel_and_another_topic_withhold_nothing(silent: Freeze) -> None:
    assert found(replace(HERE, freezes=FreezeState((silent,)))) == []


def test_a_recalled_revision_says_who_recalled_it_and_why() -> None:
    recall = RecallFacts(by="Ines", at=NOW, reason="The price\nis wrong.")
    gone = revised(status=Status.RETIRED, live=False, recall=recall)
    (told,) = findings(gone)
    assert told.rule_id == "META-NOT-LIVE"
    assert "recalled by Ines at 2026-03-02T09:30+00:00 (The price is wrong.)" in told.reason
    assert "choose another answer" in told.mend


def test_who_needs_care_is_answered_by_a_person_in_their_own_words() -> None:
    care = {"care": ("thoughts of suicide",)}
    assert found(talking(Use.ASSISTANT, **care)) == [("CTX-CARE", "block")]
    assert found(talking(Use.ASSISTANT, notice=True, **care)) == []
    assert found(talking(**care)) == [("CTX-CARE", "warn")]
    assert found(replace(talking(**care), revision=None)) == []
    assert "thoughts of suicide" in findings(talking(**care))[0].reason


# Drift


@pytest.mark.parametrize(
    ("share", "changed", "rules"),
    [
        (0.0, (), []),
        (0.3, (), []),
        (0.31, (), ["META-DRIFT"]),
        (0.6, (), ["META-DRIFT"]),
        (0.61, (), ["META-REWRITTEN"]),
        (0.01, ("a number",), ["META-DRIFT-FACT"]),
        (0.9, ("a link", "a negation"), ["META-DRIFT-FACT", "META-REWRITTEN"]),
    ],
)
def test_drift_warns_and_never_blocks(
    share: float, changed: tuple[str, ...], rules: list[str]
) -> None:
    here = replace(HERE, drift=Drift(share=share, changed=changed))
    assert found(here) == [(rule, "warn") for rule in rules]


def test_the_limits_of_drift_can_be_set() -> None:
    strict = replace(HERE, drift=Drift(share=0.1), limits=DriftLimits(warn=0.0, block=0.05))
    assert found(strict) == [("META-REWRITTEN", "warn")]


# One verdict


def verdict(outcome: Outcome, *severities: Severity) -> Verdict:
    text = tuple(Finding("T", s, (0, 1), "a", "b", "core") for s in severities)
    return Verdict(outcome, "v1", text, sha256("text"))


WARN, BLOCK = Severity.warn, Severity.block


@pytest.mark.parametrize(
    ("text", "more", "outcome"),
    [
        (verdict(Outcome.pass_), [], Outcome.pass_),
        (verdict(Outcome.pass_), [WARN], Outcome.warn),
        (verdict(Outcome.pass_), [WARN, BLOCK], Outcome.block),
        (verdict(Outcome.warn, WARN), [], Outcome.warn),
        (verdict(Outcome.warn, WARN), [BLOCK], Outcome.block),
        (verdict(Outcome.block, BLOCK), [], Outcome.block),
        (verdict(Outcome.block, BLOCK), [WARN], Outcome.block),
    ],
)
def test_the_worst_layer_decides_and_the_bytes_stay_the_same(
    text: Verdict, more: list[Severity], outcome: Outcome
) -> None:
    others = [Finding("CTX-X", s, None, "a", "b", "context") for s in more]
    merged = merge(text, others)
    assert merged.outcome is outcome
    assert merged.findings == (*text.findings, *others)
    assert (merged.judged_sha256, merged.policy_version) == (sha256("text"), "v1")
    assert Verdict.from_json(merged.to_json()) == merged
