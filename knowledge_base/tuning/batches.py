"""Which texts meet in one step: a few texts of each of many snippets, in pairs that are easily confused."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors

Integers = NDArray[np.int64]
NEIGHBOURS = 15  # nearest snippets looked at; further ones are told apart already
BLOCK = (
    1024  # snippets compared at a time, so that memory grows with the snippets, not their square
)


def confusable(vectors: Vectors, owner: NDArray[np.int32], snippets: int) -> Integers:
    """The nearest other snippets of each by the mean of their vectors ([snippets, up to NEIGHBOURS]).

    `vectors` (float32 [texts, d]) are the encoder's before tuning, `owner` ([texts]) names their snippets.
    """
    means = np.zeros((snippets, vectors.shape[1]), dtype=np.float32)
    np.add.at(means, owner, vectors)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    wanted = min(NEIGHBOURS, snippets - 1)
    found = np.zeros((snippets, wanted), dtype=np.int64)
    for start in range(0, snippets, BLOCK):
        near = means[start : start + BLOCK] @ means.T
        rows = np.arange(len(near))
        near[rows, start + rows] = -np.inf
        found[start : start + BLOCK] = np.argsort(-near, axis=1, kind="stable")[:, :wanted]
    return found


def plan(
    owner: NDArray[np.int32],
    neighbours: Integers,
    *,
    groups: int,
    size: int,
    seed: int,
    epoch: int,
    most: int | None = None,
) -> Iterator[Integers]:
    """The batches of one epoch as positions into `owner`: at most `groups` snippets of `size` texts each.

    Every text comes at least once, unless there are more than `most`: then a new sample of so many. A
    snippet with fewer texts than `size` repeats some of them: each repetition is noised and dropped out
    differently, so that even a single text has a positive. The same seed and epoch give the same batches.
    """
    rng = np.random.default_rng([seed, epoch])
    waiting = _chunks(owner, size, rng)
    turns = [snippet for snippet, chunks in waiting.items() for _ in chunks]
    rng.shuffle(turns)
    if most is not None and len(turns) * size > most:
        turns = turns[: max(1, most // size)]
        counted = Counter(turns)
        waiting = {snippet: chunks[: counted[snippet]] for snippet, chunks in waiting.items()}
    queue, early = deque(turns), Counter[int]()
    while queue:
        chosen = _choose(queue, early, waiting, neighbours, groups)
        if chosen:
            yield np.concatenate([waiting[snippet].pop() for snippet in chosen])


def _chunks(
    owner: NDArray[np.int32], size: int, rng: np.random.Generator
) -> dict[int, list[Integers]]:
    """Each snippet's texts in random order, cut into pieces of `size`; the last one is filled up."""
    order = np.argsort(owner, kind="stable")
    present, starts = np.unique(owner[order], return_index=True)
    chunks: dict[int, list[Integers]] = {}
    for snippet, texts in zip(present, np.split(order, starts[1:]), strict=True):
        mixed = rng.permutation(texts)
        pieces = -(-len(mixed) // size)
        filled = np.resize(mixed, pieces * size)  # repeats from the front
        chunks[int(snippet)] = list(filled.reshape(pieces, size).astype(np.int64))
    return chunks


def _choose(
    queue: deque[int],
    early: Counter[int],
    waiting: dict[int, list[Integers]],
    neighbours: Integers,
    groups: int,
) -> list[int]:
    """Snippets for one batch: the next in the queue, each followed by its nearest neighbour that still waits.

    `early` counts the turns that a snippet had as a neighbour and that the queue still holds.
    """
    chosen: dict[int, None] = {}
    deferred: list[int] = []  # a second turn in one batch would be no other snippet
    while queue and len(chosen) < groups:
        snippet = queue.popleft()
        if early[snippet]:
            early[snippet] -= 1
        elif snippet in chosen:
            deferred.append(snippet)
        else:
            chosen[snippet] = None
            near = (int(n) for n in neighbours[snippet])
            closest = next((n for n in near if n not in chosen and waiting.get(n)), None)
            if closest is not None and len(chosen) < groups:
                chosen[closest] = None
                early[closest] += 1
    queue.extendleft(reversed(deferred))
    return list(chosen)
