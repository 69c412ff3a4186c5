"""Rules on telling: a phrase of the pack stands in a sentence, nothing excuses it, and nothing negates it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knowledge_base.policy.detectors import Detector, Hit, Settings, Worded
from knowledge_base.policy.disguises import plain_word
from knowledge_base.policy.phrases import PhraseTable, Sets, needs_of_all, needs_of_any
from knowledge_base.policy.reading import Judged, Word

_LONGEST_WALK = 8  # words looked at before a phrase for a negation
_LONGEST_REACH = 10  # words between the parts of a phrase in any order
_TOGETHER = " & "

_KEYS = (
    "phrases",
    "unless",
    "warnings",
    "negations",
    "transparent",
    "no_negation",
    "stops",
    "sets",
)
_SWITCHES = ("negatable", "in_questions")


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a phrase that stand in any order, and words of which a text must have one for all of them."""

    tables: tuple[PhraseTable, ...]
    needs: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Lexicon:
    phrases: PhraseTable
    together: tuple[_Parts, ...]
    stops: frozenset[str]
    unless: PhraseTable
    warnings: PhraseTable
    negations: PhraseTable
    transparent: frozenset[str]
    no_negation: frozenset[str]
    negatable: bool
    in_questions: bool


def says(settings: Settings) -> Detector:
    """The text says one of `phrases` (the language of `phrases.PhraseTable`).

    Parts of a phrase joined by ` & ` stand in one sentence in any order, near each other. A phrase with one
    of `unless` in its sentence is excused, and so is one in a sentence that warns of other people's words
    (`warnings`: "is not from us"). With `negatable` (the default) so is one that a word of
    `negations` negates: it stands in the same clause before the phrase, with only `transparent` words
    between, and not behind one of `no_negation` ("why not ..."); no `~` passes over one of `stops`.
    `in_questions: false` leaves questions alone.
    """
    settings.expect(*_KEYS, *_SWITCHES)
    sets = settings.sets("sets")
    negatable = settings.flag("negatable", default=True)
    stops = _words(settings, "stops") if negatable else frozenset[str]()
    phrases = settings.phrases("phrases")
    lexicon = _Lexicon(
        phrases=PhraseTable([p for p in phrases if _TOGETHER not in p], sets, stops=stops),
        together=tuple(_parts(phrase, sets, stops) for phrase in phrases if _TOGETHER in phrase),
        stops=stops,
        unless=PhraseTable(settings.phrases("unless", required=False), sets),
        warnings=PhraseTable(settings.phrases("warnings", required=False)),
        negations=PhraseTable(settings.phrases("negations", required=False), sets),
        transparent=_words(settings, "transparent"),
        no_negation=_words(settings, "no_negation"),
        negatable=negatable,
        in_questions=settings.flag("in_questions", default=True),
    )

    needs = needs_of_any(lexicon.phrases.needs, *(parts.needs for parts in lexicon.together))

    def detect(judged: Judged) -> Iterator[Hit]:
        words, vocabulary = judged.words, judged.vocabulary
        spans = lexicon.phrases.spans(words, vocabulary, overlapping=True)
        found: list[_Place] = [(start, end, (start,)) for start, end in spans]
        for parts in lexicon.together:
            if parts.needs is None or not parts.needs.isdisjoint(vocabulary):  # for speed alone
                found += _together(words, vocabulary, parts.tables, lexicon.stops)
        if found:
            yield from _hits(judged, lexicon, sorted(found))

    return Worded(detect, needs)


def _parts(phrase: str, sets: Sets, stops: frozenset[str]) -> _Parts:
    tables = tuple(PhraseTable([part], sets, stops=stops) for part in phrase.split(_TOGETHER))
    return _Parts(tables, needs_of_all(*(table.needs for table in tables)))


def _words(settings: Settings, key: str) -> frozenset[str]:
    return frozenset(plain_word(word.casefold()) for word in settings.phrases(key, required=False))


_Place = tuple[int, int, tuple[int, ...]]  # start, end, and where each part starts


def _together(
    words: Sequence[Word],
    vocabulary: frozenset[str],
    tables: Sequence[PhraseTable],
    stops: frozenset[str],
) -> list[_Place]:
    """Where all parts stand near each other in one sentence, with no word of `stops` between them."""
    first, *others = (table.spans(words, vocabulary) for table in tables)
    places: list[_Place] = []
    for span in first:
        chosen = [span]
        for spans in others:
            place = bisect_left(spans, span)
            near = (s for s in spans[max(place - 1, 0) : place + 2] if _is_near(words, span, s))
            chosen += [next(near, span)]
        if len(set(chosen)) < len(tables):
            continue
        start, end = min(chosen)[0], max(s[1] for s in chosen)
        inside = {i for s in chosen for i in range(*s)}
        if all(words[i].text not in stops or i in inside for i in range(start, end)):
            places.append((start, end, tuple(s[0] for s in chosen)))
    return places


def _is_near(words: Sequence[Word], one: tuple[int, int], other: tuple[int, int]) -> bool:
    before, after = sorted((one, other))
    return (
        words[before[0]].sentence == words[after[1] - 1].sentence
        and 0 <= after[0] - before[1] <= _LONGEST_REACH
    )


def _hits(judged: Judged, lexicon: _Lexicon, found: Sequence[_Place]) -> Iterator[Hit]:
    words = judged.words
    excused = {
        words[start].sentence
        for table in (lexicon.unless, lexicon.warnings)
        for start, _ in table.spans(words)
    }
    negated_from = (
        {end for _, end in lexicon.negations.spans(words)} if lexicon.negatable else set()
    )
    told = denied = 0
    for start, end, starts in found:
        if start < told or end <= denied:
            continue  # part of what was found, or of what was negated
        sentence = words[start].sentence
        if sentence in excused:
            continue
        if not lexicon.in_questions and judged.asks_at_end(sentence):
            continue
        if any(_is_negated(words, at, negated_from, lexicon) for at in starts):
            denied = end
            continue
        yield Hit((words[start].start, words[end - 1].end))
        told = end


def _is_negated(
    words: Sequence[Word], start: int, negated_from: set[int], lexicon: _Lexicon
) -> bool:
    for index in reversed(range(start)[-_LONGEST_WALK:]):
        if words[index].clause != words[start].clause:
            return False
        if index + 1 in negated_from:
            return not index or words[index - 1].text not in lexicon.no_negation
        if words[index].text not in lexicon.transparent:
            return False
    return False
