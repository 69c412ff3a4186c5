"""The three formats to entries, and entries to rows: keys, plain words, slots, and what is left behind and why."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange.csv_file import Table
from knowledge_base.exchange.desks import placeholders, plain
from knowledge_base.exchange.desks.json_records import records
from knowledge_base.exchange.desks.model import Entry
from knowledge_base.exchange.model import (
    Cell,
    ParsedFile,
    Problem,
    RawRow,
    Source,
    excerpt,
)
from knowledge_base.wording import SLOTS

DESKS = ("chatwoot", "zammad", "zendesk")
# What Zammad's own CSV export of text modules begins with; more columns follow, and none of them matters here.
ZAMMAD_COLUMNS = frozenset({"id", "name", "keywords", "content", "note", "active", "groups"})
MAX_MARKUP = 16 * 1024  # characters of one text with its HTML, which is to become at most 139
MAX_SLUG = 60  # characters of a key that come from the name
MAX_TOPIC = 60
_NO = frozenset({"false", "no", "0"})
_INACTIVE, _NOTE, _FIELDS_ONLY, _EMPTY = (
    "inactive",
    "an internal note",
    "sets fields and says nothing",
    "empty",
)


def read_json(text: str, *, name: str, desk: str | None = None) -> ParsedFile:
    """Chatwoot's canned responses or Zendesk's macros, as their APIs list them. Raises UnreadableFile."""
    found = records(text, name=name)
    first = next(found, None)
    if first is None:
        msg = f"{name}: the list is empty: there is nothing to import"
        raise UnreadableFile(msg)
    kind = desk or _kind(first[1])
    reader = _JSON_READERS.get(kind or "")
    if reader is None:
        msg = (
            f"{name}: this JSON is neither Chatwoot's list of canned responses (id, short_code, content) nor"
            " Zendesk's list of macros (title, actions)"
        )
        if kind is not None:
            msg = f"{name}: {kind} exports CSV, and this is JSON: leave out --from, or name the right desk"
        raise UnreadableFile(msg)
    entries = (
        reader(line, record) if isinstance(record, dict) else _no_record(line)
        for line, record in chain([first], found)
    )
    return _parsed(entries, Source(name=name, kind=str(kind)), hashed=False)


def read_csv(table: Table, *, name: str) -> ParsedFile:
    """Zammad's text modules. Raises UnreadableFile when a column is missing."""
    missing = {"name", "content"} - set(table.header)
    if missing:
        msg = f"{name}: the column {sorted(missing)[0]} is missing: export the text modules in Zammad again"
        raise UnreadableFile(msg)
    entries = (
        _zammad(line, dict(zip(table.header, cells, strict=True))) for line, cells in table.rows
    )
    source = Source(name=name, kind="zammad", delimiter=table.delimiter)
    return _parsed(entries, source, hashed=True, problems=table.problems)


def _kind(record: Any) -> str | None:
    if isinstance(record, dict):
        if "short_code" in record and "content" in record:
            return "chatwoot"
        if "actions" in record:
            return "zendesk"
    return None


def _chatwoot(line: int, record: Mapping[str, Any]) -> Entry:
    code, content = record.get("short_code"), record.get("content")
    if not isinstance(code, str) or not isinstance(content, str):
        return _broken(line, record, "short_code and content have to be texts")
    return Entry(
        line=line,
        id=_id(record),
        name=code,
        title=code.replace("_", " ").replace("-", " "),
        text=content,
        skip="" if content.strip() else _EMPTY,
    )


def _zendesk(line: int, record: Mapping[str, Any]) -> Entry:
    title, actions = record.get("title"), record.get("actions")
    if not isinstance(title, str) or not isinstance(actions, list):
        return _broken(line, record, "title has to be a text, and actions a list")
    steps = {
        step["field"]: step.get("value")
        for step in actions
        if isinstance(step, dict) and isinstance(step.get("field"), str)
    }
    html = "comment_value_html" in steps
    text = _comment(steps.get("comment_value_html") if html else steps.get("comment_value"))
    skip = ""
    if record.get("active") is False:
        skip = _INACTIVE
    elif str(steps.get("comment_mode_is_public", "")).lower() in _NO:
        skip = _NOTE
    elif text is None:
        skip = _FIELDS_ONLY
    elif not text.strip():
        skip = _EMPTY
    *above, last = [part.strip() for part in title.split("::")]
    return Entry(
        line=line,
        id=_id(record),
        name=title,
        title=last,
        topic=_slug(above[0], most=MAX_TOPIC) if above else "",
        text=text or "",
        html=html,
        skip=skip,
    )


def _comment(value: Any) -> str | None:
    """The words of a comment: a text, or a pair of a channel and a text."""
    if isinstance(value, list) and len(value) == 2:  # [channel, text], says the actions reference
        value = value[1]
    return value if isinstance(value, str) else None


def _zammad(line: int, cells: Mapping[str, str]) -> Entry:
    content, keywords = cells["content"], cells.get("keywords", "")
    words = keywords.split(",") if "," in keywords else keywords.split()
    active = cells.get("active", "").strip().lower() not in _NO
    return Entry(
        line=line,
        id=cells.get("id", "").strip(),
        name=cells["name"],
        title=cells["name"],
        tags=tuple(word.strip() for word in words if word.strip()),
        text=content,
        html=True,  # Zammad stores every text module as HTML
        skip=_INACTIVE if not active else "" if content.strip() else _EMPTY,
    )


_JSON_READERS: Mapping[str, Callable[[int, Mapping[str, Any]], Entry]] = MappingProxyType(
    {"chatwoot": _chatwoot, "zendesk": _zendesk}
)


def _no_record(line: int) -> Entry:
    return Entry(line=line, id="", name="", fault="is not a record in curly braces")


def _broken(line: int, record: Mapping[str, Any], reason: str) -> Entry:
    return Entry(line=line, id=_id(record), name="", fault=reason)


def _id(record: Mapping[str, Any]) -> str:
    value = record.get("id")
    return str(value) if isinstance(value, int | str) else ""


def _parsed(
    entries: Iterable[Entry],
    source: Source,
    *,
    hashed: bool,
    problems: Iterable[Problem] = (),
) -> ParsedFile:
    """Rows for what is to come along, a problem for each that cannot, and counts of what is left behind."""
    every = list(entries)
    skipped = Counter(entry.skip for entry in every if entry.skip)
    wanted = [entry for entry in every if not entry.skip]
    names = Counter(_slug(entry.name) for entry in wanted)
    rows: list[RawRow] = []
    found = list(problems)
    remarks: Counter[str] = Counter()
    for entry in wanted:
        slug = _slug(entry.name)
        # A name that stands twice gets its id, both times: the key must not depend on the order.
        parts = [slug] if slug and names[slug] == 1 else [slug or "text", _slug(entry.id) or "x"]
        made = _row(entry, f"{source.kind}.{'_'.join(parts)}", source.name, hashed=hashed)
        if isinstance(made, Problem):
            found.append(made)
        else:
            rows.append(made[0])
            remarks.update(made[1])
    return ParsedFile(
        rows=tuple(rows),
        problems=tuple(found),
        source=Source(
            name=source.name,
            kind=source.kind,
            delimiter=source.delimiter,
            remarks=tuple(f"{remark} (rows: {count:,})" for remark, count in remarks.items()),
        ),
        skipped=tuple(sorted(skipped.items())),
    )


def _row(
    entry: Entry, key: str, file: str, *, hashed: bool
) -> tuple[RawRow, tuple[str, ...]] | Problem:
    def problem(reason: str) -> Problem:
        value = excerpt(entry.text or entry.name)
        return Problem(
            file=file, line=entry.line, column="text", reason=reason, key=key, value=value
        )

    if entry.fault:
        return problem(entry.fault)
    if len(entry.text) > MAX_MARKUP:
        return problem(f"has {len(entry.text):,} characters: at most {MAX_MARKUP:,} are read")
    words = plain.from_html(entry.text) if entry.html else plain.from_markdown(entry.text)
    mapped = placeholders.to_slots(words, hashed=hashed)
    if mapped.unknown:
        known = ", ".join(f"{{{name}}}" for name in SLOTS)
        named = ", ".join(mapped.unknown)
        return problem(f"{named} cannot be filled here: rewrite it, or use one of {known}")
    cells: dict[str, str | tuple[str, ...]] = {
        "key": key,
        "text": mapped.text,
        "title": plain.one_line(entry.title),
    }
    if entry.topic:
        cells["topic"] = entry.topic
    if entry.tags:
        cells["tags"] = entry.tags
    row = RawRow(
        file=file,
        line=entry.line,
        cells={column: Cell(value, entry.line) for column, value in cells.items()},
    )
    return row, mapped.remarks


def _slug(name: str, *, most: int = MAX_SLUG) -> str:
    """A part of a key: ASCII letters, digits and underscores; empty when the name has none of these."""
    folded = unicodedata.normalize("NFKD", name[: most * 4]).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", folded.lower()).strip("_")[:most].strip("_")
