"""Deletes what Rasa remembers of idle sessions: tracker.db holds what customers wrote; a day is long enough."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

log = logging.getLogger("bot.retention")

# A form that somebody left half filled yesterday is not taken up again; the service keeps the conversation itself.
IDLE_SECONDS = 24 * 3600.0
# So nothing is older than 25 hours. Looking takes milliseconds with a day's sessions.
EVERY_SECONDS = 3600.0
# Rasa's own transactions take milliseconds.
BUSY_SECONDS = 5.0


def forget_idle(tracker_db: Path, *, now: float, idle_seconds: float = IDLE_SECONDS) -> int:
    """Delete every event of the sessions whose last one is older than `idle_seconds`; return how many.

    `now` is in seconds since 1970, as Rasa's timestamps are. Nothing happens where there is no database yet.

    Raises:
        sqlite3.Error: the database cannot be read or written now.
    """
    if not tracker_db.is_file():
        return 0
    with closing(sqlite3.connect(tracker_db, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA secure_delete = ON")  # overwritten, not only unlinked
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
            return 0
        with connection:
            done = connection.execute(
                "DELETE FROM events WHERE sender_id IN"
                " (SELECT sender_id FROM events GROUP BY sender_id HAVING max(timestamp) < ?)",
                (now - idle_seconds,),
            )
        return done.rowcount


class Retention:
    """Forgets at once and then every hour, beside the server, until it is stopped."""

    def __init__(
        self,
        tracker_db: Path,
        *,
        clock: Callable[[], float] = time.time,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._tracker_db = tracker_db
        self._clock = clock
        self._every = every_seconds
        self._over = threading.Event()
        # A daemon: it must not keep a process alive whose server has ended.
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Forget once, then go on in the background."""
        self._forget()
        self._thread.start()

    def stop(self) -> None:
        """End the background thread; waits for a deletion in hand."""
        self._over.set()
        self._thread.join(timeout=BUSY_SECONDS)

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self._forget()

    def _forget(self) -> None:
        try:
            number = forget_idle(self._tracker_db, now=self._clock())
        except sqlite3.Error as error:
            log.warning("idle sessions not deleted, trying again later: %s", type(error).__name__)
            return
        if number:
            log.info("deleted %d events of idle sessions", number)
