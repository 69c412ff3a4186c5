"""CSV as people and spreadsheets write it, and the places of what is wrong in it."""

from __future__ import annotations

import pytest

from knowledge_base.exchange import csv_file
from knowledge_base.exchange.model import COLUMNS, ParsedFile


def parse(text: str) -> ParsedFile:
    return csv_file.parse(text, name="f.csv")


def table(parsed: ParsedFile) -> list[dict[str, object]]:
    return [{column: cell.value for column, cell in row.cells.items()} for row in parsed.rows]


def complaints(parsed: ParsedFile) -> list[tuple[int, str | None, str]]:
    return [(problem.line, problem.column, problem.reason) for problem in parsed.problems]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_are_found(delimiter: str) -> None:
    parsed = parse(f"key{delimiter}text\na.b{delimiter}Hello\n")
    assert table(parsed) == [{"key": "a.b", "text": "Hello"}]
    assert not parsed.problems


def test_the_delimiter_is_taken_from_the_header_not_from_the_texts() -> None:
    parsed = parse("key;text\na.b;Hello, you, there, and, you\n")
    assert table(parsed) == [{"key": "a.b", "text": "Hello, you, there, and, you"}]


def test_the_separator_line_of_excel_is_understood() -> None:
    parsed = parse("sep=;\r\nkey;text\r\na.b;Hello\r\n")
    assert table(parsed) == [{"key": "a.b", "text": "Hello"}]
    assert parsed.rows[0].line == 3


def test_line_ends_may_be_mixed_and_rows_know_where_they_start() -> None:
    parsed = parse('key,text\r\na,"two\nlines"\r\n\n\nb,Hello\rc,"x\r\ny"\nd,End')
    assert [row.line for row in parsed.rows] == [2, 6, 7, 9]
    assert [row["text"] for row in table(parsed)] == ["two\nlines", "Hello", "x\r\ny", "End"]


def test_other_line_separators_do_not_end_a_row() -> None:
    parsed = parse("key,text\na,one\u2028two\x0bthree\x85four\n")
    assert table(parsed) == [{"key": "a", "text": "one\u2028two\x0bthree\x85four"}]


def test_quotes_may_hold_everything() -> None:
    parsed = parse('"key","text"\n"a","He said ""hi"", twice"\n')
    assert table(parsed) == [{"key": "a", "text": 'He said "hi", twice'}]


def test_the_header_may_be_in_capitals_and_spaced() -> None:
    assert table(parse(" Key , TEXT\na,Hello\n")) == [{"key": "a", "text": "Hello"}]


def test_a_quote_that_is_never_closed_names_the_row_it_starts_in() -> None:
    parsed = parse('key,text\na,Hello\nb,"never closed\nc,Hi\n')
    assert [row.line for row in parsed.rows] == [2]
    assert complaints(parsed) == [
        (3, None, "a quote is opened in this row and never closed: nothing after it could be read")
    ]


def test_text_after_a_closing_quote_names_both_lines() -> None:
    (problem,) = parse('key,text\na,"open\nb,"Hello"\n').problems
    assert problem.line == 2
    assert "runs on to line 3" in problem.reason


def test_a_row_with_too_many_or_too_few_cells_is_named_and_the_rest_is_read() -> None:
    parsed = parse("key,text\na,Hello, you\nb\nc,Hi\n")
    assert [(line, reason.split(":")[0]) for line, _, reason in complaints(parsed)] == [
        (2, "has 3 cells where the first line names 2"),
        (3, "has 1 cells where the first line names 2"),
    ]
    assert table(parsed) == [{"key": "c", "text": "Hi"}]


def test_the_header_is_checked_as_a_whole() -> None:
    parsed = parse("key,txet,tags,tags,\na,b,c,d,e\n")
    assert [(column, reason.split(":")[0]) for _, column, reason in complaints(parsed)] == [
        ("txet", "is not a column"),
        ("tags", "stands twice in the first line"),
        (None, "column 5 has no name in the first line"),
        ("text", "is missing in the first line"),
    ]
    assert not parsed.rows


@pytest.mark.parametrize("text", ["", "\n\n", "   \n"])
def test_an_empty_file_says_what_a_file_needs(text: str) -> None:
    (problem,) = parse(text).problems
    assert "the file is empty" in problem.reason
    assert "key" in problem.reason


def test_a_header_alone_is_a_file_without_snippets() -> None:
    parsed = parse("key,text\n")
    assert (parsed.rows, parsed.problems) == ((), ())


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [("key,text\n", "comma"), ("key;text\n", "semicolon"), ("key\ttext\n", "tab"), ("", "comma")],
)
def test_the_delimiter_is_told(text: str, delimiter: str) -> None:
    source = parse(text).source
    assert source is not None
    assert (source.kind, source.delimiter) == ("csv", delimiter)


def test_a_million_columns_are_one_problem() -> None:
    (problem,) = parse("key,text" + ",x" * 999_998 + "\na,b\n").problems
    assert "1,000,000 columns, at most 100" in problem.reason
    (problem,) = parse("key,text\n" + "a," * 999_999 + "\n").problems
    assert (problem.line, problem.reason.split(" where")[0]) == (2, "has 1000000 cells")


def test_a_problem_shows_what_stands_there() -> None:
    row = parse(f"key,text\nBad Key,{'x' * 99}\x1b[31m\n").rows[0]
    assert row.problem("key", "no").value == "Bad Key"
    assert row.problem("text", "no").value == "x" * 60 + "..."
    assert row.problem(None, "no").value == ""
    assert parse("key,text\na,\x1b[31m\n").rows[0].problem("text", "no").value == "\\x1b[31m"


def test_a_cell_may_be_larger_than_the_csv_module_likes() -> None:
    parsed = parse(f"key,text,examples\na,Hello,{'x' * 200_000}\n")
    assert len(str(table(parsed)[0]["examples"])) == 200_000


@pytest.mark.parametrize(
    ("cell", "neutral"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+44", "'+44"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1dSUM(A1)", "'\uff1dSUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("'=1", "''=1"),
        ("'plain", "'plain"),
        ("plain", "plain"),
        ("1=1", "1=1"),
        ("", ""),
    ],
)
def test_formulas_are_neutralised_and_come_back(cell: str, neutral: str) -> None:
    assert csv_file.neutralise(cell) == neutral
    assert csv_file.restore(neutral) == cell


def test_what_is_written_is_read_again() -> None:
    row = ["a.b", "=T", 'x, "y"', "one\ntwo", "", "p, q", "en", "", "true", "", "", "'-owner"]
    (parsed,) = table(parse(csv_file.write([row])))
    assert [parsed[column] for column in COLUMNS] == row
