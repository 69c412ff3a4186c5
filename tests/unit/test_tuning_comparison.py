"""Two generations on the same questions: what is gained and lost is counted by question, and worse means worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.home import Home
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.evaluation import Question, QuestionSet
from knowledge_base.tuning.comparison import Comparison, Figure, compare
from tests.fixtures_generation import CONTENT, WordHashEncoder, build, shop

QUESTIONS = QuestionSet(
    "all phrasings and two that nothing answers",
    tuple(
        Question(line, text, key)
        for line, (text, key) in enumerate(
            [
                *(
                    (phrasing, key)
                    for key, (_, _, all_of) in CONTENT.items()
                    for phrasing in all_of
                ),
                ("zebra quartz", None),
                ("", None),
            ],
            start=2,
        )
    ),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Ranker:
    return _ranker(tmp_path_factory.mktemp("good"), WordHashEncoder())


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Ranker:
    """Two numbers for each word: most words look like some other."""
    return _ranker(
        tmp_path_factory.mktemp("poor"), WordHashEncoder(dimension=2, fingerprint="e" * 64)
    )


def _ranker(folder: Path, encoder: WordHashEncoder) -> Ranker:
    return Ranker(build(Home.at(folder), shop(), encoder), encoder)


def _named(comparison: Comparison) -> dict[str, Figure]:
    return {figure.name: figure for figure in comparison.figures}


def test_the_same_ranker_gains_and_loses_nothing(good: Ranker) -> None:
    comparison = compare(good, good, QUESTIONS)
    assert comparison.worse == ()
    assert comparison.split == QUESTIONS.split
    assert [(f.gained, f.lost) for f in comparison.figures] == [((), ())] * 3
    assert [f.total for f in comparison.figures] == [25, 25, 2]


def test_what_one_direction_gains_the_other_loses(good: Ranker, poor: Ranker) -> None:
    there, back = (
        _named(compare(poor, good, QUESTIONS)),
        _named(compare(good, poor, QUESTIONS)),
    )
    for name, figure in there.items():
        mirror = back[name]
        assert (figure.before, figure.after) == (mirror.after, mirror.before)
        assert [c.line for c in figure.gained] == [c.line for c in mirror.lost]
        assert figure.after - figure.before == len(figure.gained) - len(figure.lost)
    assert there["hit@1"].after > there["hit@1"].before
    assert not there["hit@1"].worse
    assert back["hit@1"].worse
    assert "hit@1" in compare(good, poor, QUESTIONS).worse


def test_a_change_tells_what_was_offered_before_and_after(good: Ranker, poor: Ranker) -> None:
    lost = _named(compare(good, poor, QUESTIONS))["hit@1"].lost
    by_line = {question.line: question for question in QUESTIONS.questions}
    for change in lost:
        assert change.question == by_line[change.line].text
        assert change.expected_key == by_line[change.line].expected_key
        assert change.after != change.expected_key


def test_questions_that_cannot_be_asked_count_as_unanswered(good: Ranker) -> None:
    empty = QuestionSet("empty", (Question(2, "", None), Question(3, "👍", None)))
    figures = _named(compare(good, good, empty))
    assert (figures["abstention"].after, figures["abstention"].total) == (2, 2)
    assert figures["hit@1"].total == 0


def test_progress_counts_the_questions(good: Ranker) -> None:
    steps: list[tuple[str, int, int]] = []
    compare(good, good, QUESTIONS, progress=lambda *step: steps.append(step))
    assert steps[-1] == ("Comparing", 27, 27)
