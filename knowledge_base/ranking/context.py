"""What is known of a conversation beside the customer's words, and what it adds to the score of each snippet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.rows import IndexedSnippet
from knowledge_base.ranking.scoring import Floats
from knowledge_base.wording import SLOTS

# Added to a score, in nats; chosen on the development conversations (docs/ranking.md).
FILLED = 1.5  # for each collected fact that the snippet's slots hold
UNFILLED = -1.0  # once, where the snippet needs a fact that is not known: it cannot be offered now
TOPIC = 0.5  # of the topic that the assistant handed over

COLLECTED = frozenset(slot.name for slot in SLOTS.values() if slot.source == "conversation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known of a conversation: `facts` by slot name, and the `topic` the assistant took it to be about.

    A fact that is not in it is not known; "" is no topic.
    """

    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    topic: str = ""

    @property
    def product(self) -> str:
        """The product that the conversation is about; "" if none is known."""
        return self.facts.get("product", "")


class Surroundings:
    """The topics and slots of a generation's snippets, ready for every question."""

    def __init__(self, snippets: Sequence[IndexedSnippet]) -> None:
        self._size = len(snippets)
        self._topics = _positions([s.topic] for s in snippets)
        self._slots = _positions(s.slots for s in snippets)

    def scores(self, context: Context) -> Floats:
        """What the context adds to each snippet's score ([snippets], in nats)."""
        total = np.zeros(self._size)
        wanting = np.zeros(self._size, dtype=bool)
        for slot, where in self._slots.items():
            if not context.facts.get(slot):
                wanting[where] = True
            elif slot in COLLECTED:
                total[where] += FILLED
        total[wanting] = UNFILLED
        if context.topic in self._topics:
            total[self._topics[context.topic]] += TOPIC
        return total


def _positions(named: Iterable[Iterable[str]]) -> dict[str, NDArray[np.int64]]:
    found: dict[str, list[int]] = {}
    for position, names in enumerate(named):
        for name in names:
            if name:
                found.setdefault(name, []).append(position)
    return {name: np.array(where, dtype=np.int64) for name, where in found.items()}
