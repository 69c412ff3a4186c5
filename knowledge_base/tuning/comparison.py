"""Two generations on the same questions, question by question: what one gained and the other lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from knowledge_base.progress import Progress, silent
from knowledge_base.ranking.evaluation import Question, QuestionSet
from knowledge_base.ranking.ranker import Ranker, Ranking

LIMIT = 3  # an agent reads up to three drafts


@dataclass(frozen=True, slots=True)
class Change:
    """One question that the two answer differently; `before` and `after` are the first keys offered, if any."""

    line: int
    question: str
    expected_key: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over the same `total` questions: how many were right `before` and `after`, and which changed."""

    name: str
    total: int
    before: int
    after: int
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]

    @property
    def worse(self) -> bool:
        """Whether more questions were lost than gained."""
        return self.after < self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """hit@1 and hit@3 over the answerable questions, abstention over the unanswerable ones."""

    split: str
    figures: tuple[Figure, ...]

    @property
    def worse(self) -> tuple[str, ...]:
        """Names of the figures that got worse."""
        return tuple(figure.name for figure in self.figures if figure.worse)


def compare(
    before: Ranker, after: Ranker, asked: QuestionSet, *, progress: Progress = silent
) -> Comparison:
    """Put every question to both, as an agent's single message."""
    pairs: list[tuple[Question, Ranking, Ranking]] = []
    for done, question in enumerate(asked.questions, start=1):
        one = before.rank([question.text], limit=LIMIT)
        pairs.append((question, one, after.rank([question.text], limit=LIMIT)))
        progress("Comparing", done, len(asked.questions))
    answerable = [pair for pair in pairs if pair[0].expected_key is not None]
    unanswerable = [pair for pair in pairs if pair[0].expected_key is None]
    return Comparison(
        asked.split,
        (
            _figure("hit@1", answerable, _first),
            _figure("hit@3", answerable, _among),
            _figure("abstention", unanswerable, _silent),
        ),
    )


def _figure(
    name: str,
    pairs: list[tuple[Question, Ranking, Ranking]],
    right: Callable[[Question, Ranking], bool],
) -> Figure:
    judged = [(q, one, two, right(q, one), right(q, two)) for q, one, two in pairs]
    return Figure(
        name=name,
        total=len(judged),
        before=sum(was for *_, was, _is in judged),
        after=sum(now for *_, now in judged),
        gained=tuple(_change(q, a, b) for q, a, b, was, now in judged if now and not was),
        lost=tuple(_change(q, a, b) for q, a, b, was, now in judged if was and not now),
    )


def _change(question: Question, before: Ranking, after: Ranking) -> Change:
    return Change(
        question.line, question.text, question.expected_key, _offered(before), _offered(after)
    )


def _offered(ranking: Ranking) -> str | None:
    return None if ranking.abstained else ranking.candidates[0].snippet_key


def _first(question: Question, ranking: Ranking) -> bool:
    keys = [candidate.snippet_key for candidate in ranking.candidates]
    return keys[:1] == [question.expected_key]


def _among(question: Question, ranking: Ranking) -> bool:
    return question.expected_key in [c.snippet_key for c in ranking.candidates[:LIMIT]]


def _silent(_question: Question, ranking: Ranking) -> bool:
    return ranking.abstained
