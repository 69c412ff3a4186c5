"""Which characters a text may hold: approved wording is refused with a reason, customer text is cleaned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import regex

from knowledge_base.errors import WordingError
from knowledge_base.wording.emoji import (
    EMOJI_STYLE,
    TEXT_STYLE,
    ZERO_WIDTH_JOINER,
    emoji_pattern,
)
from knowledge_base.wording.length import nfc

# Living scripts stack a few marks on a letter (Hebrew with cantillation about five). More is decoration that
# covers the lines above and below.
MOST_MARKS = 8
CUSTOMER_CAP = 1000  # code points; longer messages are cut before anything else looks at them

_JOINED_SCRIPTS = (
    "Arab Syrc Mong Nkoo Mand Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh Khmr Mymr Tibt"
)

# kind -> (character class, reason). The first class that holds a character gives its kind.
_REFUSED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "line_break": (
            r"[\n\r\x0b\x0c\x85\u2028\u2029]",
            "a line break; a snippet is one line, use a space",
        ),
        "surrogate": (r"\p{Cs}", "half of a surrogate pair; the text was cut or badly decoded"),
        "control": (r"\p{Cc}", "a control character"),
        "bidi": (r"\p{Bidi_Control}", "a control that changes the direction of writing"),
        "tag": (r"[\U000e0000-\U000e007f]", "an invisible tag outside a flag emoji"),
        "zero_width": (
            r"[\u200b-\u200d\u2060-\u2064\ufeff\u180e]",
            "a zero-width character where no emoji or script needs it",
        ),
        "variation": (
            r"\p{Variation_Selector}",
            "a variation selector that does not follow an emoji",
        ),
        "invisible": (
            # Besides the ignorable ones: interlinear annotation and the blank Braille pattern.
            r"[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb\u2800]",
            "an invisible character",
        ),
        "noncharacter": (r"\p{Noncharacter_Code_Point}", "a code point that is never a character"),
        "private_use": (r"\p{Co}", "a private-use code point; it looks different everywhere"),
        "unassigned": (r"\p{Cn}", "a code point that Unicode has not assigned"),
    }
)


class UnusableText(WordingError):
    """A text holds a character that approved wording may not hold.

    `position` counts code points in the NFC form of the text, from 0; `code_point` is the character's number.
    """

    def __init__(self, *, position: int, code_point: int, reason: str) -> None:
        super().__init__(
            f"character {position + 1} (U+{code_point:04X}) is {reason}: remove or replace it"
        )
        self.position = position
        self.code_point = code_point
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CleanText:
    """Customer text that is safe to store and show: how it was changed, and how many characters of each kind
    went.
    """

    text: str
    was_changed: bool
    removed: Mapping[str, int]
    truncated: bool


def normalise(text: str) -> str:
    """`text` in NFC without leading and trailing spaces; nothing else is rewritten, an unusable character is
    refused.

    Refused are control characters, line breaks, bidirectional controls, zero-width and other invisible
    characters, tags, lone surrogates, private-use, unassigned and non-characters, more than MOST_MARKS marks in
    a row and a mark without a letter. Allowed in their place: joiners inside an emoji or between letters of
    scripts that join (Arabic, Indic), variation selectors after an emoji, tags inside a subdivision flag.

    Raises UnusableText with the first such character.
    """
    text = nfc(text)
    if not _is_plain(text):
        for match in _suspect().finditer(text):
            kind = match.lastgroup or ""
            if not _allowed(text, match.start(), kind):
                raise UnusableText(
                    position=match.start(),
                    code_point=ord(text[match.start()]),
                    reason=_REFUSED[kind][1],
                )
        _refuse_stray_marks(text)
    return text.strip(" ")


def clean_customer_text(text: str, *, cap: int = CUSTOMER_CAP) -> CleanText:
    """Hostile or careless text made safe; never raises.

    NFC; line breaks of any kind become a newline, a tab a space; control, bidirectional, zero-width and other
    invisible characters, lone surrogates and private-use code points are removed; of a long run of marks the
    first MOST_MARKS stay; at most `cap` code points are kept. What remains can be shown, logged and sent as
    JSON, but is still the customer's.
    """
    removed: Counter[str] = Counter()
    cleaned = _cleaned(text, on_removed=removed.update)
    truncated = len(cleaned) > cap
    if truncated:
        # A cut may halve an emoji: clean again, so that no loose joiner or tag stays at the end.
        cleaned = _cleaned(cleaned[: max(cap, 0)], on_removed=lambda _: None)
    return CleanText(
        text=cleaned,
        was_changed=cleaned != text,
        removed=dict(removed),
        truncated=truncated,
    )


def _cleaned(text: str, *, on_removed: Callable[[Mapping[str, int]], None]) -> str:
    if _is_plain(text):
        return text
    text = nfc(_line_breaks().sub("\n", text).replace("\t", " "))
    pieces: list[str] = []
    position = 0
    for match in _suspect().finditer(text):
        kind = match.lastgroup or ""
        if match.group() == "\n" or _allowed(text, match.start(), kind):
            continue
        pieces.append(text[position : match.start()])
        position = match.end()
        on_removed({kind: 1})
    pieces.append(text[position:])
    kept = "".join(pieces)
    shorter, cuts = _mark_overflow().subn(r"\1", kept)
    if cuts:
        on_removed({"marks": len(kept) - len(shorter)})
    # Removing can bring a letter and a mark together, or leave a joiner without its neighbour: repeat until
    # nothing moves.
    return shorter if shorter == text else _cleaned(shorter, on_removed=on_removed)


def _refuse_stray_marks(text: str) -> None:
    trimmed = len(text) - len(text.lstrip(" "))
    stray = _leading_mark().match(text, trimmed)
    if stray is not None:
        raise UnusableText(
            position=trimmed,
            code_point=ord(text[trimmed]),
            reason="a combining mark without a letter before it",
        )
    overflow = _mark_overflow().search(text)
    if overflow is not None:
        position = overflow.end(1)
        raise UnusableText(
            position=position,
            code_point=ord(text[position]),
            reason=f"one of more than {MOST_MARKS} combining marks in a row",
        )


def _is_plain(text: str) -> bool:
    """Whether the text is printable ASCII: by far the most common case, and nothing to do."""
    return text.isascii() and text.isprintable()


def _allowed(text: str, index: int, kind: str) -> bool:
    """Whether a suspect character stands where it has a meaning."""
    if kind == "tag":
        return _inside_emoji(text, index)
    if kind == "zero_width":
        character = text[index]
        if character == ZERO_WIDTH_JOINER and _inside_emoji(text, index):
            return True
        return character in "\u200c\u200d" and _between_joined_letters(text, index)
    if kind == "variation":
        return _styles_emoji(text, index)
    return kind == "unassigned" and _reserved_emoji().match(text, index) is not None


# An emoji sequence is at most this long: four elements of two code points each with three joiners between them.
_LONGEST_EMOJI = 11


def _inside_emoji(text: str, index: int) -> bool:
    """Whether a joiner or tag is part of an emoji; only the few code points before it are looked at."""
    for start in range(max(index - _LONGEST_EMOJI, 0), index):
        match = emoji_pattern().match(text, start)
        if match is not None and match.end() > index:
            return True
    return False


def _between_joined_letters(text: str, index: int) -> bool:
    before = index > 0 and _joined_letter().match(text, index - 1) is not None
    return before and _joined_letter().match(text, index + 1) is not None


def _styles_emoji(text: str, index: int) -> bool:
    """Whether a variation selector asks for the text or emoji style of the character before it."""
    if index == 0 or text[index] not in (TEXT_STYLE, EMOJI_STYLE):
        return False
    if text[index - 1] in "0123456789#*":
        return text[index : index + 2] == EMOJI_STYLE + "\u20e3"
    return _styleable().match(text, index - 1) is not None


@cache
def _suspect() -> regex.Pattern[str]:
    classes = (f"(?P<{kind}>{pattern})" for kind, (pattern, _) in _REFUSED.items())
    return regex.compile("(?V1)" + "|".join(classes))


@cache
def _line_breaks() -> regex.Pattern[str]:
    return regex.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


@cache
def _mark_overflow() -> regex.Pattern[str]:
    return regex.compile(rf"(\p{{M}}{{{MOST_MARKS}}})\p{{M}}++")


@cache
def _leading_mark() -> regex.Pattern[str]:
    return regex.compile(r"\p{M}")


@cache
def _joined_letter() -> regex.Pattern[str]:
    scripts = "".join(rf"\p{{Script={script}}}" for script in _JOINED_SCRIPTS.split())
    return regex.compile(rf"(?V1)[[{scripts}]&&[\p{{L}}\p{{M}}]]")


@cache
def _styleable() -> regex.Pattern[str]:
    return regex.compile(r"(?V1)[[\p{Emoji}--[0-9#*]]--[\p{RI}\p{Emoji_Modifier}]]")


@cache
def _reserved_emoji() -> regex.Pattern[str]:
    return regex.compile(r"\p{Extended_Pictographic}")
