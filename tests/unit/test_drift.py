"""How far a text is from its approved one: the share, its limits, and the facts that always need a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suggest_api.compliance.drift import Drift, DriftLimits, measure_drift

APPROVED = (
    "You can return anything within 30 days."
    " Start in the app under Orders: quillhaven.example.com/returns."
)
LIMITS = DriftLimits()


def test_the_same_text_is_no_drift() -> None:
    assert measure_drift(APPROVED, APPROVED) == Drift(share=0.0)


@pytest.mark.parametrize(
    "final",
    [
        f"Hi Ana, {APPROVED}",
        f"{APPROVED} Have a lovely evening!",
        APPROVED.replace("can return", "may send back"),
        APPROVED.replace("anything", "everything"),
    ],
)
def test_an_agents_own_tone_stays_below_the_first_limit(final: str) -> None:
    drift = measure_drift(APPROVED, final)
    assert 0 < drift.share <= LIMITS.warn
    assert drift.changed == ()


@pytest.mark.parametrize(
    "final",
    [
        "You can return anything within 30 days.",
        APPROVED + " I have also asked a colleague from the shop to look for your parcel.",
    ],
)
def test_a_dropped_and_an_added_sentence_weigh_alike(final: str) -> None:
    assert LIMITS.warn < measure_drift(APPROVED, final).share <= 1


def test_another_text_is_beyond_the_second_limit() -> None:
    drift = measure_drift(APPROVED, "We are so sorry that this happened to you")
    assert drift.share > LIMITS.block
    assert measure_drift("left", "right").share == 1.0


@pytest.mark.parametrize(
    ("approved", "final", "kind"),
    [
        ("within 30 days", "within 31 days", "a number"),
        ("within 30 days", "within thirty days", "a number"),
        ("two of them", "three of them", "a number"),
        ("order QH-1048213 is late", "order QH-1048214 is late", "a number"),
        ("costs 9.50 now", "costs 9,50 now", "a number"),
        ("1 of 2 came", "2 of 1 came", "a number"),
        ("5 % off", "5 or 6 % off", "a number"),
        ("see https://q.example.com/a now", "see https://q.example.com/b now", "a link"),
        ("see q.example.com/returns", "see q.example.com/refunds", "a link"),
        ("see the page", "see the page www.q.example.com", "a link"),
        ("you can return it", "you cannot return it", "a negation"),
        ("you can return it", "you can't return it", "a negation"),
        ("it will come", "it won’t come", "a negation"),
        ("anything goes back", "nothing goes back", "a negation"),
        ("We do not say it is late", "We do say it is not late", "a negation"),
        ("never mind", "mind", "a negation"),
    ],
)
def test_a_changed_fact_is_named_whatever_its_share(approved: str, final: str, kind: str) -> None:
    assert kind in measure_drift(approved, final).changed


@pytest.mark.parametrize(
    ("approved", "final"),
    [
        ("We don't know", "We do not know"),
        ("We cannot know", "We can not know"),
        ("WE CAN RETURN IT", "we can return it"),
        ("See https://q.example.com/a.", "See https://q.example.com/a"),
        ("One of us looks", "Someone of us looks"),
        ("It is   here", "It is here"),
    ],
)
def test_what_says_the_same_names_nothing(approved: str, final: str) -> None:
    assert measure_drift(approved, final).changed == ()


def test_it_is_told_in_whole_per_cent_and_kept_as_json() -> None:
    drift = Drift(share=0.12345678, changed=("a number",))
    assert drift.percent == 12
    assert drift.to_json() == {"share": 0.1235, "changed": ["a number"]}


WORDS = st.lists(
    st.sampled_from(["we", "can", "not", "return", "30", "your", "parcel,", "a.example"])
)


@given(WORDS, WORDS)
def test_it_is_a_share_and_weighs_both_ways_alike(before: list[str], after: list[str]) -> None:
    one, other = " ".join(before), " ".join(after)
    share = measure_drift(one, other).share
    assert 0 <= share <= 1
    assert measure_drift(one, one) == Drift(share=0.0)
    if before and after and not set(one.split()) & set(other.split()):
        assert share > 0


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_breaks_it(before: str, after: str) -> None:
    assert 0 <= measure_drift(before, after).share <= 1
