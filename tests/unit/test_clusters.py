"""Questions that mean the same come together, in the same groups whatever their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.similarity.clusters import cluster, link


def unit(vectors: np.ndarray) -> np.ndarray:
    result: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result.astype(np.float32)


def random(n: int, seed: int, d: int = 6) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


def plainly(vectors: np.ndarray, joined: float) -> list[int]:
    """Average linkage as the textbook has it: join the two nearest groups until none are near enough."""
    near = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    groups = [[i] for i in range(len(vectors))]
    while len(groups) > 1:
        best = max(
            (near[np.ix_(a, b)].mean(), -i, -j)
            for i, a in enumerate(groups)
            for j, b in enumerate(groups)
            if i < j
        )
        if best[0] < joined:
            break
        i, j = -best[1], -best[2]
        groups[i] += groups.pop(j)
    labels = [0] * len(vectors)
    for number, members in enumerate(sorted(groups, key=min)):
        for member in members:
            labels[member] = number
    return labels


def same_groups(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000), st.sampled_from([-0.5, 0.0, 0.3, 0.6, 0.9]))
def test_it_gives_the_groups_of_the_textbook(n: int, seed: int, joined: float) -> None:
    vectors = random(n, seed)
    assert link(vectors, joined=joined).tolist() == plainly(vectors, joined)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000))
def test_the_order_of_the_questions_does_not_matter(n: int, seed: int) -> None:
    vectors = random(n, seed)
    order = np.random.default_rng(seed + 1).permutation(n)
    assert same_groups(cluster(vectors)[order], cluster(vectors[order]))


def test_equal_questions_are_one_group() -> None:
    vectors = np.repeat(random(3, 5, d=40), [4, 1, 2], axis=0)
    assert link(vectors, joined=0.9).tolist() == [0, 0, 0, 0, 1, 2, 2]


@pytest.mark.parametrize("n", [0, 1])
def test_next_to_nothing_can_be_grouped(n: int) -> None:
    assert cluster(random(n, 1)).tolist() == list(range(n))


def test_what_all_questions_share_does_not_join_them() -> None:
    trade = np.zeros(300, dtype=np.float32)
    trade[0] = 0.8  # as alike as the questions of one trade are
    matters = np.repeat(random(30, 3, d=300), 3, axis=0)
    noise = 0.3 * random(90, 4, d=300)
    labels = cluster(unit(trade + matters + noise))
    assert same_groups(labels, np.repeat(np.arange(30), 3))


def test_a_question_that_nearly_everybody_asks_stays_one_group() -> None:
    matters = random(12, 3, d=40)
    owners = np.array([0] * 200 + [1 + i % 11 for i in range(33)])
    labels = cluster(unit(matters[owners] + 0.5 * random(len(owners), 4, d=40)))
    assert len(set(labels[:200].tolist())) == 1
