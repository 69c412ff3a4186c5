"""How fast the board is with many snippets: `python -m tests.benchmarks.board --snippets 10000 --phrasings 10`.

Fills an empty SQLite database (or the one of --url) and prints milliseconds, the median and the worst of several
looks, for the whole board, its columns, filters, searches and the last page.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from knowledge_base.curation.board import BoardFilter, Column, board, choices
from knowledge_base.curation.queue import review_queue
from knowledge_base.curation.verification import due
from knowledge_base.snippet import Revision, SnippetContent, Status
from knowledge_base.store import migrate
from knowledge_base.store.batch import Step, apply_steps, lock_snippets
from knowledge_base.store.engine import open_engine, read_session, write_session
from knowledge_base.store.people import ensure_person
from knowledge_base.store.repository import go_live
from knowledge_base.store.revisions import TABLE

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LOOKS = 5
WORDS = [
    "parcel",
    "refund",
    "size",
    "colour",
    "shop",
    "voucher",
    "order",
    "late",
    "broken",
    "courier",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snippets", type=int, default=10_000)
    parser.add_argument("--phrasings", type=int, default=10)
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(given.url or f"sqlite:///{Path(folder) / 'board.db'}")
        migrate.upgrade(engine)
        started = time.perf_counter()
        fill(engine, snippets=given.snippets, phrasings=given.phrasings)
        figures = {"fill_seconds": round(time.perf_counter() - started, 1), **looks(engine)}
        engine.dispose()
    print(
        json.dumps({"snippets": given.snippets, "phrasings": given.phrasings, **figures}, indent=2)
    )


def fill(engine: Engine, *, snippets: int, phrasings: int) -> None:
    """Most are live, and some of each other kind; written as imports write."""
    chance = random.Random(7)  # noqa: S311 - the same board every time
    steps = [
        Step(before=None, after=_revision(number, chance, phrasings)) for number in range(snippets)
    ]
    with write_session(engine) as session:
        for person in ("ana", "tomas"):
            ensure_person(session, person, now=NOW)
        lock_snippets(session, [step.after.key for step in steps], now=NOW)
        apply_steps(session, steps, now=NOW)
        approved = TABLE.c.status == Status.APPROVED.value
        rows = session.execute(TABLE.select().with_only_columns(TABLE.c.id).where(approved))
        go_live(session, [row.id for row in rows if row.id % 50])


def _revision(number: int, chance: random.Random, phrasings: int) -> Revision:
    def words(count: int) -> str:
        return " ".join(chance.choices(WORDS, k=count))

    content = SnippetContent(
        key=f"topic{number % 40}.answer-{number:06}",
        title=words(3),
        text=f"{words(12)} {number}.",
        examples=tuple(f"{words(6)} {n}" for n in range(phrasings)),
        topic=f"topic{number % 40}",
        tags=(f"tag{number % 25}", "all"),
        owner=f"team {number % 7}",
        channels=("x",) if number % 5 == 0 else (),
    )
    status = chance.choices(
        [Status.APPROVED, Status.DRAFT, Status.IN_REVIEW, Status.RETIRED], [90, 5, 2, 3]
    )[0]
    approved = status is Status.APPROVED
    return Revision(
        id=0,
        number=1,
        content=content,
        content_hash=content.content_hash,
        status=status,
        author="ana",
        created_at=NOW,
        submitted_at=None if status is Status.DRAFT else NOW,
        approved_by="tomas" if approved else None,
        approved_at=NOW - timedelta(days=number % 80) if approved else None,
        policy_version="benchmark" if approved else None,
        retired_by="tomas" if status is Status.RETIRED else None,
        retired_at=NOW if status is Status.RETIRED else None,
    )


def looks(engine: Engine) -> dict[str, dict[str, float]]:
    """Milliseconds of each kind of look."""
    filters = {
        "board": BoardFilter(),
        **{f"column {c.value}": BoardFilter(column=c) for c in Column if c is not Column.ALL},
        "topic and tag": BoardFilter(topic="topic3", tag="tag3"),
        "channel": BoardFilter(channel="x"),
        "one word": BoardFilter(words="refund"),
        "three words": BoardFilter(words="refund courier voucher"),
        "word that is not there": BoardFilter(words="xylophone"),
        "not ASCII": BoardFilter(words="größe"),
    }
    with read_session(engine) as session:
        kinds: dict[str, Callable[[], object]] = {
            name: (lambda f=each: board(session, f, now=NOW)) for name, each in filters.items()
        }
        kinds["last page"] = lambda: board(session, BoardFilter(), now=NOW, page=10_000)
        kinds["choices"] = lambda: choices(session)
        kinds["due"] = lambda: due(session, now=NOW)
        kinds["review queue"] = lambda: review_queue(session, by="tomas", teams=["*"])
        return {name: _timed(look) for name, look in kinds.items()}


def _timed(look: Callable[[], object]) -> dict[str, float]:
    taken, worked = [], []
    for _ in range(LOOKS):
        started, busy = time.perf_counter(), time.process_time()
        look()
        taken.append(1000 * (time.perf_counter() - started))
        worked.append(1000 * (time.process_time() - busy))
    return {
        "median_ms": round(statistics.median(taken), 1),
        "worst_ms": round(max(taken), 1),
        "processor_ms": round(statistics.median(worked), 1),  # what it takes on an idle machine
    }


if __name__ == "__main__":
    main()
