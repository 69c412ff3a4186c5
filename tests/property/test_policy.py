"""Properties of the gate: it never raises, points into the text, sees through disguises and takes linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.policy import Judged, Outcome, Rule, Verdict, judge
from knowledge_base.wording.characters import CUSTOMER_CAP
from tests.starter_policy import starter_policy

POLICY = starter_policy()
RULES = {rule.id: rule for rule in POLICY.rules}
EXAMPLES = [text for rule in POLICY.rules for text in (*rule.must_flag, *rule.must_pass)]

hostile = st.one_of(
    st.text(st.characters(codec=None), max_size=80),
    st.lists(st.sampled_from(EXAMPLES + list("{}[]<>@:/.\\%")), max_size=4).map("".join),
)


@given(hostile, st.booleans())
def test_judging_never_fails_on_any_text(text: str, template: bool) -> None:
    verdict = judge(POLICY, text, channel="generic", template=template)
    assert (verdict.outcome is Outcome.pass_) is (verdict.findings == ())
    for finding in verdict.findings:
        assert finding.rule_id != "ENGINE-ERROR"
        if finding.span is not None:
            start, end = finding.span
            assert 0 <= start < end <= len(text)
    assert Verdict.from_json(verdict.to_json()) == verdict


def _luhn_complete(prefix: str) -> str:
    for digit in "0123456789":
        number = prefix + digit
        doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(number))]
        if sum(d // 10 + d % 10 for d in doubled) % 10 == 0:
            return number
    raise AssertionError("one of ten digits always completes a number")


@given(
    st.text("0123456789", min_size=14, max_size=14).map(
        lambda digits: _luhn_complete("4" + digits)
    ),
    st.lists(
        st.sampled_from(["", "", " ", "-", ".", "\u200b", " - ", "\u00a0"]),
        min_size=15,
        max_size=15,
    ),
    st.sampled_from([0x30, 0xFF10, 0x660, 0x966]),
)
def test_every_visa_number_is_found_in_any_disguise(
    number: str, separators: list[str], zero: int
) -> None:
    digits = [chr(zero + int(digit)) for digit in number]
    text = "Card " + "".join(d + s for d, s in zip(digits, [*separators, ""], strict=True)) + " ok"
    assert list(RULES["PCI-PAN"].judge(Judged(text, "generic")))


@given(st.text("0123456789", min_size=7, max_size=7))
def test_order_numbers_are_no_cards(digits: str) -> None:
    text = f"Your order QH-{digits} is on its way."
    assert judge(POLICY, text, channel="generic").outcome is Outcome.pass_


@given(st.integers(0, 7), st.sampled_from("\u200b\u200d\u00ad\u2060\ufeff"))
def test_hidden_characters_do_not_hide_a_password(place: int, hidden: str) -> None:
    word = "password"
    text = f"Please send us your {word[:place]}{hidden}{word[place:]}"
    assert list(RULES["CRED-ASK"].judge(Judged(text, "generic")))


UNITS = [
    "a.",
    "@",
    "://",
    "https://",
    "mailto:",
    "[.]",
    " dot ",
    "{",
    "}",
    "[a",
    "<a",
    "%(",
    "4111 ",
    "4 ",
    "4",
    "p a s s ",
    "your password ",
    "send ",
    "never ask you to ",
    "never send your password or card number ",
    "we can send your pin ",
    "tell us if your cvv ",
    "card ",
    "number on ",
    "e\u0301\u0327",
    "😀\u200d",
    "\ud800",
    "a? ",
    "[[[ ",
    "quillhaven.example.com/",
]


def _seconds(rules: tuple[Rule, ...], text: str) -> float:
    start = time.perf_counter()
    judged = Judged(text, "generic")
    for rule in rules:
        for _ in rule.judge(judged):
            pass
    return time.perf_counter() - start


def _is_linear(rules: tuple[Rule, ...], unit: str, length: int) -> bool:
    """Whether twice the text takes about twice the time: quadratic code takes four times."""
    _seconds(rules, unit)  # patterns are compiled on first use

    def seconds(size: int) -> float:
        return _seconds(rules, (unit * size)[:size])

    return any(seconds(2 * length) < 3 * seconds(length) + 0.05 for _ in range(3))


@pytest.mark.parametrize("unit", UNITS)
def test_all_rules_together_take_linear_time(unit: str) -> None:
    assert _is_linear(POLICY.rules, unit, 8_000)


@pytest.mark.parametrize("rule", POLICY.rules, ids=lambda rule: rule.id)
def test_every_rule_takes_linear_time_on_what_it_looks_for(rule: Rule) -> None:
    for unit in (f"{rule.must_flag[0][:60]} ", f"{rule.must_pass[0][:60]} "):
        assert _is_linear((rule,), unit, 16_000)


@pytest.mark.parametrize("unit", UNITS + [f"{rule.must_flag[0][:60]} " for rule in POLICY.rules])
def test_no_text_at_the_cap_is_slow(unit: str) -> None:
    text = (unit * CUSTOMER_CAP)[:CUSTOMER_CAP]
    judge(POLICY, text, channel="generic")
    # The aim is 50 ms; ten times that leaves room for a busy machine and still shows a rule run wild.
    assert min(_seconds(POLICY.rules, text) for _ in range(3)) < 0.5
