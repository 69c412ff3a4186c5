"""How good a generation is on questions from a file: hits, rank, abstention, each with its interval."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from knowledge_base.errors import UnreadableFile
from knowledge_base.progress import Progress, silent
from knowledge_base.ranking.ranker import Ranker, Ranking

COLUMNS = ("question", "expected_key")
SPLIT = "# split:"
DEPTH = 10  # suggestions looked at for the mean reciprocal rank
MAX_BYTES = 20 << 20  # as for imports
Z = 1.959964  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Question:
    """One line of the file; `expected_key` None means that nothing should be offered."""

    line: int
    text: str
    expected_key: str | None


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions and what their split is called (the `# split:` line, else the file's name)."""

    split: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Proportion:
    """`count` of `total` with its 95 % Wilson interval; all None when there was nothing to count."""

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Miss:
    """A question whose first suggestion was wrong, or that was answered when it should not have been."""

    line: int
    question: str
    expected_key: str | None
    first_key: str | None
    confidence: float | None
    abstained: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures. Hits and `mrr` (of the first ten) are over the answerable questions, abstained or not.

    `unanswerable_abstained` is the recall of abstention, `answerable_abstained` the false abstentions,
    `answered_right` the precision of the first suggestion among all answered questions.
    """

    build_id: str
    split: str
    answerable: int
    unanswerable: int
    threshold: float
    hit_at_1: Proportion
    hit_at_3: Proportion
    mrr: float | None
    unanswerable_abstained: Proportion
    answerable_abstained: Proportion
    answered_right: Proportion
    misses: tuple[Miss, ...]


def read_questions(path: Path) -> QuestionSet:
    """Read a CSV file of `question,expected_key`; lines that start with # before the header are comments.

    Raises UnreadableFile and names the line.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFile(f"{path}: larger than {MAX_BYTES >> 20} MB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{path}: not UTF-8 at byte {error.start}: save it as UTF-8"
        ) from None
    split, skipped = path.name, 0
    lines = text.splitlines(keepends=True)
    while skipped < len(lines) and (lines[skipped].startswith("#") or not lines[skipped].strip()):
        if lines[skipped].lower().startswith(SPLIT):
            split = lines[skipped][len(SPLIT) :].strip()
        skipped += 1
    questions = _parse(path, "".join(lines[skipped:]), skipped)
    if not questions:
        raise UnreadableFile(f"{path}: no questions in it")
    return QuestionSet(split, questions)


def check_keys(questions: QuestionSet, known: Collection[str]) -> None:
    """Raises UnreadableFile and names every expected key that the generation does not have."""
    unknown = [
        f"line {q.line}: {q.expected_key}"
        for q in questions.questions
        if q.expected_key is not None and q.expected_key not in known
    ]
    if unknown:
        more = f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
        raise UnreadableFile(
            f"expected keys that the generation does not have: {'; '.join(unknown[:20])}{more}."
            " Correct the file, or approve the snippets and run `firstline kb build`"
        )


def evaluate(ranker: Ranker, asked: QuestionSet, *, progress: Progress = silent) -> Evaluation:
    """Put every question as an agent's single message, without regard to channel or validity."""
    results: list[tuple[Question, Ranking]] = []
    for done, question in enumerate(asked.questions, start=1):
        results.append((question, ranker.rank([question.text], limit=DEPTH)))
        progress("Asking", done, len(asked.questions))
    return _figures(ranker, asked.split, results)


def wilson(count: int, total: int) -> Proportion:
    """A proportion with Wilson's 95 % score interval (Wilson 1927, JASA 22:209)."""
    if total == 0:
        return Proportion(0, 0, None, None, None)
    p = count / total
    middle = (p + Z * Z / (2 * total)) / (1 + Z * Z / total)
    spread = Z * sqrt(p * (1 - p) / total + Z * Z / (4 * total * total)) / (1 + Z * Z / total)
    low, high = max(0.0, middle - spread), min(1.0, middle + spread)
    return Proportion(count, total, round(p, 6), round(low, 6), round(high, 6))


def _parse(path: Path, text: str, skipped: int) -> tuple[Question, ...]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Question] = []
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if sorted(header) != sorted(COLUMNS):
            raise UnreadableFile(
                f"{path}, line {skipped + 1}: the header is {','.join(header)!r},"
                f" it has to be {','.join(COLUMNS)}"
            )
        for cells in reader:
            line = skipped + reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise UnreadableFile(
                    f"{path}, line {line}: {len(cells)} columns instead of {len(header)};"
                    " a question with a comma needs quotes"
                )
            row = dict(zip(header, cells, strict=True))
            found.append(Question(line, row["question"], row["expected_key"].strip() or None))
    except csv.Error as error:
        raise UnreadableFile(f"{path}, line {skipped + reader.line_num}: {error}") from None
    return tuple(found)


def _figures(
    ranker: Ranker, split: str, results: Sequence[tuple[Question, Ranking]]
) -> Evaluation:
    yes = [(q, r) for q, r in results if q.expected_key is not None]
    no = [(q, r) for q, r in results if q.expected_key is None]
    ranks = [_rank(q, r) for q, r in yes]
    answered = [(q, r) for q, r in results if not r.abstained]
    return Evaluation(
        build_id=ranker.build_id,
        split=split,
        answerable=len(yes),
        unanswerable=len(no),
        threshold=ranker.calibration.agent.confidence,
        hit_at_1=wilson(sum(rank == 1 for rank in ranks), len(yes)),
        hit_at_3=wilson(sum(rank is not None and rank <= 3 for rank in ranks), len(yes)),
        mrr=round(sum(1 / rank for rank in ranks if rank) / len(yes), 6) if yes else None,
        unanswerable_abstained=wilson(sum(r.abstained for _, r in no), len(no)),
        answerable_abstained=wilson(sum(r.abstained for _, r in yes), len(yes)),
        answered_right=wilson(sum(_rank(q, r) == 1 for q, r in answered), len(answered)),
        misses=tuple(_miss(q, r) for q, r in results if _missed(q, r)),
    )


def _rank(question: Question, ranking: Ranking) -> int | None:
    """The place of the expected key, from 1; None when it is not among the first ten."""
    keys = [candidate.snippet_key for candidate in ranking.candidates]
    return keys.index(question.expected_key) + 1 if question.expected_key in keys else None


def _missed(question: Question, ranking: Ranking) -> bool:
    if question.expected_key is None:
        return not ranking.abstained
    return ranking.abstained or _rank(question, ranking) != 1


def _miss(question: Question, ranking: Ranking) -> Miss:
    first = ranking.candidates[0] if ranking.candidates else None
    return Miss(
        line=question.line,
        question=question.text,
        expected_key=question.expected_key,
        first_key=first.snippet_key if first else None,
        confidence=round(first.confidence, 4) if first else None,
        abstained=ranking.abstained,
    )
