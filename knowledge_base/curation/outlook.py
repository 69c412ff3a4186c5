"""What a snippet that is being written would do to the golden questions: an estimate, before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.scoring import DENSE_WEIGHT, SOFT_WEIGHT, TAU
from knowledge_base.similarity import space
from knowledge_base.similarity.alike import row_edges
from knowledge_base.snippet import SnippetContent
from knowledge_base.store.golden import GoldenQuestion

# Questions put to the generation in one call, some 8 ms each; the rest is read in the calls that follow.
READ_AT_ONCE = 6
OFFERS = (
    3  # of each question that are looked at: who comes first, and who would without this snippet
)
ENOUGH = 10  # offers from which to tell what a likeness is usually worth in score


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenChange:
    """A golden question that another snippet would answer than does now; None stands for no answer."""

    question: str
    expected_key: str | None
    before: str | None
    after: str | None
    must_pass: bool

    @property
    def won(self) -> bool:
        """Whether it would be answered as expected only then."""
        return self.after == self.expected_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The questions won and lost, of the `read` ones among `total`.

    An estimate: of the new words only the meaning is weighed, neither the shared words nor what the classifier
    learns from them. The comparison before publication decides.
    """

    won: tuple[GoldenChange, ...]
    lost: tuple[GoldenChange, ...]
    read: int
    total: int


@dataclass(frozen=True, slots=True)
class _Offer:
    key: str
    score: float
    likeness: float  # soft match of the snippet's rows


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the generation in service does with one question now."""

    vector: Vectors
    offers: tuple[_Offer, ...]
    abstained: bool


class GoldenReadings:
    """What one generation answers to golden questions, read little by little; safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[str, _Reading] = {}
        self._lock = Lock()

    def read(self, ranker: Ranker, questions: Sequence[GoldenQuestion]) -> dict[str, _Reading]:
        """The readings so far of these questions, at most 6 more than the last time."""
        with self._lock:
            known = dict(self._known)
        missing = [q.question for q in questions if q.question not in known][:READ_AT_ONCE]
        fresh = {question: _read(ranker, question) for question in missing}
        if fresh:
            with self._lock:
                self._known.update(fresh)
        return {**known, **fresh}


def outlook(
    ranker: Ranker,
    content: SnippetContent,
    questions: Sequence[GoldenQuestion],
    *,
    readings: GoldenReadings,
) -> Outlook:
    """Which golden questions this content would win or lose, once it is live in place of what its key says now."""
    known = readings.read(ranker, questions)
    asked = [q for q in questions if q.question in known]
    rows = space.positions(ranker, [t for t in _texts(content) if space.words_of(t)])
    if not asked or not len(rows):
        return Outlook(won=(), lost=(), read=len(asked), total=len(questions))
    now = [known[q.question] for q in asked]
    likeness = _soft(rows @ np.stack([reading.vector for reading in now]).T)
    worth = _worth(list(known.values()))
    typical = float(np.mean(ranker.head.typical)) if len(ranker.head.typical) else 1.0
    changes = []
    for question, reading, near in zip(asked, now, likeness.tolist(), strict=True):
        before = None if reading.abstained else reading.offers[0].key
        after = _first(reading, content.key, near, worth=worth, typical=typical)
        if before != after and question.expected_key in (before, after):
            changes.append(
                GoldenChange(
                    question=question.question,
                    expected_key=question.expected_key,
                    before=before,
                    after=after,
                    must_pass=question.must_pass,
                )
            )
    return Outlook(
        won=tuple(change for change in changes if change.won),
        lost=tuple(change for change in changes if not change.won),
        read=len(asked),
        total=len(questions),
    )


def _first(
    reading: _Reading,
    key: str,
    near: float,
    *,
    worth: tuple[float, float],
    typical: float,
) -> str | None:
    """Who would come first when the snippet is as near to the question as this."""
    own = next((offer for offer in reading.offers if offer.key == key), None)
    others = [offer for offer in reading.offers if offer.key != key]
    score = worth[0] + worth[1] * near
    if own is not None:
        # The classifier follows the words, so a likeness is worth more than its own weight.
        score = own.score + max(SOFT_WEIGHT, worth[1]) * (near - own.likeness)
    leads = not others or score > others[0].score
    if reading.abstained:
        # Nothing was near enough; this is, where it is nearer than snippets are to their own questions.
        return key if leads and near >= typical else None
    if leads:
        was_first = own is not None and reading.offers[0].key == key
        return key if was_first or near >= typical else reading.offers[0].key
    return others[0].key


def _worth(readings: Sequence[_Reading]) -> tuple[float, float]:
    """Score as a straight line of likeness, (at zero, per unit), over all that is offered now.

    With next to nothing to tell it from, what a likeness alone weighs where there is no classifier.
    """
    pairs = np.array([(o.likeness, o.score) for r in readings for o in r.offers])
    if len(pairs) < ENOUGH or float(np.ptp(pairs[:, 0])) == 0.0:
        return 0.0, DENSE_WEIGHT
    slope, start = np.polyfit(pairs[:, 0], pairs[:, 1], 1)
    return float(start), float(slope)


def _read(ranker: Ranker, question: str) -> _Reading:
    vector = space.positions(ranker, [question])[0]
    ranking = ranker.rank([question], limit=OFFERS)
    edges = row_edges(ranker)
    position = {s.key: at for at, s in enumerate(ranker.generation.rows.snippets)}
    offers = []
    for candidate in ranking.candidates:
        at = position[candidate.snippet_key]
        mine = np.asarray(ranker.generation.vectors[edges[at] : edges[at + 1]])
        near = float(_soft((mine @ vector)[:, None])[0])
        offers.append(_Offer(candidate.snippet_key, candidate.score, near))
    return _Reading(vector, tuple(offers), ranking.abstained or not offers)


def _soft(similarities: Vectors) -> NDArray[np.float64]:
    """The soft match of a snippet's rows ([rows, n] to [n]): see `ranking.scoring.score`."""
    scaled = similarities.astype(np.float64) / TAU
    top = scaled.max(axis=0)
    result: NDArray[np.float64] = TAU * (top + np.log(np.exp(scaled - top).mean(axis=0)))
    return result


def _texts(content: SnippetContent) -> tuple[str, ...]:
    return tuple(dict.fromkeys((content.title, content.text, *content.examples)))
