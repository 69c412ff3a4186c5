"""Opens what is imported, from a file, a folder or an upload: size, encoding, kind; the parsers do the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange import csv_file, desks, yaml_file
from knowledge_base.exchange.decoding import decode
from knowledge_base.exchange.desks.reading import ZAMMAD_COLUMNS
from knowledge_base.exchange.model import (
    COLUMNS,
    MAX_FILE_BYTES,
    MAX_ROWS,
    ParsedFile,
    Source,
    excerpt,
)

CSV_SUFFIXES = frozenset({".csv", ".tsv"})
YAML_SUFFIXES = frozenset({".yaml", ".yml"})
JSON_SUFFIXES = frozenset({".json"})  # another desk's export only: we write none


def read(path: Path, *, desk: str | None = None) -> ParsedFile:
    """The rows of a CSV file, a YAML file or a folder of YAML files, in order; nothing is judged yet.

    Also of another desk's export (`desks.DESKS`), which is told by its shape unless `desk` names it.

    Raises UnreadableFile for a file that cannot be read as a whole: too large, no text, of no known kind.
    Faults inside the file are `problems` of the result.
    """
    if path.is_dir():
        return _read_folder(path)
    _refuse_other_kinds(path.suffix.lower(), name=str(path))
    return read_bytes(_bytes(path), name=path.name, desk=desk)


def read_bytes(data: bytes, *, name: str, desk: str | None = None) -> ParsedFile:
    """The rows of a file that was uploaded: its bytes and the name that it had. Raises as `read` does."""
    shown = excerpt(PurePath(name.replace("\\", "/")).name) or "the file"
    suffix = PurePath(name).suffix.lower()
    _refuse_other_kinds(suffix, name=shown)
    if len(data) > MAX_FILE_BYTES:
        msg = f"{shown}: larger than {_megabytes()}: split it into several files"
        raise UnreadableFile(msg)
    decoded = decode(data, name=shown)
    parsed = _parse(decoded.text, suffix, name=shown, desk=desk)
    source = parsed.source or Source(name=shown, kind="yaml")
    remarks = (*source.remarks, *((decoded.remark,) if decoded.remark else ()))
    parsed = replace(parsed, source=replace(source, encoding=decoded.encoding, remarks=remarks))
    _refuse_too_many(shown, parsed)
    return parsed


def _parse(text: str, suffix: str, *, name: str, desk: str | None) -> ParsedFile:
    if desk is not None and desk not in desks.DESKS:
        msg = f"{desk!a} is not a desk whose files are known: use one of {', '.join(desks.DESKS)}"
        raise UnreadableFile(msg)
    if suffix in JSON_SUFFIXES:
        return desks.read_json(text, name=name, desk=desk)
    if suffix in CSV_SUFFIXES:
        table = csv_file.read_table(text, name=name, columns=ZAMMAD_COLUMNS | set(COLUMNS))
        theirs = {"name", "content"} <= set(table.header) and not {"key", "text"} & set(
            table.header
        )
        if desk == "zammad" or (desk is None and theirs):
            return desks.read_csv(table, name=name)
    if desk is not None:
        msg = f"{name}: this is not what {desk} exports: leave out --from, or name the right desk"
        raise UnreadableFile(msg)
    return (
        csv_file.interpret(table, name=name)
        if suffix in CSV_SUFFIXES
        else yaml_file.parse(text, name=name)
    )


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
    if suffix not in CSV_SUFFIXES | YAML_SUFFIXES | JSON_SUFFIXES:
        msg = (
            f"{name}: the name has to end in .csv, .yaml or .yml (.json for another desk's export)"
        )
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
