"""How rules read a text: folded characters and words that look through disguises, with the way back to the
original.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from itertools import pairwise

import regex

from knowledge_base.policy.disguises import (
    BOLD_SIGNS,
    LAST_SIGNS,
    cut_word,
    plain_word,
    segmented,
    unglued,
)
from knowledge_base.policy.hearing import heard
from knowledge_base.policy.lexis import emoji_words, is_ordinary, vocabulary
from knowledge_base.policy.words import Folded, Word
from knowledge_base.wording import Length, measure

__all__ = ["Folded", "Judged", "Word", "plain_word"]

_SIMPLE_WORD = regex.compile(r"[\p{L}\p{N}@$][\p{L}\p{N}@$'’]*+")
# A lone letter before and behind is no end but a spelling: "p. a. s. s."
_SENTENCE_END = regex.compile(
    r"(?<!(?<![\p{L}\p{N}])[\p{L}\p{N}])[.!?;…](?=\s|$)|[.!?;…](?=\s|$)(?!\s+[\p{L}\p{N}](?![\p{L}\p{N}'’]))"
    r"|\n\s*\n"
)
_CLAUSE_END = regex.compile(r"[,:;()–—]|\s-\s")
_HIDDEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cs}\p{Me}]")
_LONGEST_CUT_SIGN = 3  # signs inside a cut word: "pass...word"
_LETTERS_SPELLED = 3  # "P.I.N." and "c v v" are words; two single letters are not

# Code points of a text that is listened to: replies have at most 139; longer ones are blocked for their length.
LONGEST_HEARD = 400

# Letters drawn as pictures: first code point of a run of 26 from A.
_PICTURED = (0x1F130, 0x1F150, 0x1F170, 0x1F1E6)  # squared, circled, negative squared, regional
_ALPHABET = 26

# Distinct code points a text can have; each is folded once.
_FOLD_CACHE = 4096


@dataclass(frozen=True)
class Judged:
    """A text under judgement; its readings are made when a rule first asks for one.

    `template` says that slots may still be unfilled: the text is then judged in its worst case. `locale` is a
    language tag such as "en"; it decides which national numbers are looked for.
    """

    text: str
    channel: str
    template: bool = False
    locale: str = "en"
    # Its words, where they are not those of the first reading.
    read_as: tuple[Word, ...] | None = None

    @cached_property
    def length(self) -> Length:
        """Both lengths of the text as it stands."""
        return measure(self.text)

    @cached_property
    def folded(self) -> Folded:
        """NFKC and case folding, code point by code point, without hidden characters."""
        if self.text.isascii():
            return Folded(self.text.lower(), range(len(self.text)))
        pieces: list[str] = []
        origins: list[int] = []
        for index, character in enumerate(self.text):
            folded = _fold(character)
            pieces.append(folded)
            origins.extend([index] * len(folded))
        return Folded("".join(pieces), tuple(origins))

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words of the folded text, without accents, with disguises undone and emoji read as words."""
        if self.read_as is not None:
            return self.read_as
        folded = self.folded
        sentences = [match.end() for match in _SENTENCE_END.finditer(folded.text)]
        clauses = [match.end() for match in _CLAUSE_END.finditer(folded.text)]
        words = []
        for match in _word().finditer(folded.text):
            sentence = bisect_right(sentences, match.start())
            clause = sentence + bisect_right(clauses, match.start())
            for text, begin, stop in _readings(folded.text, match):
                words.append(Word(text, *folded.span(begin, stop), sentence, clause))
        return tuple(_join_cut(_join_spelled(words, self.text), self._is_tight))

    @cached_property
    def heard(self) -> Judged | None:
        """The text as it is heard when read aloud; None if that is nothing else, or if the text is too long."""
        if len(self.text) > LONGEST_HEARD or self.read_as is not None:
            return None
        words = heard(self.words, self.text, self.folded, self._is_tight)
        return replace(self, read_as=words) if words else None

    def _is_tight(self, before: Word, word: Word) -> bool:
        """Whether signs but no space stand between two words: "pass-word"."""
        between = self.text[before.end : word.start]
        return len(between) <= _LONGEST_CUT_SIGN and not any(c.isspace() for c in between)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The texts of the words alone."""
        return tuple(word.text for word in self.words)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The distinct words, for a quick no."""
        return frozenset(self.texts)

    def asks_at_end(self, sentence: int) -> bool:
        """Whether a sentence ends in a question mark."""
        ends = self._sentence_ends
        return sentence < len(ends) and ends[sentence] == "?"

    @cached_property
    def _sentence_ends(self) -> tuple[str, ...]:
        return tuple(match.group() for match in _SENTENCE_END.finditer(self.folded.text))


@cache
def _word() -> regex.Pattern[str]:
    """A word, with signs for letters inside it, or an emoji that stands for one."""
    signs = regex.escape(BOLD_SIGNS)
    letters = r"[\p{L}\p{N}@$'’]"
    emoji = "".join(emoji_words())
    inside = rf"{letters}|[{signs}]++(?=[\p{{L}}])|(?<=\p{{L}})[{LAST_SIGNS}]++"
    return regex.compile(rf"[\p{{L}}\p{{N}}@$](?:{inside})*+|[{emoji}]")


def _readings(text: str, match: regex.Match[str]) -> list[tuple[str, int, int]]:
    """The words at one place: usually one, more where a sign for a letter turned out to be none."""
    found = match.group()
    if found in emoji_words():
        return [(emoji_words()[found], match.start(), match.end())]
    if read := plain_word(found):
        if len(read) == len(found) and (pieces := unglued(read)):
            first = match.start()
            return [(piece, first + start, first + end) for start, end, piece in pieces]
        return [(read, match.start(), match.end())]
    parts = _SIMPLE_WORD.finditer(text, match.start(), match.end())
    return [(read, p.start(), p.end()) for p in parts if (read := plain_word(p.group()))]


@lru_cache(maxsize=_FOLD_CACHE)
def _fold(character: str) -> str:
    if _HIDDEN.match(character):
        return ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(int(digit))
    for first in _PICTURED:
        if first <= ord(character) < first + _ALPHABET:
            return chr(ord("a") + ord(character) - first)
    return unicodedata.normalize("NFKC", character).casefold()


def _join_spelled(words: list[Word], text: str) -> list[Word]:
    """Runs of single characters read as the words they spell."""
    joined: list[Word] = []
    run: list[Word] = []
    for word in [*words, None]:
        single = word is not None and len(word.text) == 1
        if word is not None and single and (not run or run[0].sentence == word.sentence):
            run.append(word)
            continue
        joined += _spelled(run, text)
        run = [word] if word is not None and single else []
        if word is not None and not single:
            joined.append(word)
    return joined


def _spelled(run: list[Word], text: str) -> list[Word]:
    if len(run) < _LETTERS_SPELLED or not any(word.text.isalpha() for word in run):
        return run
    groups = _groups(run, text)
    if len(groups) == 1 or "".join(word.text for word in run) in vocabulary():
        return _apart(run, text)
    apart = [word for group in groups for word in _apart(group, text)]
    if all(is_ordinary(word.text) or word.text.isdigit() for word in apart):
        return apart
    whole = _group(run, is_one=False)
    is_known = all(word.text in vocabulary() for word in whole)
    return whole if is_known or len(max(groups, key=len)) < _LETTERS_SPELLED else apart


def _apart(run: list[Word], text: str) -> list[Word]:
    gap = text[run[0].end : run[1].start] if len(run) > 1 else ""
    return _group(run, is_one=not any(character.isspace() for character in gap))


def _groups(run: list[Word], text: str) -> list[list[Word]]:
    """The letters of a run by word, where wider gaps or spaces among signs show its words."""
    gaps = [text[one.end : other.start] for one, other in pairwise(run)]
    narrow = min(gaps, key=_width)
    groups = [[run[0]]]
    for gap, word in zip(gaps, run[1:], strict=True):
        if _width(gap) > _width(narrow) and gap[-1:].isspace():
            groups.append([])
        groups[-1].append(word)
    return groups


def _width(gap: str) -> tuple[int, int]:
    return sum(character.isspace() for character in gap), len(gap)


def _group(run: list[Word], *, is_one: bool) -> list[Word]:
    """The words that letters spell: one if nothing but signs stand between them."""
    letters = "".join(word.text for word in run)
    if letters.isdigit() or (is_one and len(run) < _LETTERS_SPELLED):
        return run  # "a.m." and "e.g." are no words
    if len(letters) > _LETTERS_SPELLED and is_ordinary(letters):
        return [_joined(run)]
    pieces = segmented(letters) if len(run) >= _LETTERS_SPELLED else []
    if is_one and not all(word in vocabulary() for _, _, word in pieces):
        pieces = []
    if pieces:
        return [_joined(run[start:end], text) for start, end, text in pieces]
    if letters.isalpha() or is_one:
        return [_joined(run)]
    inner = letters.strip("0123456789")
    first = letters.find(inner)
    if inner == letters or len(inner) < _LETTERS_SPELLED or not inner.isalpha():
        return run
    last = first + len(inner)
    return [*run[:first], *_group(run[first:last], is_one=is_one), *run[last:]]


def _joined(run: list[Word], text: str = "") -> Word:
    whole = text or "".join(word.text for word in run)
    return Word(whole, run[0].start, run[-1].end, run[0].sentence, run[0].clause)


def _join_cut(words: list[Word], is_tight: Callable[[Word, Word], bool]) -> list[Word]:
    """Words cut into pieces put together again."""
    texts = [word.text for word in words]

    def is_tight_at(index: int) -> bool:
        return is_tight(words[index - 1], words[index])

    joined: list[Word] = []
    index = 0
    while index < len(words):
        count = cut_word(texts, index, is_tight_at)
        if count and words[index].sentence == words[index + count - 1].sentence:
            joined.append(_joined(words[index : index + count]))
            index += count
        else:
            joined.append(words[index])
            index += 1
    return joined
