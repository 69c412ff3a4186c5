"""Nearest rows of a query: FAISS for serving, exact NumPy as the reference it must agree with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors

# Rows fetched beyond those wanted, so that rows which FAISS sums in another order are still among them.
SLACK = 16
# Two float32 sums over unit vectors in another order differ by less than this (measured: 2e-7).
ROUNDING = 2e-6

# From so many rows on, an IVF index is the faster one (tests/benchmarks/scale); below, comparing every row is.
IVF_ROWS = 20_000
SEED = 20260302  # any fixed number; it decides the sample and where k-means starts
ROUNDS = 8  # of k-means; more move the centres, and hardly a row
POINTS_PER_CELL = 64  # rows per cell that k-means looks at
FIRST_PROBES = 4
RECALL_AT = 10
# What a sample of so many queries has to show for a recall of 0.99 or better on others: ten nearest rows of
# 300 queries leave a standard error of about 0.002.
MIN_RECALL = 0.995
SAMPLE_QUERIES = 300
MOVED = 0.88  # length of the noise added to a unit vector: tan(acos(0.75))

# What an index is, as the manifest tells it: {"kind": "flat"}, or "ivf" with its cells, the probes (cells looked
# into for each question), and the recall at 10 that a sample of queries had against the exact index.
IndexKind = dict[str, Any]


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

    So a flat index gives the reference's rows, order and numbers whatever FAISS's kernels do, and an IVF index
    gives its numbers for the rows it finds (see `IndexKind`).
    """

    def __init__(self, index: Any, vectors: Vectors) -> None:
        self._index = index
        self._vectors = vectors

    def search(self, query: Vectors, *, k: int) -> Hits:
        """See `Index.search`; an IVF index may find fewer than `k` rows in the cells it looks into."""
        total = len(self._vectors)
        wanted = min(k, total)
        if wanted <= 0:
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        asked = min(total, wanted + SLACK)
        while True:
            found, labels = self._index.search(query.reshape(1, -1), asked)
            rows = labels[0][labels[0] >= 0]  # -1 stands for "no more rows in these cells"
            # A tie at the edge could hide a row with a smaller number: look further until there is none.
            if (
                asked == total
                or len(rows) < asked
                or found[0, wanted - 1] - found[0, -1] > ROUNDING
            ):
                return _nearest(self._vectors, query, np.sort(rows), wanted)
            asked = min(total, asked * 2)

    def search_many(
        self, queries: Vectors, *, k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows and similarities ([n, k] each) of many queries at once, as FAISS sums them; -1 where there are
        no more. Quicker than one by one, and for reports only: nothing is summed again, ties stay as they come.
        """
        found, labels = self._index.search(
            np.ascontiguousarray(queries), min(k, len(self._vectors))
        )
        return labels.astype(np.int64), found


def write_faiss(vectors: Vectors, path: Path) -> IndexKind:
    """Write the index that is the faster one for so many rows; returns what it is, for the manifest.

    The same vectors give the same bytes on one machine: fixed seed, one thread. Across machines k-means may
    round differently, so the build id covers the content and the parameters, not these bytes.
    """
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index, kind = _flat(vectors) if len(vectors) < IVF_ROWS else _ivf(vectors)
        faiss.write_index(index, str(path))
    finally:
        faiss.omp_set_num_threads(threads)
    return kind


def read_faiss(path: Path, vectors: Vectors) -> FaissIndex:
    """Open an index for these vectors, mapped, so that processes share its memory.

    Raises ValueError when it was made for other ones.
    """
    import faiss

    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:  # FAISS has one exception class for everything
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    if (index.ntotal, index.d) != vectors.shape:
        raise ValueError(
            f"{path.name} holds {index.ntotal} x {index.d} numbers, vectors.npy {vectors.shape}"
        )
    return FaissIndex(index, vectors)


def cells_for(rows: int) -> int:
    """Cells of an IVF index: the square root of the rows balances choosing cells and reading them."""
    return 1 << round(math.log2(math.sqrt(rows)))


def recall(index: Index, exact: Index, queries: Vectors, *, k: int = RECALL_AT) -> float:
    """The mean share of the exact `k` nearest rows that `index` finds."""
    return _agreement(index, [exact.search(q, k=k).rows for q in queries], queries, k=k)


def _agreement(
    index: Index, wanted: Sequence[NDArray[np.int64]], queries: Vectors, *, k: int
) -> float:
    """The mean share of the wanted rows, `k` for each query, that `index` finds."""
    found = (index.search(query, k=k).rows for query in queries)
    return float(
        np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(found, wanted, strict=True)])
    )


def sample_queries(vectors: Vectors, count: int = SAMPLE_QUERIES) -> Vectors:
    """Stand-ins for questions ([count, d]): rows moved to where other words would lie (cosine 0.75)."""
    rng = np.random.default_rng(SEED)
    rows = rng.choice(len(vectors), size=min(count, len(vectors)), replace=False)
    noise = rng.standard_normal((len(rows), vectors.shape[1]))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    moved = vectors[rows] + MOVED * noise
    result: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return result


def _flat(vectors: Vectors) -> tuple[Any, IndexKind]:
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index, {"kind": "flat"}


def _ivf(vectors: Vectors) -> tuple[Any, IndexKind]:
    """Rows in cells around k-means centres; as many cells are looked into as the recall on a sample asks for."""
    import faiss

    rows, dimension = vectors.shape
    cells = cells_for(rows)
    index: Any = faiss.index_factory(dimension, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter = SEED, ROUNDS
    index.cp.max_points_per_centroid = POINTS_PER_CELL
    index.train(vectors)
    index.add(vectors)
    queries = sample_queries(vectors)
    reached = 0.0
    exact = FaissIndex(_flat(vectors)[0], vectors)
    nearest = [exact.search(query, k=RECALL_AT).rows for query in queries]
    del exact  # as large as the index itself
    index.nprobe = FIRST_PROBES
    probing = FaissIndex(index, vectors)
    while (reached := _agreement(probing, nearest, queries, k=RECALL_AT)) < MIN_RECALL:
        if index.nprobe >= cells:
            break
        index.nprobe = min(cells, index.nprobe * 3 // 2)
    return index, {
        "kind": "ivf",
        "cells": cells,
        "probes": int(index.nprobe),
        "recall_at_10": round(reached, 4),
        "sample": len(queries),
    }


def _nearest(vectors: Vectors, query: Vectors, rows: NDArray[np.int64], k: int) -> Hits:
    """The nearest of `rows` (ascending); each row's sum depends on that row alone, never on its neighbours."""
    products = vectors[rows].astype(np.float64) * query.astype(np.float64)
    similarities = products.sum(axis=1).astype(np.float32)
    order = np.argsort(-similarities, kind="stable")[:k]
    return Hits(rows[order], similarities[order])
