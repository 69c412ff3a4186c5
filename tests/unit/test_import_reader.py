"""Opening files: encodings, sizes, kinds and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange import model, reader
from knowledge_base.exchange.model import MAX_FILE_BYTES

CSV = "key,text\na.b,Caf\u00e9 \U0001f44d\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf8_with_and_without_a_mark(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "f.CSV"
    file.write_bytes(CSV.encode(encoding))
    (row,) = reader.read(file).rows
    assert row.cells["text"].value == "Caf\u00e9 \U0001f44d"
    assert set(row.cells) == {"key", "text"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes(CSV.encode(encoding))
    with pytest.raises(UnreadableFile, match="UTF-16 or UTF-32.*save it as UTF-8"):
        reader.read(file)


def test_windows_1252_is_named_with_its_line_and_character(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes("key,text\na.b,Hello\na.c,Caf\u00e9\n".encode("cp1252"))
    with pytest.raises(
        UnreadableFile, match=r"line 3: not UTF-8 \(byte 0xE9; as Windows-1252.*'\u00e9'"
    ):
        reader.read(file)


@pytest.mark.parametrize(
    "data", [b"key,text\na,\xed\xa0\x80\n", b"key,text\na,\xc0\xaf\n", b"key,text\na,\xf5\n"]
)
def test_surrogates_and_overlong_forms_are_not_utf8(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes(data)
    with pytest.raises(UnreadableFile, match="line 2: not UTF-8"):
        reader.read(file)


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    with file.open("wb") as sparse:
        sparse.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(UnreadableFile, match="larger than 20 MB: split it"):
        reader.read(file)


def test_too_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_ROWS", 3)
    file = tmp_path / "f.csv"
    file.write_text("key,text\n" + "a,b\n" * 3)
    assert len(reader.read(file).rows) == 3
    file.write_text("key,text\n" + "a,b\n" * 4)
    with pytest.raises(UnreadableFile, match="more than 3 rows"):
        reader.read(file)


def test_the_limit_of_rows_is_the_one_promised() -> None:
    assert (model.MAX_ROWS, MAX_FILE_BYTES) == (50_000, 20 * 1024**2)
    assert (model.MAX_FIELD_BYTES, model.MAX_EXAMPLES_BYTES) == (4096, 256 * 1024)


def test_other_kinds_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"end in \.csv, \.yaml or \.yml"):
        reader.read(tmp_path / "f.xlsx")
    with pytest.raises(UnreadableFile, match="cannot be read: No such file"):
        reader.read(tmp_path / "f.csv")


def test_a_folder_is_read_in_order_and_problems_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("- key: b\n  text: B\n")
    (tmp_path / "a.yml").write_text("- key: a\n  text: A\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.yaml").write_text("- key: c\n")
    (tmp_path / "README.md").write_text("not a snippet")
    parsed = reader.read(tmp_path)
    assert [row.cells["key"].value for row in parsed.rows] == ["a", "b"]
    assert [str(problem) for problem in parsed.problems] == [
        "deep/c.yaml, line 1, column text: is missing"
    ]


def test_a_folder_without_snippets(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no .yaml file"):
        reader.read(tmp_path)
