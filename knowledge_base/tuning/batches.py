"""Which texts meet in one step: a few texts of each of many snippets, half of them easily confused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors

Integers = NDArray[np.int64]
CONFUSABLE = 0.5  # share of a batch that is filled with the neighbours of its first snippets
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
) -> Iterator[Integers]:
    """The batches of one epoch as positions into `owner`: at most `groups` snippets of `size` texts each.

    Every text comes at least once. A snippet with fewer texts than `size` repeats some of them: each
    repetition is noised and dropped out differently, so that even a single text has a positive. The same
    seed and epoch give the same batches.
    """
    rng = np.random.default_rng([seed, epoch])
    chunks = _chunks(owner, size, rng)
    waiting = {snippet: list(rng.permutation(len(of))) for snippet, of in chunks.items()}
    queue = [snippet for snippet, of in chunks.items() for _ in of]
    rng.shuffle(queue)
    while queue:
        chosen = _choose(queue, waiting, neighbours, groups)
        yield np.concatenate([chunks[snippet][waiting[snippet].pop()] for snippet in chosen])
        left = dict.fromkeys(chosen, 1)
        queue = [s for s in reversed(queue) if not left.pop(s, 0)][::-1]


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
    queue: list[int], waiting: dict[int, list[int]], neighbours: Integers, groups: int
) -> list[int]:
    """Snippets for one batch: from the front of the queue, each with a neighbour while there is room."""
    chosen: dict[int, None] = {}
    for snippet in queue:
        if len(chosen) >= groups:
            break
        if snippet in chosen:
            continue
        chosen[snippet] = None
        if len(chosen) < groups * CONFUSABLE * 2:
            for near in neighbours[snippet]:
                if len(chosen) < groups and int(near) not in chosen and waiting.get(int(near)):
                    chosen[int(near)] = None
                    break
    return list(chosen)
