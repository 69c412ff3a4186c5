"""Opening files: encodings, sizes, kinds and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange import model, reader
from knowledge_base.exchange.model import MAX_FILE_BYTES

CSV = "key,text\na.b,Caf\u00e9 \U0001f44d\n"


def read_as(tmp_path: Path, data: bytes, name: str = "f.csv") -> model.ParsedFile:
    file = tmp_path / name
    file.write_bytes(data)
    return reader.read(file)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
    ],
)
@pytest.mark.parametrize("name", ["f.CSV", "f.yaml"])
def test_encodings_are_found_and_told(tmp_path: Path, encoding: str, said: str, name: str) -> None:
    text = CSV if name == "f.CSV" else "- key: a.b\n  text: Caf\u00e9 \U0001f44d\n"
    parsed = read_as(tmp_path, text.encode(encoding), name)
    (row,) = parsed.rows
    assert row.cells["text"].value == "Caf\u00e9 \U0001f44d"
    assert set(row.cells) == {"key", "text"}
    assert parsed.source is not None
    assert (parsed.source.encoding, parsed.source.remarks) == (said, ())
    assert (parsed.source.name, parsed.source.delimiter) == (
        (name, "comma") if name == "f.CSV" else (name, "")
    )


def test_windows_1252_is_read_and_somebody_is_asked_to_look(tmp_path: Path) -> None:
    data = "key;text\na.b;Hello\na.c;Caf\u00e9 \u20ac5 \u2018ok\u2019\n".encode("cp1252")
    parsed = read_as(tmp_path, data)
    assert parsed.rows[1].cells["text"].value == "Caf\u00e9 \u20ac5 \u2018ok\u2019"
    assert parsed.source is not None
    assert (parsed.source.encoding, parsed.source.delimiter) == ("Windows-1252", "semicolon")
    (remark,) = parsed.source.remarks
    assert "look whether '\u00e9' in line 3 is right (4 such characters)" in remark


@pytest.mark.parametrize(
    "data",
    [
        b"key,text\na,\xed\xa0\x80\n",  # half of a surrogate pair
        b"key,text\na,\xc0\xaf\n",  # an overlong form
        b"key,text\na,\xf4\x90\x80\x80\n",  # above U+10FFFF
        b"key,text\na,\xe9 and \xc3\xa9\n",  # both encodings in one file
        b"key,text\na,\xe2\x82\nb,\xe2\x82\xac\n",  # a character that was cut
    ],
)
def test_damaged_utf8_is_not_taken_for_another_encoding(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadableFile, match="line 2: broken UTF-8 .* save it as UTF-8"):
        read_as(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (CSV.encode("utf-32"), "this is UTF-32"),
        (CSV.encode("utf-32-le"), "this is UTF-32"),
        (CSV.encode("utf-32-be"), "this is UTF-32"),
        (CSV.encode("utf-16") + b"\x00", "broken UTF-16 at byte 44"),
        (b"\xff\xfe" + b"k\x00\x00\xd8", "broken UTF-16"),
        (b"key,text\na,\x81\n", "line 2: byte 0x81 is a character neither in UTF-8 nor in"),
        (b"key,text\na,\xe9\x00\n", "holds zero bytes"),
        (b"PK\x03\x04rest", r"a zip archive or an Excel workbook \(.xlsx\)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "an old Excel workbook"),
        (b"\x1f\x8brest", "a gzip archive"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x89PNG\r\n", "a picture"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        read_as(tmp_path, data)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\Users\\ana\\f.csv", "f.csv"),
        ("\x1b[31m\n.csv", "\\x1b[31m\\n.csv"),
        ("x" * 300 + ".csv", "x" * 60 + "..."),
    ],
)
def test_an_uploads_name_is_shown_harmless(name: str, shown: str) -> None:
    parsed = reader.read_bytes(b"key,text\nBad Key\n", name=name)
    assert [problem.file for problem in parsed.problems] == [shown]
    with pytest.raises(UnreadableFile, match="is UTF-32") as caught:
        reader.read_bytes(CSV.encode("utf-32"), name=name)
    assert str(caught.value).startswith(shown)


def test_an_upload_has_the_same_limits() -> None:
    with pytest.raises(UnreadableFile, match="f.csv: larger than 20 MB"):
        reader.read_bytes(b"x" * (MAX_FILE_BYTES + 1), name="f.csv")
    with pytest.raises(UnreadableFile, match=r"end in \.csv, \.yaml or \.yml"):
        reader.read_bytes(b"x", name="f.exe")


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
