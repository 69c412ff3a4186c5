"""Opens an import file or folder: size, encoding, kind; the parsers for CSV and YAML do the rest."""

from __future__ import annotations

from pathlib import Path

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange import csv_file, yaml_file
from knowledge_base.exchange.model import MAX_FILE_BYTES, MAX_ROWS, ParsedFile

CSV_SUFFIXES = frozenset({".csv", ".tsv"})
YAML_SUFFIXES = frozenset({".yaml", ".yml"})

_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_SAVE_AS = "save it as UTF-8 (in Excel: 'CSV UTF-8')"


def read(path: Path) -> ParsedFile:
    """The rows of a CSV file, a YAML file or a folder of YAML files, in order; nothing is judged yet.

    Raises UnreadableFile for a file that cannot be read as a whole: too large, not UTF-8, of no known kind.
    Faults inside the file are `problems` of the result.
    """
    if path.is_dir():
        return _read_folder(path)
    parsed = _read_one(path, name=path.name)
    _refuse_too_many(path, parsed)
    return parsed


def _read_folder(folder: Path) -> ParsedFile:
    files = sorted(
        p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in YAML_SUFFIXES
    )
    if not files:
        msg = f"{folder}: no .yaml file in this folder"
        raise UnreadableFile(msg)
    if sum(file.stat().st_size for file in files) > MAX_FILE_BYTES:
        msg = (
            f"{folder}: the files are larger than {_megabytes()} together: import them one by one"
        )
        raise UnreadableFile(msg)
    parts = [_read_one(file, name=str(file.relative_to(folder))) for file in files]
    parsed = ParsedFile(
        rows=tuple(row for part in parts for row in part.rows),
        problems=tuple(problem for part in parts for problem in part.problems),
    )
    _refuse_too_many(folder, parsed)
    return parsed


def _read_one(path: Path, *, name: str) -> ParsedFile:
    suffix = path.suffix.lower()
    if suffix not in CSV_SUFFIXES | YAML_SUFFIXES:
        msg = f"{path}: the name has to end in .csv, .yaml or .yml"
        raise UnreadableFile(msg)
    text = decode(_bytes(path), name=str(path))
    parse = csv_file.parse if suffix in CSV_SUFFIXES else yaml_file.parse
    return parse(text, name=name)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise UnreadableFile(msg) from error
    if len(data) > MAX_FILE_BYTES:
        msg = f"{path}: larger than {_megabytes()}: split it into several files"
        raise UnreadableFile(msg)
    return data


def decode(data: bytes, *, name: str) -> str:
    """UTF-8 with or without a byte order mark. Raises UnreadableFile that says which encoding it looks like."""
    # A NUL within the first two characters is what UTF-16 without a mark looks like.
    if data.startswith(_UTF16_OR_32) or b"\x00" in data[:4]:
        msg = f"{name}: this is UTF-16 or UTF-32 text: {_SAVE_AS}"
        raise UnreadableFile(msg)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start : error.start + 1]
        likely = byte.decode("cp1252", errors="ignore")
        guess = (
            f"; as Windows-1252 the byte would be '{likely}'"
            if likely.isprintable() and likely
            else ""
        )
        msg = f"{name}, line {line}: not UTF-8 (byte 0x{byte.hex().upper()}{guess}): {_SAVE_AS}"
        raise UnreadableFile(msg) from error


def _refuse_too_many(path: Path, parsed: ParsedFile) -> None:
    if len(parsed.rows) > MAX_ROWS:
        msg = f"{path}: more than {MAX_ROWS:,} rows: split it into several files"
        raise UnreadableFile(msg)


def _megabytes() -> str:
    return f"{MAX_FILE_BYTES // 1024**2} MB"
