"""Conversations of the starter content: what turns, collected facts and the assistant's topic are worth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from knowledge_base.ranking import Context, Ranker
from tests.benchmarks.quality.measure import DEPTH, Answer, figures

FILE = Path(__file__).with_name("conversations.yaml")
ALWAYS_KNOWN = {"first_name": "Ana", "agent_name": "Sam"}  # to the desk, from network and sign-in


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The customer's turns, oldest first, what is known, and the keys that answer (none: nothing does)."""

    topic: str
    facts: Mapping[str, str]
    said: tuple[str, ...]
    right: frozenset[str]

    @property
    def development(self) -> bool:
        """Three in five, by the SHA-256 of what was said."""
        return int(hashlib.sha256("\n".join(self.said).encode()).hexdigest(), 16) % 5 < 3


def read_conversations(*, development: bool) -> list[Conversation]:
    """One part of the file."""
    every = [
        Conversation(
            topic=one["topic"],
            facts=one["facts"],
            said=tuple(one["said"]),
            right=frozenset(one["right"]),
        )
        for one in yaml.safe_load(FILE.read_text(encoding="utf-8"))
    ]
    return [one for one in every if one.development is development]


def measured(ranker: Ranker, *, development: bool) -> Iterator[dict[str, Any]]:
    """The figures with each part of the context added; what cannot be filled is never offered, as at the desk."""
    asked = read_conversations(development=development)
    part = "development" if development else "report"
    for name, turns, facts, topic in (
        ("last turn alone", False, False, False),
        ("turns", True, False, False),
        ("turns, facts", True, True, False),
        ("turns, facts, topic", True, True, True),
    ):
        answers = [_ask(ranker, c, turns=turns, facts=facts, topic=topic) for c in asked]
        yield {"task": f"Conversations, {part}: {name}", **figures(answers)}


def _ask(ranker: Ranker, one: Conversation, *, turns: bool, facts: bool, topic: bool) -> Answer:
    known = {**one.facts, **ALWAYS_KNOWN}
    fillable = {s.key for s in ranker.generation.rows.snippets if set(s.slots) <= set(known)}

    def eligible(keys: Sequence[str]) -> set[str]:
        return fillable.intersection(keys)

    ranking = ranker.rank(
        one.said if turns else one.said[-1:],
        limit=DEPTH,
        eligible=eligible,
        context=Context(facts=known, topic=one.topic if topic else "") if facts else None,
    )
    right = [candidate.snippet_key in one.right for candidate in ranking.candidates]
    return Answer(
        expected=min(one.right, default=None),
        place=right.index(True) + 1 if True in right else None,
        confidences=tuple(c.confidence for c in ranking.candidates[:3]),
        right=tuple(right[:3]),
        answered=not ranking.abstained,
    )
