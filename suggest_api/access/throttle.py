"""Holding back sign-ins after failures: per name and per address, in memory."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from suggest_api.errors import TooManyAttempts

# NIST SP 800-63B section 5.2.2 allows up to 100 failures in a row; five let a person mistype and leave a
# guesser 480 tries a day for one name.
FREE_FAILURES = 5
# An office shares one address, so it gets more.
FREE_FAILURES_PER_ADDRESS = 30
WINDOW = timedelta(minutes=15)
MOST_REMEMBERED = 10_000  # entries; the oldest go first, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    first_at: datetime


class Throttle:
    """Counts failures in windows of 15 minutes; one process, one memory.

    A restart forgets, and two service processes count apart: a brake on guessing, not a lock. A name that
    does not exist is counted like one that does, so the answer tells nothing.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, *, name: str, address: str, now: datetime) -> None:
        """Raise TooManyAttempts while this name or this address has failed too often."""
        with self._lock:
            for key, free in self._keys(name, address):
                failures = self._current(key, now)
                if failures is not None and failures.count >= free:
                    wait = math.ceil((failures.first_at + WINDOW - now).total_seconds())
                    msg = f"too many failed sign-ins: try again in {math.ceil(wait / 60)} minutes"
                    raise TooManyAttempts(msg, retry_after=wait)

    def failed(self, *, name: str, address: str, now: datetime) -> None:
        """Count a failure."""
        with self._lock:
            for key, _free in self._keys(name, address):
                before = self._current(key, now)
                count, first_at = (0, now) if before is None else (before.count, before.first_at)
                self._seen[key] = _Failures(count + 1, first_at)
                self._seen.move_to_end(key)
            while len(self._seen) > MOST_REMEMBERED:
                self._seen.popitem(last=False)

    def succeeded(self, *, name: str) -> None:
        """Forget the failures of a name; those of the address stay, since others share it."""
        with self._lock:
            self._seen.pop(("name", name.casefold()), None)

    def _keys(self, name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
        return (
            (("name", name.casefold()), FREE_FAILURES),
            (("address", address), FREE_FAILURES_PER_ADDRESS),
        )

    def _current(self, key: tuple[str, str], now: datetime) -> _Failures | None:
        failures = self._seen.get(key)
        if failures is not None and failures.first_at + WINDOW <= now:
            del self._seen[key]
            return None
        return failures
