"""From approve to live and from recall to gone, while agents ask for suggestions.

    python -m tests.benchmarks.publish_under_load [--rate 50] [--workers 2] [--json]

The service, its worker (FIRSTLINE_AUTO_PUBLISH=1) and the load run on this machine, on SQLite, with the starter
content and the tests' small encoder with 384 numbers per vector. Requests come at random moments, whether or not
earlier ones were answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console

from knowledge_base import exchange, publish
from knowledge_base.exchange import golden_file
from knowledge_base.home import Home
from knowledge_base.policy import load_policy
from knowledge_base.store import golden, migrate, repository
from knowledge_base.store.engine import open_engine, read_session, write_session
from suggest_api.access.model import Scope
from suggest_api.access.service import create_key
from suggest_api.server import bind
from tests import tiny_encoder

CONTENT = Path(__file__).resolve().parents[2] / "knowledge_base" / "content"
DIMENSION = 384  # of the packaged encoder
WAIT_SECONDS = 300.0  # for anything: the machine may be busy
SETTLE_SECONDS = 5.0  # of load before, between and after


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was sent (monotonic), how long it took, its status and what it offered."""

    at: float
    took: float
    status: int
    texts: tuple[str, ...]


def main() -> int:
    """0 when every request was answered and nothing recalled was offered, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--workers", type=int, default=2, help="serving processes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="firstline-publish-") as folder:
        report = measure(Path(folder), screen, rate=options.rate, workers=options.workers)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name:32} {value}")
    return 1 if report["not_answered"] or report["offered_after_recall"] else 0


def measure(folder: Path, screen: Console, *, rate: float, workers: int) -> dict[str, Any]:
    """Set up, start, and play it once."""
    home = Home.at(folder / "home")
    screen.print("setting up ...")
    key = set_up(home)
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    own = {
        "FIRSTLINE_HOME": str(home.root),
        "FIRSTLINE_DATABASE_URL": home.database_url,
        "FIRSTLINE_DEMO": "1",
        "FIRSTLINE_BOT_URL": "none",
        "FIRSTLINE_PORT": str(port),
        "FIRSTLINE_WORKERS": str(workers),
        "FIRSTLINE_AUTO_PUBLISH": "1",
        "FIRSTLINE_LOG_LEVEL": "error",
    }
    with ExitStack() as stack:
        for part in ("serve", "worker"):
            process = subprocess.Popen(
                [sys.executable, "-m", "suggest_api.cli", part],
                env={**os.environ, **own},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        until_ready(f"http://127.0.0.1:{port}")
        screen.print("load ...")
        report = asyncio.run(play(home, f"http://127.0.0.1:{port}", key, rate=rate))
    return {"rate": rate, "workers": workers, "load_average": os.getloadavg()[0], **report}


def set_up(home: Home) -> str:
    """The starter content, live, with the development questions at the gate; returns an API key."""
    engine = open_engine(home.database_url)
    migrate.upgrade(engine)
    policy, now = load_policy(), datetime.now(UTC)
    with write_session(engine) as session:
        exchange.import_file(
            session,
            CONTENT / "snippets",
            policy=policy,
            author="maya",
            approve_as="tomas",
            now=now,
        )
        planned = golden_file.plan(
            session, (CONTENT / "development.csv").read_bytes(), name="development.csv"
        )
        golden.add_all(session, planned.questions, by="tomas", now=now)
        key = create_key(session, "load", scopes={Scope.SUGGEST}, now=now)
        texts = [
            text
            for revision in repository.approved_revisions(session)
            for text in (revision.content.text, *revision.content.examples)
        ]
    tiny_encoder.DIMENSION = DIMENSION
    tiny_encoder.install(home, texts)
    publish.build(home, engine, now=now)
    engine.dispose()
    return key


async def play(home: Home, url: str, key: str, *, rate: float) -> dict[str, Any]:
    """Load all the time; approve an edit, wait until it is offered, recall it."""
    engine = open_engine(home.database_url)
    with read_session(engine) as session:
        before = sorted(repository.all_live(session), key=lambda r: -len(r.content.examples))[0]
    words = before.content.text.rstrip(".") + ", as of today."
    edited = replace(before.content, text=words)
    stop = asyncio.Event()
    answers: list[Answer] = []
    load = asyncio.create_task(
        keep_asking(url, key, before.content.examples, answers, stop, rate=rate)
    )
    await asyncio.sleep(SETTLE_SECONDS)
    approved = await asyncio.to_thread(approve, engine, edited)
    end = approved + WAIT_SECONDS
    # Looks at what another task wrote; an event would be set by every request.
    while time.monotonic() < end and not any(words in a.texts for a in answers[-200:]):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(SETTLE_SECONDS)
    recalled = await asyncio.to_thread(recall, engine, before.key)
    await asyncio.sleep(SETTLE_SECONDS)
    stop.set()
    await load
    engine.dispose()
    return figures(answers, words, approved=approved, recalled=recalled)


def approve(engine: Any, content: Any) -> float:
    """Approve an edit and ask for its publication, as the console does; returns when that was committed."""
    policy, now = load_policy(), datetime.now(UTC)
    with write_session(engine) as session:
        draft = repository.add_revision(session, content, author="maya", now=now)
        repository.submit(session, draft.id, by="maya", now=now)
        repository.approve(session, draft.id, by="tomas", now=now, policy=policy)
        publish.request(session, by="tomas", now=now)
    return time.monotonic()


def recall(engine: Any, key: str) -> float:
    """Pull what is live of it; returns when that was committed."""
    with write_session(engine) as session:
        repository.recall(session, key, by="tomas", reason="measured", now=datetime.now(UTC))
    return time.monotonic()


async def keep_asking(
    url: str,
    key: str,
    questions: tuple[str, ...],
    answers: list[Answer],
    stop: asyncio.Event,
    *,
    rate: float,
) -> None:
    """`rate` requests a second at random moments until `stop`."""
    chance = random.Random(1)  # noqa: S311  # repeatable, not secret
    headers = {"authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=None)

    async def one(text: str) -> None:
        body = {
            "channel": "generic",
            "messages": [{"author": "customer", "text": text}],
            "customer": {"first_name": "Ana"},
            "facts": {"order_number": "QH-1048213"},
            "limit": 3,
        }
        began = time.monotonic()
        status, texts = 0, ()
        try:
            answer = await http.post(f"{url}/v1/suggestions", json=body, headers=headers)
            status = answer.status_code
            if status == httpx.codes.OK:
                texts = tuple(each["text"] for each in answer.json()["suggestions"])
        except httpx.HTTPError:
            pass
        answers.append(Answer(began, time.monotonic() - began, status, texts))

    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as http:
        tasks: list[asyncio.Task[None]] = []
        while not stop.is_set():
            await asyncio.sleep(chance.expovariate(rate))
            tasks.append(asyncio.create_task(one(questions[len(tasks) % len(questions)])))
        await asyncio.gather(*tasks)


def figures(
    answers: list[Answer], words: str, *, approved: float, recalled: float
) -> dict[str, Any]:
    """Seconds and counts. A request counts as asked after the recall when it was sent after the commit."""
    ordered = sorted(answers, key=lambda each: each.at)
    took = [each.took for each in ordered if each.status == httpx.codes.OK]
    live = [each.at + each.took for each in ordered if words in each.texts]
    late = [each for each in ordered if each.at >= recalled and words in each.texts]
    last = max((at for at in live if at >= recalled), default=recalled)
    return {
        "requests": len(ordered),
        "not_answered": sum(each.status != httpx.codes.OK for each in ordered),
        "p50_ms": round(float(np.quantile(took, 0.5)) * 1000, 1),
        "p99_ms": round(float(np.quantile(took, 0.99)) * 1000, 1),
        "approve_to_live_seconds": round(min(live) - approved, 1) if live else None,
        "recall_to_gone_seconds": round(last - recalled, 3),
        "offered_after_recall": len(late),
    }


def until_ready(url: str) -> None:
    """Wait for the service. Raises RuntimeError."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    msg = f"the service was not ready within {WAIT_SECONDS:.0f} s"
    raise RuntimeError(msg)


if __name__ == "__main__":
    sys.exit(main())
