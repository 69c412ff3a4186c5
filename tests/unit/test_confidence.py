"""Calibration, thresholds and their intervals, on numbers that can be checked by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from knowledge_base.index.sealed import SealBroken
from knowledge_base.index.search import Hits
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking import scoring
from knowledge_base.ranking.confidence import Calibration
from knowledge_base.ranking.evaluation import wilson
from knowledge_base.ranking.risk import Threshold
from knowledge_base.ranking.scoring import Floats, Head, Scores, score


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


def test_wilson_agrees_with_the_textbook() -> None:
    # Agresti and Coull 1998: 0 of 10 gives [0, 0.278] at 95 %.
    none = wilson(0, 10)
    assert none.low == 0.0
    assert none.high == pytest.approx(0.2775, abs=1e-3)
    half = wilson(50, 100)
    assert half.low == pytest.approx(0.4038, abs=1e-3)
    assert half.high == pytest.approx(0.5962, abs=1e-3)
    assert wilson(0, 0).value is None


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
    shapes: list[tuple[int, ...]] = [(4,), (3, 4), (3,), (3,), (3,)]
    centre, weights, bias, typical, prior = (
        rng.standard_normal(shape).astype(np.float32) for shape in shapes
    )
    head = Head(centre, weights, bias, typical, np.arange(3, dtype=np.int32), prior)
    again = Head.from_bytes(head.to_bytes(), dimension=4, snippets=3)
    assert again.to_bytes() == head.to_bytes()
    threshold = Threshold(0.5, 0.2, None, None, None, 0, "prior")
    calibration = Calibration((1.0, 2.0, 3.0, 4.0), 1.2, threshold, threshold, {"questions": 0})
    assert Calibration.from_json(calibration.to_json()) == calibration


@pytest.mark.parametrize(("dimension", "snippets"), [(5, 3), (4, 2)])
def test_a_head_of_another_shape_is_refused(dimension: int, snippets: int) -> None:
    shapes: list[tuple[int, ...]] = [(4,), (3, 4), (3,), (3,), (3,)]
    centre, weights, bias, typical, prior = (
        np.zeros(shape).astype(np.float32) for shape in shapes
    )
    zeros = Head(centre, weights, bias, typical, np.arange(3, dtype=np.int32), prior)
    with pytest.raises(SealBroken, match="shapes"):
        Head.from_bytes(zeros.to_bytes(), dimension=dimension, snippets=snippets)


@pytest.mark.parametrize("raw", [b"", b"PK", b"\x93NUMPY"])
def test_a_head_that_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(SealBroken, match=r"classifier\.npz"):
        Head.from_bytes(raw, dimension=4, snippets=3)


@pytest.mark.parametrize(
    "change",
    [
        {"features": ["bias"]},
        {"weights": [1.0]},
        {"agent": {"x": 1}},
        {"report": None},
        {"temperature": 0},
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    threshold = Threshold(0.5, 0.2, None, None, None, 0, "prior")
    raw = json.loads(Calibration((0.0,) * 4, 1.2, threshold, threshold, {}).to_json())
    with pytest.raises(SealBroken, match=r"calibration\.json"):
        Calibration.from_json(json.dumps({**raw, **change}).encode())


def _head(variant: list[int]) -> Head:
    typical = np.full(len(variant), 0.6, np.float32)
    none = np.zeros((0, 4), np.float32)
    apart = np.array(variant, np.int32)
    return Head(
        np.zeros(4, np.float32),
        none,
        none[:, 0],
        typical,
        apart,
        np.zeros(len(variant), np.float32),
    )


def test_later_places_share_what_the_first_one_leaves() -> None:
    placed = conf.place(_score([0.7, 0.68, 0.3], [0, 1, 2]), _head([0, 1, 2]), 2.0)
    for first in (0.05, 0.5, 0.9, 0.999):
        sure = placed.confidences(first)
        assert sure[0] == first
        assert first >= sure[1] >= sure[2] > 0
        assert sure.sum() <= 1 + 1e-9
    # Nearly as good a match is nearly as likely, as long as there is probability left for it.
    assert placed.confidences(0.4)[1] > 0.25


def test_variants_stand_together_with_the_confidence_of_both() -> None:
    scores = _score([0.7, 0.69, 0.6], [0, 1, 2])
    apart = conf.place(scores, _head([0, 1, 2]), 2.0)
    assert apart.order.tolist() == [0, 1, 2]
    joined = conf.place(scores, _head([0, 1, 0]), 2.0)
    assert joined.order.tolist() == [0, 2, 1]
    sure = joined.confidences(0.8)
    assert sure[0] == sure[2] == 0.8
    assert sure[1] < 0.21
    assert joined.features[1] > apart.features[1]


def test_only_the_first_places_of_very_many_are_put_in_order() -> None:
    rng = np.random.default_rng(2)
    n = 3 * conf.DEPTH
    scores = _score(rng.random(n).tolist(), list(range(n)))
    placed = conf.place(scores, _head(list(range(n))), 2.0)
    assert placed.order.tolist() == scoring.ordered(scores.total)[: conf.DEPTH].tolist()


def test_the_temperature_is_the_prior_without_questions_and_the_best_one_with_many() -> None:
    none = np.zeros((0, len(conf.TEMPERATURES)))
    assert conf.fit_temperature(none) == pytest.approx(conf.TEMPERATURE, rel=0.1)
    losses = np.ones((3000, len(conf.TEMPERATURES)))
    losses[:, 7] = 0.5
    assert conf.fit_temperature(losses) == conf.TEMPERATURES[7]


def test_the_reliability_table_adds_up() -> None:
    confidence = np.array([0.95] * 10 + [0.15] * 30)
    right = np.array([True] * 9 + [False] * 31)
    table = conf.reliability(confidence, right, np.ones(40))
    assert [(b["from"], b["questions"], b["share"], b["right"]) for b in table] == [
        (0.1, 30, 0.75, 0.0),
        (0.9, 10, 0.25, 0.9),
    ]


def test_a_narrow_snippet_is_more_typical_than_a_wide_one() -> None:
    rng = np.random.default_rng(5)
    narrow = np.eye(8)[0] + 0.1 * rng.standard_normal((6, 8))
    wide = np.eye(8)[1] + 0.8 * rng.standard_normal((6, 8))
    rows = scoring.unit(np.vstack([narrow, wide, np.eye(8)[2:3]]).astype(np.float32))
    owner = np.array([0] * 6 + [1] * 6 + [2], np.int32)
    asked = np.array([True] * 12 + [False])
    found = scoring.typicality(rows, owner, asked, 3)
    assert found[0] > found[2] > found[1]
    nothing = scoring.typicality(rows, owner, np.zeros(13, bool), 3)
    assert nothing.tolist() == [scoring.TYPICAL] * 3
