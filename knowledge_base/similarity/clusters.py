"""Questions that mean the same, put together: average linkage on cosine similarity, the same every time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors
from knowledge_base.ranking.scoring import centre_of, unit

# Mean cosine similarity above which two groups of questions become one: at first among the vectors as they are,
# then once what they all share is taken out. Chosen on halves of the categories of Banking77 and CLINC150, with
# even volumes and with one question asked by nearly everybody (tests/benchmarks/coverage compares with others).
ROUGH = 0.5
JOINED = 0.28
_NEVER = np.float32(-2.0)  # below every cosine: what is merged or finished is nobody's neighbour

Labels = NDArray[np.int64]


def cluster(vectors: Vectors) -> Labels:
    """A group for each question ([n, d] unit vectors of the encoder, to [n]), numbered by their first members.

    What all questions share (register, trade) says nothing of their matter, so it is taken out: the mean of the
    groups of a first, rough round. The mean of the questions themselves would be the matter of the day's incident,
    and tear it apart.
    """
    if not len(vectors):
        return np.zeros(0, dtype=np.int64)
    rough = link(vectors, joined=ROUGH)
    groups = int(rough.max()) + 1
    centre = centre_of(vectors, rough.astype(np.int32), groups)
    return link(unit(vectors - centre), joined=JOINED)


def link(vectors: Vectors, *, joined: float) -> Labels:
    """A group for each of the unit vectors ([n, d] to [n]), numbered in order of their first members.

    Average linkage (Sokal and Michener 1958) by chains of nearest neighbours (Benzécri 1982): two groups are
    joined while the mean similarity between their members is at least `joined`. Groups do not depend on the
    order of the vectors, except where similarities are equal. Time and memory grow with n squared (5,000
    vectors: 100 MB).
    """
    near: Vectors = (vectors @ vectors.T).astype(np.float32)
    np.fill_diagonal(near, _NEVER)
    parent = list(range(len(vectors)))
    size = np.ones(len(vectors), dtype=np.float32)
    for start in range(len(vectors)):
        chain = [start] if parent[start] == start else []
        while chain:
            last = chain[-1]
            nearest = int(near[last].argmax())
            if len(chain) > 1 and near[last, chain[-2]] >= near[last, nearest]:
                _join(near, size, parent, chain.pop(), chain.pop())
                chain = chain or ([start] if parent[start] == start else [])
            elif near[last, nearest] < joined:
                near[last, :] = near[:, last] = _NEVER  # nothing will come nearer: it is finished
                chain.pop()
            else:
                chain.append(nearest)
    return _numbered(parent)


def _join(near: Vectors, size: NDArray[np.float32], parent: list[int], a: int, b: int) -> None:
    """`b` goes up in `a`: similarities are the means over members, so they are weighed by size."""
    a, b = min(a, b), max(a, b)
    mean = (size[a] * near[a] + size[b] * near[b]) / (size[a] + size[b])
    gone = (near[a] <= _NEVER) | (near[b] <= _NEVER)
    mean[gone] = _NEVER
    near[a, :] = near[:, a] = mean
    near[a, a] = _NEVER
    near[b, :] = near[:, b] = _NEVER
    size[a] += size[b]
    parent[b] = a


def _numbered(parent: list[int]) -> Labels:
    numbers: dict[int, int] = {}
    labels = np.empty(len(parent), dtype=np.int64)
    for member in range(len(parent)):
        root = member
        while parent[root] != root:
            root = parent[root]
        labels[member] = numbers.setdefault(root, len(numbers))
    return labels
