"""The questions that quality is measured on, with splits that stay the same on every machine."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

SETTING = "FIRSTLINE_BENCHMARK_DATA"
BANKING = "banking77_train.csv"
CLINC = "clinc150_train_val.json"
# Questions of each category: so many for the report and for development, at most these shares of it.
REPORT, REPORT_SHARE = 40, 0.3
DEVELOPMENT, DEVELOPMENT_SHARE = 20, 0.2

Asked = tuple[str, str | None]  # a question and its category, None where no snippet answers


class DataMissing(Exception):
    """The folder with the public data sets is not there; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Task:
    """Phrasings by category, from which snippets are made, and the questions put to them."""

    name: str
    phrasings: Mapping[str, Sequence[str]]
    questions: Sequence[Asked]


@dataclass(frozen=True, slots=True)
class Banking:
    """Banking77 (Casanueva et al. 2020), its train file parted by hash into three: nothing is in two of them."""

    phrasings: Mapping[str, Sequence[str]]
    development: Sequence[Asked]
    report: Sequence[Asked]

    def all_but_the_report(self) -> dict[str, list[str]]:
        """The phrasings with the development part: what is left to learn from once every choice is made."""
        every = {category: list(texts) for category, texts in self.phrasings.items()}
        for text, category in self.development:
            every[str(category)].append(text)
        return every


def folder(environ: Mapping[str, str]) -> Path:
    """The folder of FIRSTLINE_BENCHMARK_DATA. Raises DataMissing."""
    named = environ.get(SETTING)
    if not named:
        raise DataMissing(
            f"{SETTING} is not set: it names the folder with {BANKING} (columns text,category)"
            f" and {CLINC} (train, val, oos_train, oos_val)"
        )
    missing = [name for name in (BANKING, CLINC) if not (Path(named) / name).is_file()]
    if missing:
        raise DataMissing(f"{named} ({SETTING}) has no {' and no '.join(missing)}")
    return Path(named)


def read_banking(place: Path) -> Banking:
    """Report and development parts by the SHA-256 of the text, the rest for phrasings."""
    by_category: defaultdict[str, set[str]] = defaultdict(set)
    with (place / BANKING).open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            by_category[row["category"]].add(" ".join(row["text"].split()))
    phrasings: dict[str, list[str]] = {}
    development: list[Asked] = []
    report: list[Asked] = []
    for category, texts in sorted(by_category.items()):
        ordered = sorted(texts, key=lambda text: (_digest(text), text))
        for_report = min(REPORT, int(len(ordered) * REPORT_SHARE))
        for_development = min(DEVELOPMENT, int(len(ordered) * DEVELOPMENT_SHARE))
        report += [(text, category) for text in ordered[:for_report]]
        rest = ordered[for_report:]
        development += [(text, category) for text in rest[:for_development]]
        phrasings[category] = rest[for_development:]
    return Banking(phrasings, development, report)


def read_clinc(place: Path) -> dict[str, list[tuple[str, str]]]:
    """CLINC150 (Larson et al. 2019): train, val, oos_train and oos_val as pairs of text and category."""
    raw = json.loads((place / CLINC).read_text(encoding="utf-8"))
    return {part: [(" ".join(t.split()), c) for t, c in rows] for part, rows in raw.items()}


def unanswerable(clinc: Mapping[str, Sequence[tuple[str, str]]]) -> list[Asked]:
    """Questions that no bank's help answers, for Banking77: those that CLINC150 holds to be out of scope."""
    return [(text, None) for part in ("oos_train", "oos_val") for text, _ in clinc[part]]


def few(
    phrasings: Mapping[str, Sequence[str]], number: int | None, *, seed: int
) -> dict[str, list[str]]:
    """`number` of each category's phrasings (all when None), the same ones for the same seed."""
    chosen: dict[str, list[str]] = {}
    for category, texts in sorted(phrasings.items()):
        shuffled = sorted(texts)
        Random(f"{seed} {category}").shuffle(shuffled)  # noqa: S311 - a sample, no secret
        chosen[category] = shuffled[:number]
    return chosen


def clinc_task(clinc: Mapping[str, Sequence[tuple[str, str]]], *, development: bool) -> Task:
    """Report: train for phrasings, val and oos_val asked. Development: 15 of each category of train."""
    phrasings: defaultdict[str, list[str]] = defaultdict(list)
    for text, category in clinc["train"]:
        phrasings[category].append(text)
    if not development:
        asked: list[Asked] = [*clinc["val"], *((text, None) for text, _ in clinc["oos_val"])]
        return Task("CLINC150", phrasings, asked)
    kept: dict[str, list[str]] = {}
    questions: list[Asked] = [(text, None) for text, _ in clinc["oos_train"]]
    for category, texts in phrasings.items():
        ordered = sorted(texts, key=lambda text: (_digest(text), text))
        questions += [(text, category) for text in ordered[:15]]
        kept[category] = ordered[15:]
    return Task("CLINC150, development part", kept, questions)


def _digest(text: str) -> str:
    return hashlib.sha256(text.casefold().encode()).hexdigest()
