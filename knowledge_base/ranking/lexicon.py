"""Words that a question shares with a snippet: weights computed by the builder, added up when serving."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.sealed import SealBroken, canonical
from knowledge_base.ranking.evidence import Evidence, make_evidence

# Words in more than this share of the snippets tell nothing apart (they serve as stop words of any language), and
# without them a question costs little among 100,000 snippets.
COMMON = 0.25
LONGEST = 40  # characters: what is longer is no name, code or word
# A message of so many different words counts in full; a longer one shares words with everything, so that each
# counts for less.
ENOUGH = 24
PARTS = ("vocabulary", "starts", "owners", "weights")
EVIDENCE = ("terms", "term_starts", "term_owners", "term_weights", "absent")

Floats = NDArray[np.float64]
_WORD = re.compile(r"\w\w+")


def words(text: str) -> list[str]:
    """Words, names and codes of a text in lower case, in order; single letters and digits are left out."""
    return [word for word in _WORD.findall(text.lower()) if len(word) <= LONGEST]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A BM25 index of snippets, each one's rows taken together as one document.

    `vocabulary` numbers the words; word w weighs `weights[i]` (float32) for snippet `owners[i]` (int32), i from
    `starts[w]` to `starts[w + 1]` (int64 [words + 1]). `evidence` is what words and pairs say by their frequency.
    """

    vocabulary: Mapping[str, int]
    starts: NDArray[np.int64]
    owners: NDArray[np.int32]
    weights: NDArray[np.float32]
    evidence: Evidence

    def scores(self, text: str, snippets: int) -> Floats:
        """The sum of the weights of the text's words, each counted once, and the evidence ([snippets])."""
        spoken = words(text)
        asked = sorted(set(spoken))
        found = [self.vocabulary[word] for word in asked if word in self.vocabulary]
        total = np.zeros(snippets)
        for number in found:
            place = slice(self.starts[number], self.starts[number + 1])
            total[self.owners[place]] += self.weights[place]
        total += self.evidence.scores(spoken)
        return total * min(1.0, ENOUGH / max(len(asked), 1))

    def to_bytes(self) -> bytes:
        """The file `lexicon.npz`; the same words give the same bytes."""
        buffer = io.BytesIO()
        evidence = self.evidence
        np.savez(
            buffer,
            vocabulary=_listed(self.vocabulary),
            starts=self.starts,
            owners=self.owners,
            weights=self.weights,
            terms=_listed(evidence.terms),
            term_starts=evidence.starts,
            term_owners=evidence.owners,
            term_weights=evidence.weights,
            absent=evidence.absent,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes, *, snippets: int) -> Lexicon:
        """Read `lexicon.npz`. Raises SealBroken when it is not for this many snippets."""
        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as data:
                listed, starts, owners, weights = (data[name] for name in PARTS)
                terms, *arrays = (data[name] for name in EVIDENCE)
            known = json.loads(listed.tobytes())
            evidence = Evidence(_numbered(json.loads(terms.tobytes())), *arrays)
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
            raise SealBroken(f"lexicon.npz cannot be read: {error}") from None
        fitting = len(starts) == len(known) + 1 and starts[-1] == len(owners) == len(weights)
        inside = not len(owners) or 0 <= owners.min() <= owners.max() < snippets
        if not (fitting and inside and evidence.fits(snippets)):
            raise SealBroken("lexicon.npz does not fit the rows")
        return cls(_numbered(known), starts, owners, weights, evidence)


def make_lexicon(
    rows: Sequence[Sequence[str]], snippet: NDArray[np.int32], snippets: int
) -> Lexicon:
    """BM25 (Lucene's form, k1 1.5, b 0.75; see the bm25s package) over the words of each row and its snippet.

    The evidence comes with it.
    """
    documents: list[list[int]] = [[] for _ in range(snippets)]
    vocabulary = {word: n for n, word in enumerate(sorted({w for row in rows for w in row}))}
    for row, owner in zip(rows, snippet.tolist(), strict=True):
        documents[owner] += [vocabulary[word] for word in row]
    none = (np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    if not vocabulary:
        return Lexicon({}, *none, make_evidence((), snippet, snippets))
    matrix = _bm25(documents, vocabulary)
    starts = matrix["indptr"].astype(np.int64)[: len(vocabulary) + 1]
    sizes = np.diff(starts)
    telling = sizes <= COMMON * snippets
    kept = np.repeat(telling, sizes)
    return Lexicon(
        {
            word: n
            for n, word in enumerate(w for w, t in zip(vocabulary, telling, strict=True) if t)
        },
        np.concatenate([[0], np.cumsum(sizes[telling])]).astype(np.int64),
        matrix["indices"][: len(kept)][kept].astype(np.int32),
        matrix["data"][: len(kept)][kept].astype(np.float32),
        make_evidence(rows, snippet, snippets),
    )


def _listed(known: Mapping[str, int]) -> NDArray[np.uint8]:
    return np.frombuffer(canonical(list(known)), dtype=np.uint8)


def _numbered(known: Sequence[str]) -> dict[str, int]:
    return {word: number for number, word in enumerate(known)}


def _bm25(
    documents: list[list[int]], vocabulary: dict[str, int]
) -> Mapping[str, NDArray[np.generic]]:
    """The library's matrix of weights, words by documents, as compressed columns."""
    import bm25s

    # It sets itself to DEBUG when it is imported, and other packages give the root logger a handler.
    logging.getLogger(bm25s.__name__).setLevel(logging.WARNING)
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index((documents, dict(vocabulary)), show_progress=False, create_empty_token=False)
    scores: Mapping[str, NDArray[np.generic]] = index.scores
    return scores
