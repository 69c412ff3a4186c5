"""The editor's form: what was typed as content, or what is wrong with each field; nothing typed is ever lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from knowledge_base.exchange.model import Cell, RawRow
from knowledge_base.exchange.rows import interpret
from knowledge_base.snippet import SnippetContent

FIELDS = (
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
_TIMES = ("valid_from", "valid_until")
_WHERE = "the form"
_MINUTES = len(
    "2026-05-31T18:00"
)  # what a browser's field for a time gives, or the same with seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The fields as they were typed; `problems` say by field what is wrong, `content` is there when nothing is."""

    values: Mapping[str, str]
    content: SnippetContent | None = None
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def of_content(content: SnippetContent) -> dict[str, str]:
    """The fields of the form for content that there is."""
    return {
        "key": content.key,
        "title": content.title,
        "text": content.text,
        "examples": "\n".join(content.examples),
        "topic": content.topic,
        "tags": ", ".join(content.tags),
        "locale": content.locale,
        "channels": ", ".join(content.channels),
        "auto_send": "true" if content.auto_send else "",
        "valid_from": "" if content.valid_from is None else f"{content.valid_from:%Y-%m-%dT%H:%M}",
        "valid_until": ""
        if content.valid_until is None
        else f"{content.valid_until:%Y-%m-%dT%H:%M}",
        "owner": content.owner,
    }


def empty(**given: str) -> dict[str, str]:
    """A form with nothing in it but this."""
    return {**dict.fromkeys(FIELDS, ""), "locale": "en", **given}


async def typed(request: Request) -> dict[str, str]:
    """The fields of a posted form; those that are missing are empty."""
    form = await request.form()
    return {name: str(form.get(name) or "") for name in FIELDS}


def read(values: Mapping[str, str], *, key: str | None = None) -> Typed:
    """The content that the fields make. `key` is the snippet's where the form may not choose it."""
    given = {**values, **({} if key is None else {"key": key})}
    cells = {name: Cell(_cell(name, given[name]), 1) for name in FIELDS}
    candidate, found = interpret(RawRow(file=_WHERE, line=1, cells=cells), base=None)
    problems: dict[str, tuple[str, ...]] = {}
    for problem in found:
        name = problem.column or "text"
        problems[name] = (*problems.get(name, ()), problem.reason)
    return Typed(
        values=given,
        content=None if candidate is None else candidate.content,
        problems=problems,
    )


def _cell(name: str, value: str) -> str:
    """A browser's line ends and times as files have them: the form says that its times are UTC."""
    if name == "text":
        return " ".join(value.split())
    if name in _TIMES and len(value) >= _MINUTES and value[-1:].isdigit():
        return f"{value}Z"
    return value
