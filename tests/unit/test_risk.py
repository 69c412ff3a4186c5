"""Thresholds from a stated risk: what is promised, on what evidence, and what is done without it."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge_base.errors import ConfigurationError
from knowledge_base.ranking.risk import (
    ASSISTANT_MARGIN,
    DELTA,
    FALLBACK_LOWEST,
    Risk,
    Threshold,
    binomial_tail,
    choose_threshold,
    fallback,
    upper_limit,
)
from knowledge_base.ranking.scoring import Floats


def _threshold(confidence: Floats, right: list[bool], **changes: float) -> Threshold:
    yes = np.ones(len(right), dtype=bool)
    return choose_threshold(
        confidence, np.array(right, dtype=bool), yes, **{"target": 0.2, **changes}
    )


def test_the_threshold_is_the_lowest_that_keeps_the_bound() -> None:
    confidence = np.linspace(1.0, 0.01, 200)
    right = [True] * 120 + [False] * 80
    found = _threshold(confidence, right)
    assert found.basis == "held_out"
    assert found.error is not None
    assert found.bound is not None
    assert found.error < found.bound <= 0.2
    answered = int((confidence >= found.confidence).sum())
    assert 120 < answered < 160
    assert found.error == pytest.approx((answered - 120) / answered, abs=1e-6)
    assert _threshold(confidence, right, target=0.05).confidence > found.confidence


@pytest.mark.parametrize("right", [[], [True], [True] * 3, [False] * 50])
def test_too_little_evidence_falls_back_and_says_so(right: list[bool]) -> None:
    found = _threshold(np.linspace(1, 0.5, len(right)), right, target=0.05)
    assert (found.confidence, found.basis, found.error) == (fallback(0.05), "prior", None)
    assert found.questions == len(right)


def test_the_prior_is_stricter_for_a_stricter_target_and_never_absurd() -> None:
    assert fallback(0.05) == pytest.approx(0.40)
    assert fallback(0.02, ASSISTANT_MARGIN) == pytest.approx(0.88)
    assert fallback(0.5) == FALLBACK_LOWEST


def test_no_threshold_below_the_lowest() -> None:
    found = _threshold(np.linspace(1, 0.01, 300), [True] * 300, lowest=0.6)
    assert found.confidence == pytest.approx(0.6)
    assert found.answered == pytest.approx(0.4, abs=0.02)
    few = _threshold(np.ones(2), [True, True], lowest=0.95)
    assert (few.confidence, few.basis) == (0.95, "prior")


def test_equal_confidences_are_not_torn_apart() -> None:
    found = _threshold(np.array([0.9] * 100 + [0.4] * 100), [True] * 140 + [False] * 60)
    assert found.confidence == pytest.approx(0.9)


def test_the_binomial_tail_agrees_with_the_textbook() -> None:
    assert binomial_tail(0, 45, 0.05) == pytest.approx(0.95**45)
    assert binomial_tail(1, 3, 0.5) == pytest.approx(0.5)
    assert binomial_tail(5, 5, 0.2) == 1.0
    # Clopper and Pearson: no error among n leaves 1 - delta^(1/n).
    assert upper_limit(0, 45) == pytest.approx(1 - DELTA ** (1 / 45), abs=1e-9)
    assert upper_limit(3, 3) == upper_limit(0, 0) == 1.0


def test_the_promise_is_broken_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(11)
    broken = held = 0
    for _ in range(300):
        confidence = rng.random(400) ** 0.15
        # The chance of being right is the confidence squared, so the true risk above t can be computed.
        right = rng.random(400) < confidence**2
        found = choose_threshold(confidence, right, np.ones(400, dtype=bool), target=0.1)
        if found.basis == "held_out":
            held += 1
            many = np.linspace(found.confidence ** (1 / 0.15), 1.0, 2001) ** 0.15
            broken += float((1 - many**2).mean()) > 0.1
    assert held > 100
    # Three standard errors of a share of 0.1 among 300 are 0.05.
    assert broken / 300 <= DELTA + 0.05


def test_the_risks_come_from_the_environment() -> None:
    assert Risk.from_environment({}) == Risk(0.05, 0.02, 0.1)
    assert Risk.from_environment(
        {"FIRSTLINE_MAX_ERROR": "0.1", "FIRSTLINE_MAX_ERROR_ASSISTANT": " 0.01 "}
    ) == Risk(0.1, 0.01, 0.1)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"FIRSTLINE_MAX_ERROR": "five"}, "FIRSTLINE_MAX_ERROR is 'five'"),
        ({"FIRSTLINE_MAX_ERROR": "5"}, "between 0 and 1"),
        ({"FIRSTLINE_MAX_ERROR": "nan"}, "between 0 and 1"),
        ({"FIRSTLINE_UNANSWERABLE_SHARE": "0"}, "FIRSTLINE_UNANSWERABLE_SHARE"),
        ({"FIRSTLINE_MAX_ERROR_ASSISTANT": "0.2"}, "at least as sure"),
    ],
)
def test_a_risk_that_makes_no_sense_is_refused(environment: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Risk.from_environment(environment)
