"""The worker as a process: drains on SIGTERM, shares its work, and survives SIGKILL at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from knowledge_base.store import audit
from suggest_api.storage import heartbeat, unit_of_work
from tests.doubles.desk import Parts, build
from tests.doubles.network import Answer, Arrival, Network, running_network
from tests.doubles.rasa import Rasa, running_rasa, say

ROOT = Path(__file__).parents[2]
KEYS = ("hello", "thanks_reply", "anything_else")
PATIENCE = 120.0  # seconds; a broken worker fails the test, a slow machine does not


@pytest.fixture
def network() -> Iterator[Network]:
    with running_network() as running:
        yield running


@pytest.fixture
def rasa() -> Iterator[Rasa]:
    with running_rasa() as running:
        yield running


@pytest.fixture
def live(engine: Engine, network: Network, rasa: Rasa, tmp_path: Path) -> Parts:
    """A desk on the wall clock, whose worker is somebody else."""
    parts = build(engine, tmp_path, send_url=network.url, bot_url=rasa.url)
    object.__setattr__(parts.desk, "clock", lambda: datetime.now(UTC))
    parts.clock = parts.desk.clock  # type: ignore[assignment] # the tests only read it
    return parts


class Process:
    """One worker process; a killed one is replaced at once."""

    def __init__(self, parts: Parts, network: Network, rasa: Rasa, lease: float) -> None:
        url = parts.engine.url.render_as_string(hide_password=False)
        arguments = [url, str(parts.desk.settings.home), network.url, rasa.url, str(lease)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.flow.worker_process", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        self._worker = self._told()

    def _told(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def kill(self) -> None:
        """SIGKILL, and another one in its place."""
        os.kill(self._worker, signal.SIGKILL)
        self._worker = self._told()

    def end(self) -> int:
        """SIGTERM; gives the worker's exit code."""
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
        code = self._process.wait(timeout=20)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


@contextmanager
def working(
    parts: Parts, network: Network, rasa: Rasa, *, count: int = 1, lease: float = 40.0
) -> Iterator[list[Process]]:
    """Worker processes that are ended with the block."""
    processes = [Process(parts, network, rasa, lease) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.end()


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def settled(parts: Parts) -> bool:
    """Nothing waits and nothing is in flight."""
    return not parts.value(
        "SELECT (SELECT count(*) FROM inbox_event WHERE state = 'pending')"
        " + (SELECT count(*) FROM bot_turn WHERE state IN ('ready','leased'))"
        " + (SELECT count(*) FROM outbox WHERE state IN ('ready','leased'))"
    )


def alive(parts: Parts) -> int:
    with unit_of_work.read(parts.engine) as session:
        return heartbeat.alive(session, now=datetime.now(UTC))


def test_a_worker_answers_a_customer_and_drains_when_asked(
    live: Parts, network: Network, rasa: Rasa
) -> None:
    with working(live, network, rasa) as (process,):
        wait_for(lambda: alive(live) == 1)
        rasa.delay = 1.0
        live.write("hi")
        wait_for(lambda: bool(rasa.turns))
        assert process.end() == 0
        # The turn that was in flight is whole; what was not begun waits for the next worker.
        assert live.rows("SELECT state FROM bot_turn") == [("done",)]
        assert alive(live) == 0
    rasa.delay = 0.0
    with working(live, network, rasa):
        wait_for(lambda: len(network.texts("peer-7")) == 1)


def test_two_workers_do_nothing_twice(live: Parts, network: Network, rasa: Rasa) -> None:
    rasa.reply = lambda message, earlier: [say(f"assistant.{KEYS[int(message) % 3]}")]
    peers = [f"peer-{n}" for n in range(5)]
    with working(live, network, rasa, count=2):
        for number in range(6):
            for peer in peers:
                live.write(str(number), peer=peer)
        wait_for(lambda: len(network.order) == 30 and settled(live))
    _check(live, network, rasa, peers=peers, per_peer=6)
    assert len(network.arrivals) == 30
    assert rasa.most_in_flight == 1
    assert live.value("SELECT count(*) FROM delivery_attempt WHERE possible_repeat") == 0


def test_kills_lose_nothing_and_every_repeat_is_marked(
    live: Parts, network: Network, rasa: Rasa
) -> None:
    # A fixed seed, so that a failure can be looked at again.
    chance = random.Random(20)  # noqa: S311 - no secret comes of it
    rasa.reply = lambda message, earlier: [say(f"assistant.{KEYS[int(message) % 3]}")]
    rasa.delay = 0.02

    def shaky(arrival: Arrival, nth: int) -> Answer:
        roll = chance.random()
        if roll < 0.1:
            return Answer(None, keep=roll < 0.05)
        return Answer(503, {}, keep=False) if roll < 0.15 else Answer(delay=0.02)

    network.plan = shaky
    peers = [f"peer-{n}" for n in range(4)]
    written, kills, in_the_middle = 0, 0, 0
    with working(live, network, rasa, count=2, lease=1.5) as processes:
        while kills < 24:
            for peer in peers:
                if written // len(peers) < 12:
                    number = str(written // len(peers))
                    for _ in range(chance.choice((1, 1, 2))):  # networks deliver twice
                        live.write(number, peer=peer, message_id=f"m-{peer}-{number}")
                    written += 1
            time.sleep(chance.uniform(0.1, 0.9))
            in_the_middle += not settled(live)
            processes[kills % 2].kill()
            kills += 1
        wait_for(lambda: settled(live))
    # Most kills met work. Whether one met a send is chance; test_delivery does that on purpose.
    assert in_the_middle >= 12
    _check(live, network, rasa, peers=peers, per_peer=12)


def _check(parts: Parts, network: Network, rasa: Rasa, *, peers: list[str], per_peer: int) -> None:
    """The promises: all of it, in order, once for each customer, repeats marked, conservation."""
    with unit_of_work.read(parts.engine) as session:
        assert audit.verify(session).intact
    assert network.wrong_signatures == 0
    said = {
        key: parts.value(
            "SELECT text FROM revision WHERE snippet_key = :key", key=f"assistant.{key}"
        )
        for key in KEYS
    }
    for peer in peers:
        wanted = [said[KEYS[number % 3]] for number in range(per_peer)]
        assert network.texts(peer) == wanted
        asked = [words for author, words in parts.said(peer) if author == "customer"]
        assert asked == [str(number) for number in range(per_peer)]
        assert {d.state.value for d in parts.deliveries(peer)} == {"sent"}
    assert (
        parts.rows("SELECT DISTINCT state FROM inbox_event WHERE state NOT IN ('done','ignored')")
        == []
    )
    assert parts.value("SELECT count(*) FROM inbox_event WHERE state = 'done'") == per_peer * len(
        peers
    )
    assert parts.value("SELECT count(*) FROM bot_turn WHERE state <> 'done'") == 0
    _check_attempts(parts, network)


def _check_attempts(parts: Parts, network: Network) -> None:
    arrived: dict[str, int] = {}
    for arrival in network.arrivals:
        arrived[arrival.reference] = arrived.get(arrival.reference, 0) + 1
    for reference, times in arrived.items():
        rows = parts.rows(
            "SELECT outcome, possible_repeat FROM delivery_attempt WHERE outbox_id = :id ORDER BY number",
            id=reference,
        )
        assert len(rows) >= times, "the network saw an attempt that is not on disk"
        unsure = False
        for outcome, repeat in rows:
            assert bool(repeat) == unsure
            unsure = unsure or outcome in ("unclear", "interrupted", None)
