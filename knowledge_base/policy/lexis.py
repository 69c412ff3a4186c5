"""The words and signs that the reading of texts knows: all of them data files, read once when first needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType

import regex

CONFUSABLES, EMOJI, VOCABULARY = "confusables.txt", "emoji.txt", "vocabulary.txt"
REAL_WORDS, ORDINARY, SHORTHAND, SIGNS = (
    "real_words.txt",
    "ordinary.txt",
    "shorthand.txt",
    "signs.txt",
)
DATA_FILES = (CONFUSABLES, EMOJI, VOCABULARY, REAL_WORDS, ORDINARY, SHORTHAND, SIGNS)
_CACHED_WORDS = 4096
_ENDINGS = ("s", "ly", "ness", "less")
# A stem may lose its e before these, or double its last letter: "sizing", "stopped".
_JOINING_ENDINGS = ("es", "ed", "ing", "er", "ers", "y")
_SHORTEST_STEM = 3
_REPEATED = regex.compile(r"(.)\1++")
# Ordinary words of one and two letters.
_SHORT = "a i u am an as at be by do go he hi id if im in is it me my no of oh ok on or so to up ur us we"
SHORT_WORDS = frozenset(_SHORT.split())


def data_lines(name: str) -> Iterator[str]:
    """The lines of a file of the reading's data, without remarks."""
    file = resources.files("knowledge_base").joinpath("content", "reading", name)
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


@cache
def lookalikes() -> Mapping[int, str]:
    """Code points of other scripts by the Latin letter they look like, for `str.translate`."""
    table: dict[int, str] = {}
    for line in data_lines(CONFUSABLES):
        letter, *code_points = line.split()
        table.update((int(code_point, 16), letter) for code_point in code_points)
    return MappingProxyType(table)


@cache
def emoji_words() -> Mapping[str, str]:
    """Emoji by the word they stand for."""
    return MappingProxyType(
        {emoji: line.split()[0] for line in data_lines(EMOJI) for emoji in line.split()[1:]}
    )


@cache
def vocabulary() -> frozenset[str]:
    """The words that a disguise may hide."""
    return frozenset(word for line in data_lines(VOCABULARY) for word in line.split())


@cache
def ordinary_words() -> tuple[str, ...]:
    """Ordinary words of English, most frequent first."""
    return tuple(word for line in data_lines(ORDINARY) for word in line.split())


@cache
def _known_words() -> frozenset[str]:
    return vocabulary() | real_words() | frozenset(ordinary_words())


@lru_cache(maxsize=_CACHED_WORDS)
def is_ordinary(word: str) -> bool:
    """Whether this is a word of ordinary English, perhaps with a regular ending."""
    known = _known_words()
    if len(word) < _SHORTEST_STEM:
        return word in SHORT_WORDS
    return word in known or any(stem in known for stem in _stems(word))


def _stems(word: str) -> Iterator[str]:
    """What is left of a word without a regular ending: "stopp" and "stop" of "stopped"."""
    for ending in (*_ENDINGS, *_JOINING_ENDINGS):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < _SHORTEST_STEM:
            continue
        yield stem
        if ending in _JOINING_ENDINGS:
            yield stem + "e"
            if stem[-1] == stem[-2]:
                yield stem[:-1]
        if stem.endswith("i"):
            yield stem[:-1] + "y"


def squeezed(word: str, *, most: int = 1) -> str:
    """A word with no letter more than `most` times in a row."""
    return _REPEATED.sub(r"\1" * most, word)


@cache
def real_words() -> frozenset[str]:
    """Words that are spelt nearly like one of the vocabulary and mean what they say."""
    return frozenset(word for line in data_lines(REAL_WORDS) for word in line.split())
