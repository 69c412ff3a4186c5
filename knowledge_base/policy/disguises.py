"""Sees through disguised spellings: look-alike letters, digits for letters, stretched, masked, spelled-out and cut
words.

Disguises are only undone where the outcome is a word of the vocabulary or nothing else is possible, so that
ordinary words stay what they are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import product
from types import MappingProxyType

import regex

from knowledge_base.policy.lexis import (
    SHORT_WORDS,
    is_ordinary,
    lookalikes,
    ordinary_words,
    squeezed,
    vocabulary,
)

# Signs and digits written for letters; a 1 is an l or an i.
_LEET = str.maketrans("013456789@$!|+€£¥¢§", "oleasgtbgasiltelycs")
_L_OR_I = "1|!"
_MOST_UNSURE = 4  # signs in a word that may be an l or an i; every reading is tried
# Signs that are read as letters only if that makes a word of the vocabulary.
BOLD_SIGNS = "!|+*€£#"
# Signs that may also be the last letter of a word, as no punctuation is.
LAST_SIGNS = "€£¥¢§"
# Letters written for the sound or the look of others.
_SOUND_ALIKE = (
    ("vv", "w"),
    ("rn", "m"),
    ("ph", "f"),
    ("k", "c"),
    ("kk", "ck"),
    ("z", "s"),
    ("cl", "d"),
    ("q", "ck"),
)
_SHORTEST_SOUND = 4  # letters of a word that is looked for behind such a spelling
_SHORTEST_MISSPELT = 6  # letters of a word that one slip of a key may hide
_LONGEST_MISSPELT = 24  # for speed alone: no known word is that long
_FEWEST_CONSONANTS = 4  # of a word that is written without its vowels
_VOWELS = frozenset("aeiou")
_SHORTEST_REVERSED = 5
# A one that is rather an i than an l: "j1ra".
_BETWEEN_CONSONANTS = regex.compile(r"(?<=[^\W\daeiou])[1|!](?=[^\W\daeiou])")
_NUMBERED = regex.compile(r"(\p{L}{2,})\p{Nd}+")
# Letters that stand on their heads, by the letters that they are when the page is turned.
_TURNED = str.maketrans("ɐǝɟƃɥıɾʞןɯɹʇʌʍʎbdpqnumw", "aefghijklmrtvwyqpdbunwm")
_TURNED_ONLY = frozenset("ɐǝɟƃɥɾʞןɯɹʇʌʍʎ")
_FEWEST_TURNED = 2
_STRETCHED = regex.compile(r"(.)\1{2,}+")
_SHORTEST_STRETCHED = 3  # letters; "aaa" and "ooo" are no stretched words
_MASKS = "*#"
# Words whose letters are masked so often that they are meant when nothing else decides.
_RUDE = frozenset(
    [
        "fuck",
        "shit",
        "shitty",
        "crap",
        "damn",
        "bitch",
        "bastard",
        "bollocks",
        "piss",
        "pissed",
        "bullshit",
    ]
)
_LONGEST_CACHED = 32  # code points; longer "words" are hostile and would only fill the cache
_CACHED_WORDS = 4096
_UNKNOWN_LETTER = 2  # cost of a letter that no word covers, against 1 for a word
_MOST_PIECES = 8  # pieces that a cut word is put together from
_SHORTEST_GLUED = 8  # letters of words that are written as one: "wesawyou"
_LONGEST_GLUED = 40
_FEWEST_GLUED = 3  # known words; two make up too many real ones: "therefore", "outside"
# One of these must be among them: no long word is put together with one, while "production" is of three others.
_GLUE = frozenset(["we", "you", "your", "my", "our", "the"])
_SHORTEST_CUT = 5  # letters of a word that is looked for in pieces; shorter ones arise by chance
_SHORTEST_TIGHT = 4  # the same, if no space stands between the pieces: "fu-ck"


@cache
def _by_deletion() -> Mapping[str, tuple[str, ...]]:
    """Words of the vocabulary by what is left of them when one letter is missing, and by themselves."""
    found: dict[str, list[str]] = {}
    for word in sorted(vocabulary()):
        if len(word) >= _SHORTEST_MISSPELT:
            for rest in {word, *_without_one(word)}:
                found.setdefault(rest, []).append(word)
    return MappingProxyType({rest: tuple(words) for rest, words in found.items()})


@cache
def _by_consonants() -> Mapping[str, str]:
    """Words of the vocabulary by their first letter and their other consonants."""
    found: dict[str, str] = {}
    for word in sorted(vocabulary(), key=lambda w: (len(w), w)):
        consonants = word[:1] + "".join(c for c in word[1:] if c not in _VOWELS)
        if len(word) >= _SHORTEST_MISSPELT and len(consonants) >= _FEWEST_CONSONANTS:
            found.setdefault(consonants, word)
    return MappingProxyType(found)


def _without_one(word: str) -> Iterator[str]:
    return (word[:i] + word[i + 1 :] for i in range(len(word)))


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
    return MappingProxyType({squeezed(word): word for word in words})


def plain_word(word: str) -> str:
    """A word as phrases are compared: lower case, no accents or apostrophes, disguises undone."""
    if len(word) > _LONGEST_CACHED:  # for speed alone
        return _plain(word)
    return _plain_cached(word)


def _plain(word: str) -> str:
    word = word.casefold()
    if turned := _turned(word):
        return turned
    word = word.translate(lookalikes())
    if not word.isascii():
        decomposed = unicodedata.normalize("NFD", word)
        word = "".join(c for c in decomposed if not unicodedata.combining(c))
        word = word.translate(lookalikes())
    word = word.replace("'", "").replace("’", "")
    if word.isalpha():  # for speed alone: without signs there is nothing to undo but what follows
        return _unstretched(word)
    if any(character.isalpha() for character in word):
        return _unleeted(word)
    return word


_plain_cached = lru_cache(maxsize=_CACHED_WORDS)(_plain)


def _turned(word: str) -> str | None:
    """ "pɹoʍssɐd": the known word that is read when the page is turned around."""
    if word.isascii():  # for speed alone: such a word has no turned letter
        return None
    if sum(letter in _TURNED_ONLY for letter in word) < _FEWEST_TURNED:
        return None
    turned = word[::-1].translate(_TURNED)
    return turned if turned in vocabulary() else None


def _unstretched(word: str) -> str:
    """ "passsssword", "pleeease": runs of three or more letters shortened, if that gives a known word."""
    if not word.isalpha() or word in vocabulary() or not word.isascii():
        return word
    if _STRETCHED.search(word) is not None:
        return _by_squeezed().get(squeezed(word), word)
    if is_ordinary(word):
        return word
    return _sounded(word) or _misspelt(word) or word


def _sounded(word: str) -> str | None:
    """ "passvvord", "phuck": letters written for others, if that gives a known word."""
    for written, meant in _SOUND_ALIKE:
        if written in word and len(word) >= _SHORTEST_SOUND:
            read = word.replace(written, meant)
            if read in vocabulary():
                return read
    return None


def _misspelt(word: str) -> str | None:
    """ "pasword", "passwrod", "psswrd", "drowssap": the known word that one slip, no vowels or turning hide."""
    if len(word) > _LONGEST_MISSPELT:  # for speed alone
        return None
    if len(word) >= _SHORTEST_REVERSED and word[::-1] in vocabulary():
        return word[::-1]
    if word in _by_consonants():
        return _by_consonants()[word]
    for rest in (word, *_without_one(word)):
        for known in _by_deletion().get(rest, ()):
            if _is_one_slip(word, known):
                return known
    return None


def _is_one_slip(word: str, known: str) -> bool:
    """Whether one letter is added, missing, changed or two neighbours are swapped; never the first letter."""
    if word[0] != known[0]:
        return False
    at = next((i for i, (a, b) in enumerate(zip(word, known, strict=False)) if a != b), None)
    if at is None:
        return abs(len(word) - len(known)) == 1
    if len(word) == len(known):
        swapped = word[at + 1 : at + 2] + word[at]
        return word[at + 1 :] == known[at + 1 :] or (
            swapped == known[at : at + 2] and word[at + 2 :] == known[at + 2 :]
        )
    return word[at + 1 :] == known[at:] or word[at:] == known[at + 1 :]


def _unleeted(word: str) -> str:
    is_masked = any(mask in word for mask in _MASKS)  # for speed alone: only then one fits
    if is_masked and (unmasked := _unmasked(word)):
        return unmasked
    if word[0] == "$" and word[1:2].isdigit():
        return word[1:]
    as_l = word.translate(_LEET)
    for read in _unleeted_readings(word):
        if read in vocabulary():
            return read
    if not word[0].isdigit():
        for read in _unleeted_readings(word):
            if (plain := _unstretched(read)) in vocabulary():
                return plain
    if any(sign in word for sign in BOLD_SIGNS):
        return ""
    # "16digit" and "2fa" begin with a number and are left alone, as are "last4" and "at9".
    numbered = _NUMBERED.fullmatch(word)
    is_number = word[0].isdigit() or (
        numbered and is_ordinary(numbered[1]) and not is_ordinary(as_l)
    )
    return word if is_number else _BETWEEN_CONSONANTS.sub("i", word).translate(_LEET)


def _unleeted_readings(word: str) -> list[str]:
    """Every way to read the signs and digits in a word as letters."""
    unsure = [i for i, character in enumerate(word) if character in _L_OR_I][:_MOST_UNSURE]
    readings = []
    for chosen in product("li", repeat=len(unsure)):
        letters = list(word)
        for place, letter in zip(reversed(unsure), chosen, strict=True):
            letters[place] = letter
        readings.append("".join(letters).translate(_LEET))
    return readings


def _unmasked(word: str) -> str | None:
    """ "p***word": the one known word that fits, or nothing."""
    candidates = [
        known
        for known in _by_length().get(len(word), ())
        if all(mask in (*_MASKS, letter) for mask, letter in zip(word, known, strict=True))
    ]
    rude = [known for known in candidates if known in _RUDE]
    candidates = rude or candidates
    shown = len(word) - sum(word.count(mask) for mask in _MASKS)
    return candidates[0] if len(candidates) == 1 and shown > 1 else None


def segmented(letters: str) -> list[tuple[int, int, str]]:
    """The words that spelled-out `letters` make up: (start, end, word), in order, covering all letters.

    Fewest words win; letters that no word covers stay together, as they were. Linear in the
    letters, as words are short.
    """
    readings = sorted(set(_unleeted_readings(letters)))
    known = _spelled_words()
    found = min((_cheapest(reading, known) for reading in readings), key=_first)[1]
    if not any(word in vocabulary() for _, _, word in found):
        return []
    return [
        (start, end, word if word in known and not counts else letters[start:end])
        for start, end, word in found
        # A digit at the end or before another counts and is no letter.
        for counts in (letters[start : end + 1].isdigit(),)
    ]


def _first(costs: tuple[int, list[tuple[int, int, str]]]) -> int:
    return costs[0]


@cache
def _spelled_words() -> frozenset[str]:
    """Words that letters one by one may spell: those of the rules, and longer ordinary ones."""
    return (
        vocabulary()
        | SHORT_WORDS
        | {word for word in ordinary_words() if len(word) >= _SHORTEST_CUT - 1}
    )


def _cheapest(letters: str, words: frozenset[str]) -> tuple[int, list[tuple[int, int, str]]]:
    longest = max(_by_length())
    costs = {0: 0}  # of the letters up to a place, and where their last piece starts
    before: dict[int, int] = {}
    for end in range(1, len(letters) + 1):
        costs[end], before[end] = costs[end - 1] + _UNKNOWN_LETTER, end - 1
        for start in range(max(0, end - longest), end):
            if costs[start] + 1 < costs[end] and letters[start:end] in words:
                costs[end], before[end] = costs[start] + 1, start
    pieces: list[tuple[int, int, str]] = []
    end = len(letters)
    while end:
        start = before[end]
        known = letters[start:end] in words
        if not known and pieces and pieces[-1][2] not in words:
            start, end = before[end], pieces.pop()[1]
            pieces.append((start, end, letters[start:end]))
        else:
            pieces.append((start, end, letters[start:end]))
        end = start
    return costs[len(letters)], pieces[::-1]


@lru_cache(maxsize=_CACHED_WORDS)
def unglued(word: str) -> tuple[tuple[int, int, str], ...]:
    """The words that are written as one: (start, end, word), or nothing if it is not made of known words alone."""
    if (
        not _SHORTEST_GLUED <= len(word) <= _LONGEST_GLUED
        or not word.isascii()
        or not word.isalpha()
    ):
        return ()
    if is_ordinary(word):
        return ()
    pieces = tuple(_cheapest(word, vocabulary())[1])
    is_known = all(piece in vocabulary() for _, _, piece in pieces)
    # A single letter inside is the i of "product-i-on"; at the beginning it is the writer.
    is_likely = all(len(piece) > 1 for _, _, piece in pieces[1:])
    has_glue = any(piece in _GLUE for _, _, piece in pieces)
    return pieces if is_known and is_likely and has_glue and len(pieces) >= _FEWEST_GLUED else ()


def cut_word(texts: Sequence[str], start: int, is_tight: Callable[[int], bool]) -> int:
    """How many of the texts from `start` are pieces of one long known word ("pass wo rd"); 0 for none.

    `is_tight(i)` says that no space stands before text i: then all pieces may be words ("pass-word").
    """
    joined = texts[start]
    has_scrap = joined not in vocabulary()
    all_tight = True
    best = 0
    for count in range(2, min(_MOST_PIECES, len(texts) - start) + 1):
        piece = texts[start + count - 1]
        joined += piece
        if joined not in _beginnings():
            break  # nor will it be a word with what follows
        has_scrap = has_scrap or piece not in vocabulary()
        all_tight = all_tight and is_tight(start + count - 1)
        shortest = _SHORTEST_TIGHT if all_tight else _SHORTEST_CUT
        if len(joined) >= shortest and (has_scrap or all_tight) and joined in vocabulary():
            best = count
    return best


@cache
def _beginnings() -> frozenset[str]:
    """What the words of the vocabulary begin with: letters that are none of these begin no word."""
    return frozenset(word[:end] for word in vocabulary() for end in range(1, len(word) + 1))
