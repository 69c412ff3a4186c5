"""CSV text to raw rows and back: delimiters, quotes, and cells that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from knowledge_base.exchange.model import (
    COLUMNS,
    MAX_COLUMNS,
    MAX_FILE_BYTES,
    REQUIRED,
    Cell,
    ParsedFile,
    Problem,
    RawRow,
    Source,
)

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])\r?\n?")  # what Excel writes to name the delimiter

# A spreadsheet takes a cell that starts like this for a formula (owasp.org, "CSV Injection": = + - @ tab CR LF);
# the wide forms count too. On export such a cell gets one apostrophe in front, on import one is taken away; a cell
# that already has apostrophes there gets one more, so that nothing is lost.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def neutralise(cell: str) -> str:
    """The cell as a spreadsheet may open it; `restore` undoes it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def restore(cell: str) -> str:
    """The cell as it was before `neutralise`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write(rows: Iterable[Sequence[str]]) -> str:
    """CSV text with the header, comma, CRLF (RFC 4180), formulas neutralised."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([neutralise(cell) for cell in row] for row in rows)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The header of a CSV text, in lower case, and its rows with the line each one starts in; nothing is judged.

    `header` is empty when there is none. `problems` are rows that could not be cut into as many cells.
    """

    header: tuple[str, ...]
    header_line: int
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    delimiter: str
    problems: tuple[Problem, ...] = ()


def parse(text: str, *, name: str) -> ParsedFile:
    """Raw rows with the line each one starts in; comma, semicolon or tab, any line ends, blank rows skipped."""
    return interpret(read_table(text, name=name), name=name)


def interpret(table: Table, *, name: str) -> ParsedFile:
    """The rows of a table whose columns are ours; formulas as they were before they were neutralised."""
    source = Source(name=name, kind="csv", delimiter=table.delimiter)
    if not table.header:
        reason = f"the file is empty: the first line names the columns {', '.join(COLUMNS)}"
        empty = Problem(file=name, line=1, column=None, reason=reason)
        return ParsedFile(rows=(), problems=table.problems or (empty,), source=source)
    faults = _header_problems(table.header, name=name, line=table.header_line)
    if faults:  # no cell stands under its name
        return ParsedFile(rows=(), problems=tuple(faults), source=source)
    rows = (
        (line, {c: Cell(restore(v), line) for c, v in zip(table.header, cells, strict=True)})
        for line, cells in table.rows
    )
    return ParsedFile(
        rows=tuple(RawRow(file=name, line=line, cells=cells) for line, cells in rows),
        problems=table.problems,
        source=source,
    )


def read_table(text: str, *, name: str, columns: Collection[str] = COLUMNS) -> Table:
    """Cut a text into rows. The delimiter is the one that finds the most of `columns` in the first line."""
    named = _SEPARATOR_LINE.match(text)
    delimiter = named.group(1) if named else _delimiter(text, columns)
    rows: list[tuple[int, tuple[str, ...]]] = []
    problems: list[Problem] = []
    header: tuple[str, ...] = ()
    header_line = start = 1 + (1 if named else 0)
    try:
        for line, cells in _records(text[named.end() :] if named else text, delimiter, start):
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                _refuse_broad(cells, line)
                header_line, header = line, tuple(cell.strip().lower() for cell in cells)
            elif len(cells) != len(header):
                problems.append(_miscounted(cells, header, name=name, line=line))
            else:
                rows.append((line, tuple(cells)))
    except _Broken as broken:
        problems.append(Problem(file=name, line=broken.line, column=None, reason=broken.reason))
    return Table(
        header=header,
        header_line=header_line,
        rows=tuple(rows),
        delimiter=DELIMITERS[delimiter],
        problems=tuple(problems),
    )


class _Broken(Exception):
    """The quotes do not match, or this is no table of ours: what follows cannot be cut into rows."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def _records(text: str, delimiter: str, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of the line it starts in."""
    with _large_cells():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        start = first_line
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                last = first_line + reader.line_num - 1
                raise _Broken(start, _quote_reason(str(error), start, last)) from error
            yield start, cells
            start = first_line + reader.line_num


def _quote_reason(error: str, start: int, last: int) -> str:
    if "unexpected end of data" in error:
        return "a quote is opened in this row and never closed: nothing after it could be read"
    where = "" if last == start else f" (the row as it stands runs on to line {last})"
    return (
        f"text follows a closing quote{where}: either a quote was not closed, or a quote inside a cell is"
        " not doubled; nothing after it could be read"
    )


@contextmanager
def _large_cells() -> Iterator[None]:
    """The csv module refuses cells over 128 KB unless told; our own limits are checked per column later."""
    before = csv.field_size_limit(MAX_FILE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _refuse_broad(header: Sequence[str], line: int) -> None:
    if len(header) > MAX_COLUMNS:
        reason = (
            f"the first line has {len(header):,} columns, at most {MAX_COLUMNS} are read:"
            f" keep {', '.join(COLUMNS)}"
        )
        raise _Broken(line, reason)


def _delimiter(text: str, columns: Collection[str]) -> str:
    first = next((line for line in io.StringIO(text) if line.strip()), "")

    def known(delimiter: str) -> int:
        cells = first.lower().split(delimiter)
        return sum(cell.strip().strip('"') in columns for cell in cells)

    return max(DELIMITERS, key=known)


def _header_problems(header: Sequence[str], *, name: str, line: int) -> list[Problem]:
    def problem(column: str | None, reason: str) -> Problem:
        return Problem(file=name, line=line, column=column, reason=reason)

    found = [
        problem(column, f"is not a column: the columns are {', '.join(COLUMNS)}")
        for column in dict.fromkeys(header)
        if column and column not in COLUMNS
    ]
    found += [
        problem(column, "stands twice in the first line")
        for column in COLUMNS
        if header.count(column) > 1
    ]
    if "" in header:
        found.append(problem(None, f"column {header.index('') + 1} has no name in the first line"))
    found += [
        problem(column, "is missing in the first line")
        for column in REQUIRED
        if column not in header
    ]
    return found


def _miscounted(cells: Sequence[str], header: Sequence[str], *, name: str, line: int) -> Problem:
    reason = (
        f"has {len(cells)} cells where the first line names {len(header)}: a cell that holds the delimiter"
        " or a line break has to stand in quotes"
    )
    return Problem(file=name, line=line, column=None, reason=reason)
