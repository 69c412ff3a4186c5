"""Teaches the second reader of the policy: texts in, weights and a threshold out, the same for the same texts.

The model is ridge regression, one equation for every rule, solved in its dual form (a kernel of texts against
texts, four bytes for each pair), so that there is no chance and no order in it. The threshold is read off
ordinary replies that were held out: at most `FALSE_ALARMS` of them may be warned about.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import UnreadableFile
from knowledge_base.policy import Judged, Policy
from knowledge_base.policy.second_reader import (
    BUCKETS,
    FORMAT,
    MANIFEST,
    WEIGHTS,
    SecondReader,
    features,
    handicap,
    share,
    spelling,
)
from knowledge_base.progress import Progress, silent

FALSE_ALARMS = 0.01  # of held-out ordinary replies, at most
# Chosen by held-out texts among 0.025 to 0.4, more where more is learnt from: at 0.05 a point fewer is found, from
# 0.2 on no more of the plain ones, and more of the sentences that the rules' authors built to come near a phrase.
RIDGE = 0.1
FOLDS = 5  # with three, so many texts are missed that 4 points fewer of the plain ones were found
SEED = 7
FEWEST_TEXTS = 5  # that break a rule: from fewer nothing is learnt
# Rules that characters and numbers decide: what they look for cannot be said in other words.
LITERAL = frozenset(
    {
        *("allowed_links", "card_number", "characters", "email_address", "emoji_limit", "iban"),
        *("length", "mixed_scripts", "national_number", "network_length", "shouting"),
        *("styled_letters", "telephone", "unfilled"),
    }
)
_LITERAL_RULES = frozenset({"MARKUP", "ORDER-FORM", "PII-ACCOUNT"})  # patterns of characters
# What people send. The sentences built to hold a rule's very words, or to come near it, would set it alone.
_SENT = frozenset({"ordinary"})
_SHOWN = frozenset({"plain", "indirect"})  # kinds of text that explain a finding
# Texts multiplied at a time: nearly all share something, and sparse products take three times the room.
_BLOCK = 1024
_LARGEST = 127  # of 8 bits with a sign

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One text and the rules that it breaks, none for a compliant one; `kind` is for the figures alone."""

    text: str
    rules: frozenset[str]
    kind: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """A reader, and what it found among texts that were held out, by kind of text."""

    reader: SecondReader
    lessons: int
    figures: dict[str, dict[str, int]]


def lessons(policy: Policy, files: Iterable[Path], snippets: Iterable[str] = ()) -> list[Lesson]:
    """The examples of all rules, `snippets` and the texts of the files: each text once, sorted.

    A `.csv` has the columns label (rules joined by `|`, empty for a compliant text), kind and text; every line
    of a `.txt` is a compliant text. Raises UnreadableFile.
    """
    read: dict[str, Lesson] = {}
    taught = {rule.id for rule in policy.rules if is_taught(rule.detector, rule.id)}
    found = [*_examples(policy), *(Lesson(text, frozenset(), "snippet") for text in snippets)]
    for file in files:
        found += _csv(file) if file.suffix == ".csv" else _lines(file)
    for lesson in found:
        rules = lesson.rules & taught
        if lesson.rules and not rules:
            continue  # it breaks a rule that characters decide: neither one nor the other
        before = read.get(lesson.text)
        joined = rules if before is None else rules | before.rules
        read[lesson.text] = Lesson(lesson.text, joined, (before or lesson).kind)
    return [read[text] for text in sorted(read)]


def is_taught(detector: str, rule_id: str) -> bool:
    """Whether a rule can be broken in other words."""
    return detector not in LITERAL and rule_id not in _LITERAL_RULES


def _examples(policy: Policy) -> Iterator[Lesson]:
    for rule in policy.rules:
        yield from (Lesson(text, frozenset({rule.id}), "must_flag") for text in rule.must_flag)
        yield from (Lesson(text, frozenset(), "must_pass") for text in rule.must_pass)


def _lines(file: Path) -> Iterator[Lesson]:
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield Lesson(line, frozenset(), "compliant")


def _csv(file: Path) -> Iterator[Lesson]:
    rows = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""))
    if not {"label", "kind", "text"} <= set(rows.fieldnames or ()):
        raise UnreadableFile(f"{file.name}: the first line must name label, kind and text")
    for row in rows:
        yield Lesson(row["text"], frozenset(filter(None, row["label"].split("|"))), row["kind"])


def learn(taught: Sequence[Lesson], *, progress: Progress = silent) -> Learnt:
    """The reader of these texts, with what it finds of those held out."""
    rules = sorted(_counted(taught))
    rows, handicaps = _rows([lesson.text for lesson in taught], progress)
    kernel = _kernel(rows)
    meant = _meant(taught, rules)
    scores = _held_out(kernel, meant, progress) - handicaps[:, np.newaxis]
    threshold = _threshold(scores[_compliant(taught)].max(axis=1))
    weights, scales = _whole(np.asarray(rows.T @ _solved(kernel, meant), dtype=np.float32))
    examples: dict[str, list[str]] = {rule: [] for rule in rules}
    for lesson in taught:
        for rule in lesson.rules & set(rules) if lesson.kind in _SHOWN else ():
            examples[rule].append(lesson.text)
    reader = SecondReader(weights, scales, rules=rules, threshold=threshold, examples=examples)
    return Learnt(reader, len(taught), _figures(taught, scores, rules, threshold))


def _counted(taught: Sequence[Lesson]) -> set[str]:
    counts: dict[str, int] = {}
    for lesson in taught:
        for rule in lesson.rules:
            counts[rule] = counts.get(rule, 0) + 1
    return {rule for rule, count in counts.items() if count >= FEWEST_TEXTS}


def _meant(taught: Sequence[Lesson], rules: Sequence[str]) -> Matrix:
    """What the equations should say of each text (shape [texts, rules]): 1 of a rule that it breaks, -1 of all
    rules where it keeps them, and 0 of the others where it breaks some.
    """
    meant = np.zeros((len(taught), len(rules)), dtype=np.float32)
    for row, lesson in enumerate(taught):
        for column, rule in enumerate(rules):
            meant[row, column] = rule in lesson.rules if lesson.rules else -1
    return meant


def _rows(texts: Sequence[str], progress: Progress) -> tuple[Any, Matrix]:
    """The sparse matrix [texts, BUCKETS] of what the reader sees, words and spelling weighing the same, and the
    handicap of each text.
    """
    from scipy.sparse import csr_matrix

    values: list[float] = []
    columns: list[int] = []
    starts = [0]
    handicaps: list[float] = []
    for number, text in enumerate(texts, start=1):
        judged = Judged(text, "generic")
        read = features(judged)
        pieces = [row for token in read.tokens for row in spelling(token)]
        values += [share(len(read.runs))] * len(read.runs)
        values += [share(len(pieces))] * len(pieces)
        columns += [*read.runs.tolist(), *pieces]
        starts.append(len(columns))
        handicaps.append(handicap(len(judged.words)))
        progress("reading", number, len(texts))
    matrix = csr_matrix(
        (np.array(values, dtype=np.float32), columns, starts), shape=(len(texts), BUCKETS)
    )
    matrix.sum_duplicates()
    return matrix, np.array(handicaps, dtype=np.float32)


def _kernel(rows: Any) -> Matrix:
    """How much each text has in common with each (shape [texts, texts])."""
    turned = rows.T.tocsr()
    kernel = np.empty((rows.shape[0],) * 2, dtype=np.float32)
    for start in range(0, len(kernel), _BLOCK):
        kernel[start : start + _BLOCK] = (rows[start : start + _BLOCK] @ turned).todense()
    return kernel


def _solved(kernel: Matrix, meant: Matrix) -> Matrix:
    """How much each text counts for each equation: (K + ridge I)^-1 Y, by Cholesky's method, block by block.

    In one piece, OpenBLAS crashes from some 26,800 texts on (a block's offset outgrows its 32 bits).
    """
    from scipy.linalg import cholesky, solve_triangular

    factor = kernel.copy()
    factor[np.diag_indices(len(factor))] += RIDGE
    solved = meant.copy()
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(factor), _BLOCK)]
    for at in blocks:
        own, below = factor[at, at], factor[at.stop :, at]
        own[:] = cholesky(own, lower=True, check_finite=False)
        solved[at] -= factor[at, : at.start] @ solved[: at.start]
        solved[at] = solve_triangular(own, solved[at], lower=True, check_finite=False)
        below[:] = solve_triangular(own, below.T, lower=True, check_finite=False).T
        for later in blocks[at.stop // _BLOCK :]:
            factor[later.start :, later] -= factor[later.start :, at] @ factor[later, at].T
    for at in reversed(blocks):
        solved[at] -= factor[at.stop :, at].T @ solved[at.stop :]
        solved[at] = solve_triangular(
            factor[at, at], solved[at], lower=True, trans="T", check_finite=False
        )
    return solved


def _held_out(kernel: Matrix, meant: Matrix, progress: Progress) -> Matrix:
    """The scores of each text by a reader that did not see it (shape [texts, rules])."""
    folds = np.random.default_rng(SEED).integers(FOLDS, size=len(meant))
    scores = np.zeros_like(meant)
    for fold in range(FOLDS):
        seen = np.flatnonzero(folds != fold)
        held = np.flatnonzero(folds == fold)
        solved = _solved(kernel[np.ix_(seen, seen)], meant[seen])
        scores[held] = kernel[np.ix_(held, seen)] @ solved
        progress("learning with texts held out", fold + 1, FOLDS)
    return scores


def _compliant(taught: Sequence[Lesson]) -> NDArray[np.bool_]:
    """Which texts set the threshold: the compliant replies, or whatever is compliant where there are none."""
    kept = np.array([not lesson.rules for lesson in taught])
    sent = kept & np.array([lesson.kind in _SENT for lesson in taught])
    return sent if sent.any() else kept


def _threshold(best: Matrix) -> float:
    """The smallest score that at most `FALSE_ALARMS` of the compliant texts exceed."""
    return float(np.sort(best)[::-1][int(FALSE_ALARMS * len(best))])


def _whole(weights: Matrix) -> tuple[NDArray[np.int8], Matrix]:
    """The weights as whole numbers of 8 bits, and what one of them is worth for each rule."""
    scales = np.maximum(np.abs(weights).max(axis=0), np.float32(1e-9)) / np.float32(_LARGEST)
    return np.rint(weights / scales).astype(np.int8), scales.astype(np.float32)


def _figures(
    taught: Sequence[Lesson], scores: Matrix, rules: Sequence[str], threshold: float
) -> dict[str, dict[str, int]]:
    """By kind of text: how many there are, are warned about, and with a rule that they do break."""
    figures: dict[str, dict[str, int]] = {}
    for lesson, row in zip(taught, scores, strict=True):
        kind = figures.setdefault(lesson.kind, {"texts": 0, "warned": 0, "right": 0})
        warned = bool(row.max() > threshold)
        kind["texts"] += 1
        kind["warned"] += warned
        kind["right"] += warned and rules[int(row.argmax())] in lesson.rules
    return dict(sorted(figures.items()))


def write(learnt: Learnt, folder: Path) -> None:
    """Weights and manifest; the same bytes for the same reader."""
    reader = learnt.reader
    packed = io.BytesIO()
    np.savez_compressed(packed, weights=reader.weights, scales=reader.scales)
    manifest = {
        "format": FORMAT,
        "buckets": BUCKETS,
        "sha256": hashlib.sha256(packed.getvalue()).hexdigest(),
        "threshold": reader.threshold,
        "lessons": learnt.lessons,
        "held_out": learnt.figures,
        "rules": list(reader.rules),
        "examples": {rule: list(texts) for rule, texts in reader.examples.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(WEIGHTS).write_bytes(packed.getvalue())
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    folder.joinpath(MANIFEST).write_text(text + "\n", encoding="utf-8")
