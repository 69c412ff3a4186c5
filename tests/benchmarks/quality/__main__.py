"""Measures ranking and confidence on Banking77, CLINC150 and the starter content's golden questions.

    python -m tests.benchmarks.quality [--seeds 3] [--development] [--only TEXT] [--tuned] [--plot FILE] [--json]
    python -m tests.benchmarks.quality --conversations [--development] [--json]

FIRSTLINE_BENCHMARK_DATA names the folder with the two public data sets. The encoder is FIRSTLINE_HOME's, and the
starter content is its live generation. Vectors are kept in FIRSTLINE_HOME/benchmarks, so later runs are quicker.
--tuned adapts the encoder to the phrasings of each task first, which takes minutes for each.
--conversations measures conversations.yaml alone.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from knowledge_base import publish
from knowledge_base.errors import FirstlineError
from knowledge_base.home import Home
from knowledge_base.index.encoder import load_current_encoder
from knowledge_base.ranking.evaluation import read_questions
from knowledge_base.ranking.risk import Risk
from tests.benchmarks.quality import data
from tests.benchmarks.quality.conversations import measured
from tests.benchmarks.quality.data import Banking, DataMissing, Task
from tests.benchmarks.quality.measure import RememberingEncoder, ask, figures, measure
from tests.benchmarks.quality.plot import write_plot

CONTENT = Path(__file__).resolve().parents[3] / "knowledge_base" / "content"
NUMBERS: tuple[int | None, ...] = (1, 3, 5, 10, 30, None)
LEFT_OUT = 8  # every eighth category is missing from the knowledge base in the test of silence
UNANSWERABLE = 0.1  # share of them in that test, as `Risk` assumes


def main() -> int:
    """0 when everything was measured, 2 when the data or the set-up is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--development", action="store_true", help="the parts meant for tuning")
    parser.add_argument("--only", default="", help="tasks with this in their names")
    parser.add_argument("--tuned", action="store_true", help="tune the encoder for each task")
    parser.add_argument("--conversations", action="store_true", help="conversations alone")
    parser.add_argument("--plot", type=Path, help="write reliability and risk-coverage as SVG")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False)
    try:
        home = Home.from_environment()
        if options.conversations:
            ranker = publish.open_ranker(home, threads=1)
            _report(list(measured(ranker, development=options.development)), options)
            return 0
        place = data.folder(os.environ)
        encoder = RememberingEncoder(load_current_encoder(home), home.root / "benchmarks")
        results = _run(place, home, encoder, options, screen)
    except (DataMissing, FirstlineError) as error:
        screen.print(f"error: {error}", markup=False)
        return 2
    if options.plot:
        write_plot(_shown(results), options.plot)
    _report(results, options)
    return 0


def _report(results: list[dict[str, Any]], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        _show(results)


def _run(
    place: Path,
    home: Home,
    encoder: RememberingEncoder,
    options: argparse.Namespace,
    screen: Console,
) -> list[dict[str, Any]]:
    banking, clinc = data.read_banking(place), data.read_clinc(place)
    tasks = list(_tasks(banking, clinc, seeds=options.seeds, development=options.development))
    tasks = [task for task in tasks if options.only in task.name]
    if options.tuned:
        return _run_tuned(tasks, home, screen)
    results = [] if options.only else [_starter(home, development=options.development)]
    with (
        tempfile.TemporaryDirectory(prefix="firstline-quality-") as folder,
        Bar(console=screen) as bar,
    ):
        encoding = bar.add_task("Encoding texts")
        texts = [text for task in tasks for text, _ in task.questions]
        texts += [text for task in tasks for some in task.phrasings.values() for text in some]
        encoder.remember(
            texts, progress=lambda _, done, all_: bar.update(encoding, completed=done, total=all_)
        )
        bar.update(encoding, completed=1, total=1)
        asking = bar.add_task("Measuring", total=len(tasks))
        for task in tasks:
            bar.update(asking, description=task.name)
            results.append(measure(task, encoder, Home.at(Path(folder)), risk=Risk()))
            bar.advance(asking)
    return results


def _run_tuned(tasks: list[Task], home: Home, screen: Console) -> list[dict[str, Any]]:
    from tests.benchmarks.quality.tuned import tuned  # torch: only when asked for

    results = []
    with (
        tempfile.TemporaryDirectory(prefix="firstline-quality-") as folder,
        Bar(console=screen) as bar,
    ):
        for task in tasks:
            row = bar.add_task(task.name)
            encoder, how = tuned(
                task,
                home.root / "benchmarks",
                progress=lambda _, done, all_, row=row: bar.update(
                    row, completed=done, total=all_
                ),  # type: ignore[misc]  # mypy and defaults of lambdas
            )
            found = measure(task, encoder, Home.at(Path(folder)), risk=Risk())
            results.append({**found, **how, "task": f"{task.name}, tuned"})
    return results


def _tasks(banking: Banking, clinc: Any, *, seeds: int, development: bool) -> Iterator[Task]:
    answerable = list(banking.development if development else banking.report)
    outside = data.unanswerable(clinc)
    number_outside = int(len(answerable) * UNANSWERABLE / (1 - UNANSWERABLE))
    for number in NUMBERS:
        for seed in range(seeds if number else 1):
            held_back = bool(number) or development
            known = banking.phrasings if held_back else banking.all_but_the_report()
            some = data.few(known, number, seed=seed)
            name = f"Banking77, {number or 'all'} phrasings, seed {seed}"
            yield Task(name, some, [*answerable, *outside[:number_outside]])
            if number in (5, 10, None):
                yield _silence(name, some, answerable, outside)
    yield data.clinc_task(clinc, development=development)


def _silence(name: str, phrasings: Any, asked: list[Any], outside: list[Any]) -> Task:
    """Without every eighth category: one question in ten has no snippet, half of them of those categories."""
    gone = set(sorted(phrasings)[::LEFT_OUT])
    inside = [question for question in asked if question[1] not in gone]
    lacking = [(text, None) for text, category in asked if category in gone]
    half = int(len(inside) * UNANSWERABLE / (1 - UNANSWERABLE) / 2)
    step = max(1, len(lacking) // half)
    kept = {category: texts for category, texts in phrasings.items() if category not in gone}
    questions = [*inside, *lacking[::step][:half], *outside[:half]]
    return Task(name.replace("Banking77", "Banking77 in part"), kept, questions)


def _starter(home: Home, *, development: bool) -> dict[str, Any]:
    ranker = publish.open_ranker(home, threads=1)
    asked = read_questions(CONTENT / ("development.csv" if development else "golden.csv"))
    answers = [ask(ranker, (q.text, q.expected_key)) for q in asked.questions]
    return {
        "task": f"Starter content, {'development' if development else 'golden'}",
        **figures(answers),
    }


def _shown(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = (
        "Starter",
        "CLINC150",
        "Banking77, 10 phrasings, seed 0",
        "Banking77 in part, 10 phrasings, seed 0",
    )
    return [result for result in results if result["task"].startswith(wanted)]


def _show(results: list[dict[str, Any]]) -> None:
    columns = (
        "hit@1",
        "hit@3",
        "MRR",
        "AUROC",
        "right and answered",
        "silent where due",
        "wrong",
        "ECE",
    )
    table = Table("", *columns, "ECE 2, 3", "build", box=None, header_style="bold")
    for result in results:
        shares = ("right_and_answered", "unanswerable_abstained", "wrong_among_answered")
        table.add_row(
            result["task"],
            _percent(result["hit_at_1"]),
            _percent(result["hit_at_3"]),
            f"{result['mrr']:.3f}",
            f"{result['auroc']:.3f}",
            *(_percent(result[name]) for name in shares),
            f"{result['calibration_error']:.3f}",
            f"{result['calibration_error_places_2_3']:.3f}",
            f"{result['build_seconds']:.0f} s" if "build_seconds" in result else "",
        )
    Console(width=170).print(table)


def _percent(found: dict[str, Any]) -> str:
    return "-" if found["value"] is None else f"{found['value']:.1%}"


if __name__ == "__main__":
    raise SystemExit(main())
