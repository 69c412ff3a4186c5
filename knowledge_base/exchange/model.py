"""What an import file is made of: its columns and limits, raw rows with their places, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
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

MAX_COLUMNS = 100  # in the first line; a file with more is not one of ours
MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_ROWS = 50_000
MAX_FIELD_BYTES = 4 * 1024  # of UTF-8
EXCERPT = 60  # characters of a value that are shown with a problem
MAX_EXAMPLES_BYTES = 256 * 1024  # of UTF-8, for the column `examples`


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong, and where: `line` counts from 1; `column` is the name of a column or None.

    `reason` also says how to mend it. `value` is what stands there, cut short and printable; empty where nothing
    stands there.
    """

    file: str
    line: int
    column: str | None
    reason: str
    key: str | None = None
    value: str = ""

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
            value="" if cell is None else excerpt(cell.value),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How a file was read. `kind`: csv, yaml, folder, chatwoot, zammad or zendesk.

    `encoding` and `delimiter` are names for people; the delimiter is empty where there is none. `remarks` are
    what somebody should look at, because it had to be guessed or could not be taken along.
    """

    name: str
    kind: str
    encoding: str = ""
    delimiter: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """The rows of a file, or of all YAML files of a folder, and what could not be read.

    `skipped` counts, by reason, the entries of another desk that are not meant to come along.
    """

    rows: tuple[RawRow, ...]
    problems: tuple[Problem, ...] = field(default=())
    source: Source | None = None
    skipped: tuple[tuple[str, int], ...] = ()


def excerpt(value: str | tuple[str, ...] | None) -> str:
    """What stands in a cell, short enough to find it again and safe to show."""
    text = " | ".join(value) if isinstance(value, tuple) else value or ""
    cut = text if len(text) <= EXCERPT else f"{text[:EXCERPT]}..."
    return cut if cut.isprintable() else ascii(cut)[1:-1]
