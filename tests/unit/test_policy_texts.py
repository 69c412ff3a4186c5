"""The texts that pin the packs' data are still found, and the search for slow texts finds none."""

from __future__ import annotations

import pytest

from knowledge_base.policy import Judged, load_policy
from tests.benchmarks.policy_fuzz import fuzz
from tests.benchmarks.policy_mutants import mutants, pinned, read_rules, report_of, severities

POLICY = load_policy()
RULES = {rule.id: rule for rule in POLICY.rules}


def test_every_pinned_text_is_still_found() -> None:
    lost = [
        f"{rule_id}: {text}"
        for rule_id, texts in pinned().items()
        for text in texts
        if not list(RULES[rule_id].judge(Judged(text, RULES[rule_id].examples_channel)))
    ]
    assert lost == []


def test_every_severity_is_pinned() -> None:
    assert severities() == {rule.id: rule.severity.value for rule in POLICY.rules}


def test_a_change_of_a_rule_is_made_one_at_a_time_and_counted() -> None:
    rule = read_rules()["PCI-LAST4"]
    changes = list(mutants(rule))
    assert {change.kind for change in changes} >= {"drop objects", "change the severity"}
    assert len({(change.kind, change.what) for change in changes}) == len(changes)
    report = report_of({"PCI-LAST4": rule})
    assert report["mutants"] == len(changes)
    assert 0 < report["killed"] <= report["mutants"]
    assert report["killed"] + len(report["survivors"]) == report["mutants"]


@pytest.mark.parametrize("seed", [1, 2])
def test_made_up_texts_crash_nothing_and_are_not_slow(seed: int) -> None:
    found = fuzz(seconds=2.5, seed=seed)
    assert found.texts > 0
    assert (found.errors, found.slow) == ([], [])
