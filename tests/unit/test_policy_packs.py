"""Every rule of the packs flags what it must and lets pass what it must."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from knowledge_base.policy import Judged, Outcome, Policy, Rule, Severity, judge, load_policy
from knowledge_base.policy.loader import FEWEST_EXAMPLES

POLICY: Policy = load_policy()
CONTENT = Path(__file__).parents[2] / "knowledge_base" / "content"


def _examples(kind: str) -> list[object]:
    return [
        pytest.param(rule, text, id=f"{rule.id}-{number}")
        for rule in POLICY.rules
        for number, text in enumerate(getattr(rule, kind), start=1)
    ]


@pytest.mark.parametrize(("rule", "text"), _examples("must_flag"))
def test_rule_flags(rule: Rule, text: str) -> None:
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
    everything_on = Policy(POLICY.version, POLICY.rules)
    outcome = judge(everything_on, text, channel=rule.examples_channel).outcome
    assert outcome is Outcome.block if rule.severity is Severity.block else Outcome.warn


@pytest.mark.parametrize(("rule", "text"), _examples("must_pass"))
def test_rule_lets_pass(rule: Rule, text: str) -> None:
    assert list(rule.judge(Judged(text, rule.examples_channel))) == []


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


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_replies_of_many_trades_keep_every_rule(text: str) -> None:
    every = Policy(POLICY.version, POLICY.rules)
    assert judge(every, text, channel="generic").findings == ()


# Other rules that an example of compliant text for one rule breaks on purpose: it shows the edge of that rule.
EDGES = {"LEN-139", "LEN-NETWORK", "EMOJI-LIMIT", "PII-PHONE"}


@pytest.mark.parametrize(("rule", "text"), _examples("must_pass"))
def test_what_one_rule_lets_pass_keeps_the_others(rule: Rule, text: str) -> None:
    found = {finding.rule_id for finding in judge(POLICY, text, channel="generic").findings}
    assert found <= EDGES


@pytest.mark.parametrize("rule", POLICY.rules, ids=lambda rule: rule.id)
def test_every_rule_has_enough_examples(rule: Rule) -> None:
    assert len(set(rule.must_flag)) >= FEWEST_EXAMPLES
    assert len(set(rule.must_pass)) >= FEWEST_EXAMPLES
    assert not set(rule.must_flag) & set(rule.must_pass)
