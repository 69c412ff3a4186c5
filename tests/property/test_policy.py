"""Properties of the gate: it never raises, points into the text, sees through disguises and takes linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.policy import Judged, Outcome, Rule, Verdict, judge, load_policy

POLICY = load_policy()
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


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("rule", POLICY.rules, ids=lambda rule: rule.id)
def test_every_rule_takes_linear_time(rule: Rule, unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        start = time.perf_counter()
        for _ in rule.judge(Judged(text, "generic")):
            pass
        return time.perf_counter() - start

    list(rule.judge(Judged(unit, "generic")))  # patterns are compiled on first use
    # Callers cap texts at 1,000; twice the text takes twice the time, quadratic code four times.
    assert any(seconds(40_000) < 3 * seconds(20_000) + 0.05 for _ in range(3))
