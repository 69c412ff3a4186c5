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
        else:
            for match in _BRACES.finditer(judged.text):
                yield Hit(match.span())
        for match in _SQUARE.finditer(judged.text):
            inner = match.group(1).strip()
            if _CODE_NAME.fullmatch(inner) or inner.casefold() in words:
                yield Hit(match.span())
        for pattern in (_ANGLE, _PRINTF):
            for match in pattern.finditer(judged.text):
                yield Hit(match.span())

    return detect


def _template_faults(judged: Judged) -> Iterator[Hit]:
    try:
        slots_in(judged.text)
    except MalformedSlot as error:
        yield Hit(None, reason="a slot is not written as it must be", mend=str(error))
    except UnusableText:
        return  # named by the rule on characters
    except WordingError as error:
        yield Hit(None, reason=str(error))
