"""Rules on the shape of a text: its length, its characters, and slots left unfilled."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import suppress

import regex

from knowledge_base.errors import WordingError
from knowledge_base.policy.detectors import Detector, Hit, Settings
from knowledge_base.policy.reading import Judged
from knowledge_base.wording import (
    MalformedSlot,
    UnusableText,
    network_lengths,
    normalise,
    slots_in,
    worst_case,
)

# Up to four braces on a side: without a bound a long run of braces would take quadratic time.
_BRACES = regex.compile(r"\$?\{{1,4}+[^{}\n]{0,60}+\}{1,4}+|[{}]++")
_SQUARE = regex.compile(r"\[([^\[\]\n]{1,40}+)\]")
_ANGLE = regex.compile(r"<[\p{L}_/][^<>\n]{0,40}+>")
_PRINTF = regex.compile(r"%\(\w{1,40}+\)[sd]|%[sd](?!\w)")
_CODE_NAME = regex.compile(r"\p{Lu}[\p{Lu}\p{N}_ -]++|\p{L}++_[\p{L}\p{N}_]++")
_SIZES = regex.compile(r"(?:[0-9]{0,2}X{0,3}[SMLX](?:\s?-\s?)?)+")  # "[S-XL]" names no slot
_ROUND = regex.compile(r"\(([^()\n]{1,40}+)\)")
_BLANK_BRACKETS = regex.compile(r"\[(?:\s*+|\.{2,}+|…|\?++|[xX]++|_++)\]")
_INSERT = regex.compile(
    r"(?i)(?:insert|enter|add|put|type)\s(?:your\s|the\s|an?\s)?[\p{L} ]{2,30}+"
)
_SLOT_WORDS = (
    r"(?:first|last|full|customer|agent|order|tracking|product|item|user|refund|delivery|ticket)"
)
# What a broken template leaves behind: marks of other systems, blanks, empty values.
_LEFTOVERS = tuple(
    regex.compile(pattern)
    for pattern in (
        r"%{1,2}+\p{L}[\p{L}_ ]{1,30}+%",
        r"(?<![\p{L}\p{N}])X{3,}+(?![\p{L}\p{N}])|[£$€]\s?X[X.,]*+|(?<![\p{L}\p{N}])XX[-/. ]XX",
        r"%[A-Z]{3,20}+(?![\p{L}%])",
        r"(?i)\[[\p{L} ]{0,20}(?:name|no\.?|number|date|time|link|url|id|amount|greeting|code|email)\]",
        r"_{3,}+|#{3,}+|(?<!\.)\.{5,}+|\?{4,}+",
        r"(?<![\p{L}\p{N}$])\$[\p{L}_]{3,}+",
        r"(?<![\p{L}\p{N}])@[\p{L}_]{2,}+@|#[\p{L}_]{3,}+#|\*\|\w++\|\*|~~?[\p{L}_]{3,}+~",
        r"(?<![\p{L}\p{N}])(?:TODO|TBC|TBD|FIXME|TBA)(?![\p{L}\p{N}])",
        r"(?<![\p{L}\p{N}])(?:DD|MM|YY(?:YY)?|HH)(?:\s?[/.:-]\s?(?:DD|MM|YY(?:YY)?|HH|SS)){1,2}+(?![\p{L}])",
        r"(?<![\p{L}\p{N}])(?:undefined|NaN|\[object Object\]|Null|NULL|N/A)(?![\p{L}\p{N}])|[£$€]\s?null",
        r"(?i)(?<![\p{L}\p{N}])(?:hi|hello|dear|hey)\s++[,!]",
        r"(?i)(?<![\p{L}\p{N}])(?:hi|hello|dear|hey)\s(?:null|none|nan|(?:customer|first|last|user)?\s?name)(?!\p{L})",
        r"(?<![\p{L}\p{N}-])0{5,}+(?![\p{L}\p{N}])",
        r"(?i)(?<![\p{L}\p{N}])(?:insert|add|put|enter)\s(?:[\p{L}]{1,20}+\s){1,3}here(?![\p{L}])",
        r"(?i)(?<![\p{L}\p{N}])your\s(?:text|name|message|signature)\shere(?![\p{L}])",
        r"[«‹]\s?[\p{L}_]{2,20}+(?:\s[\p{L}_]{2,20}+)?\s?[»›]",
    )
)
_SLOT_NAMES = regex.compile(
    rf"(?i)(?<![\p{{L}}\p{{N}}{{@._-]){_SLOT_WORDS}_(?:name|number|no|id|date|link|url|amount|time|address|status)"
    r"(?![\p{L}\p{N}}@_-])"
)


def length(settings: Settings) -> Detector:
    """The text is empty, or too long by one of the two measures; a template is taken in its worst case."""
    settings.expect()
    return _length


def _length(judged: Judged) -> Iterator[Hit]:
    if not judged.text.strip():
        yield Hit(None, reason="the text is empty", mend="write something")
        return
    measured = judged.length
    if judged.template:
        # A malformed slot is named by another rule; here the text then counts as it stands.
        with suppress(WordingError):
            measured = worst_case(judged.text)
    if not measured.fits:
        worst = "in its worst case " if judged.template else ""
        excess = max(measured.code_points, measured.weighted) - measured.limit
        yield Hit(
            None,
            reason=(
                f"the text has {worst}{measured.code_points} characters and weighs "
                f"{measured.weighted}; at most {measured.limit} are allowed by both measures"
            ),
            mend=f"shorten it by {excess}",
        )


def network_length(settings: Settings) -> Detector:
    """The text is longer than the channel's network takes, in the network's own unit."""
    settings.expect()

    def detect(judged: Judged) -> Iterator[Hit]:
        for length in network_lengths(judged.text, judged.channel):
            if not length.fits:
                yield Hit(
                    None,
                    reason=(
                        f"{length.network} takes {length.cap:,} {length.unit}, this is "
                        f"{length.used:,} ({length.explanation})"
                    ),
                )

    return detect


def characters(settings: Settings) -> Detector:
    """The text holds a character that approved wording may not hold."""
    settings.expect()
    return _characters


def _characters(judged: Judged) -> Iterator[Hit]:
    try:
        normalise(judged.text)
    except UnusableText as error:
        composed = unicodedata.is_normalized("NFC", judged.text)
        span = (error.position, error.position + 1) if composed else None
        yield Hit(span, reason=f"U+{error.code_point:04X} is {error.reason}")


def unfilled(settings: Settings) -> Detector:
    """The text shows a placeholder; in a template well-formed slots are allowed."""
    settings.expect("placeholder_words")
    words = frozenset(entry.casefold() for entry in settings.phrases("placeholder_words"))

    def detect(judged: Judged) -> Iterator[Hit]:
        if judged.template:
            yield from _template_faults(judged)
        told = 0
        for start, end in sorted(_placeholders(judged, words)):
            if start >= told:
                yield Hit((start, end))
                told = end

    return detect


def _placeholders(judged: Judged, words: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Places of what looks like a placeholder; they may overlap."""
    if not judged.template:
        for match in _BRACES.finditer(judged.text):
            yield match.span()
    for match in (*_SQUARE.finditer(judged.text), *_ROUND.finditer(judged.text)):
        inner = match.group(1).strip()
        is_square = judged.text[match.start()] == "["
        is_name = is_square and _CODE_NAME.fullmatch(inner) and not _SIZES.fullmatch(inner)
        if is_name or inner.casefold() in words or _INSERT.fullmatch(inner):
            yield match.span()
    for pattern in (_ANGLE, _PRINTF, _BLANK_BRACKETS, _SLOT_NAMES, *_LEFTOVERS):
        for match in pattern.finditer(judged.text):
            yield match.span()


def _template_faults(judged: Judged) -> Iterator[Hit]:
    try:
        slots_in(judged.text)
    except MalformedSlot as error:
        yield Hit(None, reason="a slot is not written as it must be", mend=str(error))
    except UnusableText:
        pass  # named by the rule on characters
    except WordingError as error:
        yield Hit(None, reason=str(error))
