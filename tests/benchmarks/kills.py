"""Kills service, worker and assistant at random moments while conversations go on, and reports what came of it.

python -m tests.benchmarks.kills --kills 50 [--seed 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from suggest_api.settings import load_settings
from tests.crash import home, ordeal, verdict


def main() -> int:
    """0 when nothing was lost or doubled, 1 when something was, 2 when it cannot run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False)
    source = load_settings(serving=False)
    reason = home.missing(source)
    if reason:
        screen.print(f"error: {reason}")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="firstline-kills-") as folder:
        own = home.copy_home(source.place.root, Path(folder) / "home")
        settings = home.own_settings(own)
        ledger = ordeal.play(
            settings,
            kills=options.kills,
            seed_number=options.seed,
            logs=own / "logs",
            tell=screen.print,
        )
        found = verdict.judge(
            ledger,
            database_url=settings.place.database_url,
            network=own / "network" / "network.db",
        )
    report = {
        "kills": dict(ledger.kills),
        "seed": options.seed,
        "seconds": round(time.monotonic() - began, 1),
        **asdict(found),
    }
    if options.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _show(report, screen)
    return 1 if found.problems else 0


def _show(report: dict[str, object], screen: Console) -> None:
    table = Table(box=None, show_header=False)
    for name, value in report.items():
        if name != "problems":
            table.add_row(name.replace("_", " "), str(value))
    screen.print(table)
    problems = report["problems"]
    assert isinstance(problems, list)
    for problem in problems:
        screen.print(f"[red]problem:[/red] {problem}", markup=True)
    if not problems:
        screen.print("Nothing lost, nothing doubled.")


if __name__ == "__main__":
    sys.exit(main())
