"""Slots of a snippet: which there are, what may fill them, and how long the text can become.

A slot is written `{name}`. Its value is validated by type and copied in; no template language is involved. A
slot stands between spaces or plain punctuation, so that no value can become part of a link, an emoji or a
composed letter: only then is the worst case of a template the sum of its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, NamedTuple

import regex

from knowledge_base.errors import WordingError
from knowledge_base.wording.characters import UnusableText, normalise
from knowledge_base.wording.length import HEAVY_WEIGHT, Length, measure

Source = Literal["customer", "conversation", "agent"]
SpanKind = Literal["approved", "slot"]


@dataclass(frozen=True, slots=True)
class Slot:
    """One kind of value that may stand in a snippet; `pattern` says in words what it may hold."""

    name: str
    source: Source
    max_code_points: int
    pattern: str
    example: str


_PERSON = "letters of any script, spaces, hyphens and apostrophes, beginning with a letter"

SLOTS: Mapping[str, Slot] = MappingProxyType(
    {
        slot.name: slot
        for slot in (
            Slot("first_name", "customer", 20, _PERSON, "Ana"),
            Slot("order_number", "conversation", 10, "QH- and 7 digits", "QH-1048213"),
            Slot(
                "product",
                "conversation",
                30,
                "letters, digits, spaces, hyphens, apostrophes and &, beginning with a letter or digit",
                "Linen throw",
            ),
            Slot("agent_name", "agent", 20, _PERSON, "Sam"),
        )
    }
)

# Joiners are let through here because `normalise` allows them only between letters that join.
_NAME = r"\p{L}[\p{L}\p{M}\u200c\u200d '’-]*+"
_SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "first_name": _NAME,
        "agent_name": _NAME,
        "order_number": r"QH-[0-9]{7}",
        "product": r"[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}\u200c\u200d '’&-]*+",
    }
)
_ASCII_ONLY = frozenset({"order_number"})

# What may touch a slot: nothing that can take part in a link, a mention, an emoji or a composed letter.
_BEFORE = frozenset("(\"'“‘«[#–—")
_AFTER = frozenset(".,!?;:)\"'”’»]…")
_POSSESSIVE = ("'s", "’s")


class UnknownSlot(WordingError):
    """A template names a slot that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no slot {{{name}}}: use one of {_known()}")
        self.name = name


class MalformedSlot(WordingError):
    """Braces that are no slot, or a slot that touches characters it may not touch.

    `position` counts code points of the normalised template, from 0.
    """

    def __init__(self, *, position: int, mend: str) -> None:
        super().__init__(f"character {position + 1}: {mend}")
        self.position = position
        self.mend = mend


class MissingSlotValue(WordingError):
    """No value was given for a slot of the template."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no value for the slot {{{name}}}")
        self.name = name


class BadSlotValue(WordingError):
    """A value does not fit its slot. The message does not repeat the value: it may be personal."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the value for the slot {{{name}}} {reason}")
        self.name = name
        self.reason = reason


class Span(NamedTuple):
    """A range [start, end) of a filled text, in code points, and where its words come from."""

    start: int
    end: int
    kind: SpanKind
    slot: str | None


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled text and the spans that cover it exactly, in order."""

    text: str
    spans: tuple[Span, ...]


def slots_in(text: str) -> tuple[str, ...]:
    """The names of the slots of a template, each once, in order of appearance.

    Raises UnusableText, UnknownSlot, MalformedSlot.
    """
    return tuple(dict.fromkeys(name for _, name in _parts(normalise(text)) if name is not None))


def fill(text: str, *, values: Mapping[str, str]) -> Filled:
    """The template with every slot replaced by its value; values of other slots are ignored.

    Raises MissingSlotValue, BadSlotValue, and what `slots_in` raises.
    """
    pieces: list[str] = []
    spans: list[Span] = []
    position = 0
    for piece, name in _parts(normalise(text)):
        if name is not None:
            if name not in values:
                raise MissingSlotValue(name)
            piece = _value(name, values[name])
        if piece:
            end = position + len(piece)
            spans.append(Span(position, end, "approved" if name is None else "slot", name))
            pieces.append(piece)
            position = end
    return Filled(text="".join(pieces), spans=tuple(spans))


def worst_case(text: str) -> Length:
    """The greatest lengths that `fill` can give over all permitted values, each measure by itself.

    Every slot is taken at its greatest number of code points. Letters of some scripts weigh 2, so a slot for
    names weighs twice that; an order number is ASCII. Because of what may touch a slot, the rest of the text
    weighs the same whatever the value (see the module's first lines), so the sum is exact and not only a bound.

    Raises what `slots_in` raises.
    """
    pieces: list[str] = []
    extra = 0
    for piece, name in _parts(normalise(text)):
        if name is None:
            pieces.append(piece)
            continue
        longest = SLOTS[name].max_code_points
        pieces.append("x" * longest)
        extra += 0 if name in _ASCII_ONLY else longest * (HEAVY_WEIGHT - 1)
    length = measure("".join(pieces))
    return Length(code_points=length.code_points, weighted=length.weighted + extra)


def without_order_numbers(text: str) -> str:
    """The text without what customers write for an order number; spaces are made single."""
    return " ".join(_written_order_number().sub(" ", text).split())


def _known() -> str:
    return ", ".join(f"{{{name}}}" for name in SLOTS)


@cache
def _shape(name: str) -> regex.Pattern[str]:
    return regex.compile(_SHAPES[name])


@cache
def _written_order_number() -> regex.Pattern[str]:
    return regex.compile(r"(?<![\p{L}\p{N}])(?i:#?(?:qh[- ]?)?)([0-9]{7})(?![\p{L}\p{N}])")


@cache
def _slot_pattern() -> regex.Pattern[str]:
    return regex.compile(r"\{([a-z][a-z0-9_]*+)\}")


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    """The template cut into (approved words, None) and ("", slot name), in order."""
    position = 0
    for match in _slot_pattern().finditer(text):
        start, end = match.span()
        _refuse_braces(text, position, start)
        if text[end : end + 1] == "}":
            raise MalformedSlot(position=end, mend="write a slot with one brace on each side")
        name = match.group(1)
        if name not in SLOTS:
            raise UnknownSlot(name)
        _refuse_neighbours(text, start, end)
        if start > position:
            yield text[position:start], None
        yield "", name
        position = end
    _refuse_braces(text, position, len(text))
    if position < len(text):
        yield text[position:], None


def _refuse_braces(text: str, start: int, end: int) -> None:
    for brace in "{}":
        index = text.find(brace, start, end)
        if index >= 0:
            raise MalformedSlot(
                position=index,
                mend=f"a {brace} that is no slot; write slots as {_known()} and no other braces",
            )


def _refuse_neighbours(text: str, start: int, end: int) -> None:
    """Refuse a slot that touches a character which could make its value part of something else."""
    before = start
    while before > 0 and text[before - 1] in _BEFORE:
        before -= 1
    if before > 0 and text[before - 1] != " ":
        raise MalformedSlot(
            position=before - 1, mend=f"put a space between {text[before - 1]!r} and the slot"
        )
    after = end
    if text[after : after + 2] in _POSSESSIVE:
        after += 2
    while after < len(text) and text[after] in _AFTER:
        after += 1
    if after < len(text) and text[after] != " ":
        raise MalformedSlot(
            position=after, mend=f"put a space between the slot and {text[after]!r}"
        )


def _value(name: str, value: str) -> str:
    """The value in the form that stands in the text."""
    slot = SLOTS[name]
    try:
        value = normalise(value)
    except UnusableText as error:
        raise BadSlotValue(name, f"cannot be used: {error}") from error
    if name == "order_number":
        value = _order_number(value)
    if not value:
        raise BadSlotValue(name, "is empty")
    if len(value) > slot.max_code_points:
        raise BadSlotValue(
            name, f"has {len(value)} characters, at most {slot.max_code_points} are allowed"
        )
    if _shape(name).fullmatch(value) is None:
        raise BadSlotValue(name, f"may hold only {slot.pattern}")
    return value


def _order_number(value: str) -> str:
    """QH- and digits for the forms customers write (qh1048213, #1048213, 1048213); anything else unchanged."""
    match = _written_order_number().fullmatch(value)
    return value if match is None else f"QH-{match.group(1)}"
