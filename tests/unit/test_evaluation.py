"""Evaluation files and figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.errors import UnreadableFile
from knowledge_base.home import Home
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.evaluation import (
    Question,
    QuestionSet,
    check_keys,
    evaluate,
    read_questions,
)
from tests.fixtures_generation import WordHashEncoder, build, shop


def _file(folder: Path, text: str | bytes) -> Path:
    path = folder / "questions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_questions_keep_their_line_and_an_empty_key_means_no_answer(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        '# split: held-out\n# a note\nquestion,expected_key\n"one, two",a.b\n\n"three\nlines", \nfour,c\n',
    )
    found = read_questions(path)
    assert found.split == "held-out"
    assert found.questions == (
        Question(4, "one, two", "a.b"),
        Question(7, "three\nlines", None),
        Question(8, "four", "c"),
    )


def test_without_a_split_line_the_file_names_the_split(tmp_path: Path) -> None:
    path = _file(tmp_path, "\ufeffexpected_key,question\r\na,hello\r\n")
    assert read_questions(path).split == "questions.csv"
    assert read_questions(path).questions[0].text == "hello"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("question,key\na,b\n", "line 1: the header"),
        ("# split: x\nquestion\na\n", "line 2: the header"),
        ("question,expected_key\na,b,c\n", "line 2: 3 columns"),
        ('question,expected_key\n"open,b\n', "line"),
        ("question,expected_key\n", "no questions"),
        ("", "header"),
        (b"question,expected_key\n\xff,b\n", "not UTF-8 at byte"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read_questions(_file(tmp_path, content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_questions(tmp_path / "none.csv")


def test_unknown_keys_are_named_with_their_lines() -> None:
    asked = QuestionSet(
        "s", (Question(2, "x", "a"), Question(3, "y", "zz"), Question(4, "z", None))
    )
    check_keys(asked, {"a", "zz"})
    with pytest.raises(UnreadableFile, match="line 3: zz"):
        check_keys(asked, {"a"})


def test_figures_count_what_they_say(tmp_path: Path) -> None:
    ranker = Ranker(build(Home.at(tmp_path), shop(), WordHashEncoder()), WordHashEncoder())
    asked = QuestionSet(
        "s",
        (
            Question(2, "are you open on sunday", "stores.hours"),
            Question(3, "gift card balance??", "praise.thanks"),
            Question(4, "zebra quantum festival umbrella", None),
            Question(5, "where is my parcel", None),
            Question(6, "👍", "returns.how"),
        ),
    )
    steps: list[int] = []
    report = evaluate(ranker, asked, progress=lambda _step, done, _total: steps.append(done))
    assert steps == [1, 2, 3, 4, 5]
    assert (report.answerable, report.unanswerable) == (3, 2)
    assert (report.hit_at_1.count, report.hit_at_1.total) == (1, 3)
    assert (report.unanswerable_abstained.count, report.unanswerable_abstained.total) == (1, 2)
    assert (report.answerable_abstained.count, report.answerable_abstained.total) == (1, 3)
    assert (report.answered_right.count, report.answered_right.total) == (1, 3)
    assert [miss.line for miss in report.misses] == [3, 5, 6]
    assert report.misses[1].first_key == "delivery.late"
    assert report.misses[2].first_key is None
    assert report.mrr is not None
    assert report.mrr >= 1 / 3


def test_without_unanswerable_questions_their_figure_is_empty(tmp_path: Path) -> None:
    ranker = Ranker(build(Home.at(tmp_path), shop(), WordHashEncoder()), WordHashEncoder())
    report = evaluate(ranker, QuestionSet("s", (Question(2, "are you open", "stores.hours"),)))
    assert report.unanswerable_abstained.value is None
    assert report.hit_at_3.value == 1.0
