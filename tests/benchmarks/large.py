"""A large knowledge base from import to search, similar snippets and board: times and memory of every step.

    python -m tests.benchmarks.large [--snippets 10000] [--real] [--json]

The snippets are made of templates and entities, ten phrasings each. The encoder is the tests' small one with as
many numbers per vector as the packaged one has (384), so that index, learning and gate cost what they would;
encoding 100,000 texts with the packaged one (--real, taken from the set-up home) takes minutes more.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from knowledge_base import exchange, publish
from knowledge_base.exchange.csv_file import write as write_csv
from knowledge_base.home import Home
from knowledge_base.policy import load_policy
from knowledge_base.similarity.alike import find_similar
from knowledge_base.similarity.duplicates import find_duplicates
from knowledge_base.store import golden, migrate, repository
from knowledge_base.store.engine import open_engine, read_session, write_session
from tests import tiny_encoder
from tests.benchmarks import board

DIMENSION = 384  # of the packaged encoder
QUESTIONS = 500  # golden questions of the gate
SEARCHES = 200
EDITED = 20  # snippets that the second publication changes

THINGS = [
    "boots",
    "sandals",
    "trainers",
    "coat",
    "jacket",
    "dress",
    "skirt",
    "jumper",
    "shirt",
    "scarf",
    "hat",
    "gloves",
    "lamp",
    "rug",
    "sofa",
    "table",
    "chair",
    "mirror",
    "cushion",
    "duvet",
    "pillow",
    "towel",
    "curtain",
    "vase",
    "candle",
    "mug",
    "plate",
    "kettle",
    "toaster",
    "blanket",
    "mattress",
    "shelf",
    "wardrobe",
    "desk",
    "stool",
    "basket",
    "clock",
    "frame",
    "planter",
    "apron",
]
PLACES = [
    "Leeds",
    "York",
    "Bath",
    "Derby",
    "Exeter",
    "Truro",
    "Perth",
    "Dundee",
    "Cardiff",
    "Swansea",
    "Belfast",
    "Derry",
    "Oxford",
    "Ely",
    "Ripon",
    "Wells",
    "Lisburn",
    "Newry",
    "Durham",
    "Stoke",
    "Lincoln",
    "Chester",
    "Preston",
    "Salford",
    "Bradford",
]
# Beyond 10,000 snippets the places come again with each of these.
DISTRICTS = ["North", "South", "East", "West", "Harbour", "Station", "Market", "Castle", "Abbey"]
MATTERS = (
    ("return", "send back", "You can bring {thing} back to our {place} shop within 30 days."),
    ("repair", "get mended", "Our {place} shop has {thing} mended within two weeks."),
    ("stock", "buy", "Our {place} shop has {thing} in its autumn range."),
    ("collect", "pick up", "You can pick up your {thing} in {place} for seven days."),
    ("price", "match the price of", "Ask in {place} and we look at the price of the {thing}."),
    (
        "warranty",
        "claim the warranty on",
        "Your {thing} from {place} has a warranty of two years.",
    ),
    ("care", "clean", "Our {place} shop tells you how to clean your {thing}."),
    ("swap", "exchange", "Our {place} shop swaps your {thing} for another size."),
    ("order", "order", "You can order the {thing} in our {place} shop."),
    ("parts", "get parts for", "Our {place} shop has parts for your {thing}."),
)
ASKED = (
    "how do i {verb} my {thing} in {place}",
    "can i {verb} {thing} at {place}",
    "{verb} {thing} {place}?",
    "hi, i need to {verb} the {thing}, i live near {place}",
    "is it possible to {verb} a {thing} in your {place} branch",
    "who in {place} helps me {verb} {thing}",
    "want to {verb} {thing}, {place} shop",
    "where in {place} do i {verb} the {thing} please",
    "{place}: {verb} {thing}??",
    "my {thing} - can the {place} store {verb} it",
)
NEW = "tell me how {place} lets me {verb} the {thing}"  # no snippet has this phrasing


def main() -> int:
    """0 when every step worked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--snippets", type=int, default=10_000)
    parser.add_argument("--real", action="store_true", help="the set-up home's encoder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False)
    steps = Steps(screen)
    with tempfile.TemporaryDirectory(prefix="firstline-large-") as folder:
        report = run(Path(folder), steps, count=options.snippets, real=options.real)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)
    return 0


class Steps:
    """Seconds and peak memory by step."""

    def __init__(self, screen: Console) -> None:
        self.done: list[dict[str, Any]] = []
        self._screen = screen

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Times the block; what it puts into the dict is kept beside."""
        self._screen.print(f"{name} ...")
        more: dict[str, Any] = {}
        began, busy = time.monotonic(), time.process_time()
        yield more
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        row = {
            "step": name,
            "seconds": round(time.monotonic() - began, 1),
            "cpu_seconds": round(
                time.process_time() - busy, 1
            ),  # what it takes on an idle machine
            "peak_mb": round(peak),
        }
        self.done.append({**row, **more})
        shown = {key: value for key, value in more.items() if key != "looks"}
        self._screen.print(
            f"  {row['seconds']} s ({row['cpu_seconds']} of the processor), {shown}"
        )


def run(folder: Path, steps: Steps, *, count: int, real: bool) -> dict[str, Any]:
    """Import, build, gate, search, similar snippets and board, on SQLite."""
    home = Home.at(folder / "home")
    engine = open_engine(home.database_url)
    migrate.upgrade(engine)
    cases = list(itertools.islice(make(), count))
    if real:
        source = Home.from_environment()
        home.encoders.symlink_to(source.encoders)
    else:
        tiny_encoder.DIMENSION = DIMENSION
        tiny_encoder.install(home, [*THINGS, *PLACES, *ASKED, *(m[1] + m[2] for m in MATTERS)])
    file = folder / "large.csv"
    file.write_text(write_csv(row for row, _ in cases), encoding="utf-8", newline="")
    policy, now = load_policy(), lambda: datetime.now(UTC)
    with steps.step("import and approve") as more, write_session(engine) as session:
        report = exchange.import_file(
            session, file, policy=policy, author="Ana", approve_as="Noor", now=now()
        )
        more |= {"snippets": len(report.added), "phrasings": report.phrasings}
    with steps.step("build and publish"):
        publish.build(home, engine, now=now())
    with write_session(engine) as session:
        stride = max(1, len(cases) // QUESTIONS)
        questions = [
            golden.NewQuestion(question=asked, expected_key=row[0])
            for row, asked in cases[::stride]
        ]
        golden.add_all(session, questions, by="Noor", now=now())
        for row, _ in cases[:EDITED]:
            live = repository.live_revision(session, row[0])
            assert live is not None
            added = repository.add_revision(session, edited(live.content), author="Ana", now=now())
            repository.submit(session, added.id, by="Ana", now=now())
            repository.approve(session, added.id, by="Noor", now=now(), policy=policy)
        number = publish.request(session, by="Ana", now=now()).id
    marks: dict[str, float] = {}

    def progress(step: str, _done: int, _total: int) -> None:
        marks.setdefault(step, time.monotonic())

    with steps.step("candidate of an edit, with its gate") as more:
        candidate = publish.prepare_candidate(home, engine, number, clock=now, progress=progress)
        gate = time.monotonic() - marks["Comparing"]
        tally = candidate.report.golden
        more |= {
            "gate_seconds": round(gate, 1),
            "questions": tally.total,
            "right_before": tally.right_before,
            "right_after": tally.right_after,
            "passes": candidate.report.passes,
        }
    with steps.step("publish the candidate"):
        if candidate.report.passes:
            publish.publish_ready(home, engine, number, by="Ana", now=now())
    with steps.step("open the generation"):
        ranker = publish.open_ranker(home, threads=1)
    with steps.step("rank questions") as more:
        asked = [question for _, question in cases[:: max(1, len(cases) // SEARCHES)]]
        more |= timed(lambda text: ranker.rank([text], limit=3), asked)
    with steps.step("read what is live"), read_session(engine) as session:
        live_now = repository.all_live(session)
    with steps.step("similar snippets while writing") as more, read_session(engine) as session:
        written = [replace(one.content, key="new.one") for one in live_now[:: len(live_now) // 40]]
        find_similar(session, ranker, written[0])
        more |= timed(lambda one: find_similar(session, ranker, one), written)
    with steps.step("report of duplicates") as more, read_session(engine) as session:
        more |= {"pairs": len(find_duplicates(session, ranker).pairs)}
    with steps.step("board, filters and searches") as more:
        looked = board.looks(engine)
        slowest = max(looked, key=lambda name: looked[name]["median_ms"])
        more |= {"board_ms": looked["board"]["median_ms"], "slowest": slowest}
        more |= {"slowest_ms": looked[slowest]["median_ms"], "looks": looked}
    engine.dispose()
    return {"snippets": len(cases), "load": list(os.getloadavg()), "steps": steps.done}


def timed(work: Callable[[Any], object], asked: Sequence[Any]) -> dict[str, float]:
    """Milliseconds of each call."""
    took = []
    for one in asked:
        began = time.perf_counter()
        work(one)
        took.append((time.perf_counter() - began) * 1000)
    return {
        "p50_ms": round(float(np.quantile(took, 0.5)), 1),
        "p99_ms": round(float(np.quantile(took, 0.99)), 1),
    }


def make() -> Iterator[tuple[list[str], str]]:
    """Rows of an import file, each with a question that none of its phrasings is."""
    columns = exchange.COLUMNS
    places = [*PLACES, *(f"{place} {name}" for name in DISTRICTS for place in PLACES)]
    for place, (topic, verb, text), thing in itertools.product(places, MATTERS, THINGS):
        words = {"thing": thing, "place": place, "verb": verb}
        row = dict.fromkeys(columns, "")
        row |= {
            "key": f"{topic}.{thing}_{place.lower().replace(' ', '_')}",
            "title": f"{topic} {thing} in {place}",
            "text": text.format(**words),
            "examples": "\n".join(form.format(**words) for form in ASKED),
            "topic": topic,
        }
        yield [row[column] for column in columns], NEW.format(**words)


def edited(content: Any) -> Any:
    """The same snippet in slightly other words."""
    return replace(
        content, text=content.text.replace("our", "the").replace("Our", "The") + " Ask us."
    )


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table("step", "s", "processor s", "peak MB", "", box=None)
    for row in report["steps"]:
        rest = {
            k: v
            for k, v in row.items()
            if k not in {"step", "seconds", "cpu_seconds", "peak_mb", "looks"}
        }
        more = ", ".join(f"{name} {value}" for name, value in rest.items())
        table.add_row(
            row["step"], str(row["seconds"]), str(row["cpu_seconds"]), str(row["peak_mb"]), more
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
