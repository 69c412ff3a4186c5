"""The batch report: every pair of live snippets that answers the same question, in other words or otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from knowledge_base.progress import Progress, silent
from knowledge_base.ranking import Ranker
from knowledge_base.similarity.alike import (
    EXAMPLE,
    ORDER,
    TEXT,
    TEXT_TWIN,
    Alikeness,
    Rows,
    compare,
    compete,
    indexed_rows,
    row_edges,
)
from knowledge_base.snippet import Revision
from knowledge_base.store import repository

NEIGHBOURS = 24  # nearest rows of each row; a snippet's own are among them
NEAR = 0.45  # cosine from which a neighbour counts; pairs that reach SAME have most of their rows so near
SHARE = 0.3  # of the rows of the one with fewer that must have such a neighbour in the other
BLOCK = 4096  # rows searched at a time
STEP = "Comparing phrasings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two live revisions that answer the same question; `one` comes first in order of key."""

    one: Revision
    other: Revision
    alikeness: Alikeness

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON."""
        return {
            "sort": self.alikeness.sort,
            "one": {
                "key": self.one.key,
                "revision": self.one.number,
                "text": self.one.content.text,
            },
            "other": {
                "key": self.other.key,
                "revision": self.other.number,
                "text": self.other.content.text,
            },
            "questions": self.alikeness.questions,
            "text": self.alikeness.text,
            "clashes": [
                {"kind": c.kind, "one": c.one, "other": c.other} for c in self.alikeness.clashes
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """All pairs: contradictions first, then duplicates, then others for one question; the more alike first.

    `missing` are live snippets that the generation does not know, or knows in other words: build it anew to have
    them compared.
    """

    build_id: str
    snippets: int
    rows: int
    pairs: tuple[Pair, ...]
    missing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON."""
        return {
            "build_id": self.build_id,
            "snippets": self.snippets,
            "rows": self.rows,
            "pairs": [pair.to_json() for pair in self.pairs],
            "missing": list(self.missing),
        }


def find_duplicates(
    session: Session, ranker: Ranker, *, progress: Progress = silent
) -> DuplicateReport:
    """Compare all live snippets of a generation with each other by the neighbours of their rows."""
    rows = ranker.generation.rows
    live = {r.key: r for r in repository.all_live(session)}
    indexed = {s.key: s.content_hash for s in rows.snippets}
    known = {key: r for key, r in live.items() if indexed.get(key) == r.content_hash}
    edges = row_edges(ranker)
    kept: dict[int, Rows] = {}

    def rows_at(position: int) -> Rows:
        if position not in kept:
            kept[position] = indexed_rows(ranker, position, edges)
        return kept[position]

    pairs = []
    for a, b in sorted(_near(ranker, progress)):
        one, other = known.get(rows.snippets[a].key), known.get(rows.snippets[b].key)
        if one is None or other is None or not compete(one.content, other.content):
            continue
        alikeness = compare(one.content, rows_at(a), other.content, rows_at(b))
        if alikeness.sort not in (None, "related"):
            pairs.append(Pair(one=one, other=other, alikeness=alikeness))
    return DuplicateReport(
        build_id=ranker.build_id,
        snippets=len(known),
        rows=len(rows.snippet),
        pairs=tuple(sorted(pairs, key=_rank)),
        missing=tuple(sorted(live.keys() - known.keys())),
    )


def _rank(pair: Pair) -> tuple[int, float, str, str]:
    alikeness = pair.alikeness
    sort = ORDER.index(alikeness.sort or "related")
    return sort, -max(alikeness.questions, alikeness.text), pair.one.key, pair.other.key


def _near(ranker: Ranker, progress: Progress) -> set[tuple[int, int]]:
    """Pairs of snippets with enough near rows of phrasings, or with twin texts ((a, b), a < b)."""
    rows = ranker.generation.rows
    size = len(rows.snippets)
    counts = np.bincount(rows.snippet[rows.kind == EXAMPLE], minlength=size)
    asked: dict[int, int] = {}
    found: set[tuple[int, int]] = set()
    for mine, theirs, kind, similarity in _neighbours(ranker, progress):
        twins = (kind == TEXT) & (similarity >= TEXT_TWIN)
        found.update(_ordered(mine[twins], theirs[twins]))
        codes, numbers = np.unique(mine * size + theirs, return_counts=True)
        for code, number in zip(codes.tolist(), numbers.tolist(), strict=True):
            asked[code] = asked.get(code, 0) + number
    for code, number in asked.items():
        a, b = divmod(code, size)
        if number >= max(1.0, SHARE * max(counts[a], 1)):
            found.add((a, b) if a < b else (b, a))
    return found


def _neighbours(
    ranker: Ranker, progress: Progress
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8], NDArray[np.float32]]]:
    """Blocks of near pairs of rows: snippet, snippet of the neighbour, kind of the row, similarity."""
    generation = ranker.generation
    owner, kinds = generation.rows.snippet.astype(np.int64), generation.rows.kind
    total = len(owner)
    for start in range(0, total, BLOCK):
        block = np.asarray(generation.vectors[start : start + BLOCK])
        labels, near = generation.index.search_many(block, k=NEIGHBOURS)
        row = np.repeat(np.arange(start, start + len(block)), labels.shape[1])
        label, similarity = labels.ravel(), near.ravel()
        wanted = (label >= 0) & (similarity >= NEAR) & (owner[row] != owner[label])
        row, label, similarity = row[wanted], label[wanted], similarity[wanted]
        # The nearest of a snippet's rows stands for it.
        _, first = np.unique(
            row * np.int64(len(generation.rows.snippets)) + owner[label], return_index=True
        )
        yield owner[row[first]], owner[label[first]], kinds[row[first]], similarity[first]
        progress(STEP, min(start + BLOCK, total), total)


def _ordered(mine: NDArray[np.int64], theirs: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    low, high = np.minimum(mine, theirs), np.maximum(mine, theirs)
    yield from zip(low.tolist(), high.tolist(), strict=True)
