"""Exports the live snippets to CSV or YAML so that importing the file again changes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange import csv_file, yaml_file
from knowledge_base.exchange.model import COLUMNS
from knowledge_base.exchange.reader import CSV_SUFFIXES, YAML_SUFFIXES
from knowledge_base.snippet import SnippetContent
from knowledge_base.store.repository import approved_revisions


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """Where the snippets went and how many."""

    path: str
    snippets: int


def export_file(session: Session, path: Path) -> ExportReport:
    """Write all live snippets, ordered by key, as CSV or YAML by the suffix of the name.

    The file appears whole or not at all; an earlier one is replaced. In CSV, cells that a spreadsheet would
    run as a formula get one apostrophe in front, which the import takes away again.
    Raises UnreadableFile for another suffix or a place that cannot be written.
    """
    contents = [revision.content for revision in approved_revisions(session)]
    text = render(contents, suffix=path.suffix.lower(), name=str(path))
    try:
        _replace(path, text.encode())
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}"
        raise UnreadableFile(msg) from error
    return ExportReport(path=str(path), snippets=len(contents))


def render(contents: list[SnippetContent], *, suffix: str, name: str) -> str:
    """The text of the file. Raises UnreadableFile for an unknown suffix."""
    if suffix == ".csv":
        return csv_file.write([_cells(content) for content in contents])
    if suffix in YAML_SUFFIXES:
        return yaml_file.write([_mapping(content) for content in contents])
    known = " or ".join(sorted((CSV_SUFFIXES | YAML_SUFFIXES) - {".tsv"}))
    msg = f"{name}: the name has to end in {known}"
    raise UnreadableFile(msg)


def _cells(content: SnippetContent) -> list[str]:
    texts = {
        **_mapping(content),
        "examples": "\n".join(content.examples),
        "tags": ", ".join(content.tags),
        "channels": ", ".join(content.channels),
        "auto_send": "true" if content.auto_send else "false",
        "valid_from": _time(content.valid_from) or "",
        "valid_until": _time(content.valid_until) or "",
    }
    return [texts[column] for column in COLUMNS]


def _mapping(content: SnippetContent) -> dict[str, Any]:
    values: dict[str, Any] = {column: getattr(content, column) for column in COLUMNS}
    for column, value in values.items():
        if isinstance(value, tuple):
            values[column] = list(value)
        elif isinstance(value, datetime):
            values[column] = _time(value)
    return values


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def _replace(path: Path, data: bytes) -> None:
    """Beside the target first, then moved over it."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)  # a temporary file is closed to others; an export is not
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
