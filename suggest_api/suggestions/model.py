"""Candidates as the next stages see them, and when two drafts say the same thing (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from knowledge_base.snippet import Revision
from suggest_api.values import Abstention, Use

# Share of the words that two drafts have in common, of all words in either. One changed word in a typical
# snippet of 18 words is 0.89; two different answers on one topic share at most about half.
SAME_WORDS = 0.85
# Words that turn a sentence round: drafts that differ in one of them are two answers, however alike they look.
TURNING = frozenset(
    {"no", "not", "never", "cannot", "without", "only", "before", "after", "unless", "except"}
)

_WORD = re.compile(r"\w+(?:['’]\w+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for: the customer's cleaned messages, oldest first, and the scope.

    `facts` are known by slot name, `topic` is what the assistant took the conversation to be about; without
    `facts` (None) the words alone decide.
    """

    texts: tuple[str, ...]
    channel: str
    locale: str | None
    use: Use
    limit: int
    facts: Mapping[str, str] | None = None
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A live revision that matched. `score` and `confidence` are the ranker's; the latter is 0 to 1."""

    revision: Revision
    score: float
    confidence: float
    matched_example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What may become drafts, best first; or why nothing may. Timings are seconds by stage."""

    build_id: str
    encoder_fingerprint: str
    candidates: tuple[Candidate, ...]
    reason: Abstention | None
    threshold: float
    timings: tuple[tuple[str, float], ...] = ()


def eligible(revision: Revision, query: Query, *, now: datetime) -> bool:
    """Whether this revision may be offered now: approved, valid, in scope, and meant for this use."""
    if query.use is Use.ASSISTANT and not revision.content.auto_send:
        return False
    return revision.in_scope(channel=query.channel, locale=query.locale, now=now)


def near_identical(one: str, other: str) -> bool:
    """Whether two approved wordings (slots left out) would look like the same draft twice.

    They do when they have the same words in the same order, or share SAME_WORDS of their words and differ in
    no number and no word of TURNING.
    """
    words, others = _WORD.findall(one.casefold()), _WORD.findall(other.casefold())
    if words == others:
        return True
    mine, theirs = set(words), set(others)
    different = mine ^ theirs
    if different & TURNING or any(
        ends_in_not(w) or any(c.isdigit() for c in w) for w in different
    ):
        return False
    return len(mine & theirs) >= SAME_WORDS * len(mine | theirs)


def ends_in_not(word: str) -> bool:
    """Whether a word is a contraction with not: don't, can't, won't."""
    return word.endswith(("n't", "n’t"))
