"""Which snippets are one answer in several wordings: by their key, or by the customer phrasings they share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.rows import RowTable
from knowledge_base.snippet import base_key

SHARED = 0.5  # of the smaller snippet's rows that have to be the other's as well
# Words that stand in more snippets than this ("Thank you!") tell nothing, and pairs of them would be many.
COMMON = 50

Variants = NDArray[np.int32]


def find_variants(rows: RowTable, texts: Sequence[str]) -> Variants:
    """For each snippet the first one (in order of key) that it is a variant of, itself if of none ([snippets]).

    Two snippets are variants when they share the key up to the tilde (`returns.how~formal`), or when half of
    the rows of the one with fewer rows are rows of the other. A question that fits one fits the other, so
    their probabilities are added, and none lowers the other's.
    """
    holders: defaultdict[str, set[int]] = defaultdict(set)
    for text, owner in zip(texts, rows.snippet.tolist(), strict=True):
        holders[text.casefold()].add(owner)
    shared: Counter[tuple[int, int]] = Counter()
    for owners in holders.values():
        if 1 < len(owners) <= COMMON:
            ordered = sorted(owners)
            shared.update((a, b) for i, a in enumerate(ordered) for b in ordered[i + 1 :])
    counts = rows.counts
    parent = list(range(len(rows.snippets)))
    for (a, b), number in sorted(shared.items()):
        if number >= SHARED * min(counts[a], counts[b]):
            _join(parent, a, b)
    first: dict[str, int] = {}
    for place, snippet in enumerate(rows.snippets):
        _join(parent, first.setdefault(base_key(snippet.key), place), place)
    return np.array([_root(parent, i) for i in range(len(parent))], dtype=np.int32)


def _join(parent: list[int], a: int, b: int) -> None:
    one, other = sorted((_root(parent, a), _root(parent, b)))
    parent[other] = one


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
