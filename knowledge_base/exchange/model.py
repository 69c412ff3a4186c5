"""What an import file is made of: its columns and limits, raw rows with their places, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

COLUMNS = (
    "key",
    "title",
    "text",
    "examples",
    "topic",
    "tags",
    "locale",
    "channels",
    "auto_send",
    "valid_from",
    "valid_until",
    "owner",
)
REQUIRED = ("key", "text")
LISTS = ("examples", "tags", "channels")

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_ROWS = 50_000
MAX_FIELD_BYTES = 4 * 1024  # of UTF-8
MAX_EXAMPLES_BYTES = 256 * 1024  # of UTF-8, for the column `examples`

# (what is being done, steps done, steps in all)
Progress = Callable[[str, int, int], None]


def silent(_step: str, _done: int, _total: int) -> None:
    """Nobody is watching."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong, and where: `line` counts from 1; `column` is the name of a column or None."""

    file: str
    line: int
    column: str | None
    reason: str
    key: str | None = None

    def __str__(self) -> str:
        """One line for a person."""
        column = f", column {self.column}" if self.column else ""
        key = f" ({self.key})" if self.key else ""
        return f"{self.file}, line {self.line}{column}{key}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as it stands in the file; None is YAML's null. Lists come from YAML only."""

    value: str | tuple[str, ...] | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRow:
    """One row or mapping, not judged yet. A column that is not in the file is not in `cells`."""

    file: str
    line: int
    cells: Mapping[str, Cell]

    def problem(self, column: str | None, reason: str) -> Problem:
        """Something wrong with this row."""
        cell = self.cells.get(column) if column else None
        key = self.cells.get("key")
        named = key.value.strip() if key is not None and isinstance(key.value, str) else ""
        return Problem(
            file=self.file,
            line=self.line if cell is None else cell.line,
            column=column,
            reason=reason,
            key=named or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """The rows of a file, or of all YAML files of a folder, and what could not be read."""

    rows: tuple[RawRow, ...]
    problems: tuple[Problem, ...] = field(default=())
