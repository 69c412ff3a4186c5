"""Two versions of a file side by side: the lines that differ with those around them, and which words (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from suggest_api.console.curation.compare import Piece, words

AROUND = 3  # lines shown before and after a change
# Aligning the words of a line takes the square of its length; no sensible line of a pack is longer.
LONGEST = 2000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One line of one side; `number` counts from 1, None where the other side has a line more."""

    number: int | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of both sides."""

    before: Side
    after: Side
    changed: bool


Hunk = tuple[Line, ...]


def sides(before: str, after: str) -> tuple[Hunk, ...]:
    """The parts that differ, each with the lines around it; none when the texts are the same."""
    left, right = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(a=left, b=right, autojunk=False)
    found = []
    for group in matcher.get_grouped_opcodes(AROUND):
        lines: list[Line] = []
        for op, i1, i2, j1, j2 in group:
            pairs = _pairs(left, right, (i1, i2), (j1, j2))
            lines += (_line(one, other, changed=op != "equal") for one, other in pairs)
        found.append(tuple(lines))
    return tuple(found)


_Numbered = tuple[int, str] | None


def _pairs(
    left: list[str], right: list[str], some: tuple[int, int], others: tuple[int, int]
) -> Iterator[tuple[_Numbered, _Numbered]]:
    for step in range(max(some[1] - some[0], others[1] - others[0])):
        i, j = some[0] + step, others[0] + step
        yield (
            (i + 1, left[i]) if i < some[1] else None,
            (j + 1, right[j]) if j < others[1] else None,
        )


def _line(one: _Numbered, other: _Numbered, *, changed: bool) -> Line:
    if one and other and changed and max(len(one[1]), len(other[1])) <= LONGEST:
        before, after = words(one[1], other[1])
    else:
        before, after = _whole(one, changed=changed), _whole(other, changed=changed)
    return Line(
        before=Side(number=one[0] if one else None, pieces=before),
        after=Side(number=other[0] if other else None, pieces=after),
        changed=changed,
    )


def _whole(line: _Numbered, *, changed: bool) -> tuple[Piece, ...]:
    return (Piece(text=line[1], changed=changed),) if line and line[1] else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The lines around a place, with their numbers; `line` is the one that is meant."""

    line: int
    lines: tuple[tuple[int, str], ...]


def excerpt(text: str, line: int) -> Excerpt:
    """A place of a file as it is shown beside an error. The end of a file may be meant by the line after it."""
    every = text.splitlines()
    meant = max(1, min(line, len(every)))
    first, last = max(1, meant - 2), min(len(every), meant + 2)
    return Excerpt(
        line=meant, lines=tuple((number, every[number - 1]) for number in range(first, last + 1))
    )
