"""Changes the code that judges on purpose, one thing at a time, and counts how many changes its tests notice.

    python -m tests.benchmarks.policy_code [--module NAME] [--sample N | --draw N] [--seed N] [--done FILE]

The tests of the code (TESTS; not those of the packs' examples and pinned texts, so that a change counts as noticed
only where a test of the code itself notices it) are collected and run once to see which lines each one runs.
Then a child process per change (see code_changes.py) runs the tests that reach it, the fastest first, until one
fails. The changed function or constant replaces the one that the tests hold; what runs while the packs are
loaded, and was not noticed, is changed once more in a child that imports everything anew. A change that makes
the tests run on is stopped by a limit of processor time and counts as noticed. `--survivors` shows the others;
`--sample` takes so many changes of each module and `--draw` so many of all of them, chosen by `--seed`; `--done`
keeps results in a file and goes on from there; `--minutes` stops after so much processor time. Lines with the
comment "for speed alone" decide nothing and are left out. Shares have Wilson's interval of 95 %. Exit code 1
when fewer than 90 % are noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import coverage
import pytest
from rich.console import Console
from rich.progress import track
from rich.table import Table

from knowledge_base.ranking.evaluation import wilson
from tests.benchmarks.code_changes import Change, changes
from tests.benchmarks.code_children import (
    CODE,
    NOTICED,
    QUIET,
    SURVIVED,
    TESTS,
    Tests,
    functions_of_the_code,
    judged,
    passes,
    survives_unchanged,
)

TARGET = 0.9
_NOT_THESE = (
    "made_up_texts",
    "a_change_of_a_rule",
)  # they measure time, or the benchmarks themselves
# Sizes of caches: no verdict depends on them.
UNSEEN = frozenset({"_FOLD_CACHE", "_CACHED_TEXTS", "_CACHED_WORDS", "_LONGEST_CACHED"})
FOR_SPEED = "for speed alone"


class _Bench:
    """Runs inside pytest: instead of the tests alone, the tests against every change."""

    def __init__(self, options: argparse.Namespace, tracer: coverage.Coverage) -> None:
        self.options = options
        self.tracer = tracer
        self.results: list[dict[str, Any]] = []
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not any(name in item.name for name in _NOT_THESE)]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        tests = self._profile(session.items)
        if not self.failed and not survives_unchanged(tests):
            self.failed = "imported anew"
        if self.failed:
            return True
        functions = functions_of_the_code()
        for module, change, source in track(
            _chosen(self.options),
            "changes",
            disable=self.options.json,
            console=Console(stderr=True),
        ):
            if _minutes() > self.options.minutes:
                break
            outcome, by = judged(tests, functions, module, change, source)
            result = _result(module, change, outcome, by)
            self.results.append(result)
            if self.options.done:
                with self.options.done.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
        return True

    def _profile(self, items: Sequence[pytest.Item]) -> Tests:
        seconds: dict[str, float] = {}
        for item in items:
            self.tracer.switch_context(item.nodeid)
            began = time.process_time()
            if not passes(item):
                self.failed = item.nodeid
                break
            seconds[item.nodeid] = time.process_time() - began
        self.tracer.stop()
        data = self.tracer.get_data()
        lines = {path.name: data.contexts_by_lineno(str(path)) for path in CODE.glob("*.py")}
        return Tests({item.nodeid: item for item in items}, seconds, lines)


def main() -> int:
    """0 when enough changes are noticed, 1 when not, 2 for wrong options or failing tests."""
    options = _options()
    known = {path.stem for path in CODE.glob("*.py")}
    if unknown := sorted(set(options.module) - known):
        Console(stderr=True).print(f"error: there is no module {unknown[0]} in {CODE.name}")
        return 2
    tracer = coverage.Coverage(data_file=None, source=[str(CODE)], config_file=False)
    tracer.start()
    bench = _Bench(options, tracer)
    code = pytest.main([*QUIET, *TESTS], plugins=[bench])
    if bench.failed or code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        Console(stderr=True).print(f"error: the unchanged code fails: {bench.failed or code!r}")
        return 2
    earlier = _earlier(options.done) if options.done else []
    report = report_of(earlier or bench.results)
    survivors = report["survivors"]
    if not options.survivors:
        del report["survivors"]
    if options.json:
        print(json.dumps({**report, "sample": options.sample, "seed": options.seed}, indent=2))
    else:
        _show(report)
        for survivor in survivors if options.survivors else ():
            print(survivor)
    return 0 if report["share"] >= TARGET else 1


def report_of(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Noticed and surviving changes, in all and by module; survivors as file:line, kind and both readings."""
    interval = wilson(sum(result["noticed"] for result in results), len(results))
    whole = Counter(result["module"] for result in results)
    noticed = Counter(result["module"] for result in results if result["noticed"])
    return {
        "changes": len(results),
        "noticed": sum(noticed.values()),
        "share": sum(noticed.values()) / max(len(results), 1),
        "interval": [interval.low, interval.high],
        "modules": {module: [noticed[module], whole[module]] for module in sorted(whole)},
        "survivors": [_named(result) for result in results if not result["noticed"]],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--module", action="append", default=[], help="this module alone; again")
    parser.add_argument("--sample", type=int, help="so many changes of each module")
    parser.add_argument("--draw", type=int, help="so many changes of all together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--done", type=Path, help="keep results here and go on from them")
    parser.add_argument("--minutes", type=float, default=1e9, help="of processor time at most")
    parser.add_argument("--survivors", action="store_true", help="show what nobody noticed")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _chosen(options: argparse.Namespace) -> list[tuple[str, Change, str]]:
    """Module, change and source of everything that is to be tried, without what was tried earlier."""
    done = Counter(_key(result) for result in _earlier(options.done)) if options.done else {}
    chosen: list[tuple[str, Change, str]] = []
    for path in sorted(CODE.glob("*.py")):
        if options.module and path.stem not in options.module:
            continue
        source = path.read_text(encoding="utf-8")
        found = list(judging_changes(source))
        if options.sample and len(found) > options.sample:
            # The same seed gives the same changes of a module, whatever other modules are asked for.
            pick = random.Random(f"{options.seed} {path.stem}")  # noqa: S311  # a sample, no secret
            places = sorted(pick.sample(range(len(found)), options.sample))
            found = [found[place] for place in places]
        chosen += [(path.name, change, source) for change in found]
    # In any order, so that what a limit of time or number leaves is a sample, too.
    random.Random(options.seed).shuffle(chosen)  # noqa: S311  # no secret
    left = []
    for module, change, source in chosen[: options.draw]:
        key = _key(_result(module, change, NOTICED, ""))
        if done.get(key):
            done[key] -= 1
        else:
            left.append((module, change, source))
    return left


def _minutes() -> float:
    """Minutes of processor time that this process and its children took."""
    times = os.times()
    return sum(times[:4]) / 60


def judging_changes(source: str) -> Iterator[Change]:
    """Changes of a module without those of lines that only save time."""
    fast = {n for n, line in enumerate(source.splitlines(), start=1) if FOR_SPEED in line}
    return (change for change in changes(source, unseen=UNSEEN) if change.line not in fast)


def _result(module: str, change: Change, outcome: int, by: str) -> dict[str, Any]:
    return {
        "module": module,
        "line": change.line,
        "kind": change.kind,
        "what": change.what,
        "noticed": outcome != SURVIVED,
        "by": by,
    }


def _key(result: Mapping[str, Any]) -> tuple[Any, ...]:
    return result["module"], result["line"], result["kind"], result["what"]


def _named(result: Mapping[str, Any]) -> str:
    return f"{result['module']}:{result['line']} {result['kind']}: {result['what']}"


def _earlier(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _show(report: Mapping[str, Any]) -> None:
    table = Table("module", "noticed", "of", "share")
    for module, (noticed, whole) in report["modules"].items():
        table.add_row(module, str(noticed), str(whole), f"{100 * noticed / whole:.0f} %")
    screen = Console(highlight=False)
    screen.print(table)
    share = f"{100 * report['share']:.1f} %"
    if report["changes"]:
        share += " ({:.1%} to {:.1%})".format(*report["interval"])
    screen.print(f"{report['noticed']} of {report['changes']} changes noticed: {share}")


if __name__ == "__main__":
    raise SystemExit(main())
