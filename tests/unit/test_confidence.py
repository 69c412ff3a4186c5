"""Calibration, thresholds and their intervals, on numbers that can be checked by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from knowledge_base.index.sealed import SealBroken
from knowledge_base.index.search import Hits
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking import scoring
from knowledge_base.ranking.confidence import Calibration, Threshold, choose_threshold
from knowledge_base.ranking.evaluation import wilson
from knowledge_base.ranking.scoring import Floats, Head, Scores, score


def _threshold(confidence: Floats, right: list[bool], **changes: float) -> Threshold:
    settings = {"target": 0.2, "fallback": 0.5, "lowest": 0.0, **changes}
    n = len(right)
    return choose_threshold(
        confidence, np.array(right, dtype=bool), np.ones(n), np.ones(n, dtype=bool), **settings
    )


def test_with_nothing_to_learn_from_the_prior_stays() -> None:
    none = np.zeros((0, len(conf.FEATURES)))
    theta = conf.fit_weights(none, np.zeros(0, dtype=bool), np.zeros(0))
    assert np.allclose(theta, conf.PRIOR)


def test_enough_questions_outweigh_the_prior() -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(4000), *rng.standard_normal((3, 4000))])
    truth = np.array([0.5, -1.0, 2.0, 0.0])
    right = rng.random(4000) < conf.sigmoid(x @ truth)
    assert np.allclose(conf.fit_weights(x, right, np.ones(4000)), truth, atol=0.2)


def test_fitted_probabilities_agree_with_what_happened() -> None:
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(2000), *rng.standard_normal((3, 2000))])
    right = rng.random(2000) < conf.sigmoid(x @ np.array([0.2, 1.0, 0.0, 0.5]))
    p = conf.sigmoid(x @ conf.fit_weights(x, right, np.ones(2000)))
    assert conf.expected_calibration_error(p, right, np.ones(2000)) < 0.04


def test_the_threshold_is_the_lowest_that_keeps_the_bound() -> None:
    confidence = np.linspace(1.0, 0.01, 200)
    right = [True] * 120 + [False] * 80
    found = _threshold(confidence, right)
    assert found.basis == "held_out"
    assert found.bound is not None
    assert found.error is not None
    assert found.error < found.bound <= 0.2
    answered = int((confidence >= found.confidence).sum())
    assert 120 < answered < 160
    assert found.error == pytest.approx((answered - 120) / answered, abs=1e-6)
    stricter = _threshold(confidence, right, target=0.05)
    assert stricter.confidence > found.confidence


@pytest.mark.parametrize("right", [[], [True], [True] * 3, [False] * 50])
def test_too_little_evidence_falls_back_and_says_so(right: list[bool]) -> None:
    found = _threshold(np.linspace(1, 0.5, len(right)), right, fallback=0.7)
    assert (found.confidence, found.basis, found.error) == (0.7, "prior", None)


def test_no_threshold_below_the_lowest() -> None:
    found = _threshold(np.linspace(1, 0.01, 300), [True] * 300, lowest=0.6)
    assert found.confidence == pytest.approx(0.6)
    assert found.answered == pytest.approx(0.4, abs=0.02)


def test_equal_confidences_are_not_torn_apart() -> None:
    found = _threshold(np.array([0.9] * 100 + [0.4] * 100), [True] * 140 + [False] * 60)
    assert found.confidence == pytest.approx(0.9)


def test_wilson_agrees_with_the_textbook() -> None:
    # Agresti and Coull 1998: 0 of 10 gives [0, 0.278] at 95 %.
    none = wilson(0, 10)
    assert none.low == 0.0
    assert none.high == pytest.approx(0.2775, abs=1e-3)
    half = wilson(50, 100)
    assert half.low == pytest.approx(0.4038, abs=1e-3)
    assert half.high == pytest.approx(0.5962, abs=1e-3)
    assert wilson(0, 0).value is None
    bound = conf.wilson_upper(np.array([0.0]), np.array([10.0]))
    assert bound[0] == pytest.approx(1.2816**2 / (10 + 1.2816**2), abs=1e-6)


def test_the_calibration_error_of_a_known_case() -> None:
    confidence = np.array([0.95] * 10 + [0.15] * 10)
    right = np.array([True] * 9 + [False] + [False] * 10)
    error = conf.expected_calibration_error(confidence, right, np.ones(20))
    assert error == pytest.approx(0.5 * 0.05 + 0.5 * 0.15)


def _hits(similarities: list[float]) -> Hits:
    values = np.array(similarities, dtype=np.float32)
    order = np.argsort(-values, kind="stable")
    return Hits(order.astype(np.int64), values[order])


def _score(similarities: list[float], owners: list[int], log_head: Floats | None = None) -> Scores:
    owner = np.array(owners, dtype=np.int32)
    return score(_hits(similarities), snippet=owner, counts=np.bincount(owner), log_head=log_head)


def test_soft_match_is_the_mean_in_the_exponential_domain() -> None:
    scores = _score([0.9, 0.7, 0.2], [0, 0, 1])
    expected = scoring.TAU * np.log((np.exp(0.9 / scoring.TAU) + np.exp(0.7 / scoring.TAU)) / 2)
    assert scores.soft[0] == pytest.approx(expected, abs=1e-6)
    assert scores.soft[1] == pytest.approx(0.2, abs=1e-6)
    assert scores.best_row.tolist() == [0, 2]
    assert scores.density == pytest.approx(0.6, abs=1e-6)


def test_rows_that_were_not_retrieved_count_as_the_farthest_retrieved() -> None:
    hits = Hits(np.array([0], dtype=np.int64), np.array([0.5], dtype=np.float32))
    owner = np.array([0, 0, 1], dtype=np.int32)
    scores = score(hits, snippet=owner, counts=np.bincount(owner), log_head=None)
    assert scores.soft.tolist() == pytest.approx([0.5, 0.5])
    assert scores.best_row.tolist() == [0, -1]


def test_the_head_moves_the_order() -> None:
    log_head = np.log(np.array([0.05, 0.95]))
    assert scoring.ordered(_score([0.6, 0.55], [0, 1]).total)[0] == 0
    assert scoring.ordered(_score([0.6, 0.55], [0, 1], log_head).total)[0] == 1


def test_shares_leave_room_for_none_of_these() -> None:
    near, far = _score([0.9], [0]), _score([0.1], [0])
    assert conf.shares(near)[0] > 0.99
    assert conf.shares(far)[0] < 0.01


def test_the_centre_of_few_snippets_is_drawn_to_zero() -> None:
    vectors = np.ones((3, 4), dtype=np.float32)
    owner = np.array([0, 0, 0], dtype=np.int32)
    centre = scoring.centre_of(vectors, owner, 1)
    assert centre.tolist() == pytest.approx([1 / 21] * 4, rel=1e-5)
    assert scoring.unit(np.zeros((1, 4), dtype=np.float32)).tolist() == [[0, 0, 0, 0]]


def test_head_and_calibration_come_back_the_same() -> None:
    rng = np.random.default_rng(1)
    head = Head(*(rng.standard_normal(s).astype(np.float32) for s in [(4,), (3, 4), (3,)]))
    again = Head.from_bytes(head.to_bytes(), dimension=4, snippets=3)
    assert again.to_bytes() == head.to_bytes()
    threshold = Threshold(0.5, 0.2, None, None, None, 0, "prior")
    calibration = Calibration((1.0, 2.0, 3.0, 4.0), threshold, threshold, {"questions": 0})
    assert Calibration.from_json(calibration.to_json()) == calibration


@pytest.mark.parametrize(("dimension", "snippets"), [(5, 3), (4, 2)])
def test_a_head_of_another_shape_is_refused(dimension: int, snippets: int) -> None:
    zeros = Head(*(np.zeros(s, np.float32) for s in [(4,), (3, 4), (3,)]))
    with pytest.raises(SealBroken, match="shapes"):
        Head.from_bytes(zeros.to_bytes(), dimension=dimension, snippets=snippets)


@pytest.mark.parametrize("raw", [b"", b"PK", b"\x93NUMPY"])
def test_a_head_that_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(SealBroken, match=r"classifier\.npz"):
        Head.from_bytes(raw, dimension=4, snippets=3)


@pytest.mark.parametrize(
    "change", [{"features": ["bias"]}, {"weights": [1.0]}, {"agent": {"x": 1}}, {"report": None}]
)
def test_a_calibration_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    threshold = Threshold(0.5, 0.2, None, None, None, 0, "prior")
    raw = json.loads(Calibration((0.0,) * 4, threshold, threshold, {}).to_json())
    with pytest.raises(SealBroken, match=r"calibration\.json"):
        Calibration.from_json(json.dumps({**raw, **change}).encode())
