"""YAML text to raw rows and back: a list of flat mappings, no anchors, aliases, tags or doubled keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from knowledge_base.exchange.model import (
    COLUMNS,
    LISTS,
    MAX_FILE_BYTES,
    MAX_ROWS,
    REQUIRED,
    Cell,
    ParsedFile,
    Problem,
    RawRow,
)
from knowledge_base.safe_yaml import LOADER

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})  # yaml.org/type/null.html
_SHAPE = "the file has to be a list of snippets: each starts with '- key: ...'"


def write(rows: Iterable[Mapping[str, Any]]) -> str:
    """YAML text, one mapping per snippet, columns in their order."""
    text: str = yaml.dump(
        list(rows),
        Dumper=_dumper(),
        allow_unicode=True,
        sort_keys=False,
        width=MAX_FILE_BYTES,  # one line per value: a change shows as one changed line
    )
    return text


def parse(text: str, *, name: str) -> ParsedFile:
    """Raw rows with their lines. Every scalar is taken as it is written: `yes` and `1.10` stay text.

    The events of the parser are read one by one and nothing is ever expanded, so that a small file cannot
    become a large value.
    """
    reading = _Reading(name, yaml.parse(text, Loader=LOADER))
    try:
        reading.document()
    except _Refused:
        pass  # the problem is noted already
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        reading.note(line, None, f"not YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        reading.note(1, None, f"not YAML: {error}")
    return ParsedFile(rows=tuple(reading.rows), problems=tuple(reading.problems))


class _Refused(Exception):
    """What follows makes no sense any more."""


class _Reading:
    """The state of reading one file: the rows so far and the problems so far."""

    def __init__(self, name: str, events: Iterator[Event]) -> None:
        self.name = name
        self.rows: list[RawRow] = []
        self.problems: list[Problem] = []
        self._events = events

    def document(self) -> None:
        """The one document of the file."""
        lists = 0
        for event in self._next():
            if isinstance(event, SequenceStartEvent):
                lists += 1
                self._snippets()
            elif isinstance(event, ScalarEvent | MappingStartEvent | AliasEvent):
                if not (isinstance(event, ScalarEvent) and _is_null(event)):
                    self._refuse(event, _SHAPE)
            elif isinstance(event, DocumentStartEvent) and lists:
                self._refuse(event, "a second document ('---'): a file holds one list")
        if not lists:
            self.note(1, None, f"the file is empty: {_SHAPE}")

    def note(self, line: int, column: str | None, reason: str) -> None:
        """Something is wrong in this line."""
        self.problems.append(Problem(file=self.name, line=line, column=column, reason=reason))

    def _snippets(self) -> None:
        for event in self._next():
            if isinstance(event, SequenceEndEvent):
                return
            if not isinstance(event, MappingStartEvent):
                self._refuse(event, _SHAPE)
            self._snippet(event)
            if len(self.rows) > MAX_ROWS:
                self._refuse(event, f"more than {MAX_ROWS:,} snippets: split the file")

    def _snippet(self, start: Event) -> None:
        cells: dict[str, Cell] = {}
        problems_before = len(self.problems)
        line = _line(start)
        for event in self._next():
            if isinstance(event, MappingEndEvent):
                break
            if not isinstance(event, ScalarEvent):
                self._refuse(event, "a column's name has to be a word")
            column = event.value
            if column not in COLUMNS:
                self.note(
                    _line(event), column, f"is not a column: the columns are {', '.join(COLUMNS)}"
                )
            elif column in cells:
                self.note(_line(event), column, "stands twice in this snippet")
            cell = self._cell(column)
            if column in COLUMNS:
                cells.setdefault(column, cell)
        for column in REQUIRED:
            if column not in cells:
                self.note(line, column, "is missing")
        if len(self.problems) == problems_before:
            self.rows.append(RawRow(file=self.name, line=line, cells=cells))

    def _cell(self, column: str) -> Cell:
        event = next(self._next())
        if isinstance(event, ScalarEvent):
            return Cell(None if _is_null(event) else event.value, _line(event))
        if isinstance(event, SequenceStartEvent):
            values = self._list(column)
            if column in COLUMNS and column not in LISTS:
                self.note(_line(event), column, "is a list: it has to be one value")
            return Cell(values, _line(event))
        self._refuse(event, f"column {column}: a mapping cannot stand here")

    def _list(self, column: str) -> tuple[str, ...]:
        values: list[str] = []
        for event in self._next():
            if isinstance(event, SequenceEndEvent):
                break
            if not isinstance(event, ScalarEvent):
                self._refuse(event, f"column {column}: a list holds plain values only")
            elif not _is_null(event):
                values.append(event.value)
        return tuple(values)

    def _next(self) -> Iterator[Event]:
        """The following events; anchors, aliases and tags end the reading."""
        for event in self._events:
            anchor: str | None = getattr(event, "anchor", None)
            tag: str | None = getattr(event, "tag", None)
            if isinstance(event, AliasEvent):
                self._refuse(event, f"an alias (*{anchor}): write the value out")
            if anchor:
                self._refuse(event, f"an anchor (&{anchor}): write the value out at each place")
            if tag:
                self._refuse(event, f"a tag ({tag}): write the plain value")
            yield event

    def _refuse(self, event: Event, reason: str) -> NoReturn:
        self.note(_line(event), None, reason)
        raise _Refused


def _is_null(event: ScalarEvent) -> bool:
    plain = event.implicit[0] and event.style in (None, "")
    return plain and event.value in _NULLS


def _line(event: Event) -> int:
    return 1 if event.start_mark is None else event.start_mark.line + 1


def _dumper() -> Any:
    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)
