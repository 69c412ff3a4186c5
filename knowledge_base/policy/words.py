"""Values of the reading of texts: the folded view and the words, each with its way back to the original."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folded:
    """A view of the text (lower case, compatibility forms, nothing hidden) with the origin of every character."""

    text: str
    origins: tuple[int, ...] | range

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The code points of the judged text that [start, end) of this view came from."""
        return self.origins[start], self.origins[end - 1] + 1


@dataclass(frozen=True, slots=True)
class Word:
    """One word in the reading of phrases; `sentence` and `clause` number sentences and clauses from 0."""

    text: str
    start: int
    end: int
    sentence: int
    clause: int = 0
