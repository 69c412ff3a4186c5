"""The rule on payment card numbers: 13 to 19 digits in any disguise that a card network could have issued."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

import regex

from knowledge_base.policy import numerals
from knowledge_base.policy.detectors import Detector, Hit, Settings, SettingsError
from knowledge_base.policy.reading import Judged

_LONGEST_PREFIX = 4  # digits of the issuer prefixes in the pack
_E164_LONGEST = 15  # digits of the longest telephone number (ITU-T E.164)

# Digits with at most three characters between them that are neither letters nor digits.
_DIGIT_RUN = regex.compile(r"[0-9](?:[^\p{L}\p{N}\n]{0,3}+[0-9])*+")
_BEHIND_PLUS = regex.compile(r"(?<=\+[( ]?)")
_GROUP = regex.compile(r"[0-9]++")
_DOUBLED = str.maketrans("0123456789", "0246813579")


def card_number(settings: Settings) -> Detector:
    """A number with a known issuer prefix, a length of that issuer and a right check digit (Luhn, ISO/IEC
    7812-1).

    `issuers` are entries "FIRST-LAST: LENGTHS", where FIRST and LAST are prefixes of equal length and LENGTHS
    are numbers or ranges. False alarms are limited in four ways: the prefix, the length and the check digit
    must all be right (by chance about one random 16-digit number in 30 is); the number must begin and end where
    a group of digits does; and a number written with + that is short enough to be a telephone number is left
    alone.
    """
    settings.expect("issuers")
    issuers = tuple(_issuer(entry) for entry in settings.phrases("issuers"))

    def detect(judged: Judged) -> Iterator[Hit]:
        folded = judged.folded
        for run in _DIGIT_RUN.finditer(folded.text):
            groups = [group.span() for group in _GROUP.finditer(folded.text, *run.span())]
            if _is_telephone(folded.text, run.start(), groups):
                continue
            for start, end in _numbers(folded.text, groups, issuers):
                yield Hit(folded.span(start, end))
        yield from _disguised(judged, issuers)

    return detect


def _disguised(judged: Judged, issuers: tuple[_Issuer, ...]) -> Iterator[Hit]:
    """Numbers written in words, with letters for digits, or with words between their groups."""
    for run in numerals.runs(judged.words):
        if not run.is_disguised:
            continue  # seen above
        digits = "".join(numeral.digits for numeral in run.numerals)
        ends = list(accumulate(len(numeral.digits) for numeral in run.numerals))
        groups = list(zip([0, *ends], ends, strict=False))
        for start, end in _numbers(digits, groups, issuers):
            first, last = bisect_right(ends, start), bisect_left(ends, end)
            yield Hit((run.numerals[first].start, run.numerals[last].end))


_Issuer = tuple[str, str, frozenset[int]]


def _issuer(entry: str) -> _Issuer:
    prefixes, _, lengths = entry.partition(":")
    first, _, last = prefixes.strip().partition("-")
    allowed: set[int] = set()
    for part in lengths.split(","):
        low, _, high = part.strip().partition("-")
        allowed.update(range(int(low), int(high or low) + 1))
    if not first.isdigit() or len(first) > _LONGEST_PREFIX or len(last or first) != len(first):
        raise SettingsError(f"settings.issuers: {entry!r} needs prefixes of one to four digits")
    return first, last or first, frozenset(allowed)


def _is_telephone(text: str, start: int, groups: list[tuple[int, int]]) -> bool:
    digits = sum(end - begin for begin, end in groups)
    return _BEHIND_PLUS.match(text, start) is not None and digits <= _E164_LONGEST


def _numbers(
    text: str, groups: list[tuple[int, int]], issuers: tuple[_Issuer, ...]
) -> Iterator[tuple[int, int]]:
    """Places of card numbers made of whole groups, without overlap."""
    digits = "".join(text[begin:end] for begin, end in groups)
    starts = list(accumulate((end - begin for begin, end in groups), initial=0))
    group_at = {offset: index for index, offset in enumerate(starts)}
    index = 0
    while index < len(groups):
        start = starts[index]
        after = None
        prefix = digits[start : start + _LONGEST_PREFIX]  # for speed alone: few, so all are cached
        for length in _lengths(prefix, issuers):
            after = group_at.get(start + length)
            if after is not None and _luhn(digits[start : start + length]):
                yield groups[index][0], groups[after - 1][1]
                break
        else:
            after = None
        index = index + 1 if after is None else after


@lru_cache(maxsize=1024)  # prefixes are at most four digits; the usual ones stay
def _lengths(prefix: str, issuers: tuple[_Issuer, ...]) -> tuple[int, ...]:
    """The lengths that numbers with this prefix may have, longest first."""
    found: set[int] = set()
    for first, last, lengths in issuers:
        if first <= prefix[: len(first)] <= last:
            found |= lengths
    return tuple(sorted(found, reverse=True))


def _luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812-1: from the right, every second digit is doubled and its digits added."""
    doubled = digits[-2::-2].translate(_DOUBLED)
    return (sum(map(int, digits[::-2])) + sum(map(int, doubled))) % 10 == 0
