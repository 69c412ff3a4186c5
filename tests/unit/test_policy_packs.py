"""Every rule of the packs flags what it must and lets pass what it must."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from knowledge_base.policy import Judged, Outcome, Policy, Rule, Severity, Switches, judge
from knowledge_base.policy.loader import FEWEST_EXAMPLES
from tests.starter_policy import starter_policy

POLICY: Policy = starter_policy()
CONTENT = Path(__file__).parents[2] / "knowledge_base" / "content"


EVERYTHING_ON = replace(POLICY, switches=Switches())
by_rule = pytest.mark.parametrize("rule", POLICY.rules, ids=lambda rule: rule.id)


@by_rule
def test_rule_flags_its_examples(rule: Rule) -> None:
    stopped = {Outcome.block} if rule.severity is Severity.block else {Outcome.warn, Outcome.block}
    for text in rule.must_flag:
        findings = list(rule.judge(Judged(text, rule.examples_channel)))
        assert findings, text
        for finding in findings:
            assert finding.rule_id == rule.id
            assert finding.severity is rule.severity
            assert finding.pack == rule.pack
            assert finding.reason
            assert finding.mend
            if finding.span is not None:
                start, end = finding.span
                assert 0 <= start < end <= len(text)
        verdict = judge(EVERYTHING_ON, text, channel=rule.examples_channel)
        assert verdict.outcome in stopped, text


@by_rule
def test_rule_lets_its_examples_pass(rule: Rule) -> None:
    for text in rule.must_pass:
        assert list(rule.judge(Judged(text, rule.examples_channel))) == [], text


def test_the_packs_and_their_rules_are_there() -> None:
    packs = Counter(rule.pack for rule in POLICY.rules)
    assert set(packs) == {
        *("core", "privacy", "pci", "security", "health", "finance"),
        *("consumer", "platform", "brand", "legal", "vulnerable"),
    }
    assert len(POLICY.rules) >= 80
    assert min(packs.values()) >= 2


def test_quillhaven_has_no_patients_and_gives_no_credit() -> None:
    on = {rule.pack for rule in POLICY.rules_for(channel="generic")}
    assert {rule.pack for rule in POLICY.rules} - on == {"health", "finance"}


SNIPPETS = [
    pytest.param(fields["text"], id=fields["key"])
    for file in sorted((CONTENT / "snippets").glob("*.yaml"))
    # The safe loader, in C: it builds plain values only.
    for fields in yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_the_starter_content_keeps_every_rule(text: str) -> None:
    assert judge(POLICY, text, channel="generic", template=True).findings == ()


ORDINARY = (
    (Path(__file__).parent / "compliant_replies.txt").read_text(encoding="utf-8").splitlines()
)


def test_ordinary_replies_of_many_trades_keep_every_rule() -> None:
    verdicts = {text: judge(EVERYTHING_ON, text, channel="generic") for text in ORDINARY}
    assert {text: v.findings for text, v in verdicts.items() if v.findings} == {}


# Other rules that an example of compliant text for one rule breaks on purpose: it shows the edge of that rule.
EDGES = {"LEN-139", "LEN-NETWORK", "EMOJI-LIMIT", "PII-PHONE"}


def test_the_last_four_digits_of_a_card_are_only_a_warning() -> None:
    (rule,) = (rule for rule in POLICY.rules if rule.id == "PCI-LAST4")
    for text in rule.must_flag:
        findings = judge(EVERYTHING_ON, text, channel="generic").findings
        assert {finding.rule_id for finding in findings} == {"PCI-LAST4"}, text
    more = "Please send the last four digits of your card and its expiry date."
    assert judge(EVERYTHING_ON, more, channel="generic").outcome is Outcome.block


@by_rule
def test_what_one_rule_lets_pass_keeps_the_others(rule: Rule) -> None:
    for text in rule.must_pass:
        found = {finding.rule_id for finding in judge(POLICY, text, channel="generic").findings}
        assert found <= EDGES, text


@by_rule
def test_every_rule_has_enough_examples(rule: Rule) -> None:
    assert len(set(rule.must_flag)) >= FEWEST_EXAMPLES
    assert len(set(rule.must_pass)) >= FEWEST_EXAMPLES
    assert not set(rule.must_flag) & set(rule.must_pass)
