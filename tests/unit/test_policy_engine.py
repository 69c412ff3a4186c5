"""The engine fails closed, and verdicts survive storage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from knowledge_base.errors import PolicyError
from knowledge_base.policy import (
    Finding,
    Judged,
    Outcome,
    Policy,
    Rule,
    Severity,
    Verdict,
    judge,
)
from knowledge_base.policy.model import Switches
from knowledge_base.policy.second_reader import SecondReader, shipped
from tests.starter_policy import starter_policy

POLICY = starter_policy()
GOOD = "Thanks for waiting. We are checking your order now."


def _rule(findings: Iterable[Finding] | None = (), error: Exception | None = None) -> Rule:
    def run(judged: Judged) -> Iterable[Finding]:
        if error is not None:
            raise error
        return findings  # type: ignore[return-value]  # None plays a broken rule

    return replace(POLICY.rules[0], id="TEST-RULE", judge=run)


def _finding(severity: Severity) -> Finding:
    return Finding("TEST-RULE", severity, (0, 1), "reason", "mend", "test")


def test_a_good_text_passes_with_its_hash_and_version() -> None:
    verdict = judge(POLICY, GOOD, channel="generic")
    assert verdict == Verdict(
        outcome=Outcome.pass_,
        policy_version=POLICY.version,
        findings=(),
        judged_sha256=hashlib.sha256(GOOD.encode()).hexdigest(),
    )


@pytest.mark.parametrize("policy", [None, Policy(version="v", rules=())])
def test_no_policy_means_no(policy: Policy | None) -> None:
    verdict = judge(policy, GOOD, channel="generic")
    assert verdict.outcome is Outcome.block
    assert [finding.rule_id for finding in verdict.findings] == ["NO-POLICY"]


@pytest.mark.parametrize("error", [ValueError("secret text"), RecursionError(), KeyError("x")])
def test_a_failing_rule_blocks_and_the_others_still_run(error: Exception) -> None:
    warned = _rule([_finding(Severity.warn)])
    verdict = judge(Policy("v", (_rule(error=error), warned)), GOOD, channel="generic")
    assert verdict.outcome is Outcome.block
    assert [finding.rule_id for finding in verdict.findings] == ["ENGINE-ERROR", "TEST-RULE"]
    assert verdict.findings[0].severity is Severity.block
    assert "secret text" not in verdict.findings[0].reason


def test_a_rule_that_returns_nothing_at_all_blocks() -> None:
    verdict = judge(Policy("v", (_rule(None),)), GOOD, channel="generic")
    assert [finding.rule_id for finding in verdict.findings] == ["ENGINE-ERROR"]


def test_a_refusal_says_what_is_missing_and_whom_to_tell() -> None:
    def refusal(rule_id: str, reason: str) -> Finding:
        return Finding(
            rule_id=rule_id,
            severity=Severity.block,
            span=None,
            reason=f"{reason}; without a complete judgement nothing may be sent",
            mend="tell whoever looks after the policy packs",
            pack="engine",
        )

    verdict = judge(None, GOOD, channel="x")
    assert verdict.findings == (refusal("NO-POLICY", "no policy rules are loaded"),)
    assert verdict.policy_version == ""
    verdict = judge(Policy("v", (_rule(error=KeyError("x")),)), GOOD, channel="x")
    assert verdict.findings == (refusal("ENGINE-ERROR", "rule TEST-RULE failed (KeyError)"),)
    blind = SecondReader(
        shipped().weights[:1], shipped().scales, rules=("A",), threshold=0, examples={}
    )
    verdict = judge(Policy("v", (_rule(),), second_reader=blind), GOOD, channel="x")
    assert verdict.findings == (refusal("ENGINE-ERROR", "the second reader failed (IndexError)"),)


def _finds_numbers(detector: str) -> Rule:
    def run(judged: Judged) -> Iterable[Finding]:
        for word in judged.words:
            if word.text == "number":
                yield replace(_finding(Severity.warn), span=(word.start, word.end))

    return replace(_rule(), judge=run, detector=detector)


@pytest.mark.parametrize(
    ("detector", "text", "spans"),
    [
        ("says", "your card # is", [(10, 11)]),
        ("asks_for", "your card # is", [(10, 11)]),
        ("pattern", "your card # is", []),
        ("says", "a number and your card # is", [(2, 8)]),
        ("pattern", "a number and your card # is", [(2, 8)]),
        ("says", "your card # is".ljust(400), [(10, 11)]),
        ("says", "your card # is".ljust(401), []),
    ],
)
def test_rules_on_words_listen_to_texts_of_some_length_in_which_they_found_nothing(
    detector: str, text: str, spans: list[tuple[int, int]]
) -> None:
    verdict = judge(Policy("v", (_finds_numbers(detector),)), text, channel="generic")
    assert [finding.span for finding in verdict.findings] == spans
    reasons = {"reason" if "number" in text else "reason; read as “number”"} if spans else set()
    assert {finding.reason for finding in verdict.findings} == reasons


def test_a_text_that_cannot_be_listened_to_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(judged: Judged) -> None:
        raise ValueError("secret text")

    monkeypatch.setattr(Judged, "heard", property(broken))
    verdict = judge(Policy("v", (_finds_numbers("says"),)), GOOD, channel="generic")
    assert verdict.outcome is Outcome.block
    (finding,) = verdict.findings
    assert finding.rule_id == "ENGINE-ERROR"
    assert finding.reason.startswith("the second look failed (ValueError);")


def test_what_nobody_says_of_a_rule_or_a_policy_is_usual() -> None:
    rule = Rule("R", "p", Severity.warn, "t", "r", "m", "s", (), (), judge=lambda judged: ())
    assert (rule.examples_channel, rule.detector, dict(rule.settings)) == ("generic", "", {})
    assert [each.value for each in (*Severity, *Outcome)] == [
        "warn",
        "block",
        "pass",
        "warn",
        "block",
    ]
    off = Switches(locales={"en": {"p": False}})
    assert Policy("v", (rule,), off).rules_for(channel="x") == ()
    assert Policy("v", (rule,), off).rules_for(channel="x", locale="de") == (rule,)


def test_a_text_is_judged_for_its_channel_as_english_and_as_no_template() -> None:
    seen: list[Judged] = []

    def run(judged: Judged) -> Iterable[Finding]:
        seen.append(judged)
        return ()

    policy = Policy("v", (replace(POLICY.rules[0], judge=run),))
    judge(policy, GOOD, channel="x")
    judge(policy, GOOD, channel="x", template=True, locale="de")
    assert seen == [Judged(GOOD, "x", False, "en"), Judged(GOOD, "x", True, "de")]


def test_a_stored_verdict_is_plain_and_read_strictly() -> None:
    where = Finding("A", Severity.warn, (1, 3), "why", "how", "p")
    whole = replace(where, span=None, severity=Severity.block)
    verdict = Verdict(Outcome.block, "v", (where, whole), "hash")
    stored = {
        "outcome": "block",
        "policy_version": "v",
        "findings": [
            {
                "rule_id": "A",
                "severity": severity,
                "span": span,
                "reason": "why",
                "mend": "how",
                "pack": "p",
            }
            for severity, span in (("warn", [1, 3]), ("block", None))
        ],
        "judged_sha256": "hash",
    }
    assert verdict.to_json() == stored
    assert Verdict.from_json(stored) == verdict
    for span in ([1], ["x", 2], 5):
        broken = {**stored, "findings": [{**verdict.findings[0].to_json(), "span": span}]}
        with pytest.raises(PolicyError, match="this is not a stored verdict: "):
            Verdict.from_json(broken)


def test_the_gravest_finding_decides() -> None:
    warn, block = _rule([_finding(Severity.warn)]), _rule([_finding(Severity.block)])
    assert judge(Policy("v", (_rule(),)), GOOD, channel="x").outcome is Outcome.pass_
    assert judge(Policy("v", (warn,)), GOOD, channel="x").outcome is Outcome.warn
    assert judge(Policy("v", (warn, block)), GOOD, channel="x").outcome is Outcome.block


@pytest.mark.parametrize(
    "text", [GOOD, "Send us your PIN at bit.ly/x", "\ud800", "", "{first_name}"]
)
def test_verdicts_survive_json(text: str) -> None:
    verdict = judge(POLICY, text, channel="generic")
    stored = json.loads(json.dumps(verdict.to_json()))
    assert set(stored) == {"outcome", "policy_version", "findings", "judged_sha256"}
    assert Verdict.from_json(stored) == verdict


@pytest.mark.parametrize("data", [{}, {"outcome": "maybe"}, {"outcome": "pass", "findings": [{}]}])
def test_other_json_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(PolicyError, match="not a stored verdict"):
        Verdict.from_json(data)


@pytest.mark.parametrize(
    ("text", "outcome", "rule_ids"),
    [
        ("Hi {first_name}, order {order_number} is here.", Outcome.pass_, []),
        ("Hi {surname}, thanks.", Outcome.block, ["SLOT-UNFILLED"]),
        ("Hi {{first_name}}.", Outcome.block, ["SLOT-UNFILLED"]),
        ("Hi [ORDER_ID].", Outcome.block, ["SLOT-UNFILLED"]),
        # 85 + 1 + 40 + 1 + 10 weighs 137; one name of Chinese letters more would not fit
        ("a" * 85 + " {first_name} {order_number}", Outcome.pass_, []),
        ("a" * 85 + " {first_name} {agent_name}", Outcome.block, ["LEN-139"]),
        ("a" * 90 + " {product}", Outcome.block, ["LEN-139"]),
    ],
)
def test_templates_are_judged_in_their_worst_case(
    text: str, outcome: Outcome, rule_ids: list[str]
) -> None:
    verdict = judge(POLICY, text, channel="generic", template=True)
    assert verdict.outcome is outcome
    assert [finding.rule_id for finding in verdict.findings] == rule_ids


def test_the_same_template_is_refused_as_a_final_text() -> None:
    verdict = judge(POLICY, "Hi {first_name}.", channel="generic")
    assert [(f.rule_id, f.span) for f in verdict.findings] == [("SLOT-UNFILLED", (3, 15))]


@pytest.mark.parametrize(
    ("text", "rule_id", "shown"),
    [
        ("See ｅｖｉｌ.com now", "URL-ALLOW", "ｅｖｉｌ.com"),
        ("Ok? Send us your PIN.", "CRED-ASK", "Send us your PIN"),
        ("Card 4111 1111 1111 1111.", "PCI-PAN", "4111 1111 1111 1111"),
        ("a\u200b4111\u200b111111111111", "PCI-PAN", "4111\u200b111111111111"),
        ("So\u202e!", "CTRL-CHARS", "\u202e"),
        ("ﬃ See bit.ly/a!", "URL-ALLOW", "bit.ly/a"),
    ],
)
def test_spans_point_into_the_judged_text(text: str, rule_id: str, shown: str) -> None:
    findings = judge(POLICY, text, channel="generic").findings
    spans = [finding.span for finding in findings if finding.rule_id == rule_id]
    assert len(spans) == 1
    assert spans[0] is not None
    assert text[slice(*spans[0])] == shown
