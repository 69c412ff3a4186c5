"""Phrases over words: the small language that packs are written in, and its matcher.

A phrase is words separated by spaces. `a|b` is one of several words, `(a b|c)` one of several groups,
`<name>` one of a named set, `word+` the word with its endings (send, sends, sent, sending), `word?` may be
missing, `#` a number in digits or words, `~` up to three words of any kind, `~~` up to seven. `^` at the
beginning says that a clause begins there (openers such as "please" aside), `$` at the end that one ends.
A phrase stays in one sentence. Matching is linear in the text: every element looks at a bounded number of
words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from types import MappingProxyType

import regex

from knowledge_base.policy.detectors import SettingsError
from knowledge_base.policy.disguises import plain_word
from knowledge_base.policy.lexis import SHORT_WORDS, ordinary_words
from knowledge_base.policy.reading import Word

NUMBER = "#"
GAPS: Mapping[str, int] = MappingProxyType({"~": 3, "~~": 7})  # words that each may stand for
BEGINS, ENDS = "^", "$"
_MOST_OPENERS = 3  # words before the first of a clause that are passed over: "so please just"
_OPENERS = frozenset(
    [
        *(
            "please",
            "pls",
            "plz",
            "kindly",
            "just",
            "simply",
            "so",
            "and",
            "but",
            "then",
            "or",
            "also",
        ),
        *(
            "ok",
            "okay",
            "well",
            "yes",
            "no",
            "oh",
            "now",
            "first",
            "hi",
            "hello",
            "thanks",
            "sure",
        ),
        *("maybe", "perhaps", "sorry", "honestly", "always", "instead", "next", "still", "yet"),
    ]
)
_VOWELS = "aeiou"
_IRREGULAR: Mapping[str, str] = MappingProxyType(
    {
        forms.split()[0]: forms
        for forms in (
            *("be is are was were been being am", "have has had having", "do does did done doing"),
            *(
                "go goes went gone",
                "get gets got getting gotten",
                "give gave given",
                "take took taken",
            ),
            *("send sent", "tell told", "say says said", "make made", "pay paid", "buy bought"),
            *("sell sold", "read", "write wrote written", "speak spoke spoken", "know knew known"),
            *("see saw seen", "find found", "keep kept", "hold held", "leave left", "lose lost"),
            *("break broke broken", "bring brought", "think thought", "feel felt", "hear heard"),
            *("put putting", "set setting", "let letting", "cut cutting", "hit hitting", "hurt"),
            *("rise rose risen", "fall fell fallen", "grow grew grown", "win won winning", "beat"),
            *(
                "run ran running",
                "come came",
                "become became",
                "begin began begun",
                "choose chose",
            ),
            *("forget forgot forgotten", "understand understood", "catch caught", "spend spent"),
            *("sue suing", "lie lied lying", "shrink shrank", "throw threw thrown", "wear wore"),
        )
    }
)
_GROUP = regex.compile(r"\(([^()]++)\)")
_ONE_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}'’]*+")
_NUMBER_WORDS = frozenset(
    [
        *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        *("eleven", "twelve", "fifteen", "twenty", "thirty", "forty", "fifty", "sixty"),
        *("hundred", "couple", "few"),
    ]
)


@dataclass(frozen=True, slots=True)
class _Element:
    """One place of a phrase; `words` is None for a gap."""

    words: frozenset[str] | None
    is_number: bool = False
    is_optional: bool = False
    gap: int = 0

    def fits(self, text: str) -> bool:
        if self.words is not None and text in self.words:
            return True
        return self.is_number and is_number(text)

    def fitting(self, texts: frozenset[str]) -> Iterable[str]:
        """Those of the texts that fit."""
        return filter(self.fits, texts) if self.is_number else texts & (self.words or frozenset())


Sets = Mapping[str, Iterable[str]]
_Phrase = tuple[_Element, ...]


def is_number(text: str) -> bool:
    """Whether a word is a number: digits, perhaps with a unit ("48h"), or a number word."""
    return text[0].isdigit() or text in _NUMBER_WORDS


def forms(word: str) -> frozenset[str]:
    """A word with its endings: refund, refunds, refunded, refunding; send, sends, sent, sending."""
    stem = word[:-1] if word.endswith("e") else word
    found = {word, word + "s", stem + "ing"}
    irregular = _IRREGULAR.get(word, "").split()
    found |= set(irregular) or {stem + "ed"}
    if word.endswith(("s", "x", "z", "ch", "sh")):
        found.add(word + "es")
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        found |= {word[:-1] + "ies", word[:-1] + "ied"}
    is_short = len(word) > 2 and word[-1] not in _VOWELS + "wxy" and word[-2] in _VOWELS
    if is_short and word[-3] not in _VOWELS:
        found |= {word + word[-1] + "ed", word + word[-1] + "ing"}
    return frozenset(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A phrase, and sets of words of each of which one must be in a text for it to match, beside the rarest."""

    phrase: _Phrase
    needs: tuple[frozenset[str], ...]
    begins: bool
    ends: bool


class PhraseTable:
    """Phrases found by their first word; in a whole text only those of which it has a word of the rarest place."""

    def __init__(
        self,
        phrases: Iterable[str],
        sets: Sets | None = None,
        *,
        stops: frozenset[str] = frozenset(),
    ) -> None:
        """`stops` are words that a gap may not pass over. Raises SettingsError for a phrase that is none."""
        self._stops = stops
        self._by_first: dict[str, list[_Candidate]] = {}
        self._numbers_first: list[_Candidate] = []
        self._by_rarest: dict[str, list[_Candidate]] = {}
        self._without_words: list[_Candidate] = []
        for text in (alternative for phrase in phrases for alternative in _ungrouped(phrase)):
            self._add(text, sets or {})
        self._rarest = frozenset(self._by_rarest)

    def _add(self, text: str, sets: Sets) -> None:
        begins, ends = text.startswith(f"{BEGINS} "), text.endswith(f" {ENDS}")
        inner = text.removeprefix(f"{BEGINS} ").removesuffix(f" {ENDS}")
        for phrase in _without_optional_start(_parse(inner, sets)):
            needs = _needs(phrase)
            candidate = _Candidate(phrase, needs[1:], begins, ends)
            for word in phrase[0].words or ():
                self._by_first.setdefault(word, []).append(candidate)
            if phrase[0].is_number:
                self._numbers_first.append(candidate)
            for word in needs[0] if needs else ():
                self._by_rarest.setdefault(word, []).append(candidate)
            if not needs:
                self._without_words.append(candidate)

    @property
    def needs(self) -> frozenset[str] | None:
        """Words of which a text must have one for a phrase to match; None if numbers alone may match."""
        return None if self._without_words else self._rarest

    def end_at(self, words: Sequence[Word], index: int) -> int:
        """End of the longest phrase that starts at `index`, or 0."""
        text = words[index].text
        candidates = self._by_first.get(text, ())
        if self._numbers_first and is_number(text):
            candidates = [*candidates, *self._numbers_first]
        return self._longest(words, index, candidates)

    def spans(
        self,
        words: Sequence[Word],
        vocabulary: frozenset[str] | None = None,
        *,
        overlapping: bool = False,
    ) -> list[tuple[int, int]]:
        """The longest phrase at each place, leftmost first; without overlap unless `overlapping`.

        `vocabulary` are all words of the text, and perhaps more.
        """
        found: list[tuple[int, int]] = []
        if vocabulary is None:
            vocabulary = frozenset(word.text for word in words)
        candidates = self._possible(vocabulary)
        after = 0
        for index, word in enumerate(words) if candidates else ():
            if index < after or word.text not in candidates:
                continue
            if end := self._longest(words, index, candidates[word.text]):
                found.append((index, end))
                after = index if overlapping else end
        return found

    def _possible(self, vocabulary: frozenset[str]) -> Mapping[str, Collection[_Candidate]]:
        """By their first word: the phrases of which a text with these words has all that must be there."""
        found: dict[str, set[_Candidate]] = {}
        by_rarest = [self._by_rarest[word] for word in self._rarest & vocabulary]
        for candidate in chain(self._without_words, *by_rarest):
            if any(map(vocabulary.isdisjoint, candidate.needs)):  # for speed alone
                continue
            for word in candidate.phrase[0].fitting(vocabulary):
                found.setdefault(word, set()).add(candidate)
        return found

    def _longest(self, words: Sequence[Word], index: int, candidates: Iterable[_Candidate]) -> int:
        """End of the longest of these phrases that starts at `index`, or 0."""
        best = 0
        for candidate in candidates:
            if candidate.begins and not _begins_clause(words, index):
                continue
            end = self._match(words, index, candidate.phrase, 0)
            if not candidate.ends or _ends_clause(words, end):
                best = max(best, end)
        return best

    def _match(self, words: Sequence[Word], index: int, phrase: _Phrase, position: int) -> int:
        """End of the phrase's longest match in one sentence from `position` on, 0 if there is none."""
        while position < len(phrase):
            element = phrase[position]
            position += 1
            if element.words is None:
                stops = range(index, self._gap_end(words, index, element.gap) + 1)
                return max((self._match(words, at, phrase, position) for at in stops), default=0)
            fits = (
                index < len(words)
                and (
                    not index
                    or words[index].sentence == words[index - 1].sentence
                    or position == 1
                )
                and element.fits(words[index].text)
            )
            if element.is_optional:
                taken = self._match(words, index + 1, phrase, position) if fits else 0
                return max(taken, self._match(words, index, phrase, position))
            if not fits:
                return 0
            index += 1
        return index

    def _gap_end(self, words: Sequence[Word], index: int, longest: int) -> int:
        """The last place a gap of at most `longest` words that starts at `index` may reach."""
        for end in range(index, min(index + longest, len(words) - 1)):
            starts_sentence = words[end].sentence != words[end - 1].sentence
            if words[end].text in self._stops or starts_sentence:
                return end
        return min(index + longest, len(words) - 1)


def needs_of_any(*needs: frozenset[str] | None) -> frozenset[str] | None:
    """What a text needs for one of several things with these needs."""
    return None if None in needs else frozenset().union(*filter(None, needs))


def needs_of_all(*needs: frozenset[str] | None) -> frozenset[str] | None:
    """What a text needs for all of several things with these needs: the rarest of them."""
    return min((each for each in needs if each is not None), key=_frequency, default=None)


def _needs(phrase: _Phrase) -> tuple[frozenset[str], ...]:
    """The words of all places that must be there, the rarest first: they rule out most texts."""
    needed = (e.words for e in phrase if e.words and not (e.is_number or e.is_optional))
    return tuple(sorted(needed, key=_frequency))


def _frequency(words: Iterable[str]) -> float:
    return sum(_frequencies().get(word, 0.0) for word in words)  # for speed alone


@cache
def _frequencies() -> Mapping[str, float]:
    """How often ordinary words come, roughly: rank k of a language about once in k words (Zipf)."""
    ranks = {word: 1 / rank for rank, word in enumerate(ordinary_words(), 1)}  # for speed alone
    return MappingProxyType({**ranks, **dict.fromkeys(SHORT_WORDS, 1.0)})  # they are not listed


def _begins_clause(words: Sequence[Word], index: int) -> bool:
    """Whether a clause begins at `index`, or nothing but openers stand before it there."""
    for at in reversed(range(index + 1)[-_MOST_OPENERS - 1 :]):
        if at == 0 or words[at - 1].clause != words[at].clause:
            return True
        if words[at - 1].text not in _OPENERS:
            return False
    return False


def _ends_clause(words: Sequence[Word], end: int) -> bool:
    return end == len(words) or words[end].clause != words[end - 1].clause


def _ungrouped(text: str) -> list[str]:
    """The phrases that a phrase with groups stands for."""
    group = _GROUP.search(text)
    if group is None:
        return [text]
    return [
        phrase
        for option in group.group(1).split("|")
        for phrase in _ungrouped(text[: group.start()] + option + text[group.end() :])
    ]


def _parse(text: str, sets: Sets) -> _Phrase:
    parts = text.casefold().split()
    if not parts or parts[0] in GAPS or parts[-1] in GAPS:
        raise SettingsError(f"the phrase {text!r} must begin and end with a word")
    phrase = tuple(_element(part, sets, text) for part in parts)
    if all(element.is_optional for element in phrase):
        raise SettingsError(f"the phrase {text!r} must have a word that may not be missing")
    return phrase


def _element(part: str, sets: Sets, phrase: str) -> _Element:
    if part in GAPS:
        return _Element(None, gap=GAPS[part])
    is_optional = part.endswith("?")
    words: set[str] = set()
    is_numeric = False
    for option in part.removesuffix("?").split("|"):
        if option == NUMBER:
            is_numeric = True
        elif option.startswith("<"):
            words |= _named(option, sets, phrase)
        elif option.endswith("+"):
            words |= {plain_word(form) for form in forms(option[:-1])}
        elif _ONE_WORD.fullmatch(option):
            words.add(plain_word(option))
        else:
            raise SettingsError(
                f"the phrase {phrase!r}: {option!r} is not one word as texts are read"
            )
    return _Element(frozenset(words), is_numeric, is_optional)


def _named(option: str, sets: Sets, phrase: str) -> set[str]:
    name = option.removeprefix("<").removesuffix(">")
    if name not in sets:
        known = ", ".join(sorted(sets)) or "none"
        raise SettingsError(f"the phrase {phrase!r} names the set {name!r}; known: {known}")
    return {plain_word(word.casefold()) for word in sets[name]}


def _without_optional_start(phrase: _Phrase) -> list[_Phrase]:
    """The phrase, and the shorter ones that it is when its first words are missing."""
    found = [phrase]
    while phrase[0].is_optional:
        phrase = phrase[1:]
        if phrase[0].words is not None:
            found.append(phrase)
    return found
