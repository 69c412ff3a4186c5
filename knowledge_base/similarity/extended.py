"""A ranker as it would be with one snippet more, without a build: what the estimate of a gain asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors
from knowledge_base.index.search import Hits
from knowledge_base.ranking import Ranker, scoring
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking.lexicon import ENOUGH, words
from knowledge_base.ranking.scoring import Floats, Head
from knowledge_base.similarity.prefill import STOP

SEED = 20260302  # any fixed number; it decides the sample of rows
MOST_AGAINST = 4000  # rows of other snippets that the new one's place is learnt against
STEPS = 30  # of Newton's method; it settles within ten
SETTLED = 1e-6  # the largest change of a weight that counts as none
K1, B = 1.5, 0.75  # of BM25, as the builder's


@dataclass(frozen=True, slots=True)
class Extended:
    """A ranker with one snippet more: its rows ([m, d] in the space of the index), its words, the head with it."""

    ranker: Ranker
    rows: Vectors
    words: Mapping[str, float]
    head: Head
    owners: NDArray[np.int32]
    counts: NDArray[np.int64]

    @classmethod
    def learn(cls, ranker: Ranker, texts: Sequence[str], rows: Vectors) -> Extended:
        """Add a snippet that is made of these phrasings and their vectors."""
        generation, head = ranker.generation, ranker.head
        snippets = len(generation.rows.snippets)
        weights, bias = head.weights, head.bias
        if head.trained:
            against = _against(np.asarray(generation.vectors), snippets)
            weight, level = _place(head, rows, *against)
            weights = np.vstack([weights, weight[None, :].astype(np.float32)])
            bias = np.append(bias, np.float32(level)).astype(np.float32)
        typical = np.append(head.typical, np.float32(_typical(rows, head.typical)))
        variant = np.append(head.variant, np.int32(snippets)).astype(np.int32)
        prior = np.append(head.prior, np.float32(0.0)).astype(np.float32)
        return cls(
            ranker,
            rows,
            _word_weights(ranker, texts),
            Head(head.centre, weights, bias, typical.astype(np.float32), variant, prior),
            np.append(generation.rows.snippet, np.full(len(rows), snippets)).astype(np.int32),
            np.append(generation.rows.counts, len(rows)).astype(np.int64),
        )

    def answers(self, text: str, vector: Vectors) -> bool:
        """Whether an agent would be offered the new snippet first, and confidently."""
        hits = self._hits(vector)
        scores = scoring.score(
            hits,
            snippet=self.owners,
            counts=self.counts,
            log_head=self.head.log_probabilities(vector),
            lexical=self._lexical(text),
            prior=self.head.prior,
        )
        calibration = self.ranker.calibration
        placed = conf.place(scores, self.head, calibration.temperature)
        sure = float(calibration.probability(placed.features))
        return (
            int(placed.order[0]) == len(self.counts) - 1 and sure >= calibration.agent.confidence
        )

    def _lexical(self, text: str) -> Floats:
        """What the words of a question say for each snippet, the new one last."""
        known = self.ranker.lexicon.scores(text, len(self.counts) - 1)
        asked = set(words(text))
        own = sum(self.words.get(word, 0.0) for word in asked)
        return np.append(known, own * min(1.0, ENOUGH / max(len(asked), 1)))

    def _hits(self, vector: Vectors) -> Hits:
        """The nearest rows of the index and of the new snippet together."""
        found = self.ranker.generation.index.search(vector, k=scoring.RETRIEVED)
        first = len(self.owners) - len(self.rows)
        rows = np.append(found.rows, np.arange(first, len(self.owners)))
        near = np.append(found.similarities, self.rows @ vector).astype(np.float32)
        order = np.argsort(-near, kind="stable")[: scoring.RETRIEVED]
        return Hits(rows[order].astype(np.int64), near[order])


def _against(vectors: Vectors, snippets: int) -> tuple[Vectors, float]:
    """Rows of the other snippets, and how many each stands for."""
    if len(vectors) <= MOST_AGAINST:
        return vectors, 1.0
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.choice(len(vectors), size=MOST_AGAINST, replace=False))
    return vectors[chosen], len(vectors) / MOST_AGAINST


def _place(head: Head, mine: Vectors, others: Vectors, each: float) -> tuple[Floats, float]:
    """Weights ([d]) and bias of one class more in the multinomial regression, the others' left as they are.

    That makes it a binary regression with an offset: the logit of the new class against the log-sum-exp of the old
    ones. Newton's method on the same penalised likelihood as the builder's (C = 1, no penalty on the bias).
    """
    x = np.vstack([mine, others]).astype(np.float64) * scoring.HEAD_SCALE
    x = np.hstack([x, np.ones((len(x), 1))])
    target = np.append(np.ones(len(mine)), np.zeros(len(others)))
    weight = np.append(np.ones(len(mine)), np.full(len(others), each))
    old = (np.vstack([mine, others]) @ head.weights.T + head.bias).astype(np.float64)
    top = old.max(axis=1)
    offset = -(top + np.log(np.exp(old - top[:, None]).sum(axis=1)))
    penalty = np.ones(x.shape[1])
    penalty[-1] = 1e-6  # the bias is free; this only keeps the equations solvable
    theta: Any = np.zeros(x.shape[1])
    # Where the new class is as likely as all others together, so that the first steps have a slope to follow.
    theta[-1] = -float(offset[: len(mine)].mean())

    def loss(at: Any) -> float:
        z = x @ at + offset
        return float((weight * (np.logaddexp(0.0, z) - target * z)).sum() + 0.5 * penalty @ at**2)

    for _ in range(STEPS):
        p = conf.sigmoid(x @ theta + offset)
        gradient = x.T @ (weight * (target - p)) - penalty * theta
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        while loss(theta + step) > loss(theta) and float(np.abs(step).max()) > SETTLED:
            step = step / 2  # a full step can overshoot
        theta = theta + step
        if float(np.abs(step).max()) < SETTLED:
            break
    return theta[:-1] * scoring.HEAD_SCALE, float(theta[-1])


def _typical(rows: Vectors, known: Vectors) -> float:
    """How near the phrasings are to each other, as `scoring.typicality` has it, drawn to that of the others."""
    every = float(known.mean()) if len(known) else scoring.TYPICAL
    if len(rows) < 2:
        return every
    near = (rows @ rows.T).astype(np.float64) / scoring.TAU
    np.fill_diagonal(near, -np.inf)
    top = near.max(axis=1, keepdims=True)
    soft = top[:, 0] + np.log(np.exp(near - top).sum(axis=1) / (len(rows) - 1))
    drawn = scoring.TAU * soft.sum() + scoring.TYPICAL_PRIOR * every
    return float(drawn / (len(soft) + scoring.TYPICAL_PRIOR))


def _word_weights(ranker: Ranker, texts: Sequence[str]) -> dict[str, float]:
    """BM25 weights of the new snippet's words, as the builder would give them (see `lexicon`).

    How many words the other snippets have is not stored: rows are taken to be equally long everywhere. Nor are
    words that most snippets have: a list of words that stand in any question takes their place.
    """
    lexicon, counts = ranker.lexicon, ranker.generation.rows.counts
    spoken = [word for text in texts for word in words(text)]
    longer = len(texts) / max(float(counts.mean()), 1.0) if len(counts) else 1.0
    weights: dict[str, float] = {}
    for word, times in Counter(spoken).items():
        number = lexicon.vocabulary.get(word)
        if number is None and word in STOP:
            continue
        held = 0 if number is None else int(lexicon.starts[number + 1] - lexicon.starts[number])
        rare = np.log1p((len(counts) + 1 - (held + 1) + 0.5) / (held + 1.5))
        weights[word] = float(rare * times / (times + K1 * (1 - B + B * longer)))
    return weights
