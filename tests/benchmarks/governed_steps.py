"""Walks the governed state machine for many steps: `python -m tests.benchmarks.governed_steps --steps 10000`.

Workflow, publication, recall, rollback, retirement, freezes and time take turns at random; after every step
customers ask. Exit code 1 when something was offered that may not be, with the shortest way there.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time

import structlog
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.property.governed_machine import COUNTS, Governed, profile

WALK = 50  # steps of one walk; each begins with a fresh shop
WALKS_AT_ONCE = 10  # between two signs of progress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    # What the gate refuses on the way is not this report's.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    started, number = time.monotonic(), given.seed
    while COUNTS["steps"] < given.steps:
        machine = seed(number)(type("Governed", (Governed,), {}))
        run_state_machine_as_test(machine, settings=profile(examples=WALKS_AT_ONCE, steps=WALK))
        number += 1
        print(f"{COUNTS['steps']:,} of {given.steps:,} steps", file=sys.stderr, flush=True)
    seconds = round(time.monotonic() - started, 1)
    figures = {"seconds": seconds, **dict(sorted(COUNTS.items()))}
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:32} {value:>10,}")


if __name__ == "__main__":
    main()
