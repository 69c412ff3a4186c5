"""YAML files: scalars as written, lines kept, nothing clever let in."""

from __future__ import annotations

import time
from typing import Any

import pytest

from knowledge_base.exchange import yaml_file
from knowledge_base.exchange.model import ParsedFile


def parse(text: str) -> ParsedFile:
    return yaml_file.parse(text, name="f.yaml")


def table(parsed: ParsedFile) -> list[dict[str, object]]:
    return [{column: cell.value for column, cell in row.cells.items()} for row in parsed.rows]


def complaints(parsed: ParsedFile) -> list[tuple[int, str | None, str]]:
    return [(problem.line, problem.column, problem.reason) for problem in parsed.problems]


def test_snippets_with_their_lines() -> None:
    parsed = parse(
        "# starter\n- key: a\n  text: Hello\n  examples:\n  - one\n  - two\n- {key: b, text: Hi}\n"
    )
    assert table(parsed) == [
        {"key": "a", "text": "Hello", "examples": ("one", "two")},
        {"key": "b", "text": "Hi"},
    ]
    assert [row.line for row in parsed.rows] == [2, 7]
    assert parsed.rows[0].cells["text"].line == 3
    assert not parsed.problems


@pytest.mark.parametrize("value", ["yes", "1.10", "2026-01-01", "0x1F", "12:30:45", "1e3", "no"])
def test_scalars_stay_as_they_are_written(value: str) -> None:
    assert table(parse(f"- key: a\n  text: {value}\n"))[0]["text"] == value


@pytest.mark.parametrize("value", ["", "~", "null", "NULL"])
def test_null_is_nothing_but_a_quoted_one_is_text(value: str) -> None:
    assert table(parse(f"- key: a\n  text: t\n  title: {value}\n"))[0]["title"] is None
    assert table(parse(f"- key: a\n  text: t\n  title: '{value}'\n"))[0]["title"] == value


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("- &x {key: a, text: b}\n", 1, "an anchor (&x): write the value out at each place"),
        ("- key: a\n  text: &t Hello\n", 2, "an anchor (&t): write the value out at each place"),
        ("- key: a\n  text: Hello\n- *x\n", 3, "an alias (*x): write the value out"),
        (
            "- key: a\n  text: !!python/object:os.system x\n",
            2,
            "a tag (tag:yaml.org,2002:python/object:os.system)",
        ),
        ("- key: a\n  text: !secret x\n", 2, "a tag (!secret): write the plain value"),
        ("!!set\n- key: a\n", 1, "a tag (tag:yaml.org,2002:set): write the plain value"),
        ("key: a\ntext: b\n", 1, "the file has to be a list of snippets"),
        ("just words\n", 1, "the file has to be a list of snippets"),
        ("- just words\n", 1, "the file has to be a list of snippets"),
        ("- [key, text]\n", 1, "the file has to be a list of snippets"),
        ("- key: a\n  text: {deep: x}\n", 2, "column text: a mapping cannot stand here"),
        ("- key: a\n  text: b\n  tags: [[x]]\n", 3, "column tags: a list holds plain values only"),
        ("- ? [a]\n  : b\n", 1, "a column's name has to be a word"),
        ("- key: a\n  text: b\n---\n- key: c\n", 3, "a second document ('---')"),
        ("- key: a\n  text: b\n bad: [\n", 3, "not YAML"),
        ('- key: a\n  text: "never closed\n', 3, "not YAML"),
        ("- key: a\x00\n", 1, "not YAML"),
        ("- key: a\n  text:\tb\n\tx: y\n", 3, "not YAML"),
    ],
)
def test_what_is_refused_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    parsed = parse(text)
    assert parsed.problems, text
    last = parsed.problems[-1]
    assert last.reason.startswith(reason)
    assert last.line == line


def test_a_doubled_or_unknown_or_missing_column_is_named_and_the_rest_is_read() -> None:
    parsed = parse("- key: a\n  text: b\n  text: c\n- key: d\n  txet: e\n- key: f\n  text: g\n")
    assert [
        (line, column, reason.split(":")[0]) for line, column, reason in complaints(parsed)
    ] == [
        (3, "text", "stands twice in this snippet"),
        (5, "txet", "is not a column"),
        (4, "text", "is missing"),
    ]
    assert table(parsed) == [{"key": "f", "text": "g"}]


def test_a_list_where_one_value_belongs_is_named() -> None:
    parsed = parse("- key: a\n  text: [b, c]\n")
    assert complaints(parsed) == [(2, "text", "is a list: it has to be one value")]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "~\n"])
def test_an_empty_file_says_what_a_file_needs(text: str) -> None:
    (problem,) = parse(text).problems
    assert problem.reason.startswith("the file is empty")


def test_an_empty_list_is_a_file_without_snippets() -> None:
    assert parse("[]\n") == ParsedFile(rows=(), problems=())


def test_deep_nesting_and_many_aliases_cost_nothing() -> None:
    laughs = "- &a [x, x]\n" + "".join(f"- &a{i} [*a, *a]\n" for i in range(50_000))
    started = time.perf_counter()
    assert parse(laughs).problems
    assert parse("- " * 200_000).problems
    assert parse("[" * 200_000).problems
    assert (
        time.perf_counter() - started < 10
    )  # linear: a fraction of a second; a bomb would never end


def test_what_is_written_is_read_again() -> None:
    rows: list[dict[str, Any]] = [
        {"key": "a", "text": "yes", "title": "~", "tags": [], "examples": ["- x", "# y", ""]},
        {
            "key": "b",
            "text": "Caf\u00e9 \U0001f44d: 'x' \"y\"",
            "title": None,
            "tags": ["null"],
            "examples": [],
        },
    ]
    assert table(parse(yaml_file.write(rows))) == [
        {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows
    ]
