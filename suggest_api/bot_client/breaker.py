"""Stops asking an assistant that keeps failing, so that customers do not each wait for its deadline."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

# One failure may be one odd message; three in a row, with nothing answered between them, are an outage.
FAILURES = 3
# Seconds in which they must fall. A hanging assistant fails every 5 s (its deadline): three make 10 to 15 s
# with one conversation at a time. Failures further apart say little about the next turn.
WINDOW_SECONDS = 30.0
# Seconds without asking: three deadlines. Restarting Rasa takes 20 to 40 s, so two or three probes see it
# come back, and a customer waits at most this long for the assistant after it did.
OPEN_SECONDS = 15.0


class Breaker:
    """Closed, it lets every turn through; open, none; half-open, one probe whose outcome decides.

    Safe to share between threads. `ticks` are seconds of a clock that never goes back.
    """

    def __init__(self, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._lock = threading.Lock()
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._opened_at: float | None = None
        self._probing_since: float | None = None

    def allows(self) -> bool:
        """Whether the assistant may be asked now; whoever is let through must tell the outcome."""
        with self._lock:
            if self._opened_at is None:
                return True
            now = self._ticks()
            if now - self._opened_at < OPEN_SECONDS:
                return False
            # A probe whose thread died must not keep it shut for ever.
            if self._probing_since is not None and now - self._probing_since < OPEN_SECONDS:
                return False
            self._probing_since = now
            return True

    def succeeded(self) -> None:
        """It answered: whatever failed before is forgotten."""
        with self._lock:
            self._failures.clear()
            self._opened_at = self._probing_since = None

    def failed(self) -> bool:
        """It did not answer; True if that opened the breaker, or opened it again."""
        with self._lock:
            now = self._ticks()
            self._failures.append(now)
            if self._opened_at is not None:
                if self._probing_since is None:
                    return False  # it was asked before the breaker opened, and came back late
            elif len(self._failures) < FAILURES or now - self._failures[0] > WINDOW_SECONDS:
                return False
            self._opened_at, self._probing_since = now, None
            return True
