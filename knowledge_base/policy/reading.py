"""How rules read a text: folded characters and words that look through disguises, with the way back to the
original.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache

import regex

from knowledge_base.wording import Length, measure

# Letters of other scripts that look like Latin ones: the usual ones of UTS #39's confusables, by our own choice.
_LOOKALIKES = str.maketrans(
    {
        **dict(zip("аеорсухіјѕԁԛԝһкмтвпгь", "aeopcyxijsdqwhkmtbnrb", strict=True)),
        **dict(zip("αειορντκυηωχ", "aeiopvtkunwx", strict=True)),
        **dict(zip("ɡıɑɩʀʏ", "giairy", strict=True)),
    }
)
# Digits and signs written for letters, read so inside a word that has letters as well.
_LEET = str.maketrans("01345@$", "oleasas")
_WORD = regex.compile(r"[\p{L}\p{N}@$][\p{L}\p{N}@$'’]*+")
_SENTENCE_END = regex.compile(r"[.!?;…](?=\s|$)|\n")
_HIDDEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cs}]")
_LETTERS_SPELLED = 3  # "P.I.N." and "c v v" are words; two single letters are not

# Distinct code points a text can have; each is folded once.
_FOLD_CACHE = 4096


@dataclass(frozen=True, slots=True)
class Folded:
    """A view of the text (lower case, compatibility forms, nothing hidden) with the origin of every character."""

    text: str
    origins: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The code points of the judged text that [start, end) of this view came from."""
        return self.origins[start], self.origins[end - 1] + 1


@dataclass(frozen=True, slots=True)
class Word:
    """One word in the reading of phrases; `sentence` numbers sentences from 0."""

    text: str
    start: int
    end: int
    sentence: int


@dataclass(frozen=True)
class Judged:
    """A text under judgement; its readings are made when a rule first asks for one.

    `template` says that slots may still be unfilled: the text is then judged in its worst case.
    """

    text: str
    channel: str
    template: bool = False

    @cached_property
    def length(self) -> Length:
        """Both lengths of the text as it stands."""
        return measure(self.text)

    @cached_property
    def folded(self) -> Folded:
        """NFKC and case folding, code point by code point, without hidden characters."""
        pieces: list[str] = []
        origins: list[int] = []
        for index, character in enumerate(self.text):
            folded = _fold(character)
            pieces.append(folded)
            origins.extend([index] * len(folded))
        return Folded("".join(pieces), tuple(origins))

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words of the folded text, without accents, with look-alike letters read as Latin."""
        folded = self.folded
        ends = [match.end() for match in _SENTENCE_END.finditer(folded.text)]
        words = []
        for match in _WORD.finditer(folded.text):
            start, end = folded.span(match.start(), match.end())
            text = plain_word(match.group())
            if text:
                sentence = bisect_right(ends, match.start())
                words.append(Word(text, start, end, sentence))
        return tuple(_join_spelled(words))

    def asks_at_end(self, sentence: int) -> bool:
        """Whether a sentence ends in a question mark."""
        ends = self._sentence_ends
        return sentence < len(ends) and ends[sentence] == "?"

    @cached_property
    def _sentence_ends(self) -> tuple[str, ...]:
        return tuple(match.group() for match in _SENTENCE_END.finditer(self.folded.text))


def plain_word(word: str) -> str:
    """A word as phrases are compared: no accents or apostrophes, look-alikes and digits-for-letters read as
    Latin.
    """
    word = word.translate(_LOOKALIKES)
    if not word.isascii():
        decomposed = unicodedata.normalize("NFD", word)
        word = "".join(c for c in decomposed if not unicodedata.combining(c))
    word = word.replace("'", "").replace("’", "").casefold()
    has_letter = any(c.isalpha() for c in word)
    # "16digit" and "2fa" begin with a number and are left alone.
    if has_letter and not word[0].isdigit():
        word = word.translate(_LEET)
    return word


@lru_cache(maxsize=_FOLD_CACHE)
def _fold(character: str) -> str:
    if _HIDDEN.match(character):
        return ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(int(digit))
    return unicodedata.normalize("NFKC", character).casefold()


def _join_spelled(words: list[Word]) -> list[Word]:
    """Runs of single letters read as one word."""
    joined: list[Word] = []
    run: list[Word] = []
    for word in [*words, None]:
        single = word is not None and len(word.text) == 1 and word.text.isalpha()
        if word is not None and single and (not run or run[0].sentence == word.sentence):
            run.append(word)
            continue
        joined += _spelled(run)
        run = [word] if word is not None and single else []
        if word is not None and not single:
            joined.append(word)
    return joined


def _spelled(run: list[Word]) -> list[Word]:
    if len(run) < _LETTERS_SPELLED:
        return run
    text = "".join(word.text for word in run)
    return [Word(text, run[0].start, run[-1].end, run[0].sentence)]
