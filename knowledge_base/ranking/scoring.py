"""One question's scores over all snippets: dense match, classifier head and shared words joined (NumPy only)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors
from knowledge_base.index.sealed import SealBroken
from knowledge_base.index.search import Hits as Hits

# Chosen on development splits of Banking77 at 5 and 10 phrasings (three seeds) and checked on CLINC150;
# hit@1 is flat within 0.2 points for a soft weight of 4 to 12, a head scale of 6 to 10, a tau of 0.05 to 0.1.
TAU = 0.05  # temperature of the soft match: about the nearest three rows of a snippet count
SOFT_WEIGHT = 8.0  # of the soft match beside the head's log-probability
DENSE_WEIGHT = 20.0  # 1 / TAU: of the soft match where there is no head
# Of the words' weights beside both. Chosen on development parts of Banking77 and starter content, where hit@1 is
# flat within 0.2 points from 0.2 to 0.4 (docs/ranking.md).
LEXICAL_WEIGHT = 0.3
HEAD_SCALE = 6.0  # vectors are this long for the head, which stands for its regularisation (C = 1)
RETRIEVED = 256  # rows that take part in a question's score; further ones weigh less than exp(-4)
CENTRE_PRIOR = (
    20.0  # snippets; below about so many, the mean of a knowledge base says little of the language
)
BLOCK = 2048  # vectors made unit length at a time, so that what is in between stays in the processor's cache
DENSITY_ROWS = 10  # nearest rows that tell whether a question is near the knowledge base at all

PARTS = ("centre", "weights", "bias", "typical", "variant", "prior")
TYPICAL = 0.5  # of snippets that have no phrasings to tell it by
# Phrasings' worth by which a snippet's own typicality is drawn to that of all.
TYPICAL_PRIOR = 3.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Head:
    """What turns an encoder's vector into the index's space and into log-probabilities of snippets.

    `centre` (float32 [d]) is subtracted from every vector before it is made unit length again.
    `weights` (float32 [snippets, d]) and `bias` (float32 [snippets]) are a multinomial logistic
    regression with the scale folded in; both are empty where none could be trained. `typical` (float32
    [snippets]) is how near a snippet's own phrasings are to it, `variant` (int32 [snippets]) the first
    snippet that it says the same as, `prior` (float32 [snippets]) what agents' choices add to its score.
    """

    centre: Vectors
    weights: Vectors
    bias: Vectors
    typical: Vectors
    variant: NDArray[np.int32]
    prior: Vectors

    @property
    def trained(self) -> bool:
        """Whether there is a classifier."""
        return len(self.weights) > 0

    def project(self, vectors: Vectors) -> Vectors:
        """Vectors of the encoder ([n, d] or [d]) in the space of the index: centred, unit length."""
        return project(vectors, self.centre)

    def log_probabilities(self, projected: Vectors) -> Floats | None:
        """Natural logarithms, one per snippet ([n, snippets] or [snippets]); None without a classifier."""
        if not self.trained:
            return None
        return log_softmax((projected @ self.weights.T + self.bias).astype(np.float64))

    def to_bytes(self) -> bytes:
        """The file `classifier.npz`; the same numbers give the same bytes."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            centre=self.centre,
            weights=self.weights,
            bias=self.bias,
            typical=self.typical,
            variant=self.variant,
            prior=self.prior,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes, *, dimension: int, snippets: int) -> Head:
        """Read `classifier.npz`. Raises SealBroken when it is not for this many snippets and dimensions."""
        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as data:
                head = cls(*(data[name] for name in PARTS))
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
            raise SealBroken(f"classifier.npz cannot be read: {error}") from None
        shapes = tuple(getattr(head, name).shape for name in PARTS)
        each = (snippets,)
        fitting = {
            ((dimension,), (snippets, dimension), each, each, each, each),
            ((dimension,), (0, dimension), (0,), each, each, each),
        }
        if shapes not in fitting:
            raise SealBroken(f"classifier.npz has the shapes {shapes}, which do not fit the rows")
        return head


@dataclass(frozen=True, slots=True)
class Scores:
    """One question against all snippets; arrays of shape [snippets].

    `total` orders them; `soft` is the soft maximum of a snippet's similarities; `best_row` the nearest
    row (-1 where none was retrieved) and `density` the mean similarity of the nearest rows.
    """

    total: Floats
    soft: Floats
    best: Floats
    best_row: NDArray[np.int64]
    log_head: Floats | None
    density: float


def unit(vectors: Vectors) -> Vectors:
    """Unit length along the last axis; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: Vectors = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return result


def project(vectors: Vectors, centre: Vectors) -> Vectors:
    """Vectors ([n, d] or [d]) less the centre ([d]), unit length; nothing else of their size is allocated."""
    if vectors.ndim == 1:
        return unit(vectors - centre)
    result = np.empty(vectors.shape, dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        result[start : start + BLOCK] = unit(vectors[start : start + BLOCK] - centre)
    return result


def sums_of(vectors: Vectors, owner: NDArray[np.integer], owners: int) -> Floats:
    """The sum of each owner's vectors ([owners, d]), added in their order and in double precision.

    The first vector of every owner, then the second of all that have one, and so on: the sums of `np.add.at`
    to the last bit, at a tenth of its time.
    """
    order = np.argsort(owner, kind="stable")
    edges = np.searchsorted(owner[order], np.arange(owners + 1))
    counts = np.diff(edges)
    sums = np.zeros((owners, vectors.shape[1]), dtype=np.float64)
    for place in range(int(counts.max(initial=0))):
        having = np.flatnonzero(counts > place)
        sums[having] += vectors[order[edges[having] + place]]
    return sums


def log_softmax(values: Floats) -> Floats:
    """Along the last axis, without overflow."""
    shifted = values - values.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def centre_of(vectors: Vectors, snippet: NDArray[np.int32], snippets: int) -> Vectors:
    """The mean of the snippets' means, drawn towards zero where there are few snippets.

    What all rows share (register, domain) tells nothing apart; taking it out adds 0.3 to 0.5 points.
    """
    counts = np.maximum(np.bincount(snippet, minlength=snippets), 1)
    sums = sums_of(vectors, snippet, snippets)
    mean = (sums / counts[:, None]).mean(axis=0) * (snippets / (snippets + CENTRE_PRIOR))
    result: Vectors = mean.astype(np.float32)
    return result


def typicality(
    projected: Vectors, snippet: NDArray[np.int32], asked: NDArray[np.bool_], snippets: int
) -> Vectors:
    """How near each snippet's phrasings are to its other rows, as soft matches ([snippets]).

    `projected` is [rows, d], `asked` flags the phrasings. A snippet that gathers many sorts of questions
    has a lower one than a narrow one, so that the same similarity means more there.
    """
    order = np.argsort(snippet, kind="stable")
    edges = np.searchsorted(snippet[order], np.arange(snippets + 1))
    sums, counts = np.zeros(snippets), np.zeros(snippets)
    for position in range(snippets):
        mine = order[edges[position] : edges[position + 1]]
        questions = np.flatnonzero(asked[mine])
        if len(mine) < 2 or not len(questions):
            continue
        near = (projected[mine][questions] @ projected[mine].T).astype(np.float64) / TAU
        near[np.arange(len(questions)), questions] = -np.inf
        top = near.max(axis=1, keepdims=True)
        soft = top[:, 0] + np.log(np.exp(near - top).sum(axis=1) / (len(mine) - 1))
        sums[position], counts[position] = TAU * soft.sum(), len(soft)
    every = sums.sum() / counts.sum() if counts.sum() else TYPICAL
    result: Vectors = ((sums + TYPICAL_PRIOR * every) / (counts + TYPICAL_PRIOR)).astype(
        np.float32
    )
    return result


def score(
    hits: Hits,
    *,
    snippet: NDArray[np.int32],
    counts: NDArray[np.int64],
    log_head: Floats | None,
    lexical: Floats | None = None,
    prior: Vectors | None = None,
    context: Floats | None = None,
) -> Scores:
    """Join the retrieved rows with the head, the words, what agents chose and what the conversation is about.

    soft(s) = TAU * log(sum over rows of s of exp(similarity / TAU) / rows of s), the mean in the
    exponential domain; total = log p_head + SOFT_WEIGHT * soft, or DENSE_WEIGHT * soft without a head, and
    LEXICAL_WEIGHT * lexical, the words that question and snippet share ([snippets], see `lexicon`), and the prior
    (see `priors`). `context` ([snippets], see `context`) is added last and moves probability between
    snippets only: that any of them answers is as likely as without it; a known order number does not make it so.
    Rows that were not retrieved count as the farthest retrieved one.
    """
    similarities = hits.similarities.astype(np.float64)
    owners = snippet[hits.rows]
    size = len(counts)
    floor = float(similarities[-1]) if len(similarities) else -1.0
    unseen = counts - np.bincount(owners, minlength=size)
    mass = unseen * 1.0 + np.bincount(
        owners, weights=np.exp((similarities - floor) / TAU), minlength=size
    )
    soft = floor + TAU * np.log(np.maximum(mass, 1e-12) / np.maximum(counts, 1))
    best = np.full(size, floor)
    best_row = np.full(size, -1, dtype=np.int64)
    # Assigned from the farthest to the nearest, so that the nearest (and of equals the first) stays.
    best[owners[::-1]] = similarities[::-1]
    best_row[owners[::-1]] = hits.rows[::-1]
    total = DENSE_WEIGHT * soft if log_head is None else log_head + SOFT_WEIGHT * soft
    if lexical is not None:
        total = total + LEXICAL_WEIGHT * lexical
    if prior is not None:
        total = total + prior
    if context is not None:
        moved = total + context
        total = moved - (_log_sum(moved) - _log_sum(total))
    density = float(similarities[:DENSITY_ROWS].mean()) if len(similarities) else -1.0
    return Scores(total, soft, best, best_row, log_head, density)


def _log_sum(values: Floats) -> float:
    top = float(values.max())
    return top + float(np.log(np.exp(values - top).sum()))


def ordered(total: Floats) -> NDArray[np.int64]:
    """Positions by falling score; equal scores in order of key."""
    return np.argsort(-total, kind="stable")
