"""A worker as a process of its own, for the tests that kill it."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from knowledge_base.store.engine import open_engine
from suggest_api import worker
from tests.doubles.desk import build


def keep_working(*arguments: str) -> int:
    """Fork a worker, tell its process id, and fork the next one when somebody kills it.

    Importing takes seconds on a busy machine and a fork milliseconds: so the kills meet workers at work.
    SIGTERM goes on to the worker and ends both.
    """
    while True:
        child = os.fork()
        if not child:
            os._exit(work(*arguments))
        signal.signal(signal.SIGTERM, lambda *_, pid=child: os.kill(pid, signal.SIGTERM))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return os.waitstatus_to_exitcode(status)


def work(database_url: str, folder: str, send_url: str, bot_url: str, lease: str) -> int:
    """Work until SIGTERM, with waits short enough for a test and leases of so many seconds."""
    parts = build(
        open_engine(database_url),
        Path(folder),
        send_url=send_url,
        bot_url=bot_url,
        lease_seconds=float(lease),
        retry_seconds=(0.2,) * 40,
        log_level="error",
    )
    return worker.run(replace(parts.desk, clock=lambda: datetime.now(UTC)))


if __name__ == "__main__":
    sys.exit(keep_working(*sys.argv[1:]))
