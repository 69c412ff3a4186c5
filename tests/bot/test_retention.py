"""What Rasa remembers of idle sessions is deleted and gone from the file; live sessions keep all of theirs."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.retention import IDLE_SECONDS, Retention, forget_idle

NOW = 1_800_000_000.0
HOUR = 3600.0
CANARY = "canary-word"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


async def remember(database: Path, sender: str, *ages: float) -> None:
    """Store events with Rasa's own code, `ages` seconds ago."""
    store = SQLTrackerStore(Domain.empty(), dialect="sqlite", db=str(database))
    events = [UserUttered(f"{CANARY} {sender}", timestamp=NOW - age) for age in ages]
    await store.save(DialogueStateTracker.from_events(sender, events))
    store.engine.dispose()


def senders(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("SELECT sender_id FROM events ORDER BY 1")]


def run(coroutine: object) -> None:
    import asyncio

    asyncio.run(coroutine)  # type: ignore[arg-type]  # any of the coroutines above


def test_idle_sessions_go_and_live_ones_keep_everything(database: Path) -> None:
    run(remember(database, "idle", 30 * HOUR, 25 * HOUR))
    run(remember(database, "live", 30 * HOUR, 1 * HOUR))
    assert forget_idle(database, now=NOW) == 2
    assert senders(database) == ["live", "live"]
    assert b"canary-word idle" not in database.read_bytes()
    assert b"canary-word live" in database.read_bytes()
    assert forget_idle(database, now=NOW) == 0


def test_a_day_is_the_limit(database: Path) -> None:
    run(remember(database, "a", IDLE_SECONDS - 1))
    assert forget_idle(database, now=NOW) == 0
    assert forget_idle(database, now=NOW + 2) == 1


def test_nothing_to_do_before_the_first_session(database: Path) -> None:
    assert forget_idle(database, now=NOW) == 0
    assert not database.exists(), (
        "looking must not make a database that Rasa would take for its own"
    )
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE other (a)")
    assert forget_idle(database, now=NOW) == 0


def test_it_forgets_at_the_start_and_again_and_again(database: Path) -> None:
    run(remember(database, "first", 48 * HOUR))
    seen = threading.Semaphore(0)
    late = NOW

    def clock() -> float:
        seen.release()
        return late

    retention = Retention(database, clock=clock, every_seconds=0.01)
    retention.start()
    assert senders(database) == []
    run(remember(database, "second", 0))
    late = NOW + 48 * HOUR
    for _ in range(50):  # several rounds after the clock moved
        assert seen.acquire(timeout=30)
    retention.stop()
    assert senders(database) == []


def test_a_database_that_is_held_is_left_for_the_next_time(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run(remember(database, "idle", 48 * HOUR))
    monkeypatch.setattr("bot.retention.BUSY_SECONDS", 0.05)
    retention = Retention(database, clock=lambda: NOW)
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        retention.start()
        holder.execute("ROLLBACK")
    retention.stop()
    assert senders(database) == ["idle"]
    assert CANARY not in caplog.text
    assert "trying again later" in caplog.text
