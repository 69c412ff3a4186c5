"""One cell to one value: texts, lists, yes or no, times, languages and channels, each with its own complaint."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from knowledge_base.errors import WordingError
from knowledge_base.exchange.model import MAX_EXAMPLES_BYTES, MAX_FIELD_BYTES, Cell
from knowledge_base.snippet import KEY_PATTERN, MAX_KEY
from knowledge_base.store.tables import NAME
from knowledge_base.wording import (
    LIMIT,
    UnusableText,
    clean_customer_text,
    normalise,
    worst_case,
)

MAX_TAG = 60  # characters; a tag is a word or two
MAX_CHANNEL = 32  # characters, as in the service's tables
MAX_EXAMPLE = 1000  # code points of one phrasing, as of a customer's message

_YES = frozenset({"true", "yes", "y", "1"})
_NO = frozenset({"false", "no", "n", "0", ""})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(?P<zone>[Zz]|[+-]\d{2}:\d{2})?"
)
# Language, script, region: what a shop needs of BCP 47. https://www.rfc-editor.org/rfc/rfc5646
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?")
_CHANNEL = re.compile(r"[a-z][a-z0-9_]*")
_PHRASING_ENDS = re.compile(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]| \| ")
_WORD_ENDS = re.compile(r"[,;|\n\r]")


class Fault(ValueError):
    """What is wrong with one cell; the message says how to mend it."""


def key(cell: Cell) -> str:
    """A snippet's key."""
    value = _single(cell).strip()
    if not value:
        msg = "is empty: give the snippet a key, for example orders.track"
        raise Fault(msg)
    if len(value) > MAX_KEY:
        msg = f"has {len(value)} characters: at most {MAX_KEY}"
        raise Fault(msg)
    if KEY_PATTERN.fullmatch(value) is None:
        msg = f"{shown(value)} is not a key: lower-case letters a-z, digits, _ and -, in parts joined by dots"
        raise Fault(msg)
    return value


def approved_text(cell: Cell) -> str:
    """The words that are sent: usable characters, known slots, and short enough in the worst case."""
    text = line(cell)
    if not text:
        msg = "is empty: write what the customer will read"
        raise Fault(msg)
    try:
        length = worst_case(text)
    except WordingError as error:
        raise Fault(str(error)) from error
    if not length.fits:
        msg = (
            f"can become {length.code_points} characters long ({length.weighted} as X counts them) with its"
            f" slots filled: shorten it by {max(length.code_points, length.weighted) - LIMIT} (at most {LIMIT} by"
            " both counts)"
        )
        raise Fault(msg)
    return text


def line(cell: Cell) -> str:
    """One line of text."""
    value = _single(cell)
    _refuse_bytes(value, MAX_FIELD_BYTES)
    try:
        return normalise(value)
    except UnusableText as error:
        raise Fault(str(error)) from error


def name(cell: Cell) -> str:
    """A short line: a topic or an owner."""
    value = line(cell)
    if len(value) > NAME:
        msg = f"has {len(value)} characters: at most {NAME}"
        raise Fault(msg)
    return value


def phrasings(cell: Cell) -> tuple[str, ...]:
    """What customers write: each once, in order, white space folded; newlines and ` | ` separate them.

    They are searched and never sent, so characters that cannot be seen are dropped instead of refused.
    """
    parts = _parts(cell, _PHRASING_ENDS, most=MAX_EXAMPLES_BYTES)
    cleaned = [_phrasing(part) for part in parts]
    return tuple(dict.fromkeys(phrase for phrase in cleaned if phrase))


def tags(cell: Cell) -> tuple[str, ...]:
    """Words to find a snippet by; commas, semicolons, bars and newlines separate them."""
    return _words(cell, _tag)


def channels(cell: Cell) -> tuple[str, ...]:
    """Names of the channels it is meant for, in order of the alphabet; none means every one."""
    return tuple(sorted(_words(cell, _channel)))


def locale(cell: Cell) -> str:
    """A language tag in its usual spelling; nothing means `en`."""
    value = _single(cell).strip() or "en"
    match = _LOCALE.fullmatch(value)
    if match is None:
        msg = f"{shown(value)} is not a language tag: write for example en, en-GB or zh-Hant-TW"
        raise Fault(msg)
    language, script, region = match.groups()
    parts = [language.lower(), script and script.title(), region and region.upper()]
    return "-".join(part for part in parts if part)


def boolean(cell: Cell) -> bool:
    """Yes or no; nothing means no."""
    value = _single(cell).strip().lower()
    if value in _YES:
        return True
    if value in _NO:
        return False
    msg = f"{shown(value)} is neither true nor false: write one of them"
    raise Fault(msg)


def time(cell: Cell) -> datetime | None:
    """An aware UTC time: ISO 8601 with its zone, or a date, which means midnight UTC."""
    value = _single(cell).strip()
    if not value:
        return None
    match = _TIME.fullmatch(value)
    if match is None and _DATE.fullmatch(value) is None:
        msg = f"{shown(value)} is not a time: write 2026-05-31 (midnight UTC) or 2026-05-31T18:00:00Z"
        raise Fault(msg)
    if match is not None and match.group("zone") is None:
        msg = f"{shown(value)} has no time zone: add Z for UTC or an offset such as +02:00"
        raise Fault(msg)
    try:
        parsed = datetime.fromisoformat(value.upper())
        return (parsed if match else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        msg = f"{shown(value)} is not a time of the calendar"
        raise Fault(msg) from error


def shown(value: str) -> str:
    """A short, printable form of what stands in the file."""
    cut = value if len(value) <= 40 else f"{value[:40]}..."  # enough to find it again
    return ascii(cut) if not cut.isprintable() else f"'{cut}'"


def _single(cell: Cell) -> str:
    if isinstance(cell.value, tuple):
        msg = "is a list: it has to be one value"
        raise Fault(msg)
    return cell.value or ""


def _parts(cell: Cell, ends: re.Pattern[str], *, most: int) -> list[str]:
    values = cell.value if isinstance(cell.value, tuple) else (cell.value or "",)
    _refuse_bytes("\n".join(values), most)
    return [part for value in values for part in ends.split(value)]


def _refuse_bytes(value: str, most: int) -> None:
    # A code point has at most 4 bytes: most cells need no encoding to be known as small.
    if len(value) * 4 > most and (size := len(value.encode("utf-8", "surrogatepass"))) > most:
        msg = f"is {size:,} bytes long: at most {most // 1024} KB"
        raise Fault(msg)


def _phrasing(part: str) -> str:
    if len(part) > MAX_EXAMPLE:
        msg = f"one phrasing has {len(part):,} characters: at most {MAX_EXAMPLE:,} (a newline or ' | ' separates)"
        raise Fault(msg)
    # Folding can bring a bar between spaces, and a bar at either end would separate nothing.
    words = clean_customer_text(part, cap=MAX_EXAMPLE).text.split()
    while words and words[0] == "|":
        words.pop(0)
    while words and words[-1] == "|":
        words.pop()
    return " ".join(word for word in words if word != "|")


def _words(cell: Cell, check: Callable[[str], str]) -> tuple[str, ...]:
    parts = (part.strip() for part in _parts(cell, _WORD_ENDS, most=MAX_FIELD_BYTES))
    return tuple(dict.fromkeys(check(part) for part in parts if part))


def _tag(value: str) -> str:
    if len(value) > MAX_TAG:
        msg = f"the tag {shown(value)} has {len(value)} characters: at most {MAX_TAG}"
        raise Fault(msg)
    try:
        return normalise(value)
    except UnusableText as error:
        raise Fault(str(error)) from error


def _channel(value: str) -> str:
    if len(value) > MAX_CHANNEL or _CHANNEL.fullmatch(value) is None:
        msg = f"{shown(value)} is not a channel's name: lower-case letters, digits and _, for example generic"
        raise Fault(msg)
    return value


READERS: dict[str, Callable[[Cell], Any]] = {
    "key": key,
    "title": line,
    "text": approved_text,
    "examples": phrasings,
    "topic": name,
    "tags": tags,
    "locale": locale,
    "channels": channels,
    "auto_send": boolean,
    "valid_from": time,
    "valid_until": time,
    "owner": name,
}
