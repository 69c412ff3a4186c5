"""Opens what is imported, from a file, a folder or an upload: size, encoding, kind; the parsers do the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange import csv_file, yaml_file
from knowledge_base.exchange.decoding import decode
from knowledge_base.exchange.model import MAX_FILE_BYTES, MAX_ROWS, ParsedFile, Source, excerpt

CSV_SUFFIXES = frozenset({".csv", ".tsv"})
YAML_SUFFIXES = frozenset({".yaml", ".yml"})


def read(path: Path) -> ParsedFile:
    """The rows of a CSV file, a YAML file or a folder of YAML files, in order; nothing is judged yet.

    Raises UnreadableFile for a file that cannot be read as a whole: too large, no text, of no known kind.
    Faults inside the file are `problems` of the result.
    """
    if path.is_dir():
        return _read_folder(path)
    _refuse_other_kinds(path.suffix.lower(), name=str(path))
    return read_bytes(_bytes(path), name=path.name)


def read_bytes(data: bytes, *, name: str) -> ParsedFile:
    """The rows of a file that was uploaded: its bytes and the name that it had. Raises as `read` does."""
    shown = excerpt(PurePath(name.replace("\\", "/")).name) or "the file"
    suffix = PurePath(name).suffix.lower()
    _refuse_other_kinds(suffix, name=shown)
    if len(data) > MAX_FILE_BYTES:
        msg = f"{shown}: larger than {_megabytes()}: split it into several files"
        raise UnreadableFile(msg)
    decoded = decode(data, name=shown)
    parsed = _parser(suffix)(decoded.text, name=shown)
    source = parsed.source or Source(name=shown, kind="yaml")
    remarks = (*source.remarks, *((decoded.remark,) if decoded.remark else ()))
    parsed = replace(parsed, source=replace(source, encoding=decoded.encoding, remarks=remarks))
    _refuse_too_many(shown, parsed)
    return parsed


def _parser(suffix: str) -> Callable[..., ParsedFile]:
    return csv_file.parse if suffix in CSV_SUFFIXES else yaml_file.parse


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
    parts = [_read_yaml(file, name=str(file.relative_to(folder))) for file in files]
    parsed = ParsedFile(
        rows=tuple(row for part in parts for row in part.rows),
        problems=tuple(problem for part in parts for problem in part.problems),
        source=Source(name=folder.name, kind="folder"),
    )
    _refuse_too_many(str(folder), parsed)
    return parsed


def _read_yaml(path: Path, *, name: str) -> ParsedFile:
    return yaml_file.parse(decode(_bytes(path), name=str(path)).text, name=name)


def _refuse_other_kinds(suffix: str, *, name: str) -> None:
    if suffix not in CSV_SUFFIXES | YAML_SUFFIXES:
        msg = f"{name}: the name has to end in .csv, .yaml or .yml"
        raise UnreadableFile(msg)


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


def _refuse_too_many(name: str, parsed: ParsedFile) -> None:
    if len(parsed.rows) > MAX_ROWS:
        msg = f"{name}: more than {MAX_ROWS:,} rows: split it into several files"
        raise UnreadableFile(msg)


def _megabytes() -> str:
    return f"{MAX_FILE_BYTES // 1024**2} MB"
