"""Reads numbers however they are written: digits, number words, letters for digits, "double four"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from knowledge_base.policy.reading import Word

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
_MORE = "fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPOKEN: Mapping[str, str] = MappingProxyType(
    {
        **{word: str(value) for value, word in enumerate(f"{_UNITS} {_MORE}".split())},
        **{word: str(20 + 10 * step) for step, word in enumerate(_TENS.split())},
        "oh": "0",
        "o": "0",
        "nought": "0",
        "naught": "0",
        "nil": "0",
        "won": "1",
        "for": "4",
        "null": "0",
        "ate": "8",
        "nein": "9",
        "niner": "9",
        "fife": "5",
        "tree": "3",
    }
)
# Homophones count only between other digits, never as the first or only number of a run.
_HOMOPHONES = frozenset({"for", "won", "ate", "tree", "o", "oh", "nil", "null"})
_TIMES: Mapping[str, int] = MappingProxyType({"double": 2, "triple": 3, "treble": 3})
_FILLERS = frozenset(
    ["then", "and", "dash", "hyphen", "space", "dot", "followed", "by", "x", "comma"]
)
_DIGITS_FOR = str.maketrans("oilszb", "011528")
_LONGEST_CARD = 19  # digits (ISO/IEC 7812-1)
_LETTERS_FOR_DIGITS = frozenset("oilszb")


@dataclass(frozen=True, slots=True)
class Numeral:
    """The digits one word stands for, and its place in the judged text."""

    digits: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """Numerals that follow each other; `is_disguised` says that not all of them were plain digits."""

    numerals: tuple[Numeral, ...]
    is_disguised: bool


def runs(words: Sequence[Word]) -> Iterator[Run]:
    """Numbers in the words, in order; words like "then" and "dash" may stand between their parts."""
    numerals: list[Numeral] = []
    is_disguised = False
    factor = 1
    for word in words:
        digits = _digits(word.text, starts_run=not numerals)
        if digits:
            last = numerals[-1] if numerals else None
            if last and factor == 1 and _completes(last.digits, digits, word.text):
                digits = last.digits[:-1] + digits
                numerals[-1] = Numeral(digits, last.start, word.end)
            else:
                numerals.append(Numeral(digits * factor, word.start, word.end))
            is_disguised = is_disguised or factor != 1 or word.text != digits
            factor = 1
        elif word.text in _TIMES:
            factor = _TIMES[word.text]
        elif numerals and word.text in _FILLERS:
            is_disguised = True
        elif numerals:
            yield Run(tuple(numerals), is_disguised)
            numerals, is_disguised, factor = [], False, 1
    if numerals:
        yield Run(tuple(numerals), is_disguised)


def _digits(text: str, *, starts_run: bool) -> str:
    if text.isdigit():
        return text
    if text in _SPOKEN:
        return "" if starts_run and text in _HOMOPHONES else _SPOKEN[text]
    if text[0].isdigit() or starts_run is False:
        letters = {character for character in text if not character.isdigit()}
        if letters <= _LETTERS_FOR_DIGITS and len(letters) < len(text) <= _LONGEST_CARD:
            return text.translate(_DIGITS_FOR)
    return ""


def _completes(previous: str, digits: str, text: str) -> bool:
    """ "forty" "one" is 41; "4" "1" is not."""
    is_tens = len(previous) == 2 and previous[1] == "0" and previous[0] > "1"
    return is_tens and len(digits) == 1 and digits != "0" and text in _SPOKEN
