"""Times the verdicts of two checkouts in turn, so that a machine that is busy slows both alike.

    python -m tests.benchmarks.policy_time CHECKOUT [--turns 6] [--json]

CHECKOUT is another working tree (`git worktree add ../before COMMIT`); its code, packs and reader judge the same
texts as those of this one: replies of `training_data/policy_replies` that are 100 to 139 characters long, short
ones in a row. Each tree judges in a child process of its own, `SLICE` texts at a time; times are processor time.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

ROOT = Path(__file__).parents[2]
KINDS = {"compliant": ("ordinary", "near"), "violating": ("plain", "indirect")}
TEXTS, SLICE = 300, 25  # of each kind
SHORTEST, LONGEST = 100, 139  # code points


def main() -> int:
    """0 when it has measured, 2 when it cannot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.checkout.joinpath("knowledge_base", "policy").is_dir():
        Console(stderr=True).print(f"error: {options.checkout} is no checkout of Firstline")
        return 2
    trees = [_Tree(options.checkout.resolve()), _Tree(ROOT)]
    report = {
        kind: compared(trees, texts(kinds), turns=options.turns)
        for kind, kinds in (*KINDS.items(), ("disguised", ("disguised",)))
    }
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for kind, row in report.items():
            Console(highlight=False).print(
                f"{kind}: median {row['ms'][0]:.2f} ms there, {row['ms'][1]:.2f} ms here;"
                f" ratio {row['ratio']:.2f} (turns {min(row['ratios']):.2f} to {max(row['ratios']):.2f})"
            )
    return 0


def texts(kinds: Sequence[str]) -> list[str]:
    """Replies of these kinds that are nearly as long as they may be; always the same."""
    found: list[str] = []
    for reply in _shuffled(kinds):
        joined = f"{found[-1]} {reply}" if found and len(found[-1]) < SHORTEST else reply
        if found and joined != reply:
            found.pop()
        found.append(joined[:LONGEST].strip())
    return [text for text in found if len(text) >= SHORTEST][:TEXTS]


def _shuffled(kinds: Sequence[str]) -> list[str]:
    read: list[str] = []
    for path in sorted(ROOT.joinpath("training_data", "policy_replies").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            read += [row["text"] for row in csv.DictReader(file) if row["kind"] in kinds]
    random.Random(0).shuffle(read)  # noqa: S311 - a fixed order, no secret
    return read


class _Tree:
    """A checkout whose verdicts a child process times."""

    def __init__(self, root: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-BP", __file__, "--child"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def times(self, chosen: Sequence[str]) -> list[float]:
        """Milliseconds of processor time of each verdict."""
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(chosen) + "\n")
        self._child.stdin.flush()
        answer: list[float] = json.loads(self._child.stdout.readline())
        return answer


def compared(trees: Sequence[_Tree], chosen: Sequence[str], *, turns: int) -> Mapping[str, Any]:
    """Medians of both over the texts, of the best of all turns for each text, and the ratios of the turns."""
    taken: list[list[list[float]]] = [[], []]
    for turn in range(turns + 1):
        spent: list[list[float]] = [[], []]
        for number, start in enumerate(range(0, len(chosen), SLICE)):
            for tree in (0, 1) if (turn + number) % 2 else (1, 0):
                spent[tree] += trees[tree].times(chosen[start : start + SLICE])
        if turn:  # the first warms up
            for tree in (0, 1):
                taken[tree].append(spent[tree])
    best = [statistics.median(map(min, zip(*rows, strict=True))) for rows in taken]
    medians = [[statistics.median(row) for row in rows] for rows in taken]
    ratios = [here / there for there, here in zip(*medians, strict=True)]
    return {
        "texts": len(chosen),
        "ms": best,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def _children() -> Iterator[list[float]]:
    from knowledge_base.policy import judge, load_policy

    policy = load_policy()
    for line in sys.stdin:
        spent = []
        for text in json.loads(line):
            started = time.process_time()
            judge(policy, text, channel="generic")
            spent.append(1000 * (time.process_time() - started))
        yield spent


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        for answer in _children():
            print(json.dumps(answer), flush=True)
    else:
        raise SystemExit(main())
