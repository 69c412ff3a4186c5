"""Rules on telling: a phrase of the pack stands in a sentence, nothing excuses it, and nothing negates it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knowledge_base.policy.detectors import Detector, Hit, Settings
from knowledge_base.policy.disguises import plain_word
from knowledge_base.policy.phrases import PhraseTable
from knowledge_base.policy.reading import Judged, Word

_LONGEST_WALK = 8  # words looked at before a phrase for a negation

_KEYS = ("phrases", "unless", "negations", "transparent", "no_negation", "stops", "sets")
_SWITCHES = ("negatable", "in_questions")


@dataclass(frozen=True, slots=True)
class _Lexicon:
    phrases: PhraseTable
    unless: PhraseTable
    negations: PhraseTable
    transparent: frozenset[str]
    no_negation: frozenset[str]
    negatable: bool
    in_questions: bool


def says(settings: Settings) -> Detector:
    """The text says one of `phrases` (the language of `phrases.PhraseTable`).

    A phrase with one of `unless` in its sentence is excused. With `negatable` (the default) so is one that a
    word of `negations` negates: it stands in the same clause before the phrase, with only `transparent` words
    between, and not behind one of `no_negation` ("why not ..."); no `~` passes over one of `stops`.
    `in_questions: false` leaves questions alone.
    """
    settings.expect(*_KEYS, *_SWITCHES)
    sets = settings.sets("sets")
    negatable = settings.flag("negatable", default=True)
    stops = _words(settings, "stops") if negatable else frozenset[str]()
    lexicon = _Lexicon(
        phrases=PhraseTable(settings.phrases("phrases"), sets, stops=stops),
        unless=PhraseTable(settings.phrases("unless", required=False), sets),
        negations=PhraseTable(settings.phrases("negations", required=False), sets),
        transparent=_words(settings, "transparent"),
        no_negation=_words(settings, "no_negation"),
        negatable=negatable,
        in_questions=settings.flag("in_questions", default=True),
    )

    def detect(judged: Judged) -> Iterator[Hit]:
        if lexicon.phrases.may_match(judged.vocabulary):
            yield from _hits(judged, lexicon)

    return detect


def _words(settings: Settings, key: str) -> frozenset[str]:
    return frozenset(plain_word(word.casefold()) for word in settings.phrases(key, required=False))


def _hits(judged: Judged, lexicon: _Lexicon) -> Iterator[Hit]:
    words = judged.words
    found = lexicon.phrases.spans(words, judged.vocabulary)
    if not found:
        return
    excused = {words[start].sentence for start, _ in lexicon.unless.spans(words)}
    negated_from = (
        {end for _, end in lexicon.negations.spans(words)} if lexicon.negatable else set()
    )
    for start, end in found:
        sentence = words[start].sentence
        # A phrase that runs over the end of a sentence was not said.
        if sentence in excused or words[end - 1].sentence != sentence:
            continue
        if not lexicon.in_questions and judged.asks_at_end(sentence):
            continue
        if not _is_negated(words, start, negated_from, lexicon):
            yield Hit((words[start].start, words[end - 1].end))


def _is_negated(
    words: Sequence[Word], start: int, negated_from: set[int], lexicon: _Lexicon
) -> bool:
    if not negated_from:
        return False
    for index in range(start, max(start - _LONGEST_WALK, 0), -1):
        if words[index - 1].clause != words[start].clause:
            return False
        if index in negated_from:
            return index < 2 or words[index - 2].text not in lexicon.no_negation
        if words[index - 1].text not in lexicon.transparent:
            return False
    return False
