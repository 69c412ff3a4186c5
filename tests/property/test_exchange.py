"""Exports are lossless: whatever content the rules let in comes back the same from CSV and from YAML."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange import csv_file, values, yaml_file
from knowledge_base.exchange.decoding import decode
from knowledge_base.exchange.exporter import render
from knowledge_base.exchange.model import COLUMNS, Cell
from knowledge_base.exchange.rows import interpret
from knowledge_base.snippet import SnippetContent

NASTY = [
    *(
        "=1+1",
        "'=1",
        "''@x",
        "- x",
        "# y",
        "~",
        "null",
        "yes",
        "1.10",
        '"',
        "'",
        ": ",
        "a | b",
        "|",
    ),
    *(
        "{first_name}",
        "caf\u00e9",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u200b",
        "\ufeff",
    ),
    *("\t", "\r\n", "\u2028", "\x85", ",", ";", "\\n", "%", "[x]", "&a", "*a", "!t", "---", "..."),
    *("? x", "@", "`", "\uff1dx", " "),
]
STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
words = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=8)), max_size=6).map("".join)
keys = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}(\.[a-z0-9]{1,5}){0,2}", fullmatch=True)
times = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.isoformat())


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """The patterns are compiled at their first use, which takes longer than an example may."""
    values.READERS["text"](Cell("caf\u00e9 {first_name}", 1))


@st.composite
def contents(draw: st.DrawFn) -> SnippetContent:
    """What the import accepts, from the wildest cells it can be given."""
    cells: dict[str, str | tuple[str, ...]] = {
        "key": draw(keys),
        "text": draw(words),
        "title": draw(words),
        "examples": tuple(draw(st.lists(words, max_size=5))),
        "topic": draw(words),
        "tags": tuple(draw(st.lists(words, max_size=3))),
        "locale": draw(st.sampled_from(["en", "en-gb", "zh-Hant-TW"])),
        "channels": draw(st.sampled_from(["", "x", "x, generic"])),
        "auto_send": draw(st.sampled_from(["true", "no", ""])),
        "valid_from": draw(st.one_of(st.just(""), times)),
        "owner": draw(words),
    }
    content = SnippetContent(key="a", text="Hello")
    for column, value in cells.items():
        # What one cell may not hold is left out, so that most draws become content.
        with suppress(values.Fault):
            content = replace(content, **{column: values.READERS[column](Cell(value, 1))})
    return content


def imported(text: str, suffix: str) -> list[SnippetContent]:
    parse = csv_file.parse if suffix == ".csv" else yaml_file.parse
    parsed = parse(decode(text.encode(), name="f").text, name="f")
    assert parsed.problems == ()
    found: list[SnippetContent] = []
    for row in parsed.rows:
        candidate, problems = interpret(row, base=None)
        assert problems == []
        assert candidate is not None
        found.append(candidate.content)
    return found


@given(st.lists(contents(), max_size=3))
def test_csv_gives_back_what_it_was_given(snippets: list[SnippetContent]) -> None:
    again = imported(render(snippets, suffix=".csv", name="f"), ".csv")
    assert again == snippets
    assert [s.content_hash for s in again] == [s.content_hash for s in snippets]


@given(st.lists(contents(), max_size=3))
def test_yaml_gives_back_what_it_was_given(snippets: list[SnippetContent]) -> None:
    assert imported(render(snippets, suffix=".yaml", name="f"), ".yaml") == snippets


@given(st.lists(contents(), max_size=2))
def test_no_exported_csv_cell_is_a_formula(snippets: list[SnippetContent]) -> None:
    text = render(snippets, suffix=".csv", name="f")
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not any(cell.startswith(STARTS_FORMULA) for cell in row)


@given(words)
def test_neutralising_is_undone(cell: str) -> None:
    assert csv_file.restore(csv_file.neutralise(cell)) == cell


@given(st.lists(words, max_size=4))
def test_phrasings_settle_at_once(written: list[str]) -> None:
    once = values.phrasings(Cell(tuple(written), 1))
    assert values.phrasings(Cell(once, 1)) == once
    assert values.phrasings(Cell("\n".join(once), 1)) == once


@given(st.text(max_size=300), st.sampled_from([".csv", ".yaml"]))
def test_any_text_gives_rows_or_problems_and_never_a_crash(text: str, suffix: str) -> None:
    parse = csv_file.parse if suffix == ".csv" else yaml_file.parse
    parsed = parse(text, name="f")
    for row in parsed.rows:
        assert set(row.cells) <= set(COLUMNS)
        candidate, problems = interpret(row, base=None)
        assert (candidate is None) == bool(problems)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=30).map(str.encode)))
def test_any_bytes_are_text_or_unreadable(data: bytes) -> None:
    with suppress(UnreadableFile):
        decoded = decode(data, name="f")
        assert decoded.text.encode("utf-16", "surrogatepass")  # text, whatever it says
        assert bool(decoded.remark) == (decoded.encoding == "Windows-1252")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=4, max_size=60))
def test_utf8_is_never_taken_for_something_else(text: str) -> None:
    with suppress(UnreadableFile):  # %PDF- and the like
        assert decode(text.encode(), name="f").text == text.removeprefix("\ufeff")


@given(st.text(st.characters(codec="cp1252", exclude_characters="\0"), max_size=60))
def test_windows_1252_comes_back_or_is_refused(text: str) -> None:
    data = text.encode("cp1252")
    with suppress(UnreadableFile):
        decoded = decode(data, name="f")
        if decoded.encoding == "Windows-1252":
            assert decoded.text == text
        else:  # it was valid UTF-8 as well
            assert decoded.encoding != "UTF-8" or decoded.text.encode() == data


@given(st.lists(contents(), max_size=2), st.sampled_from([";", "\t", ","]))
def test_a_spreadsheet_may_save_it_with_another_delimiter(
    snippets: list[SnippetContent], delimiter: str
) -> None:
    rows = csv.reader(io.StringIO(render(snippets, suffix=".csv", name="f"), newline=""))
    saved = io.StringIO(newline="")
    csv.writer(saved, delimiter=delimiter).writerows(rows)
    assert imported(saved.getvalue(), ".csv") == snippets


def test_times_keep_their_microseconds() -> None:
    at = datetime(2026, 5, 31, 18, 0, 0, 1, tzinfo=UTC)
    content = SnippetContent(key="a", text="b", valid_from=at)
    assert imported(render([content], suffix=".csv", name="f"), ".csv")[0].valid_from == at
