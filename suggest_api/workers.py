"""Several serving processes on one port: they share the listening socket, the index's memory and the metrics."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import FrameType

from suggest_api.logs import get_logger
from suggest_api.settings import PREFIX, Settings

SOCKET = (
    f"{PREFIX}LISTENING_SOCKET"  # the number of the inherited socket; only set by `serve` itself
)
METRICS = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client adds up several processes
PAUSE_SECONDS = 0.2  # between two looks at the processes
# One that ends sooner than this never served: starting it again would only repeat that.
SETTLED_SECONDS = 5.0

log = get_logger(__name__)


def inherited() -> socket.socket | None:
    """The listening socket that a worker got from its parent; None in a process of its own."""
    number = os.environ.get(SOCKET)
    return None if number is None else socket.socket(fileno=int(number))


def run(settings: Settings, listening: socket.socket) -> int:
    """Keep `settings.workers` processes serving until SIGTERM or SIGINT; returns the exit code.

    A process that dies is replaced; one that dies at its start ends all of them, with its exit code.
    """
    ending = False

    def end(_signal: int, _frame: FrameType | None) -> None:
        nonlocal ending
        ending = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with tempfile.TemporaryDirectory(prefix="firstline-metrics-") as metrics:
        started: dict[subprocess.Popen[bytes], float] = {}
        try:
            while not ending:
                while len(started) < settings.workers:
                    started[_start(settings, listening, metrics)] = time.monotonic()
                time.sleep(PAUSE_SECONDS)
                for process in [p for p in started if p.poll() is not None]:
                    age = time.monotonic() - started.pop(process)
                    log.error("worker.died", code=process.returncode, seconds=round(age, 1))
                    if age < SETTLED_SECONDS and process.returncode > 0:
                        return process.returncode
            return 0
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()


def _start(settings: Settings, listening: socket.socket, metrics: str) -> subprocess.Popen[bytes]:
    secret = settings.secret
    own = {f"{PREFIX}WORKERS": "1", SOCKET: str(listening.fileno()), METRICS: metrics}
    if secret is not None:  # in the demo it was made up, and all have to have the same one
        own[f"{PREFIX}SECRET"] = secret.get_secret_value()
    return subprocess.Popen(
        [sys.executable, "-m", "suggest_api.cli", "serve"],  # our own program, no input in it
        env={**os.environ, **own},
        pass_fds=(listening.fileno(),),
    )
