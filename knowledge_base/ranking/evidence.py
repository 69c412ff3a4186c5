"""What words and pairs of words say for each snippet, by how many of its rows hold them (naive Bayes, sparse)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Chosen on development parts of Banking77 and CLINC150 (docs/ranking.md).
SMOOTHING = (
    20.0  # rows' worth by which a snippet's share of a term is drawn to that of all snippets
)
STRENGTH = 0.5  # of a term's log-likelihood ratio beside BM25, with very many rows a snippet
HALF = 50.0  # rows a snippet at which it counts for half of that
LEAST_ROWS = 20  # a snippet, on average: with fewer it moves nothing
MOST_WORK = 20_000_000  # rows times snippets, as for the classifier: beyond it the terms would fill the memory

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Naive Bayes over terms (words and pairs of words), kept sparse.

    `terms` numbers them; term t weighs `weights[i]` (float32) for snippet `owners[i]` (int32), i from
    `starts[t]` to `starts[t + 1]` (int64 [terms + 1]), on top of `absent` (float32 [snippets]), what a term
    says for a snippet none of whose rows holds it. Without terms it says nothing.
    """

    terms: Mapping[str, int]
    starts: NDArray[np.int64]
    owners: NDArray[np.int32]
    weights: NDArray[np.float32]
    absent: NDArray[np.float32]

    def scores(self, words: Sequence[str]) -> Floats | float:
        """The sum over the distinct known terms of a question's words ([snippets]); 0 without any."""
        found = [self.terms[term] for term in sorted(terms_of(words)) if term in self.terms]
        if not found:
            return 0.0
        total = len(found) * self.absent.astype(np.float64)
        for number in found:
            place = slice(self.starts[number], self.starts[number + 1])
            total[self.owners[place]] += self.weights[place]
        return total

    def fits(self, snippets: int) -> bool:
        """Whether the arrays belong together and are for so many snippets."""
        return (
            len(self.starts) == len(self.terms) + 1
            and int(self.starts[-1]) == len(self.owners) == len(self.weights)
            and len(self.absent) == snippets
            and (not len(self.owners) or 0 <= self.owners.min() <= self.owners.max() < snippets)
        )


def terms_of(words: Sequence[str]) -> set[str]:
    """The words and each two that follow each other."""
    return {*words, *(f"{one} {other}" for one, other in zip(words, words[1:], strict=False))}


def make_evidence(
    rows: Sequence[Sequence[str]], snippet: NDArray[np.int32], snippets: int
) -> Evidence:
    """Weights from the words of each row and its snippet; nothing where there are too few rows, or too many.

    A term t says log(p(t | s) / p(t)) for snippet s, with p(t | s) = (rows of s with t + SMOOTHING p(t)) /
    (rows of s + SMOOTHING) and p(t) its share of all rows. What a term in no row of s says does not depend on t
    (`absent`).
    """
    mean = len(rows) / max(snippets, 1)
    if mean < LEAST_ROWS or len(rows) * snippets > MOST_WORK:
        none = np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(snippets, np.float32)
        return Evidence({}, np.zeros(1, np.int64), *none)
    told = [terms_of(row) for row in rows]
    terms = {term: number for number, term in enumerate(sorted(set().union(*told)))}
    sizes = np.fromiter(map(len, told), np.int64, len(told))
    term = np.fromiter(_numbers(told, terms), np.int64, int(sizes.sum()))
    share = np.bincount(term, minlength=len(terms)) / len(rows)
    held, counts = np.unique(term * snippets + np.repeat(snippet, sizes), return_counts=True)
    of, owner = np.divmod(held, snippets)
    weight = STRENGTH * mean / (mean + HALF)
    number = np.bincount(snippet, minlength=snippets)
    return Evidence(
        terms,
        np.searchsorted(of, np.arange(len(terms) + 1)).astype(np.int64),
        owner.astype(np.int32),
        (weight * np.log1p(counts / (SMOOTHING * share[of]))).astype(np.float32),
        (weight * np.log(SMOOTHING / (number + SMOOTHING))).astype(np.float32),
    )


def _numbers(told: Iterable[Iterable[str]], terms: Mapping[str, int]) -> Iterable[int]:
    return (terms[term] for row in told for term in row)
