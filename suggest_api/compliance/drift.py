"""How far a final text is from the approved one: a share of tokens, and the facts among them that changed (pure).

Both texts are cut into tokens (words, numbers, links, single marks) and aligned with `difflib`. The share is the
larger of two, in characters of tokens: how much of the final text is not approved wording, and how much of the
approved wording was left out. So an added sentence and a dropped one weigh alike. Slot values are part of the
approved text: they were checked when the slots were filled.

A changed number, link or negation is named whatever its share: one character can turn a promise round.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import regex

_HOST = r"(?:[\p{L}\d-]+\.)+\p{L}{2,}(?:/\S*[\p{L}\d/])?"
# Links and order numbers whole, then numbers with their separators, words, and single marks.
_TOKEN = regex.compile(
    rf"https?://\S*[\p{{L}}\d/]|{_HOST}|[\p{{L}}\p{{M}}]+-?\d[\d.,:/-]*\d|\d(?:[\d.,:/-]*\d)?%?"
    r"|[\p{L}\p{M}]+|[^\s]",
    regex.IGNORECASE,
)
_LINK = regex.compile(rf"https?://|{_HOST}", regex.IGNORECASE)
# Numbers as words; `one` is left out, since it stands for a thing more often than for a number.
NUMBER_WORDS = frozenset(
    {
        *("zero", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
        *("eighteen", "nineteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy"),
        *("eighty", "ninety", "hundred", "thousand", "half", "double", "twice", "once"),
    }
)
NEGATIONS = frozenset(
    {
        *("not", "no", "never", "none", "nothing", "nobody", "neither", "nor", "without"),
        "unable",
    }
)
# `can't` and `can not` say the same: both are read as the second.
_CONTRACTIONS = (
    (regex.compile(r"\bcan['’]?t\b|\bcannot\b", regex.IGNORECASE), "can not"),
    (regex.compile(r"\bwon['’]t\b", regex.IGNORECASE), "will not"),
    (regex.compile(r"\bshan['’]t\b", regex.IGNORECASE), "shall not"),
    (regex.compile(r"n['’]t\b", regex.IGNORECASE), " not"),
)


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """From which share on a change needs a reason, and from which on the text is another one; both 0 to 1.

    A greeting with a name or a closing sentence makes up to about a quarter of 139 characters: that is an agent's
    own tone and goes without asking. Beyond three tenths somebody should have a reason. Beyond six tenths most of
    what the customer reads was approved by nobody, so it must not go out under the approver's name.
    """

    warn: float = 0.3
    block: float = 0.6


@dataclass(frozen=True, slots=True)
class Drift:
    """The distance from the approved text: `share` from 0 (the same) to 1, and the kinds of facts that changed."""

    share: float
    changed: tuple[str, ...] = ()

    @property
    def percent(self) -> int:
        """The share in whole per cent, for people."""
        return round(self.share * 100)

    def to_json(self) -> dict[str, Any]:
        """A plain dict, kept with the verdict on the final text."""
        return {"share": round(self.share, 4), "changed": list(self.changed)}


def measure_drift(approved: str, final: str) -> Drift:
    """How far `final` is from `approved`. The same text gives 0; texts without a common token give 1."""
    before, after = _tokens(approved), _tokens(final)
    matcher = difflib.SequenceMatcher(
        a=[token.casefold() for token in before],
        b=[token.casefold() for token in after],
        autojunk=False,
    )
    removed: list[str] = []
    added: list[str] = []
    for op, i1, i2, j1, j2 in matcher.get_opcodes():
        if op != "equal":
            removed += before[i1:i2]
            added += after[j1:j2]
    share = max(_part(added, after), _part(removed, before))
    return Drift(share=share, changed=tuple(_kinds([*removed, *added])))


def _tokens(text: str) -> list[str]:
    for pattern, spelled_out in _CONTRACTIONS:
        text = pattern.sub(spelled_out, text)
    return [str(token) for token in _TOKEN.findall(text)]


def _part(some: Sequence[str], every: Sequence[str]) -> float:
    whole = sum(map(len, every))
    return sum(map(len, some)) / whole if whole else 0.0


def _kinds(tokens: Iterable[str]) -> list[str]:
    """What kinds of facts are among these tokens, each once, in a fixed order."""
    found = {_kind(token) for token in tokens}
    return [kind for kind in ("a number", "a link", "a negation") if kind in found]


def _kind(token: str) -> str | None:
    if _LINK.match(token):
        return "a link"
    if any(character.isdigit() for character in token) or token.casefold() in NUMBER_WORDS:
        return "a number"
    return "a negation" if token.casefold() in NEGATIONS else None
