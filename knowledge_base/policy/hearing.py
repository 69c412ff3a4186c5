"""The second look at a text: what it says when it is read aloud.

The first reading undoes what cannot be meant otherwise. This one reads text speak as the words it stands for,
unknown spellings as the known words that they sound like, words written as one apart, and emoji as words.
It is only looked at for what no rule has found in the first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType

import regex

from knowledge_base.policy.disguises import plain_word
from knowledge_base.policy.lexis import (
    SHORTHAND,
    SIGNS,
    data_lines,
    is_ordinary,
    squeezed,
    vocabulary,
)
from knowledge_base.policy.spelling import NEAR, heard_as, swapped, unglued_by_frequency
from knowledge_base.policy.words import Folded, Word

_UNSURE = "~"
_MOST_TIGHT = 4  # pieces with signs but no space between them that are one word: "stat-you-tory"
_SHORTEST_WHOLE = 7  # letters of pieces that are put together by their sound
_SHORTEST_PIECE = 3  # letters of each of two pieces with a space between
_MOST_LOST = 2  # letters that a word may be shorter than its pieces
_CUT_ENDING = "in"  # of "goin"
_CACHED_WORDS = 4096
_NUMBERED = regex.compile(
    r"([a-z]{2,})([0-9]++)|([0-9]++)([a-z]{4,})|([a-z]{3,})(?<to>2)([a-z]++)"
)
_STRETCHED = regex.compile(r"(.)\1{2,}+|(.)\2$")
_SHORTEST_FAR = 6  # letters of a word that may sound like one with another vowel

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNTING = frozenset(["at", "by", "first", "last", "level", "no", "number", "of", "page", "top"])
_COUNTED = "star"  # repeated for a number of them; other signs are repeated to be loud

Tight = Callable[[Word, Word], bool]


def _spellings() -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Spellings, what they stand for, and whether they surely do."""
    for line in data_lines(SHORTHAND):
        plain, *spellings = line.split()
        for spelling in spellings:
            read = plain_word(spelling.lstrip(_UNSURE))
            if read == spelling or read not in vocabulary():  # else the first reading has found it
                yield read, tuple(plain.split("_")), not spelling.startswith(_UNSURE)


@cache
def _shorthand() -> Mapping[str, tuple[str, ...]]:
    """What spellings stand for."""
    return MappingProxyType({spelling: plain for spelling, plain, _ in _spellings()})


@cache
def _unsure() -> frozenset[str]:
    """Spellings that are ordinary words as well."""
    return frozenset(spelling for spelling, _, is_sure in _spellings() if not is_sure)


@cache
def _signs() -> Mapping[str, tuple[str, ...]]:
    """Words by the one sign that is said for them."""
    return MappingProxyType(
        {
            sign: tuple(plain.split("_"))
            for plain, *signs in map(str.split, data_lines(SIGNS))
            for sign in signs
        }
    )


@cache
def _sign() -> regex.Pattern[str]:
    """A sign, as often as it is repeated; "#" only where it stands alone."""
    alone = "".join(sign for sign in _signs() if sign != "#")
    return regex.compile(rf"([{alone}]|(?<![\p{{L}}\p{{N}}#&])#(?![\p{{L}}\p{{N}}#]))(?:\s?\1)*+")


def heard(words: Sequence[Word], text: str, folded: Folded, is_tight: Tight) -> tuple[Word, ...]:
    """The words of a text as they are heard; nothing if they are those of the first reading."""
    has_no_sign = folded.text.isascii() and "#" not in folded.text  # for speed alone
    if has_no_sign and all(_is_plain(word.text) for word in words):  # for speed alone
        return ()  # for speed alone
    joined = list(_joined(_with_signs(words, folded), is_tight))
    read = [
        (word.text,) if _is_as_meant(at, joined, text) else _read(word.text)
        for at, word in enumerate(joined)
    ]
    changed = {
        word.text for word, texts in zip(joined, read, strict=True) if texts != (word.text,)
    }
    is_sure = joined != [*words] or not changed <= _unsure()
    if not is_sure and not (changed and any(_is_undone(word, text) for word in words)):
        return ()
    return tuple(
        Word(text, word.start, word.end, word.sentence, word.clause)
        for word, texts in zip(joined, read, strict=True)
        for text in texts
    )


def prepare() -> None:
    """Make all tables now, so that the first text that needs them does not wait for them."""
    _sign()
    _unsure()
    _read("kwestshunz")


def _with_signs(words: Sequence[Word], folded: Folded) -> Sequence[Word]:
    """The words with those of signs among them, in order."""
    starts = [word.start for word in words]
    added: list[Word] = []
    for match in _sign().finditer(folded.text):
        start, end = folded.span(*match.span())
        beside = words[bisect_right(starts, start, lo=1) - 1] if words else Word("", start, end, 0)
        texts = _signs()[match[1]]
        count = match.group().count(match[1])
        if texts[0] == _COUNTED and 1 < count < len(_NUMBERS):
            texts = (_NUMBERS[count], *texts)
        added += [Word(text, start, end, beside.sentence, beside.clause) for text in texts]
    return sorted((*words, *added), key=lambda word: word.start) if added else words


def _joined(words: Sequence[Word], is_tight: Tight) -> Iterator[Word]:
    """Pieces of one word put together where one of them is none by itself."""
    index = 0
    while index < len(words):
        count, text = _pieces(words, index, is_tight)
        first, last = words[index], words[index + count - 1]
        yield Word(text, first.start, last.end, first.sentence, first.clause)
        index += count


def _pieces(words: Sequence[Word], start: int, is_tight: Tight) -> tuple[int, str]:
    """How many pieces from `start` are one word, and which; the most."""
    found = 1, words[start].text
    for end in range(start + 2, min(start + _MOST_TIGHT, len(words)) + 1):
        before, word = words[end - 2 : end]
        if not is_tight(before, word) and (end > start + 2 or not _is_loose(before, word)):
            break
        if text := _one_word(tuple(piece.text for piece in words[start:end])):
            found = end - start, text
    return found


@lru_cache(maxsize=_CACHED_WORDS)
def _one_word(pieces: tuple[str, ...]) -> str:
    """What pieces are together, if one of them is no word, and they are no words that sound so: "kash bak"."""
    if not any(map(_is_scrap, pieces)):
        return ""
    whole = _whole("".join(pieces))
    return "" if whole == "".join(read for piece in pieces for read in _read(piece)) else whole


def _is_loose(word: Word, after: Word) -> bool:
    """Whether two words with a space between may be one: "pas wurd", but not "waz heer" nor "kard, numba"."""
    is_long = min(len(word.text), len(after.text)) >= _SHORTEST_PIECE
    return is_long and after.start == word.end + 1 and word.text not in _shorthand()


def _is_undone(word: Word, text: str) -> bool:
    """Whether the first reading has already undone a disguise of this word."""
    written = text[word.start : word.end].casefold()
    return written.replace("'", "").replace("’", "") != word.text


def _is_as_meant(at: int, words: Sequence[Word], text: str) -> bool:
    """Whether a word is a name, with a capital inside a sentence, a code in capitals, or a digit that counts."""
    word = words[at]
    if word.text.isdigit():
        return _counts(words[:at][-1:], words[at + 1 : at + 2])
    if word.text in _shorthand():
        return False
    written = text[word.start : word.end]
    if not word.text.isalpha():
        return written.isupper()
    is_inside = at > 0 and words[at - 1].sentence == word.sentence
    return is_inside and written.istitle()


def _counts(before: Sequence[Word], after: Sequence[Word]) -> bool:
    """Whether a digit between these words, or at an end, is meant as a number."""
    return (
        any(_is_number(word.text) for word in (*before, *after))
        or any(word.text in _COUNTING for word in before)
        or any(word.text.endswith("s") for word in after)
    )


def _is_number(text: str) -> bool:
    return text[:1].isdigit() or text in _NUMBERS


@lru_cache(maxsize=_CACHED_WORDS)
def _is_plain(text: str) -> bool:
    """Whether nothing but the word itself can be heard."""
    return text not in _shorthand() and (is_ordinary(text) or text.isdigit())


@lru_cache(maxsize=_CACHED_WORDS)
def _is_scrap(text: str) -> bool:
    return text.isalpha() and not is_ordinary(text)


@lru_cache(maxsize=_CACHED_WORDS)
def _whole(joined: str) -> str:
    """The word of the rules that pieces make up, by its letters or its sound."""
    if joined in vocabulary() or joined in _shorthand():
        return joined
    found = heard_as(joined, farthest=NEAR)
    is_like = len(joined) >= _SHORTEST_WHOLE and len(found) >= len(joined) - _MOST_LOST
    return found if is_like and found in vocabulary() else ""


@lru_cache(maxsize=_CACHED_WORDS)
def _read(text: str) -> tuple[str, ...]:
    """The words that one stands for."""
    if known := _known(text):
        return known
    if parts := _numbered(text):
        return parts
    if not text.isascii() or not text.isalpha():
        return (text,)
    if text.endswith(_CUT_ENDING) and is_ordinary(whole := text + "g"):
        return (whole,)
    if is_ordinary(single := squeezed(text)) and len(single) > _SHORTEST_PIECE:
        return (single,)
    if near := swapped(text) or heard_as(text, farthest=NEAR):
        return (near,)
    if pieces := unglued_by_frequency(text):
        return tuple(word for piece in pieces for word in _sure(piece))
    far = heard_as(text) if len(text) >= _SHORTEST_FAR else ""
    return (far or text,)


def _known(text: str) -> tuple[str, ...] | None:
    """What text speak stands for, also with stretched letters: "plzzz"; None for an unknown spelling."""
    if text in _shorthand():
        return _shorthand()[text]
    if is_ordinary(text):
        return (text,)
    for most in (2, 1) if _STRETCHED.search(text) else ():
        short = squeezed(text, most=most)
        plain = _sure(short)
        if is_ordinary(short) or plain != (short,):
            return plain
    return None


def _numbered(text: str) -> tuple[str, ...] | None:
    """A number and the words it is written with: "last4", "2factor", "delivered2u"."""
    found = _NUMBERED.fullmatch(text)
    if not found:
        return None
    parts = [part for part in found.groups() if part]
    if found["to"] and parts[2] in _shorthand():
        parts[1] = "to"
    return tuple(read for part in parts for read in ((part,) if part.isdigit() else _read(part)))


def _sure(text: str) -> tuple[str, ...]:
    """What a part of a word stands for, if it surely does."""
    return (text,) if text in _unsure() else _shorthand().get(text, (text,))
