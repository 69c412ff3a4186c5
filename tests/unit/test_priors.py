"""Priors from agents' choices: bounded, zero without any, blind to the place, too weak for a clear margin."""

from __future__ import annotations

from math import log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.home import Home
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.fitting import Recipe
from knowledge_base.ranking.priors import CAP, STRENGTH, priors
from tests.fixtures_generation import WordHashEncoder, build, revision, shop

KEYS = ("a", "b", "c")
CHOICES = st.integers(0, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
COUNTS = st.dictionaries(
    st.sampled_from([*KEYS, "gone"]), st.dictionaries(st.integers(1, 3), CHOICES, max_size=3)
)


def test_without_choices_there_is_no_prior() -> None:
    assert priors(KEYS, {}) == {}
    assert priors([], {"a": {1: (10, 5)}}) == {}
    assert priors(KEYS, {"gone": {1: (100, 0)}}) == {}


def test_what_is_taken_more_often_than_others_gains_and_what_is_refused_loses() -> None:
    found = priors(KEYS, {"a": {1: (40, 38)}, "b": {1: (40, 10)}, "c": {1: (40, 24)}})
    assert found["a"] > 0 > found["b"]
    assert "c" not in found


def test_it_is_the_logarithm_of_taken_over_expected_drawn_to_one() -> None:
    counts = {"a": {1: (8, 7)}, "b": {1: (90, 43)}}
    rate = 51 / 100  # one imagined choice of two among 98
    expected = log((7 + STRENGTH) / (8 * rate + STRENGTH))
    assert priors(KEYS, counts)["a"] == pytest.approx(expected, abs=0.05)


def test_a_few_choices_say_little() -> None:
    crowd = {"b": {1: (500, 250)}}
    assert priors(KEYS, {"a": {1: (1, 1)}, **crowd})["a"] <= 0.1
    one, many = (priors(KEYS, {"a": {1: (n, n)}, **crowd})["a"] for n in (4, 40))
    assert 0 < one < many <= CAP


def test_standing_first_earns_nothing_by_itself() -> None:
    """`a` always stood first and `b` third; each was taken as often as anything is there."""
    counts = {"a": {1: (100, 80)}, "b": {3: (100, 5)}, "c": {1: (100, 80), 3: (100, 5)}}
    assert priors(KEYS, counts) == {}


@given(COUNTS)
def test_priors_are_bounded_for_any_counts(counts: dict[str, dict[int, tuple[int, int]]]) -> None:
    found = priors(KEYS, counts)
    assert set(found) <= set(KEYS)
    assert all(0 < abs(value) <= CAP for value in found.values())
    assert found == priors(KEYS, dict(reversed(counts.items())))


def _ranker(folder: Path, given: dict[str, float]) -> Ranker:
    twin = revision("stores.sunday", title="Sunday hours", text="Sunday we open late.")
    snippets = [*shop(), twin]
    return Ranker(
        build(Home.at(folder), snippets, WordHashEncoder(), priors=given), WordHashEncoder()
    )


def test_the_greatest_prior_does_not_overturn_a_clear_margin(tmp_path: Path) -> None:
    against = {r.key: CAP for r in shop()} | {"stores.hours": -CAP}
    ranking = _ranker(tmp_path, against).rank(["are you open on sunday"], limit=3)
    assert ranking.candidates[0].snippet_key == "stores.hours"


def test_a_prior_moves_scores_by_itself_and_nothing_else(tmp_path: Path) -> None:
    plain, liked = _ranker(tmp_path / "a", {}), _ranker(tmp_path / "b", {"praise.thanks": 0.3})
    assert plain.build_id != liked.build_id
    scores = [
        {c.snippet_key: c.score for c in ranker.rank(["the shop"], limit=9).candidates}
        for ranker in (plain, liked)
    ]
    moved = {key: scores[1][key] - scores[0][key] for key in scores[0]}
    assert moved.pop("praise.thanks") == pytest.approx(0.3)
    assert list(moved.values()) == pytest.approx([0.0] * len(moved))


def test_priors_are_part_of_what_a_build_is_named_by() -> None:
    assert Recipe().parameters() == Recipe(priors={}).parameters()
    assert Recipe().parameters() != Recipe(priors={"a": 0.1}).parameters()
