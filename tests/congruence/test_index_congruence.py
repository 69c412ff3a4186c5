"""FAISS and the NumPy reference give the same rows, in the same order, with the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.index import search
from knowledge_base.index.encoder import Vectors
from knowledge_base.index.search import (
    ExactIndex,
    FaissIndex,
    Hits,
    read_faiss,
    recall,
    write_faiss,
)


def _unit(rng: np.random.Generator, rows: int, dimension: int) -> Vectors:
    vectors = rng.standard_normal((rows, dimension)).astype(np.float32)
    result: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result


def _faiss(vectors: Vectors, folder: Path) -> FaissIndex:
    path = folder / "index.faiss"
    write_faiss(vectors, path)
    return read_faiss(path, vectors)


def _same(one: Hits, other: Hits) -> None:
    assert one.rows.tolist() == other.rows.tolist()
    assert one.similarities.tobytes() == other.similarities.tobytes()


@pytest.mark.parametrize(("rows", "dimension"), [(1, 4), (7, 16), (300, 384), (5000, 64)])
@pytest.mark.parametrize("k", [1, 3, 256, 10_000])
def test_both_indexes_agree(tmp_path: Path, rows: int, dimension: int, k: int) -> None:
    rng = np.random.default_rng(rows * k)
    vectors = _unit(rng, rows, dimension)
    approximate, exact = _faiss(vectors, tmp_path), ExactIndex(vectors)
    for query in _unit(rng, 5, dimension):
        hits = exact.search(query, k=k)
        _same(approximate.search(query, k=k), hits)
        assert len(hits.rows) == min(k, rows)
        assert (np.diff(hits.similarities) <= 0).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    distinct=st.integers(1, 6),
    copies=st.integers(1, 60),
    k=st.integers(1, 80),
)
def test_ties_come_in_order_of_row_in_both(
    tmp_path_factory: pytest.TempPathFactory, seed: int, distinct: int, copies: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    every = np.tile(_unit(rng, distinct, 8), (copies, 1))
    vectors = every[rng.permutation(len(every))]
    query = _unit(rng, 1, 8)[0]
    hits = ExactIndex(vectors).search(query, k=k)
    _same(_faiss(vectors, tmp_path_factory.mktemp("ties")).search(query, k=k), hits)
    for left, right in zip(range(len(hits.rows) - 1), range(1, len(hits.rows)), strict=True):
        if hits.similarities[left] == hits.similarities[right]:
            assert hits.rows[left] < hits.rows[right]


def test_a_rows_similarity_does_not_depend_on_the_other_rows() -> None:
    rng = np.random.default_rng(5)
    vectors, query = _unit(rng, 400, 384), _unit(rng, 1, 384)[0]
    alone = [
        float(ExactIndex(vectors[[i]]).search(query, k=1).similarities[0]) for i in range(400)
    ]
    together = ExactIndex(vectors).search(query, k=400)
    assert [alone[row] for row in together.rows] == [float(s) for s in together.similarities]


def test_a_query_of_zeros_finds_the_first_rows(tmp_path: Path) -> None:
    vectors = _unit(np.random.default_rng(1), 40, 8)
    zero = np.zeros(8, dtype=np.float32)
    for index in (ExactIndex(vectors), _faiss(vectors, tmp_path)):
        assert index.search(zero, k=3).rows.tolist() == [0, 1, 2]


def test_an_index_of_other_vectors_is_refused(tmp_path: Path) -> None:
    vectors = _unit(np.random.default_rng(1), 40, 8)
    write_faiss(vectors, tmp_path / "index.faiss")
    with pytest.raises(ValueError, match="holds 40 x 8"):
        read_faiss(tmp_path / "index.faiss", vectors[:39])


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.faiss").write_bytes(b"not an index at all")
    with pytest.raises(ValueError, match="cannot be read"):
        read_faiss(tmp_path / "index.faiss", np.zeros((1, 2), dtype=np.float32))


class TestIvf:
    """The approximate kind: fewer rows are compared, nearly the same ones are found."""

    @pytest.fixture
    def clustered(self, monkeypatch: pytest.MonkeyPatch) -> Vectors:
        """Phrasings of 300 snippets, ten each; such a small number of rows is approximated for once."""
        monkeypatch.setattr(search, "IVF_ROWS", 1000)
        rng = np.random.default_rng(7)
        centres = np.repeat(_unit(rng, 300, 48), 10, axis=0)
        vectors = centres + 0.7 * _unit(rng, 3000, 48)
        result: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return result

    def test_its_recall_is_what_the_manifest_says(self, tmp_path: Path, clustered: Vectors):
        kind = write_faiss(clustered, tmp_path / "index.faiss")
        index = read_faiss(tmp_path / "index.faiss", clustered)
        assert kind["kind"] == "ivf"
        assert kind["recall_at_10"] >= search.MIN_RECALL
        assert kind["probes"] < kind["cells"]
        other = search.sample_queries(clustered[::-1], count=200)
        assert recall(index, ExactIndex(clustered), other) >= 0.99

    def test_found_rows_have_the_numbers_of_the_reference(
        self, tmp_path: Path, clustered: Vectors
    ):
        write_faiss(clustered, tmp_path / "index.faiss")
        index, exact = read_faiss(tmp_path / "index.faiss", clustered), ExactIndex(clustered)
        for query in search.sample_queries(clustered, count=20):
            every = exact.search(query, k=len(clustered))
            known = dict(zip(every.rows.tolist(), every.similarities.tolist(), strict=True))
            hits = index.search(query, k=256)
            assert [known[row] for row in hits.rows.tolist()] == hits.similarities.tolist()
            assert (np.diff(hits.similarities) <= 0).all()

    def test_a_search_may_want_more_rows_than_the_cells_hold(
        self, tmp_path: Path, clustered: Vectors
    ):
        write_faiss(clustered, tmp_path / "index.faiss")
        hits = read_faiss(tmp_path / "index.faiss", clustered).search(clustered[0], k=3000)
        assert 10 <= len(hits.rows) < 3000
        assert hits.rows[0] == 0

    def test_the_same_vectors_give_the_same_bytes(self, tmp_path: Path, clustered: Vectors):
        one, other = tmp_path / "one.faiss", tmp_path / "other.faiss"
        assert write_faiss(clustered, one) == write_faiss(clustered.copy(), other)
        assert one.read_bytes() == other.read_bytes()


def test_few_rows_are_compared_exactly(tmp_path: Path) -> None:
    vectors = _unit(np.random.default_rng(1), 50, 8)
    assert write_faiss(vectors, tmp_path / "index.faiss") == {"kind": "flat"}
