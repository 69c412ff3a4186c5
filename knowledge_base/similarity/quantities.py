"""The amounts, durations, times and days that a text names, in one form, with the words that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["amount", "percentage", "duration", "frequency", "time", "day", "date", "number"]

HOUR, DAY, WEEK = 1.0, 24.0, 168.0
MONTH = 730.0  # hours: a twelfth of 8,760, so that 12 months are a year
_UNITS = {"minute": 1 / 60, "min": 1 / 60, "hour": HOUR, "hr": HOUR, "day": DAY, "night": DAY, "week": WEEK,
          "fortnight": 2 * WEEK, "month": MONTH, "year": 12 * MONTH}  # fmt: skip
_WORDS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_NUMBERS: dict[str, float] = {word: float(n) for n, word in enumerate(_WORDS)} | {
    "a": 1.0, "an": 1.0, "fourteen": 14.0, "fifteen": 15.0, "eighteen": 18.0, "twenty": 20.0,
    "twenty-four": 24.0, "twenty-eight": 28.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0,
    "ninety": 90.0,
}  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)

_N = rf"(?:[0-9]+(?:[.,][0-9]+)?|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_RANGE = r"\s*(?:to|-|–|or|and)\s*"
_MONEY = re.compile(
    rf"[£$€]\s?(?P<a>[0-9]+(?:[.,][0-9]+)?)(?:{_RANGE}[£$€]?\s?(?P<b>[0-9]+(?:[.,][0-9]+)?))?"
    r"|(?P<c>[0-9]+(?:[.,][0-9]+)?)\s?(?:pounds?|euros?|dollars?|eur|gbp|usd|p\b|pence)"
)
_FREE = re.compile(
    r"\b(?:free of charge|for free|no (?:\w+ )?(?:charge|cost|fee)|without (?:a )?(?:charge|cost|fee)|free)\b"
)
_PERCENT = re.compile(r"(?P<a>[0-9]+(?:[.,][0-9]+)?)\s?(?:%|per ?cent\b|percent\b)")
_DURATION = re.compile(
    rf"\b(?:(?P<a>{_N})(?:{_RANGE}(?P<b>{_N}))?)[\s-]?(?:(?:working|business|calendar|full|more)\s)?"
    rf"(?P<unit>{'|'.join(_UNITS)})s?\b"
)
_RELATIVE = re.compile(r"\b(?P<word>same|next|following)[\s-](?:working |business )?day\b")
_OFTEN = re.compile(
    rf"\b(?:every|each|per)\s(?P<unit>{'|'.join(_UNITS)})\b|\b(?P<ly>dai|week|month|year)ly\b"
)
_CLOCK = re.compile(
    r"\b(?P<h>[0-2]?[0-9])(?:[:.](?P<m>[0-5][0-9]))?\s?(?P<half>am|pm|a\.m\.|p\.m\.|o'clock)(?![a-z])"
    r"|\b(?P<h2>[0-2]?[0-9]):(?P<m2>[0-5][0-9])\b"
)
_HOUR_OF_DAY = r"1?[0-9]|2[0-4]"
_NOT_A_SIZE = r"(?![0-9:.,]*[0-9%]|\s?(?:%|percent|minute|hour|day|week|month|year|working))"
_HOURS = re.compile(
    rf"\b(?:from |at |opens? |closes? )(?P<a>{_HOUR_OF_DAY})"
    rf"(?:(?: to |-|–| until | till )(?P<b>{_HOUR_OF_DAY}))?{_NOT_A_SIZE}"
)
_WEEKDAY = "|".join(day for day in _DAYS)
_DAY_RANGE = re.compile(
    rf"\b(?P<a>{_WEEKDAY})s?(?:\s?(?:to|-|–|until|through)\s?)(?P<b>{_WEEKDAY})s?\b"
)
_DAY_WORD = re.compile(
    rf"\b(?P<day>{_WEEKDAY})s?\b|\b(?P<set>weekdays?|weekends?|every day|daily|all week|any day)\b"
)
_EXCEPT = re.compile(rf"\b(?:except|but not|apart from)(?: on)? (?P<day>{_WEEKDAY})s?\b")
_DATE = re.compile(
    rf"\b(?P<d>[0-3]?[0-9])(?:st|nd|rd|th)?(?: of)? (?P<m>{'|'.join(_MONTHS)})\b"
    rf"|\b(?P<m2>{'|'.join(_MONTHS)}) (?P<d2>[0-3]?[0-9])(?:st|nd|rd|th)?\b"
)
_NUMBER = re.compile(r"(?<![\w.,:-])[0-9]+(?:[.,][0-9]+)?(?![\w:%-])")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that a text names a size of: from `low` to `high` (equal where it is no range).

    Amounts in their currency, percentages in per cent, durations and frequencies in hours, times in hours of
    half a day (9 and 21 are the same), days as a set of bits from Monday, dates as month * 100 + day.
    """

    kind: Kind
    low: float
    high: float
    words: str


def quantities(text: str) -> tuple[Quantity, ...]:
    """All of them, in no particular order; each place of the text is read once, as the most telling kind."""
    rest = text.casefold().replace("’", "'")
    found: list[Quantity] = []
    for reader in (_dates, _money, _percentages, _often, _durations, _clocks, _days, _numbers):
        taken: list[tuple[int, int]] = []
        for quantity, span in reader(rest):
            found.append(quantity)
            taken.append(span)
        for start, end in taken:
            rest = f"{rest[:start]}{'·' * (end - start)}{rest[end:]}"
    return tuple(found)


Read = Iterator[tuple[Quantity, tuple[int, int]]]


def _value(text: str) -> float:
    return _NUMBERS[text] if text in _NUMBERS else float(text.replace(",", "."))


def _money(text: str) -> Read:
    for match in _MONEY.finditer(text):
        low = _value(match["a"] or match["c"])
        if match["c"] and match.group().endswith(("p", "pence")):
            low /= 100
        high = _value(match["b"]) if match["b"] else low
        yield Quantity("amount", low, high, match.group().strip()), match.span()
    for match in _FREE.finditer(text):
        yield Quantity("amount", 0.0, 0.0, match.group()), match.span()


def _percentages(text: str) -> Read:
    for match in _PERCENT.finditer(text):
        value = _value(match["a"])
        yield Quantity("percentage", value, value, match.group().strip()), match.span()


def _durations(text: str) -> Read:
    for match in _DURATION.finditer(text):
        unit = _UNITS[match["unit"]]
        low = _value(match["a"]) * unit
        high = _value(match["b"]) * unit if match["b"] else low
        yield Quantity("duration", low, high, match.group()), match.span()
    for match in _RELATIVE.finditer(text):
        hours = 0.0 if match["word"] == "same" else DAY
        yield Quantity("duration", hours, hours, match.group()), match.span()


def _often(text: str) -> Read:
    for match in _OFTEN.finditer(text):
        unit = match["unit"] or {"dai": "day"}.get(match["ly"], match["ly"])
        if unit == "day":
            continue  # "every day" tells which days
        yield Quantity("frequency", _UNITS[unit], _UNITS[unit], match.group()), match.span()


def _clocks(text: str) -> Read:
    taken: list[tuple[int, int]] = []
    for match in _CLOCK.finditer(text):
        hour = float(match["h"] or match["h2"]) + float(match["m"] or match["m2"] or 0) / 60
        taken.append(match.span())
        yield Quantity("time", hour % 12, hour % 12, match.group().strip()), match.span()
    for match in _HOURS.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in taken):
            continue
        for value in filter(None, (match["a"], match["b"])):
            yield Quantity("time", float(value) % 12, float(value) % 12, value), match.span()


def _days(text: str) -> Read:
    days = 0
    spans: list[tuple[int, int]] = []
    words: list[str] = []
    for match in _DAY_RANGE.finditer(text):
        first, last = _DAYS.index(match["a"]), _DAYS.index(match["b"])
        span = range(first, last + 1 if last >= first else last + 8)
        days |= sum(1 << (day % 7) for day in span)
        spans.append(match.span())
        words.append(match.group())
    but = 0
    for match in _EXCEPT.finditer(text):
        but |= 1 << _DAYS.index(match["day"])
        spans.append(match.span())
        words.append(match.group())
    for match in _DAY_WORD.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in spans):
            continue
        days |= 1 << _DAYS.index(match["day"]) if match["day"] else _set(match["set"])
        spans.append(match.span())
        words.append(match.group())
    if days or but:
        days = (days or _set("every day")) & ~but
        named = Quantity("day", float(days), float(days), ", ".join(words))
        yield named, spans[0]
        for span_ in spans[1:]:
            yield named, span_


def _set(word: str) -> int:
    if word.startswith("weekday"):
        return 0b0011111
    return 0b1100000 if word.startswith("weekend") else 0b1111111


def _dates(text: str) -> Read:
    for match in _DATE.finditer(text):
        month = _MONTHS.index(match["m"] or match["m2"]) + 1
        value = float(month * 100 + int(match["d"] or match["d2"]))
        yield Quantity("date", value, value, match.group()), match.span()


def _numbers(text: str) -> Read:
    for match in _NUMBER.finditer(text):
        value = _value(match.group())
        yield Quantity("number", value, value, match.group()), match.span()
