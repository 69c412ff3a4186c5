"""What tuning is worth on Banking77: the same snippets and questions before and after a run of the command itself.

    FIRSTLINE_BENCHMARK_DATA=FOLDER python -m tests.benchmarks.tune [--phrasings 10] [--seeds 1]
        [--part report|development] [--questions N] [--out-of-scope N] [--encoder HOME] [--json]

A snippet of each category, named by it; N phrasings of each as approved content in a home of its own; then one
dry run with the questions. Parts are carved out of the train file by the SHA-256 of the text: 40 questions of each
category for the report (at most 30 %), then 20 for development (at most 20 %), the rest are phrasings. Questions
that CLINC150 holds to be out of scope can be added as unanswerable ones.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from knowledge_base.cli.output import progress_bar
from knowledge_base.home import Home
from knowledge_base.index.export import export_default
from knowledge_base.snippet import SnippetContent
from knowledge_base.tuning import run
from knowledge_base.tuning.settings import TuningSettings
from tests.tuning_home import NOW, approve, opened

SETTING = "FIRSTLINE_BENCHMARK_DATA"
BANKING, CLINC = "banking77_train.csv", "clinc150_train_val.json"
REPORT, REPORT_SHARE = 40, 0.3
DEVELOPMENT, DEVELOPMENT_SHARE = 20, 0.2


def main() -> int:
    """Run it and print a table, or one JSON document."""
    options = _options()
    folder = Path(os.environ.get(SETTING) or "missing")
    if not (folder / BANKING).is_file():
        print(f"{SETTING} has to name a folder with {BANKING} (columns text,category)")
        return 2
    parts, phrasings = carve(folder / BANKING)
    asked = parts[options.part][: options.questions]
    if options.out_of_scope:
        asked = [*asked, *out_of_scope(folder / CLINC)[: options.out_of_scope]]
    results = []
    for seed in range(1, options.seeds + 1):
        results.append(
            measured(few(phrasings, options.phrasings, seed=seed), asked, options, seed)
        )
        if not options.json:
            _show(results[-1])
    if options.json:
        print(json.dumps(results, indent=2))
    return 0


def carve(path: Path) -> tuple[dict[str, list[tuple[str, str]]], dict[str, list[str]]]:
    """The report and development questions (in an order that means nothing), and phrasings by category."""
    by_category: defaultdict[str, set[str]] = defaultdict(set)
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            by_category[row["category"]].add(" ".join(row["text"].split()))
    parts: dict[str, list[tuple[str, str]]] = {"report": [], "development": []}
    phrasings: dict[str, list[str]] = {}
    for category, texts in sorted(by_category.items()):
        ordered = sorted(texts, key=lambda text: (_digest(text), text))
        report = min(REPORT, int(len(ordered) * REPORT_SHARE))
        development = report + min(DEVELOPMENT, int(len(ordered) * DEVELOPMENT_SHARE))
        parts["report"] += [(text, category) for text in ordered[:report]]
        parts["development"] += [(text, category) for text in ordered[report:development]]
        phrasings[category] = ordered[development:]
    for questions in parts.values():
        questions.sort(key=lambda question: _digest(question[0])[::-1])
    return parts, phrasings


def out_of_scope(path: Path) -> list[tuple[str, str]]:
    """Questions that no bank's snippet answers; an empty category says so."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    return [(" ".join(text.split()), "") for text, _ in [*raw["oos_val"], *raw["oos_train"]]]


def few(phrasings: dict[str, list[str]], number: int, *, seed: int) -> dict[str, list[str]]:
    """So many phrasings of each category, the same ones for the same seed."""
    chosen = {}
    for category, texts in phrasings.items():
        shuffled = sorted(texts)
        Random(f"{seed} {category}").shuffle(shuffled)  # noqa: S311 - a sample, no secret
        chosen[category] = shuffled[:number]
    return chosen


def measured(
    phrasings: dict[str, list[str]],
    asked: list[tuple[str, str]],
    options: argparse.Namespace,
    seed: int,
) -> dict[str, Any]:
    """One dry run of `kb tune` in a home of its own, and its figures before and after."""
    with tempfile.TemporaryDirectory(prefix="firstline-tune-") as scratch:
        home = Home.at(Path(scratch) / "home")
        home.root.mkdir()
        if options.encoder:
            home.encoders.symlink_to(Path(options.encoder).absolute() / "encoders")
        else:
            export_default(home, environ={})
        engine = opened(home)
        approve(engine, [_snippet(category, texts) for category, texts in phrasings.items()])
        questions = Path(scratch) / "questions.csv"
        with questions.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["question", "expected_key"])
            rows.writerows((text, _key(category)) for text, category in asked)
        settings = TuningSettings(seed=seed)
        given = {"learning_rate": options.learning_rate, "epochs": options.epochs}
        given |= {"temperature": options.temperature, "tuned_share": options.share}
        settings = replace(settings, **{k: v for k, v in given.items() if v is not None})
        started = time.process_time()
        with progress_bar(quiet=options.json) as progress:
            report = run.tune(
                home,
                engine,
                now=NOW,
                settings=settings,
                questions=questions,
                dry_run=True,
                progress=progress,
            )
        engine.dispose()
    return _figures(report, settings, options, seconds=time.process_time() - started)


def _figures(
    report: run.TuningReport,
    settings: TuningSettings,
    options: argparse.Namespace,
    *,
    seconds: float,
) -> dict[str, Any]:
    comparison = report.comparison
    figures = [] if comparison is None else comparison.figures
    return {
        "part": options.part,
        "phrasings_each": options.phrasings,
        "phrasings": report.phrasings,
        "settings": asdict(settings),
        "processor_seconds": round(seconds, 1),
        "learning_seconds": report.learning_seconds,
        "history": report.history,
        "held_out": [report.held_out_before, report.held_out_after, report.held_out],
        "refused": report.refused,
        "figures": {
            figure.name: {
                "total": figure.total,
                "before": round(100 * figure.before / figure.total, 2),
                "after": round(100 * figure.after / figure.total, 2),
                "gained": len(figure.gained),
                "lost": len(figure.lost),
            }
            for figure in figures
            if figure.total
        },
    }


def _show(result: dict[str, Any]) -> None:
    title = f"{result['phrasings_each']} phrasings each, {result['part']}, seed {result['settings']['seed']}"
    table = Table("figure", "questions", "untuned", "tuned", "gained", "lost", title=title)
    for name, figure in result["figures"].items():
        cells = (figure[column] for column in ("total", "before", "after", "gained", "lost"))
        table.add_row(name, *(str(cell) for cell in cells))
    Console().print(table)
    print(
        f"learnt in {result['learning_seconds']:.0f} s (processor {result['processor_seconds']:.0f} s)"
    )


def _snippet(category: str, texts: list[str]) -> SnippetContent:
    words = category.replace("_", " ")
    return SnippetContent(key=_key(category), title=words, text=words, examples=tuple(texts))


def _key(category: str) -> str:
    return category.lower().replace("?", "").strip("_")


def _digest(text: str) -> str:
    return hashlib.sha256(text.casefold().encode()).hexdigest()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What tuning is worth on Banking77.")
    parser.add_argument("--phrasings", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--part", choices=["report", "development"], default="report")
    parser.add_argument("--questions", type=int, help="only so many of the part")
    parser.add_argument("--out-of-scope", type=int, default=0)
    parser.add_argument("--encoder", help="a home with an exported encoder, to spare the export")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--share", type=float)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
