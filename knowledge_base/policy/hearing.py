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
from knowledge_base.policy.lexis import SHORTHAND, SIGNS, data_lines, is_ordinary, vocabulary
from knowledge_base.policy.spelling import NEAR, heard_as, swapped, unglued_by_frequency
from knowledge_base.policy.words import Folded, Word

_UNSURE = "~"
_MOST_TIGHT = 4  # pieces with signs but no space between them that are one word: "stat-you-tory"
_SHORTEST_WHOLE = 6  # letters of pieces that are put together by their sound
_SHORTEST_PIECE = 3  # letters of each of two pieces with a space between
_MOST_LOST = 2  # letters that a word may be shorter than its pieces
_CUT_ENDING = "in"  # of "goin"
_CACHED_WORDS = 4096
_NUMBERED = regex.compile(
    r"([a-z]{2,})([0-9]++)|([0-9]++)([a-z]{4,})|([a-z]{3,})(?<to>2)([a-z]++)"
)
_STRETCHED = regex.compile(r"(.)\1{2,}+|(.)\2$")
_REPEATED = regex.compile(r"(.)\1++")
_SHORTEST_FAR = 5  # letters of a word that may sound like one with another vowel

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNTING = frozenset(["at", "by", "first", "last", "level", "no", "number", "of", "page", "top"])
_COUNTED = "star"  # repeated for a number of them; other signs are repeated to be loud

Tight = Callable[[Word, Word], bool]


@cache
def _shorthand() -> Mapping[str, tuple[tuple[str, ...], bool]]:
    """What spellings stand for, and whether they surely do."""
    found: dict[str, tuple[tuple[str, ...], bool]] = {}
    for line in data_lines(SHORTHAND):
        plain, *spellings = line.split()
        for spelling in spellings:
            read = plain_word(spelling.lstrip(_UNSURE).casefold())
            if read == spelling or read not in vocabulary():  # else the first reading has found it
                is_sure = not spelling.startswith(_UNSURE)
                found.setdefault(read, (tuple(plain.split("_")), is_sure))
    return MappingProxyType(found)


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
    return regex.compile(rf"([{alone}])(?:\s?\1)*+|(?<![\p{{L}}\p{{N}}#&])#(?![\p{{L}}\p{{N}}#])")


def heard(words: Sequence[Word], text: str, folded: Folded, is_tight: Tight) -> tuple[Word, ...]:
    """The words of a text as they are heard; nothing if they are those of the first reading."""
    if (folded.text.isascii() and "#" not in folded.text) and all(
        _is_plain(word.text) for word in words
    ):
        return ()  # most texts
    with_signs = _with_signs(words, folded)
    joined = list(_joined(with_signs, is_tight))
    read = [
        ((word.text,), True) if _is_as_meant(at, joined, text) else _read(word.text)
        for at, word in enumerate(joined)
    ]
    changed = [
        sure for word, (texts, sure) in zip(joined, read, strict=True) if texts != (word.text,)
    ]
    is_sure = len(joined) != len(words) or any(changed)
    if not is_sure and not (changed and any(_is_undone(word, text) for word in words)):
        return ()
    return tuple(
        Word(text, word.start, word.end, word.sentence, word.clause)
        for word, (texts, _) in zip(joined, read, strict=True)
        for text in texts
    )


def prepare() -> None:
    """Make all tables now, so that the first text that needs them does not wait for them."""
    _sign()
    _read("kwestshunz")


def _with_signs(words: Sequence[Word], folded: Folded) -> Sequence[Word]:
    """The words with those of signs among them, in order."""
    found = [match for match in _sign().finditer(folded.text) if words]
    starts = [word.start for word in words]
    added: list[Word] = []
    for match in found:
        start, end = folded.span(*match.span())
        beside = words[max(bisect_right(starts, start) - 1, 0)]
        texts = _signs()[match.group()[0]]
        count = match.group().count(match.group()[0])
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
        yield (
            first
            if count == 1
            else Word(text, first.start, last.end, first.sentence, first.clause)
        )
        index += count


def _pieces(words: Sequence[Word], start: int, is_tight: Tight) -> tuple[int, str]:
    """How many pieces from `start` are one word, and which; the most."""
    joined = words[start].text
    has_scrap = _is_scrap(joined)
    found = 1, joined
    for index in range(start + 1, min(start + _MOST_TIGHT, len(words))):
        before, word = words[index - 1 : index + 1]
        tight = is_tight(before, word) and word.start >= before.end
        if not tight and (index > start + 1 or not _is_loose(before, word)):
            break
        joined += word.text
        has_scrap = has_scrap or _is_scrap(word.text)
        text = _whole(joined) if has_scrap or (tight and joined in _shorthand()) else ""
        apart = (read for piece in words[start : index + 1] for read in _read(piece.text)[0])
        if text and text != "".join(apart):  # "kard numba" are two words
            found = index - start + 1, text
        if not tight:
            break
    return found


def _is_loose(word: Word, after: Word) -> bool:
    """Whether two words with a space between may be one: "pas wurd", but not "waz heer" nor "kard, numba"."""
    is_beside = after.start == word.end + 1 and after.clause == word.clause
    is_long = min(len(word.text), len(after.text)) >= _SHORTEST_PIECE
    return is_beside and is_long and word.text not in _shorthand()


def _is_undone(word: Word, text: str) -> bool:
    """Whether the first reading has already undone a disguise of this word."""
    written = text[word.start : word.end].casefold()
    return written.replace("'", "").replace("’", "") != word.text


def _is_as_meant(at: int, words: Sequence[Word], text: str) -> bool:
    """Whether a word is a name, with a capital inside a sentence, a code in capitals, or a digit that counts."""
    word = words[at]
    before = words[at - 1] if at else None
    if word.text.isdigit():
        after = words[at + 1].text if at + 1 < len(words) else ""
        beside = (before.text if before else "", after)
        return any(map(_is_number, beside)) or beside[0] in _COUNTING or after.endswith("s")
    if word.text in _shorthand():
        return False
    written = text[word.start : word.end]
    if not word.text.isalpha():
        return written.isupper()
    return written.istitle() and before is not None and before.sentence == word.sentence


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
    found = heard_as(joined, farthest=NEAR) if len(joined) >= _SHORTEST_WHOLE else ""
    return found if found in vocabulary() and len(found) >= len(joined) - _MOST_LOST else ""


@lru_cache(maxsize=_CACHED_WORDS)
def _read(text: str) -> tuple[tuple[str, ...], bool]:
    """The words that one stands for, and whether it surely does."""
    if known := _known(text):
        return known
    if parts := _numbered(text):
        return parts, True
    if not text.isascii() or not text.isalpha() or is_ordinary(text):
        return (text,), True
    if text.endswith(_CUT_ENDING) and is_ordinary(whole := text + "g"):
        return (whole,), True
    if is_ordinary(single := _REPEATED.sub(r"\1", text)) and len(single) > _SHORTEST_PIECE:
        return (single,), True
    if near := swapped(text) or heard_as(text, farthest=NEAR):
        return (near,), True
    if pieces := unglued_by_frequency(text):
        return tuple(word for piece in pieces for word in _piece(piece)), True
    far = heard_as(text) if len(text) >= _SHORTEST_FAR else ""
    return (far or text,), True


def _known(text: str) -> tuple[tuple[str, ...], bool] | None:
    """What text speak stands for, also with stretched letters: "plzzz"."""
    if text in _shorthand():
        return _shorthand()[text]
    if is_ordinary(text) or not _STRETCHED.search(text):
        return None
    for times in (r"\1\1", r"\1"):
        short = _REPEATED.sub(times, text)
        if short in _shorthand():
            return _shorthand()[short]
        if is_ordinary(short):
            return (short,), True
    return None


def _numbered(text: str) -> tuple[str, ...]:
    """A number and the words it is written with: "last4", "2factor", "delivered2u"."""
    found = _NUMBERED.fullmatch(text)
    if not found:
        return ()
    parts = [part for part in found.groups() if part]
    if found["to"]:
        parts[1] = "to" if parts[2] in _shorthand() else parts[1]
    return tuple(
        read for part in parts for read in ((part,) if part.isdigit() else _read(part)[0])
    )


def _piece(text: str) -> tuple[str, ...]:
    read, is_sure = _shorthand().get(text, ((text,), True))
    return read if is_sure else (text,)
