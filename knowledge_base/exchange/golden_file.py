"""Golden questions in and out of CSV: all rows or none, every bad row named."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from knowledge_base.errors import ImportRefused, UnreadableFile
from knowledge_base.exchange.csv_file import neutralise, read_table, restore
from knowledge_base.exchange.decoding import decode
from knowledge_base.exchange.model import MAX_FILE_BYTES, MAX_ROWS, Problem, excerpt
from knowledge_base.store import golden
from knowledge_base.store.golden import GoldenQuestion, NewQuestion

COLUMNS = ("question", "expected_key", "must_pass")
REQUIRED = ("question", "expected_key")
YES = frozenset({"yes", "true", "1", "x"})
NO = frozenset({"", "no", "false", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenPlan:
    """What a file says; it can be added while `problems` is empty."""

    questions: tuple[NewQuestion, ...]
    problems: tuple[Problem, ...]


def plan(session: Session, data: bytes, *, name: str, must_pass: bool = False) -> GoldenPlan:
    """Read and judge a file; nothing is written. `must_pass` marks every row, whatever the column says.

    Lines that start with # before the header are remarks, as in files for `kb eval`.
    Raises UnreadableFile for what is no text or too large.
    """
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableFile(f"{name}: larger than {MAX_FILE_BYTES >> 20} MB")
    text = _without_remarks(decode(data, name=name).text)
    table = read_table(text, name=name, columns=COLUMNS)
    problems = [
        *table.problems,
        *_header_problems(table.header, name=name, line=table.header_line),
    ]
    if problems:
        return GoldenPlan(questions=(), problems=tuple(problems))
    if len(table.rows) > MAX_ROWS:
        raise UnreadableFile(f"{name}: more than {MAX_ROWS:,} questions")
    rows = [
        (line, dict(zip(table.header, map(restore, cells), strict=True)))
        for line, cells in table.rows
    ]
    questions = [_question(row, must_pass=must_pass) for _, row in rows]
    missing = golden.unknown_keys(session, questions)
    seen: dict[str, int] = {}
    for (line, row), new in zip(rows, questions, strict=True):
        for column, reason in _row_problems(row, new, missing, seen, line):
            value = excerpt(row.get(column, ""))
            problems.append(
                Problem(file=name, line=line, column=column, reason=reason, value=value)
            )
        seen.setdefault(golden.folded(new.question), line)
    if not rows:
        reason = "there is no question below the first line"
        problems.append(Problem(file=name, line=table.header_line, column=None, reason=reason))
    return GoldenPlan(questions=tuple(questions), problems=tuple(problems))


def refuse(planned: GoldenPlan) -> None:
    """Raise ImportRefused with every problem, if there is one."""
    if planned.problems:
        count = len(planned.problems)
        rows = "one problem" if count == 1 else f"{count:,} problems"
        msg = f"{rows}, so nothing was imported: mend the file and import it again"
        raise ImportRefused(msg, problems=planned.problems)


def write(questions: Iterable[GoldenQuestion]) -> str:
    """CSV text that `plan` reads back as the same questions; formulas neutralised."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for question in questions:
        cells = (
            question.question,
            question.expected_key or "",
            "yes" if question.must_pass else "no",
        )
        writer.writerow([neutralise(cell) for cell in cells])
    return buffer.getvalue()


def _without_remarks(text: str) -> str:
    """The text with its remarks made empty lines, so that the numbers of the others stay."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip() and not line.startswith("#"):
            break
        lines[number] = "\n"
    return "".join(lines)


def _header_problems(header: tuple[str, ...], *, name: str, line: int) -> list[Problem]:
    wrong = sorted(set(header) - set(COLUMNS)) + [c for c in COLUMNS if header.count(c) > 1]
    missing = [column for column in REQUIRED if column not in header]
    if not wrong and not missing:
        return []
    reason = f"the first line has to name {', '.join(REQUIRED)} and, if you like, must_pass"
    return [Problem(file=name, line=line, column=None, reason=reason, value=excerpt(header))]


def _question(row: Mapping[str, str], *, must_pass: bool) -> NewQuestion:
    marked = row.get("must_pass", "").strip().lower() in YES
    return NewQuestion(
        question=golden.folded(row["question"]),
        expected_key=row["expected_key"].strip() or None,
        must_pass=must_pass or marked,
    )


def _row_problems(
    row: Mapping[str, str],
    new: NewQuestion,
    missing: set[str],
    seen: Mapping[str, int],
    line: int,
) -> Iterable[tuple[str, str]]:
    reason = golden.why_bad(new.question)
    if reason is not None:
        yield "question", reason
    elif (first := seen.get(new.question, line)) != line:
        yield "question", f"stands in line {first} already: keep one of the two"
    if new.expected_key in missing:
        yield (
            "expected_key",
            "is the key of no snippet: correct it, or leave it empty when nothing should be offered",
        )
    if row.get("must_pass", "").strip().lower() not in YES | NO:
        yield "must_pass", "has to be yes or no"
