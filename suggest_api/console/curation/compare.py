"""Two versions of a snippet side by side: which fields differ, and which words of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knowledge_base.exchange import COLUMNS
from knowledge_base.snippet import SnippetContent

_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)
_NAMES = {
    "text": "Text",
    "title": "Title",
    "examples": "Phrasings",
    "topic": "Topic",
    "tags": "Tags",
    "locale": "Language",
    "channels": "Channels",
    "auto_send": "The assistant may send it",
    "valid_from": "Valid from",
    "valid_until": "Valid until",
    "owner": "Owner",
}
# The words first: they are what a customer reads.
FIELDS = ("text", *(name for name in COLUMNS if name not in {"key", "text"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some words of one side; `changed` where the other side has others."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of both versions, in pieces."""

    name: str
    title: str
    before: tuple[Piece, ...]
    after: tuple[Piece, ...]

    @property
    def changed(self) -> bool:
        """Whether it differs."""
        return any(piece.changed for piece in (*self.before, *self.after))


def compare(before: SnippetContent | None, after: SnippetContent) -> tuple[Field, ...]:
    """Every field of two versions; without a version before, everything is new."""
    return tuple(
        _field(
            name,
            "" if before is None else spelt(getattr(before, name)),
            spelt(getattr(after, name)),
        )
        for name in FIELDS
    )


def spelt(value: Any) -> str:
    """A field's value in words, lists line by line."""
    if isinstance(value, tuple):
        return "\n".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    return str(value or "")


def words(before: str, after: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts in pieces, compared word by word."""
    left, right = _TOKEN.findall(before), _TOKEN.findall(after)
    matcher = difflib.SequenceMatcher(a=left, b=right, autojunk=False)
    steps = matcher.get_opcodes()
    return (
        tuple(_pieces((op != "equal", left[i1:i2]) for op, i1, i2, _, _ in steps)),
        tuple(_pieces((op != "equal", right[j1:j2]) for op, _, _, j1, j2 in steps)),
    )


def _pieces(parts: Iterator[tuple[bool, list[str]]]) -> Iterator[Piece]:
    for changed, tokens in parts:
        if tokens:
            yield Piece(text="".join(tokens), changed=changed)


def _field(name: str, before: str, after: str) -> Field:
    left, right = words(before, after)
    return Field(name=name, title=_NAMES[name], before=left, after=right)
