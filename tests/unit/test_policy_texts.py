"""The texts that pin the packs' data are still found, and the search for slow texts finds none."""

from __future__ import annotations

import pytest

from knowledge_base.policy import Judged
from tests.benchmarks.policy_fuzz import fuzz
from tests.benchmarks.policy_mutants import mutants, read_rules, report_of
from tests.benchmarks.policy_pins import proposals, read_pins, severities, wordings
from tests.starter_policy import starter_policy

POLICY = starter_policy()
RULES = {rule.id: rule for rule in POLICY.rules}


def test_every_pinned_text_is_judged_as_it_was() -> None:
    changed = [
        f"{rule_id}: {pin.text}"
        for rule_id, pins in read_pins().items()
        for pin in pins
        if bool(list(RULES[rule_id].judge(Judged(pin.text, RULES[rule_id].examples_channel))))
        is not pin.flags
    ]
    assert changed == []


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


def test_wordings_of_a_phrase_take_every_place_through_its_words() -> None:
    sets = {"unit": ["hour", "day"]}
    found = list(wordings("in #|a <unit> ~ (or so|at most) now?", sets))
    assert found[:2] == ["in 3 hour or so now", "in a day or so"]
    assert {"in 3 day or so now", "in 3 hour at most now", "in 3 hour really or so now"} <= {
        *found
    }


def test_a_proposal_for_an_excuse_puts_it_to_what_the_rule_flags() -> None:
    rule = {"detector": "says", "shared": {}, "settings": {"phrases": ["red"]}}
    found = list(proposals(rule, "drop unless", "of course", ["It is red."]))
    assert "It is red of course" in found
    assert list(proposals(rule, "change the severity", "warn", ["It is red."])) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_made_up_texts_crash_nothing_and_are_not_slow(seed: int) -> None:
    found = fuzz(seconds=2.5, seed=seed)
    assert found.texts > 0
    assert (found.errors, found.slow) == ([], [])
