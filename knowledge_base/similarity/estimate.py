"""How many of the kept questions a new snippet would answer confidently: estimated before it is written.

The generation's ranking is asked as it would be with the snippet in it (see `extended`). No question is counted by
a snippet that was made of it: a gap's are parted in two, and each half is put to a snippet made of the other
(cross-fitting). tests/benchmarks/coverage compares the estimate with the gain of a real build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge_base.index.encoder import Vectors
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.evaluation import Proportion, wilson
from knowledge_base.similarity import space
from knowledge_base.similarity.extended import Extended
from knowledge_base.similarity.gaps import Gap, Readings, choose_phrasings

SEED = 20260302  # any fixed number; it decides the halves
HALVINGS = 3  # so often the halves are drawn; the shares are averaged
FEWEST = 4  # questions of a gap that can be parted into halves which say something
NEAR = 0.3  # cosine to a phrasing below which a question of another gap is not even asked
WEEKS = 2.0  # that the trend looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What one more snippet with a gap's phrasings would bring.

    `inside` is the share of the gap's own questions that it would answer confidently, each asked of a snippet made
    without it (total 0 where there are too few to tell). `outside` are questions of other gaps that it would
    answer, meant by it or not: look at them. `asked` are all questions without an answer, `share` the part of them
    that both make, `weekly` the questions of a week that `inside` comes to. Intervals are Wilson's at 95 %.
    """

    gap_id: str
    inside: Proportion
    outside: int
    asked: int
    share: Proportion
    weekly: float


def estimate_gain(
    ranker: Ranker, gap: Gap, others: Sequence[Gap], *, readings: Readings | None = None
) -> Gain:
    """Estimate the gain of a snippet for a gap of a report; `others` are the report's gaps without this one.

    Takes some seconds: six snippets are learnt for the halves and one of the whole.
    """
    read = readings or Readings()
    texts = [space.words_of(one.text) for one in gap.questions]
    vectors = _positions(ranker, read, [one.text for one in gap.questions])
    elsewhere = [one.text for other in others for one in other.questions]
    inside = cross_fitted(ranker, texts, vectors)
    outside = _outside(ranker, read, texts, vectors, elsewhere)
    asked = len(texts) + len(elsewhere)
    answered = 0 if inside is None else round(inside * len(texts))
    told = inside is not None
    return Gain(
        gap_id=gap.gap_id,
        inside=wilson(answered, len(texts) if told else 0),
        outside=outside,
        asked=asked,
        share=wilson(answered + outside, asked if told else 0),
        weekly=round((inside or 0.0) * (gap.this_week + gap.week_before) / WEEKS, 1),
    )


def cross_fitted(ranker: Ranker, texts: Sequence[str], vectors: Vectors) -> float | None:
    """The share of questions that a snippet made of the other half answers; None with fewer than FEWEST.

    `vectors` are the texts' in the space of the index ([n, d]).
    """
    if len(texts) < FEWEST:
        return None
    rng = np.random.default_rng(SEED)
    answered = 0
    for _ in range(HALVINGS):
        order = rng.permutation(len(texts))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        for build, ask in (halves, halves[::-1]):
            extended = _made_of(ranker, [texts[i] for i in build], vectors[build])
            answered += sum(extended.answers(texts[i], vectors[i]) for i in ask)
    return answered / (HALVINGS * len(texts))


def _outside(
    ranker: Ranker, read: Readings, texts: Sequence[str], vectors: Vectors, others: Sequence[str]
) -> int:
    """How many of the other questions a snippet made of all of these would answer."""
    whole = _made_of(ranker, texts, vectors)
    answered = 0
    for text in others:
        vector = _positions(ranker, read, [text])[0]
        if float((whole.rows @ vector).max()) >= NEAR:
            answered += whole.answers(space.words_of(text), vector)
    return answered


def _made_of(ranker: Ranker, texts: Sequence[str], vectors: Vectors) -> Extended:
    chosen = list(choose_phrasings(texts, vectors))
    return Extended.learn(ranker, [texts[i] for i in chosen], vectors[chosen])


def _positions(ranker: Ranker, read: Readings, texts: Sequence[str]) -> Vectors:
    return ranker.head.project(np.stack([read.read(ranker, text)[0] for text in texts]))
