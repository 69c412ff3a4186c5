"""Both lengths of a text: NFC code points and X's weighted length, in time linear in the text."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import regex

from knowledge_base.wording.emoji import emoji_pattern
from knowledge_base.wording.links import links_in

LIMIT = 139  # "under 140 characters", by both measures

# twitter-text configuration v3 (scale 100: weights 100 and 200 count 1 and 2).
LINK_WEIGHT = 23
HEAVY_WEIGHT = 2
_LIGHT = r"\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037"

# Python sorts combining marks by insertion, which is quadratic in the length of a run. Runs longer than this
# are put into NFC piece by piece; such a text has more than LIMIT code points in any case. Stream-Safe Text
# (UAX #15) allows 30.
_LONGEST_SORTED_RUN = 256


@dataclass(frozen=True, slots=True)
class Length:
    """Both lengths of one text, and the limit they are held against."""

    code_points: int
    weighted: int
    limit: int = LIMIT

    @property
    def fits(self) -> bool:
        """Whether both lengths are within the limit."""
        return self.code_points <= self.limit and self.weighted <= self.limit


@cache
def _heavy_run() -> regex.Pattern[str]:
    return regex.compile(rf"[^{_LIGHT}]++")


@cache
def _long_mark_run() -> regex.Pattern[str]:
    # U+0F73, U+0F75 and U+0F81 are starters by their class, but decompose into marks.
    return regex.compile(rf"[^\p{{ccc=0}}\u0f73\u0f75\u0f81]{{{_LONGEST_SORTED_RUN}}}+")


def nfc(text: str) -> str:
    """Normalisation form C of any text in linear time."""
    if text.isascii():
        return text
    cuts = [match.end() for match in _long_mark_run().finditer(text)]
    if not cuts:
        return unicodedata.normalize("NFC", text)
    edges = [0, *cuts, len(text)]
    pieces = zip(edges, edges[1:], strict=False)
    return "".join(unicodedata.normalize("NFC", text[start:end]) for start, end in pieces)


def measure(text: str) -> Length:
    """Both lengths of the FINAL text, after slots are filled; any string is measured, none is refused.

    Weighted as twitter-text v3 counts: a link is 23, an emoji (with all that is joined to it) 2, a code point
    of the light ranges 1 (Latin, Greek, Cyrillic, Arabic, most spaces and quotation marks), any other 2
    (Chinese, Japanese, Korean, symbols). One difference on purpose: emoji newer than the tables of twitter-text
    (2019) count 2 as well.
    """
    text = nfc(text)
    if text.isascii() and "." not in text:
        return Length(code_points=len(text), weighted=len(text))
    weighted = 0
    position = 0
    for start, end in links_in(text):
        weighted += _weigh(text, position, start) + LINK_WEIGHT
        position = end
    return Length(code_points=len(text), weighted=weighted + _weigh(text, position, len(text)))


def _weigh(text: str, start: int, end: int) -> int:
    """Weight of text[start:end], which holds no link."""
    if text.isascii():
        return end - start  # for speed alone: there is no emoji and nothing heavy
    total = 0
    position = start
    for emoji in emoji_pattern().finditer(text, start, end):
        total += _weigh_plain(text, position, emoji.start()) + HEAVY_WEIGHT
        position = emoji.end()
    return total + _weigh_plain(text, position, end)


def _weigh_plain(text: str, start: int, end: int) -> int:
    """Weight of text[start:end], which holds neither link nor emoji."""
    heavy = sum(len(match.group()) for match in _heavy_run().finditer(text, start, end))
    return end - start + (HEAVY_WEIGHT - 1) * heavy
