"""Knows the ordinary words of English, and finds the word that an unknown spelling sounds like.

A spelling is brought to its sound by a few rules of English spelling; words with the same consonants and the same
places of vowels are compared, and the nearest sound wins. All of it is bounded by the length of one word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from itertools import accumulate
from types import MappingProxyType

import regex

from knowledge_base.policy.lexis import SHORT_WORDS, ordinary_words, squeezed, vocabulary

_CACHED_WORDS = 4096
_LONGEST_HEARD = 20  # letters of a word that is looked for
_SHORTEST_HEARD = 3
_SHORTEST_SWAPPED = 4
# Sounds by the letters that stand for them; "S" is sh, "C" is ch, "0" is th. Longer spellings come first.
_SPELT = (
    *(("tion", "Sun"), ("sion", "Sun"), ("cian", "Sun")),
    *(("tch", "C"), ("sch", "sk"), ("ch", "C"), ("sh", "S"), ("th", "0"), ("ph", "f")),
    *(("cious", "Ss"), ("tious", "Ss"), ("cial", "Sl"), ("tial", "Sl")),
    *(("dg", "g"), ("qu", "kw"), ("q", "k")),
    *(("ough", "o"), ("augh", "o"), ("igh", "i"), ("x", "ks")),
    *(("ce", "se"), ("ci", "si"), ("cy", "sy"), ("c", "k"), ("j", "g"), ("z", "s")),
    *(("gue", "ge"), ("gui", "gi"), ("mb", "m"), ("wr", "r"), ("kn", "n")),
    *(("ee", "i"), ("ea", "i"), ("ie", "i"), ("ei", "i"), ("oo", "u"), ("ou", "u")),
    *(("ay", "e"), ("ai", "e"), ("ey", "e"), ("oa", "o"), ("oe", "o"), ("au", "o"), ("aw", "o")),
    *(("ow", "o"), ("ew", "u"), ("eu", "u"), ("ui", "u"), ("ue", "u"), ("y", "i")),
)
_SOUND_OF = MappingProxyType(dict(_SPELT))
_SPELLING = regex.compile("|".join(spelt for spelt, _ in _SPELT))
_SILENT_H = regex.compile(r"(?<=.)h")
_LAST_R = regex.compile(r"[aeiou]r$|[ou]re$|[au]h$|(?<=[^aeiou])r$")  # "number" ends as "numba"
_LAST_E = regex.compile(r"(?<=[^aeiou])e(?=s?$)")
_VOWELS = regex.compile(r"[aeiou]++")
_CONSONANTS_ALONE = 3  # that a word must have to be found by them without its vowels
# By how much the sounds may differ: not by more than a vowel, or by some.
NEAR, FAR = 0.7, 1.5
_A_VOWEL = 0.7  # a vowel for a vowel, or a vowel more or less: they are what is misheard most
_VOWEL_LETTERS = "aeiou"
_SPELLING_COUNTS = 0.3  # of a letter that differs, against one of a sound
_MOST_FREQUENT = 4000  # ordinary words that a spelling may sound like, beside those of the rules
_SHORTEST_GLUED, _LONGEST_GLUED = 5, 139  # letters of words that are written as one
_SHORT_COST = 4.5
_RANK_OFFSET = 20  # the most frequent words are no better than others of their kind
_GLUED_COST = 2.0  # a letter; what costs more is rather a name or a word of another language
# Words of the rules that no spelling is taken for by its sound alone: "sheat" may be a sheet as well.
_RUDE = (
    "arse arsed arses ass balls bitch bitches bollocking bollocks bugger cock cocks crap cunt cunts damn dick"
    " dicks fuck fucked fucker fucking fucks gay gays git gits hell knob piss pissed prick pricks pussy shit"
    " shits shitty shite shat slag slags slut sluts tit tits tosser twat twats wank wanker wankers whore whores"
)
_NEVER_HEARD = frozenset(_RUDE.split())
_Sounds = tuple[tuple[str, str], ...]


@cache
def _ranks() -> Mapping[str, int]:
    """How far down the list of ordinary words a word stands; words of the vocabulary alone come behind."""
    ranks = {word: rank for rank, word in enumerate(ordinary_words())}
    for word in sorted(vocabulary()):
        ranks.setdefault(word, len(ranks))
    return MappingProxyType(ranks)


def sound(word: str) -> str:
    """How a word of lower-case ASCII letters sounds, roughly: "kwestion" and "question" are the same."""
    heard = squeezed(word) if len(word) > _SHORTEST_HEARD else word
    heard = _LAST_R.sub("a", heard)
    heard = _SPELLING.sub(_sound_of, _LAST_E.sub("", heard))
    heard = _SILENT_H.sub("", heard)
    return squeezed(heard)


def _sound_of(match: regex.Match[str]) -> str:
    return _SOUND_OF[match.group()]


def _places(heard: str) -> str:
    return _VOWELS.sub("-", heard)


@cache
def _by_places() -> Mapping[str, _Sounds]:
    """Words and their sounds, by consonants and the places of vowels; words of the rules first."""
    rules = vocabulary() | _NEVER_HEARD
    frequent = (word for word in ordinary_words()[:_MOST_FREQUENT] if word not in rules)
    others = ((word, sound(word)) for word in frequent)
    return _grouped((*_sounds_of_rules(), *others), _places)


@cache
def _by_consonants() -> Mapping[str, _Sounds]:
    """Words of the rules and their sounds, by consonants alone."""
    return _grouped(_sounds_of_rules(), lambda heard: _VOWELS.sub("", heard))


@cache
def _sounds_of_rules() -> _Sounds:
    words = sorted(vocabulary() - _NEVER_HEARD, key=lambda word: _ranks()[word])
    return tuple((word, sound(word)) for word in words if len(word) >= _SHORTEST_HEARD)


def _grouped(
    sounds: Iterable[tuple[str, str]], key: Callable[[str], str]
) -> Mapping[str, _Sounds]:
    found: dict[str, list[tuple[str, str]]] = {}
    for word, heard in sounds:
        found.setdefault(key(heard), []).append((word, heard))
    return MappingProxyType({places: tuple(pairs) for places, pairs in found.items()})


@lru_cache(maxsize=_CACHED_WORDS)
def heard_as(word: str, *, farthest: float = FAR) -> str:
    """The known word that an unknown spelling sounds like, or nothing; NEAR takes only what sounds the same."""
    if not _SHORTEST_HEARD <= len(word) <= _LONGEST_HEARD:
        return ""
    heard = sound(word)
    found = _nearest(heard, _by_places().get(_places(heard), ()), word, farthest)
    if found:
        return found
    consonants = _VOWELS.sub("", heard)
    if len(consonants) < _CONSONANTS_ALONE:
        return ""
    return _nearest(heard, _by_consonants().get(consonants, ()), word, farthest)


@lru_cache(maxsize=_CACHED_WORDS)
def swapped(word: str) -> str:
    """The word of the rules of which two neighbouring letters, not the first, are swapped: "crad"."""
    if not _SHORTEST_SWAPPED <= len(word) <= _LONGEST_HEARD:
        return ""
    for at in range(1, len(word) - 1):
        found = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if found in vocabulary() and found not in _NEVER_HEARD:
            return found
    return ""


def _nearest(heard: str, words: _Sounds, spelt: str, farthest: float) -> str:
    """The word whose sound and spelling are nearest, of two the more frequent."""
    best, chosen = math.inf, ""
    for word, sounds in words:
        if sounds[:1] != heard[:1]:
            continue
        far = distance(heard, sounds)
        if far <= farthest:
            cost = far + _SPELLING_COUNTS * distance(spelt, word)
            if cost < best:
                best, chosen = cost, word
    return chosen


def distance(one: str, other: str) -> float:
    """How many letters must be changed, vowels counting for less. Both are single words, so it is bounded."""
    weights = [_weight(letter) for letter in other]
    row = [0.0, *accumulate(weights)]
    for a in one:
        before, removed = row, _weight(a)
        row = [before[0] + removed]
        for at, (b, added) in enumerate(zip(other, weights, strict=True)):
            changed = before[at] + (0.0 if a == b else max(added, removed))
            row.append(min(changed, before[at + 1] + removed, row[at] + added))
    return row[-1]


def _weight(letter: str) -> float:
    return _A_VOWEL if letter in _VOWEL_LETTERS else 1.0


@lru_cache(maxsize=_CACHED_WORDS)
def unglued_by_frequency(word: str) -> tuple[str, ...]:
    """The ordinary words that are written as one, the most frequent ones that cover it; nothing if none do."""
    if not _SHORTEST_GLUED <= len(word) <= _LONGEST_GLUED:
        return ()
    known = _costs()
    costs, lasts = [0.0], list[str]()  # of the words up to a letter, and the last of them
    for end in range(1, len(word) + 1):
        pieces = (word[start:end] for start in range(end)[-_LONGEST_HEARD:])
        found = [(costs[-len(piece)] + known[piece], piece) for piece in pieces if piece in known]
        cost, last = min(found, default=(math.inf, word))
        costs.append(cost)
        lasts.append(last)
    if costs[-1] > _GLUED_COST * len(word):
        return ()
    words: list[str] = []
    end = len(word)
    while end:
        words.append(lasts[end - 1])
        end -= len(words[-1])
    return tuple(reversed(words))


@cache
def _costs() -> Mapping[str, float]:
    """What a word costs: the less frequent, the more; rank k of a language comes about once in k words (Zipf)."""
    long = (word for word in _ranks() if len(word) >= _SHORTEST_HEARD)
    costs = {word: math.log(_ranks()[word] + _RANK_OFFSET) for word in long}
    return MappingProxyType({**costs, **dict.fromkeys(SHORT_WORDS, _SHORT_COST)})
