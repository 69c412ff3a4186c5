"""Raw rows to snippet content: every problem of every row, and what is odd across rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from knowledge_base.exchange.model import Problem, RawRow
from knowledge_base.exchange.values import READERS, Fault, shown
from knowledge_base.snippet import SnippetContent


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that became content."""

    row: RawRow
    content: SnippetContent


def keys_of(rows: Iterable[RawRow]) -> set[str]:
    """The keys that the rows name, as far as they are keys at all."""
    found: set[str] = set()
    for row in rows:
        # A row without a usable key gets its complaint from `interpret`.
        with suppress(Fault):
            found.add(READERS["key"](row.cells["key"]))
    return found


def interpret(
    row: RawRow, *, base: SnippetContent | None
) -> tuple[Candidate | None, list[Problem]]:
    """The content of a row, or everything that is wrong with it.

    A column that is not in the file keeps what `base`, the snippet as it is now, says there; an empty cell
    empties it.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for column, cell in row.cells.items():
        try:
            values[column] = READERS[column](cell)
        except Fault as fault:
            problems.append(row.problem(column, str(fault)))
    start, end = values.get("valid_from"), values.get("valid_until")
    if base is not None:
        start = values.get("valid_from", base.valid_from)
        end = values.get("valid_until", base.valid_until)
    if start is not None and end is not None and start >= end:
        column = "valid_until" if "valid_until" in values else "valid_from"
        problems.append(
            row.problem(column, "valid_until is not later than valid_from: change one of them")
        )
    if problems:
        return None, problems
    content = SnippetContent(**values) if base is None else replace(base, **values)
    return Candidate(row, content), []


def doubled_keys(candidates: Sequence[Candidate]) -> list[Problem]:
    """Rows whose key stands in an earlier row of the same import."""
    first: dict[str, RawRow] = {}
    problems: list[Problem] = []
    for candidate in candidates:
        earlier = first.setdefault(candidate.content.key, candidate.row)
        if earlier is not candidate.row:
            place = f"{earlier.file}, line {earlier.line}"
            problems.append(
                candidate.row.problem("key", f"stands already in {place}: keep one row")
            )
    return problems


def shared_phrasings(
    candidates: Sequence[Candidate], others: Mapping[str, Sequence[str]]
) -> list[Problem]:
    """Phrasings that two snippets claim, so that a search cannot tell them apart: warnings.

    `others` are the phrasings, by key, of live snippets that the import does not touch.
    """
    owners: dict[str, str] = {}
    for key, examples in others.items():
        for example in examples:
            owners.setdefault(example.casefold(), key)
    warnings: list[Problem] = []
    for candidate in candidates:
        key = candidate.content.key
        for example in candidate.content.examples:
            owner = owners.setdefault(example.casefold(), key)
            if owner != key:
                reason = f"the phrasing {shown(example)} also belongs to {owner}"
                warnings.append(candidate.row.problem("examples", reason))
    return warnings
