"""Nearest rows of a query: FAISS for serving, exact NumPy as the reference it must agree with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors

# Rows fetched beyond those wanted, so that rows which FAISS sums in another order are still among them.
SLACK = 16
# Two float32 sums over unit vectors in another order differ by less than this (measured: 2e-7).
ROUNDING = 2e-6


class Index(Protocol):
    """What ranking needs of an index."""

    def search(self, query: Vectors, *, k: int) -> Hits:
        """The `k` nearest rows by inner product, nearest first; equal ones in order of row."""
        ...


class Hits:
    """Rows (int64) and their similarities (float32), nearest first; both of the same length."""

    __slots__ = ("rows", "similarities")

    def __init__(self, rows: NDArray[np.int64], similarities: Vectors) -> None:
        self.rows = rows
        self.similarities = similarities


class ExactIndex:
    """Every row is compared: the reference in NumPy."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def search(self, query: Vectors, *, k: int) -> Hits:
        """See `Index.search`."""
        every = np.arange(len(self._vectors), dtype=np.int64)
        return _nearest(self._vectors, query, every, k)


class FaissIndex:
    """FAISS proposes the rows; their similarities are summed again as the reference does.

    So both give the same rows, the same order and the same numbers whatever FAISS's kernels do.
    """

    def __init__(self, index: Any, vectors: Vectors) -> None:
        self._index = index
        self._vectors = vectors

    def search(self, query: Vectors, *, k: int) -> Hits:
        """See `Index.search`."""
        total = len(self._vectors)
        wanted = min(k, total)
        if wanted <= 0:
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        asked = min(total, wanted + SLACK)
        while True:
            found, labels = self._index.search(query.reshape(1, -1), asked)
            # A tie at the edge could hide a row with a smaller number: look further until there is none.
            if asked == total or found[0, wanted - 1] - found[0, -1] > ROUNDING:
                return _nearest(self._vectors, query, np.sort(labels[0]), wanted)
            asked = min(total, asked * 2)


def write_faiss(vectors: Vectors, path: Path) -> None:
    """A flat inner-product index over the rows (exact; the right kind up to some 100,000 rows)."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(path))


def read_faiss(path: Path, vectors: Vectors) -> FaissIndex:
    """Open an index for these vectors. Raises ValueError when it was made for other ones."""
    import faiss

    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:  # FAISS has one exception class for everything
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    if (index.ntotal, index.d) != vectors.shape:
        raise ValueError(
            f"{path.name} holds {index.ntotal} x {index.d} numbers, vectors.npy {vectors.shape}"
        )
    return FaissIndex(index, vectors)


def _nearest(vectors: Vectors, query: Vectors, rows: NDArray[np.int64], k: int) -> Hits:
    """The nearest of `rows` (ascending); each row's sum depends on that row alone, never on its neighbours."""
    products = vectors[rows].astype(np.float64) * query.astype(np.float64)
    similarities = products.sum(axis=1).astype(np.float32)
    order = np.argsort(-similarities, kind="stable")[:k]
    return Hits(rows[order], similarities[order])
