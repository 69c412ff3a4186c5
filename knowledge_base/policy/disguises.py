"""Sees through disguised spellings: look-alike letters, digits for letters, stretched, masked, spelled-out and cut
words.

Disguises are only undone where the outcome is a word of the vocabulary or nothing else is possible, so that
ordinary words stay what they are. All tables are data files, read once when first needed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType

import regex

CONFUSABLES, EMOJI, VOCABULARY = "confusables.txt", "emoji.txt", "vocabulary.txt"
DATA_FILES = (CONFUSABLES, EMOJI, VOCABULARY)

# Signs and digits written for letters; a 1 is an l or an i.
_LEET = str.maketrans("013456789@$!|+€£", "oleasgtbgasiltel")
_ONE_AS_I = str.maketrans("1|", "ii")
# Signs that are read as letters only if that makes a word of the vocabulary.
BOLD_SIGNS = "!|+*€£"
_STRETCHED = regex.compile(r"(.)\1{2,}+")
_REPEATED = regex.compile(r"(.)\1++")
_SHORTEST_STRETCHED = 3  # letters; "aaa" and "ooo" are no stretched words
_MASK = "*"
_LONGEST_CACHED = 32  # code points; longer "words" are hostile and would only fill the cache
_CACHED_WORDS = 4096
_UNKNOWN_LETTER = 2  # cost of a letter that no word covers, against 1 for a word
_MOST_PIECES = 4  # pieces that a cut word is put together from
_SHORTEST_CUT = 6  # letters of a word that is looked for in pieces; shorter ones arise by chance


def _lines(name: str) -> Iterator[str]:
    file = resources.files("knowledge_base").joinpath("content", "reading", name)
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


@cache
def lookalikes() -> Mapping[int, str]:
    """Code points of other scripts by the Latin letter they look like, for `str.translate`."""
    table: dict[int, str] = {}
    for line in _lines(CONFUSABLES):
        letter, *code_points = line.split()
        table.update((int(code_point, 16), letter) for code_point in code_points)
    return MappingProxyType(table)


@cache
def emoji_words() -> Mapping[str, str]:
    """Emoji by the word they stand for."""
    return MappingProxyType(
        {emoji: line.split()[0] for line in _lines(EMOJI) for emoji in line.split()[1:]}
    )


@cache
def vocabulary() -> frozenset[str]:
    """The words that a disguise may hide."""
    return frozenset(word for line in _lines(VOCABULARY) for word in line.split())


@cache
def _by_length() -> Mapping[int, tuple[str, ...]]:
    lengths: dict[int, list[str]] = {}
    for word in sorted(vocabulary()):
        lengths.setdefault(len(word), []).append(word)
    return MappingProxyType({length: tuple(words) for length, words in lengths.items()})


@cache
def _by_squeezed() -> Mapping[str, str]:
    """Words of the vocabulary by their letters with none repeated: "password" by "pasword"."""
    words = (word for word in sorted(vocabulary()) if len(word) >= _SHORTEST_STRETCHED)
    return MappingProxyType({_REPEATED.sub(r"\1", word): word for word in words})


def plain_word(word: str) -> str:
    """A word as phrases are compared: lower case, no accents or apostrophes, disguises undone."""
    if len(word) > _LONGEST_CACHED:
        return _plain(word)
    return _plain_cached(word)


def _plain(word: str) -> str:
    word = word.casefold().translate(lookalikes())
    if not word.isascii():
        decomposed = unicodedata.normalize("NFD", word)
        word = "".join(c for c in decomposed if not unicodedata.combining(c))
        word = word.translate(lookalikes())
    word = word.replace("'", "").replace("’", "")
    if word.isalpha() or word.isdigit():
        return _unstretched(word)
    if any(character.isalpha() for character in word):
        return _unleeted(word)
    return word


_plain_cached = lru_cache(maxsize=_CACHED_WORDS)(_plain)


def _unstretched(word: str) -> str:
    """ "passsssword", "pleeease": runs of three or more letters shortened, if that gives a known word."""
    if not word.isalpha() or word in vocabulary() or _STRETCHED.search(word) is None:
        return word
    squeezed: str = _REPEATED.sub(r"\1", word)
    return _by_squeezed().get(squeezed, word)


def _unleeted(word: str) -> str:
    if _MASK in word:
        return _unmasked(word)
    as_i = word.translate(_ONE_AS_I).translate(_LEET)
    as_l = word.translate(_LEET)
    stretched: tuple[str, ...] = (
        () if word[0].isdigit() else (_unstretched(as_l), _unstretched(as_i))
    )
    for read in (as_l, as_i, *stretched):
        if read in vocabulary():
            return read
    if any(sign in word for sign in BOLD_SIGNS):
        return ""
    # "16digit" and "2fa" begin with a number and are left alone.
    return word if word[0].isdigit() else as_l


def _unmasked(word: str) -> str:
    """ "p***word": the one known word that fits, or nothing."""
    candidates = [
        known
        for known in _by_length().get(len(word), ())
        if all(mask in (_MASK, letter) for mask, letter in zip(word, known, strict=True))
    ]
    shown = len(word) - word.count(_MASK)
    return candidates[0] if len(candidates) == 1 and shown > 1 else ""


def segmented(letters: str) -> list[tuple[int, int, str]]:
    """The words that spelled-out `letters` make up: (start, end, word), in order, covering all letters.

    Fewest words win; letters that no word covers stay together. Linear in the letters, as words are short.
    """
    readings = {letters.translate(_LEET), letters.translate(_ONE_AS_I).translate(_LEET)}
    found = min((_cheapest(reading) for reading in sorted(readings)), key=lambda r: r[0])[1]
    return found if any(word in vocabulary() for _, _, word in found) else []


def _cheapest(letters: str) -> tuple[int, list[tuple[int, int, str]]]:
    longest = max(_by_length())
    costs = [0] + [0] * len(letters)
    before = [0] * (len(letters) + 1)
    for end in range(1, len(letters) + 1):
        costs[end], before[end] = costs[end - 1] + _UNKNOWN_LETTER, end - 1
        for start in range(max(0, end - longest), end):
            if costs[start] + 1 < costs[end] and letters[start:end] in vocabulary():
                costs[end], before[end] = costs[start] + 1, start
    pieces: list[tuple[int, int, str]] = []
    end = len(letters)
    while end:
        start = before[end]
        known = letters[start:end] in vocabulary()
        if not known and pieces and pieces[-1][2] not in vocabulary():
            start, end = before[end], pieces.pop()[1]
            pieces.append((start, end, letters[start:end]))
        else:
            pieces.append((start, end, letters[start:end]))
        end = start
    return costs[-1], pieces[::-1]


def cut_word(texts: Sequence[str], start: int) -> int:
    """How many of the texts from `start` are pieces of one long known word ("pass wo rd"); 0 for none."""
    joined = texts[start]
    has_scrap = joined not in vocabulary()
    for count in range(2, min(_MOST_PIECES, len(texts) - start) + 1):
        piece = texts[start + count - 1]
        joined += piece
        has_scrap = has_scrap or piece not in vocabulary()
        if len(joined) >= _SHORTEST_CUT and has_scrap and joined in vocabulary():
            return count
    return 0
