"""Words that a question shares with a snippet: BM25 weights, computed by the builder, added up when serving."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.sealed import SealBroken, canonical

# Words in more than this share of the snippets tell nothing apart (they serve as stop words of any language), and
# without them a question costs little among 100,000 snippets.
COMMON = 0.25
LONGEST = 40  # characters: what is longer is no name, code or word
# A message of so many different words counts in full; a longer one shares words with everything, so that each
# counts for less.
ENOUGH = 24
PARTS = ("vocabulary", "starts", "owners", "weights")

Floats = NDArray[np.float64]
_WORD = re.compile(r"\w\w+")


def words(text: str) -> list[str]:
    """Words, names and codes of a text in lower case, in order; single letters and digits are left out."""
    return [word for word in _WORD.findall(text.lower()) if len(word) <= LONGEST]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A BM25 index of snippets, each one's rows taken together as one document.

    `vocabulary` numbers the words; word w weighs `weights[i]` (float32) for snippet `owners[i]` (int32), i from
    `starts[w]` to `starts[w + 1]` (int64 [words + 1]).
    """

    vocabulary: Mapping[str, int]
    starts: NDArray[np.int64]
    owners: NDArray[np.int32]
    weights: NDArray[np.float32]

    def scores(self, text: str, snippets: int) -> Floats:
        """The sum of the weights of the text's words, each counted once ([snippets])."""
        asked = sorted(set(words(text)))
        found = [self.vocabulary[word] for word in asked if word in self.vocabulary]
        total = np.zeros(snippets)
        for number in found:
            place = slice(self.starts[number], self.starts[number + 1])
            total[self.owners[place]] += self.weights[place]
        return total * min(1.0, ENOUGH / max(len(asked), 1))

    def to_bytes(self) -> bytes:
        """The file `lexicon.npz`; the same words give the same bytes."""
        buffer = io.BytesIO()
        listed = np.frombuffer(canonical(list(self.vocabulary)), dtype=np.uint8)
        np.savez(
            buffer,
            vocabulary=listed,
            starts=self.starts,
            owners=self.owners,
            weights=self.weights,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes, *, snippets: int) -> Lexicon:
        """Read `lexicon.npz`. Raises SealBroken when it is not for this many snippets."""
        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as data:
                listed, starts, owners, weights = (data[name] for name in PARTS)
            known = json.loads(listed.tobytes())
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
            raise SealBroken(f"lexicon.npz cannot be read: {error}") from None
        fitting = len(starts) == len(known) + 1 and starts[-1] == len(owners) == len(weights)
        if not fitting or (len(owners) and not 0 <= owners.min() <= owners.max() < snippets):
            raise SealBroken("lexicon.npz does not fit the rows")
        return cls({word: n for n, word in enumerate(known)}, starts, owners, weights)


def make_lexicon(
    rows: Sequence[Sequence[str]], snippet: NDArray[np.int32], snippets: int
) -> Lexicon:
    """BM25 (Lucene's form, k1 1.5, b 0.75; see the bm25s package) over the words of each row and its snippet."""
    documents: list[list[int]] = [[] for _ in range(snippets)]
    vocabulary = {word: n for n, word in enumerate(sorted({w for row in rows for w in row}))}
    for row, owner in zip(rows, snippet.tolist(), strict=True):
        documents[owner] += [vocabulary[word] for word in row]
    none = (np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    if not vocabulary:
        return Lexicon({}, *none)
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
    )


def _bm25(
    documents: list[list[int]], vocabulary: dict[str, int]
) -> Mapping[str, NDArray[np.generic]]:
    """The library's matrix of weights, words by documents, as compressed columns."""
    import bm25s

    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index((documents, dict(vocabulary)), show_progress=False, create_empty_token=False)
    scores: Mapping[str, NDArray[np.generic]] = index.scores
    return scores
