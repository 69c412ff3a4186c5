"""Numbers however they are written: digits, words, letters for digits."""

from __future__ import annotations

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.cards import card_number
from knowledge_base.policy.detectors import Settings
from knowledge_base.policy.numerals import runs
from knowledge_base.policy.reading import Word

NUMBERS = [
    ('4111', [(['4111'], '4111', False)]),
    ('4 1', [(['4', '1'], '4 1', False)]),
    ('four one', [(['4', '1'], 'four one', True)]),
    ('forty one', [(['41'], 'forty one', True)]),
    ('forty zero', [(['40', '0'], 'forty zero', True)]),
    ('40 one', [(['41'], '40 one', True)]),
    ('10 one', [(['10', '1'], '10 one', True)]),
    ('forty eleven', [(['40', '11'], 'forty eleven', True)]),
    ('4 then 1', [(['4', '1'], '4 then 1', True)]),
    ('4 then red', [(['4'], '4', True)]),
    ('double 4 1', [(['44', '1'], '4 1', True)]),
    ('double triple 4', [(['444'], '4', True)]),
    ('double x 4', [(['44'], '4', True)]),
    ('treble two', [(['222'], 'two', True)]),
    ('4 double', [(['4'], '4', False)]),
    ('twenty one two', [(['21', '2'], 'twenty one two', True)]),
    ('41o', [(['410'], '41o', True)]),
    ('o41', []),
    ('4 ooo', [(['4', '000'], '4 ooo', True)]),
    ('4 oil', [(['4'], '4', False)]),
    ('41oilszb', [(['41011528'], '41oilszb', True)]),
    ('oilszb1 red', []),
    ('4 oilszb1', [(['4', '0115281'], '4 oilszb1', True)]),
    ('1o11111111111111111', [(['1011111111111111111'], '1o11111111111111111', True)]),
    ('1o111111111111111111', []),
    ('4x', []),
    ('red', []),
    ('4 for 4', [(['4', '4', '4'], '4 for 4', True)]),
    ('for 4', [(['4'], '4', False)]),
    ('4 won ate tree oh 1', [(['4', '1', '8', '3', '0', '1'], '4 won ate tree oh 1', True)]),
    ('four. one', [(['1'], 'one', True)]),
    ('forty one 4 double x 4 5', [(['41', '4', '44', '5'], 'forty one 4 double x 4 5', True)]),
    ('one hundred', [(['1'], 'one', True)]),
    ('4 forty one', [(['4', '41'], '4 forty one', True)]),
    ('4 double red 5', [(['4'], '4', False), (['5'], '5', False)]),
    ('forty 1', [(['40', '1'], 'forty 1', True)]),
    ('forty one one', [(['41', '1'], 'forty one one', True)]),
    ('1 x 1', [(['1', '1'], '1 x 1', True)]),
    ('4 red 5', [(['4'], '4', False), (['5'], '5', False)]),
    ('red 4 five red', [(['4', '5'], '4 five', True)]),
    ('nine red nine', [(['9'], 'nine', True), (['9'], 'nine', True)]),
]  # fmt: skip

SPOKEN = [
    "zero=0",
    "one=1",
    "two=2",
    "three=3",
    "four=4",
    "five=5",
    "six=6",
    "seven=7",
    "eight=8",
    "nine=9",
    "ten=10",
    "eleven=11",
    "twelve=12",
    "thirteen=13",
    "fourteen=14",
    "fifteen=15",
    "sixteen=16",
    "seventeen=17",
    "eighteen=18",
    "nineteen=19",
    "twenty=20",
    "thirty=30",
    "forty=40",
    "fifty=50",
    "sixty=60",
    "seventy=70",
    "eighty=80",
    "ninety=90",
    "nought=0",
    "naught=0",
    "nein=9",
    "niner=9",
    "fife=5",
]

HOMOPHONES = ["ate=8", "for=4", "nil=0", "null=0", "o=0", "oh=0", "tree=3", "won=1"]

FILLERS = ["and", "by", "comma", "dash", "dot", "followed", "hyphen", "space", "then", "x"]


def _words(text: str) -> list[Word]:
    """The words of a text as they stand, without any reading."""
    words, end = [], 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        words.append(Word(word, start, end, 0))
    return words


@pytest.mark.parametrize(("text", "found"), NUMBERS)
def test_numbers_run_on(text: str, found: list[tuple[list[str], str, bool]]) -> None:
    assert [
        (
            [numeral.digits for numeral in run.numerals],
            text[run.numerals[0].start : run.numerals[-1].end],
            run.is_disguised,
        )
        for run in runs(_words(text))
    ] == found


def test_each_number_of_a_run_knows_its_place() -> None:
    (run,) = runs(_words("4 forty one double 7"))
    assert [(n.digits, n.start, n.end) for n in run.numerals] == [
        ("4", 0, 1),
        ("41", 2, 11),
        ("77", 19, 20),
    ]


def _digits(text: str) -> list[str]:
    return ["".join(numeral.digits for numeral in run.numerals) for run in runs(_words(text))]


def test_every_number_word_stands_for_its_digits() -> None:
    for entry in SPOKEN:
        word, digits = entry.split("=")
        assert _digits(f"red {word} red") == [digits]
    for entry in HOMOPHONES:
        word, digits = entry.split("=")
        assert _digits(f"red {word} red") == []
        assert _digits(f"7 {word} 7") == [f"7{digits}7"]
    for word in FILLERS:
        assert _digits(f"7 {word} 8") == ["78"]


def test_a_doubled_digit_is_a_disguise() -> None:
    detector = card_number(Settings({"issuers": ["4: 16"]}))
    text = "Card 4111 1111 1111 double 1 double 1 ok"
    assert [text[slice(*hit.span)] for hit in detector(Judged(text, "generic")) if hit.span]
