"""Properties of scoring and thresholds over any numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.index.rows import encodable
from knowledge_base.index.search import Hits
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking import scoring
from knowledge_base.ranking.query import why_unanswerable
from knowledge_base.ranking.risk import choose_threshold, fallback

ROWS = st.lists(st.tuples(st.floats(-1, 1, width=32), st.integers(0, 5)), min_size=1, max_size=60)


def _scores(rows: list[tuple[float, int]], head: bool) -> scoring.Scores:
    similarities = np.array([s for s, _ in rows], dtype=np.float32)
    owner = np.array([o for _, o in rows], dtype=np.int32)
    order = np.argsort(-similarities, kind="stable")
    counts = np.bincount(owner, minlength=6)
    log_head = scoring.log_softmax(np.linspace(-3, 3, 6)) if head else None
    hits = Hits(order.astype(np.int64), similarities[order])
    return scoring.score(hits, snippet=owner, counts=counts, log_head=log_head)


@given(rows=ROWS, head=st.booleans())
def test_a_soft_match_lies_between_the_mean_and_the_best(
    rows: list[tuple[float, int]], head: bool
) -> None:
    scores = _scores(rows, head)
    for position in range(6):
        mine = [np.float32(s) for s, owner in rows if owner == position]
        if mine:
            assert np.mean(mine) - 1e-5 <= scores.soft[position] <= max(mine) + 1e-5
            assert scores.best[position] == max(mine)


@given(rows=ROWS, head=st.booleans())
def test_shares_are_a_distribution_with_room_for_none(
    rows: list[tuple[float, int]], head: bool
) -> None:
    scores = _scores(rows, head)
    share = conf.shares(scores)
    assert (share >= 0).all()
    assert share.sum() <= 1 + 1e-9
    none = np.zeros((0, 4), np.float32)
    apart = np.arange(6, dtype=np.int32)
    knowing = scoring.Head(
        none.sum(0), none, none[:, 0], np.full(6, 0.5, np.float32), apart, np.zeros(6, np.float32)
    )
    placed = conf.place(scores, knowing, 1.5)
    assert np.isfinite(placed.features).all()
    assert np.isclose(placed.mass.sum(), 1.0)
    assert placed.order[0] == scoring.ordered(scores.total)[0]
    sure = placed.confidences(0.7)
    assert 0.7 <= sure.sum() <= 1 + 1e-9
    assert (np.diff(sure[placed.order]) <= 1e-12).all()


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(0, 400),
    target=st.floats(0.02, 0.5),
)
def test_a_held_out_threshold_keeps_its_promise(seed: int, n: int, target: float) -> None:
    rng = np.random.default_rng(seed)
    confidence = np.round(rng.random(n) ** 0.3, 2)
    right = rng.random(n) < confidence
    found = choose_threshold(confidence, right, np.ones(n, dtype=bool), target=target)
    if found.basis == "held_out":
        answered = confidence >= found.confidence
        error = float((~right[answered]).mean())
        assert found.error is not None
        assert found.bound is not None
        assert abs(error - found.error) < 1e-5
        assert error <= found.bound <= target + 1e-6
    else:
        assert found.confidence == fallback(target)


@given(st.text())
def test_encodable_text_has_no_slot_and_single_spaces(text: str) -> None:
    plain = encodable(text)
    assert "  " not in plain
    assert encodable(plain) == plain


@given(st.lists(st.text(), max_size=3))
def test_every_message_has_words_or_a_reason(messages: list[str]) -> None:
    reason = why_unanswerable(messages)
    assert reason in {None, "nothing_asked", "no_words"}
    if reason is None:
        assert any(character.isalnum() for character in messages[-1])
