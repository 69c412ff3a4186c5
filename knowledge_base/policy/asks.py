"""Rules on asking: a verb of asking and an object meet in a sentence, and nothing negates the verb.

All words are data of the pack. Sentences are read as words (see `reading`), so spelling tricks, word order
and filler words matter less than they do to patterns over characters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from knowledge_base.policy.detectors import Detector, Hit, Settings, Worded
from knowledge_base.policy.disguises import plain_word
from knowledge_base.policy.phrases import PhraseTable, needs_of_any
from knowledge_base.policy.reading import Judged, Word

_LONGEST_WALK = 16  # words looked at before a verb for a negation or a subject
_LONGEST_PLEA = 6  # words behind an object that is asked for with no more than a please
_PLEASE = frozenset({"please", "pls", "plz"})
_LONGEST_REACH = 4  # words between a handling verb, its conjunction and its object


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """The words of one rule."""

    give: PhraseTable
    need: PhraseTable
    enter: PhraseTable
    objects: PhraseTable
    not_after: PhraseTable
    not_before: frozenset[str]
    negations: PhraseTable
    transparent: frozenset[str]
    ours: frozenset[str]
    others: frozenset[str]
    relays: frozenset[str]
    relatives: frozenset[str]
    indirect: frozenset[str]
    anaphors: frozenset[str]
    towards_us: frozenset[str]
    safe_places: PhraseTable
    warnings: PhraseTable
    elsewhere: PhraseTable
    no_asking: PhraseTable
    fillers: frozenset[str]
    needed: PhraseTable
    needed_for: PhraseTable
    which: frozenset[str]
    definitions: PhraseTable
    phrases: PhraseTable
    whose: frozenset[str]
    asking_infinitives: frozenset[str]
    conjunctions: frozenset[str]
    handling: frozenset[str]
    recipients: frozenset[str]
    distance: int


_WORD_LISTS = (
    *(
        "not_before",
        "transparent",
        "ours",
        "others",
        "relays",
        "relatives",
        "indirect",
    ),
    *("anaphors", "towards_us", "which", "whose", "asking_infinitives"),
    *("conjunctions", "handling", "recipients"),
)
_KEYS = (
    *("give", "need", "enter", "objects", "negations", "safe_places", "warnings", "fillers"),
    *("needed", "needed_for", "definitions", "phrases", "not_after", "elsewhere", "no_asking"),
    *_WORD_LISTS,
    "distance",
)


def asks_for(settings: Settings) -> Detector:
    """The text asks the customer for an object.

    `give` are verbs of handing over (send, tell us): no asking when `ours` or `others` are their subject.
    `need` are phrases of needing (we need, can I have). `enter` are verbs that ask only together with a word
    of `towards_us` (here, reply) outside of phrases of `elsewhere` (not here). An asking verb with a `safe_places`
    phrase and no word of `towards_us` is no asking, nor is one that begins a phrase of `no_asking` (leave it
    out) or stands before a phrase of `warnings` (is a scam). A negation counts when only `transparent` words,
    other asking verbs or objects stand between
    it and the verb. `needed` are phrases that ask when they follow an object ("your PIN is required") without
    `needed_for` behind them; `which` words ask in questions; `definitions` (what is) ask only for what is
    somebody's (`whose`). An object of a `handling` verb in a clause that begins with one of `conjunctions` is
    not asked for ("after you enter your password"), nor is one right behind a word of `not_before` or right before
    a phrase of `not_after` ("password reset link"). `phrases` ask by themselves ("when were you born").
    """
    settings.expect(*_KEYS)
    lexicon = _lexicon(settings)

    def detect(judged: Judged) -> Iterator[Hit]:
        objects = _sentences_with(lexicon.objects, judged)
        phrases = _sentences_with(lexicon.phrases, judged)
        if not objects and not phrases:
            return  # for speed alone: no sentence would be looked at
        mentioned = False
        for number, group in groupby(judged.words, key=lambda word: word.sentence):
            if number not in objects and number not in phrases and not mentioned:
                continue  # most sentences; whatever comes is then not asked for
            sentence = _Sentence(tuple(group), judged.asks_at_end(number), lexicon)
            span = sentence.asking(after_mention=mentioned) or sentence.phrased()
            mentioned = bool(sentence.objects)
            if span is not None:
                yield Hit(span)

    return Worded(detect, needs_of_any(lexicon.objects.needs, lexicon.phrases.needs))


def _sentences_with(table: PhraseTable, judged: Judged) -> set[int]:
    """The sentences in which a phrase of the table begins."""
    spans = table.spans(judged.words, judged.vocabulary)
    return {judged.words[start].sentence for start, _ in spans}


def _lexicon(settings: Settings) -> _Lexicon:
    def words(key: str) -> frozenset[str]:
        return frozenset(
            plain_word(word.casefold()) for word in settings.phrases(key, required=False)
        )

    return _Lexicon(
        give=PhraseTable(settings.phrases("give")),
        need=PhraseTable(settings.phrases("need")),
        enter=PhraseTable(settings.phrases("enter", required=False)),
        objects=PhraseTable(settings.phrases("objects")),
        negations=PhraseTable(settings.phrases("negations")),
        safe_places=PhraseTable(settings.phrases("safe_places", required=False)),
        needed=PhraseTable(settings.phrases("needed", required=False)),
        needed_for=PhraseTable(settings.phrases("needed_for", required=False)),
        definitions=PhraseTable(settings.phrases("definitions", required=False)),
        phrases=PhraseTable(settings.phrases("phrases", required=False)),
        which=words("which"),
        whose=words("whose"),
        asking_infinitives=words("asking_infinitives"),
        conjunctions=words("conjunctions"),
        handling=words("handling"),
        recipients=words("recipients"),
        warnings=PhraseTable(settings.phrases("warnings", required=False)),
        elsewhere=PhraseTable(settings.phrases("elsewhere", required=False)),
        no_asking=PhraseTable(settings.phrases("no_asking", required=False)),
        fillers=words("fillers"),
        not_after=PhraseTable(settings.phrases("not_after", required=False)),
        not_before=words("not_before"),
        transparent=words("transparent"),
        ours=words("ours"),
        others=words("others"),
        relays=words("relays"),
        relatives=words("relatives"),
        indirect=words("indirect"),
        anaphors=words("anaphors"),
        towards_us=words("towards_us"),
        distance=settings.number("distance"),
    )


class _Sentence:
    """One sentence under one lexicon."""

    def __init__(self, words: tuple[Word, ...], is_question: bool, lexicon: _Lexicon) -> None:
        self.words = words
        self.is_question = is_question
        self.lexicon = lexicon
        vocabulary = frozenset(word.text for word in words)

        def spans(table: PhraseTable) -> list[tuple[int, int]]:
            return table.spans(words, vocabulary)

        self.objects = [span for span in spans(lexicon.objects) if self._is_object(*span)]
        self._object_ends = dict(self.objects)
        self._object_words = {i for start, end in self.objects for i in range(start, end)}
        self._negated_ends = {end: start for start, end in spans(lexicon.negations)}
        gives = [(start, end, True) for start, end in spans(lexicon.give)]
        needs = [(start, end, False) for start, end in spans(lexicon.need)]
        # Asked of every verb, so found once: otherwise many verbs would take quadratic time.
        away = {i for start, end in spans(lexicon.elsewhere) for i in range(start, end)}
        is_directed = any(
            word.text in lexicon.towards_us and i not in away for i, word in enumerate(words)
        )
        self._has_safe_place = not is_directed and bool(spans(lexicon.safe_places))
        self._warnings = [start for start, _ in spans(lexicon.warnings)]
        self._purposes = [start for start, _ in spans(lexicon.needed_for)]
        if is_directed:
            gives += [(start, end, True) for start, end in spans(lexicon.enter)]
        self._verbs = sorted(gives + needs)
        self._verb_words = {i for start, end, _ in self._verbs for i in range(start, end)}

    def asking(self, *, after_mention: bool) -> tuple[int, int] | None:
        """The span of asking in the judged text, or None; `after_mention`: the sentence before named an object."""
        if not self.objects and not after_mention:
            return None
        if self._is_bare_question():
            return self.words[0].start, self.words[-1].end
        starts = [start for start, end in self.objects if not self._is_handled(start)]
        for start, end, is_giving in self._verbs:
            partner = self._partner(starts, start, end)
            if partner is not None and self._is_for_others(end, partner[0]):
                continue
            if (
                partner is None
                and after_mention
                and self._has_anaphor(end)
                and not self._is_purpose(start)
            ):
                partner = (start, end + 1)
            if partner is not None and not self._is_excused(start, end, is_giving):
                first, last = min(start, partner[0]), max(end, partner[1])
                return self.words[first].start, self.words[last - 1].end
        return self._needing() or self._which() or self._pleading()

    def phrased(self) -> tuple[int, int] | None:
        """The span of a phrase that asks by itself, unless it is negated or said of somebody else."""
        for start, end in self.lexicon.phrases.spans(self.words):
            is_excused = self._has_safe_place or self._is_negated(start) or self._is_warned_of(end)
            if not is_excused and not self._is_done_by_others(start, True):
                return self.words[start].start, self.words[end - 1].end
        return None

    def _is_object(self, start: int, end: int) -> bool:
        if start and self.words[start - 1].text in self.lexicon.not_before:
            return False
        return end == len(self.words) or not self.lexicon.not_after.end_at(self.words, end)

    def _partner(self, starts: list[int], start: int, end: int) -> tuple[int, int] | None:
        """The object that a verb at [start, end) governs: one behind it, or one that its `it` points back to."""
        index = bisect_left(starts, start)
        if index < len(starts) and starts[index] <= end + self.lexicon.distance:
            return starts[index], self._object_ends[starts[index]]
        if index and self._has_anaphor(end):
            before = starts[index - 1]
            stop = self._object_ends[before]
            return (before, stop) if start - stop <= self.lexicon.distance else None
        return None

    def _is_for_others(self, end: int, found: int) -> bool:
        """ "Forward them the code": somebody else is to get it."""
        first = self.words[end : min(end + 2, found)]  # "them", "the driver"
        if first and first[0].text == "you":
            return True  # "the system will send you a link"
        return any(word.text in self.lexicon.recipients for word in first)

    def _is_purpose(self, start: int) -> bool:
        """ "We send a link to confirm it": no request, unlike "we ask you to confirm it"."""
        before = [word.text for word in self.words[max(start - 2, 0) : start]]
        return before[-1:] == ["to"] and before[:1] != ["you"]

    def _has_anaphor(self, end: int) -> bool:
        """Whether the verb is followed by it, them or the like, with at most one word (us, me) between."""
        return any(word.text in self.lexicon.anaphors for word in self.words[end : end + 2])

    def _is_excused(self, start: int, end: int, is_giving: bool) -> bool:
        if self.words[end].text in self.lexicon.indirect:
            return True  # "tell us if your password works"
        if self.lexicon.no_asking.end_at(self.words, start):
            return True
        if not is_giving and (self._is_other_infinitive(end) or self._defines(start, end)):
            return True
        if self._is_negated(start) or self._is_warned_of(end):
            return True
        return self._is_done_by_others(start, is_giving) or self._has_safe_place

    def _is_warned_of(self, end: int) -> bool:
        """ "Send us your PIN" is a scam: a word of warning stands behind the verb."""
        return bool(self._warnings) and end <= self._warnings[-1]

    def _is_other_infinitive(self, end: int) -> bool:
        """ "We need to reset your password": a verb follows that does not ask."""
        if self.words[end].text != "to":
            return False
        is_asking = self.words[end + 1].text in self.lexicon.asking_infinitives
        return not is_asking and end + 1 not in {start for start, _, _ in self._verbs}

    def _defines(self, start: int, end: int) -> bool:
        """ "What is a one-time code?" explains, "what is your code?" asks."""
        if self.lexicon.definitions.end_at(self.words, start) < end:
            return False
        after = {word.text for word in self.words[end : end + _LONGEST_REACH]}
        return after.isdisjoint(self.lexicon.whose)

    def _is_handled(self, start: int) -> bool:
        """ "... after you enter your password": what the customer does with the object elsewhere."""
        for index in reversed(range(start)[-_LONGEST_REACH:]):
            if self.words[index].text in self.lexicon.handling:
                before = self.words[max(index - _LONGEST_REACH, 0) : index]
                return any(word.text in self.lexicon.conjunctions for word in before)
        return False

    def _needing(self) -> tuple[int, int] | None:
        """ "Your PIN is needed to proceed": an object, and behind it that it is needed."""
        for start, end in self.objects:
            for index in range(end, min(end + 3, len(self.words))):
                stop = self.lexicon.needed.end_at(self.words, index)
                if not stop:
                    continue
                is_for = bool(self._purposes) and self._purposes[-1] >= stop
                if not (is_for or self._is_negated(start) or self._is_handled(start)):
                    return self.words[start].start, self.words[stop - 1].end
        return None

    def _which(self) -> tuple[int, int] | None:
        """ "Which PIN do you use?": a question word right before an object."""
        for start, end in self.objects if self.is_question else ():
            for word in self.words[max(start - 2, 0) : start]:
                if word.text in self.lexicon.which and not self._has_safe_place:
                    return word.start, self.words[end - 1].end
        return None

    def _is_done_by_others(self, start: int, is_giving: bool) -> bool:
        """Whether not the customer hands over ("we send you"), or not we ask ("anyone who asks for")."""
        subject, is_relayed = self._subject(start)
        if subject in self.lexicon.ours:
            return is_giving and not is_relayed
        if subject in self.lexicon.relatives:
            return self.words[start].text in self.lexicon.relays
        if subject == "you" and not is_giving:  # "you can request your records"
            return self.words[start].text in self.lexicon.relays
        return subject in self.lexicon.others

    def _is_negated(self, start: int) -> bool:
        for index in reversed(range(start + 1)[-_LONGEST_WALK:]):
            if index in self._negated_ends:
                return not self._is_no_negation(self._negated_ends[index], index)
            before = index - 1
            passes = before in self._verb_words or before in self._object_words
            if not (passes or self.words[before].text in self.lexicon.transparent):
                return False
        return False

    def _is_no_negation(self, start: int, end: int) -> bool:
        """What only looks negated: "why not send", "if not, send", "can't you send ...?"."""
        if start and self.words[start - 1].text in ("why", "if"):
            return True
        return self.is_question and self.words[end].text == "you"

    def _subject(self, start: int) -> tuple[str | None, bool]:
        """The subject of a verb, and whether it only asks someone else to act ("we ask you to send")."""
        is_relayed = False
        for index in reversed(range(start)[-_LONGEST_WALK:]):
            word = self.words[index].text
            if word == "you" and index and self.words[index - 1].text in self.lexicon.relays:
                is_relayed = True
                continue
            known = self.lexicon.ours | self.lexicon.others | self.lexicon.relatives
            if word == "you" or word in known or word not in self.lexicon.transparent:
                return word, is_relayed
        return None, is_relayed

    def _is_bare_question(self) -> bool:
        """ "Password?", "And your PIN please?": nothing but the object."""
        if not self.objects or not self.is_question:
            return False
        others = (w.text for i, w in enumerate(self.words) if i not in self._object_words)
        return all(word in self.lexicon.fillers for word in others)

    def _pleading(self) -> tuple[int, int] | None:
        """ "Your card number, please": nothing but fillers, an object, and a please behind it or at the end."""
        if not self.objects:
            return None
        start, end = self.objects[0]
        if any(word.text not in self.lexicon.fillers for word in self.words[:start]):
            return None
        if len(self.words) - end > _LONGEST_PLEA:
            return None
        for index in (end, len(self.words) - 1):
            if index < len(self.words) and self.words[index].text in _PLEASE:
                return self.words[start].start, self.words[index].end
        return None
