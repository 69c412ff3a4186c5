"""Every rule of the packs flags what it must and lets pass what it must."""

from __future__ import annotations

import pytest

from knowledge_base.policy import Judged, Outcome, Policy, Rule, judge, load_policy
from knowledge_base.policy.loader import FEWEST_EXAMPLES

POLICY: Policy = load_policy()


def _examples(kind: str) -> list[object]:
    return [
        pytest.param(rule, text, id=f"{rule.id}-{number}")
        for rule in POLICY.rules
        for number, text in enumerate(getattr(rule, kind), start=1)
    ]


@pytest.mark.parametrize(("rule", "text"), _examples("must_flag"))
def test_rule_flags(rule: Rule, text: str) -> None:
    findings = list(rule.judge(Judged(text, "generic")))
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
    assert judge(POLICY, text, channel="generic").outcome is Outcome.block


@pytest.mark.parametrize(("rule", "text"), _examples("must_pass"))
def test_rule_lets_pass(rule: Rule, text: str) -> None:
    assert list(rule.judge(Judged(text, "generic"))) == []


def test_the_first_rules_are_there() -> None:
    assert [rule.id for rule in POLICY.rules] == [
        "LEN-139",
        "CTRL-CHARS",
        "SLOT-UNFILLED",
        "URL-ALLOW",
        "PCI-PAN",
        "PCI-ASK",
        "CRED-ASK",
    ]


@pytest.mark.parametrize("rule", POLICY.rules, ids=lambda rule: rule.id)
def test_every_rule_has_enough_examples(rule: Rule) -> None:
    assert len(set(rule.must_flag)) >= FEWEST_EXAMPLES
    assert len(set(rule.must_pass)) >= FEWEST_EXAMPLES
    assert not set(rule.must_flag) & set(rule.must_pass)
