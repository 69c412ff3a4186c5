"""Starts the demo's parts, waits until each is ready, watches them, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import httpx

from knowledge_base.errors import FirstlineError
from suggest_api.demo.parts import Part

LEASH = Path(__file__).with_name("leash.py")
POLL_SECONDS = 0.2
STOP_SECONDS = 10.0  # for finishing what is in hand; then SIGKILL, which the product survives
# Bytes of a log that are carried on; a larger one is put aside at the next start, in place of the one before it.
LOG_LIMIT = 10 * 1024 * 1024
LOG_LINES = 15  # of a dead part's log that are shown


class PartFailed(FirstlineError):
    """A part ended, or did not become ready in time; the message has the end of its log."""


class Stopped(FirstlineError):
    """Somebody asked the demo to stop."""


@dataclass(slots=True)
class Running:
    """One started part."""

    part: Part
    process: subprocess.Popen[bytes]
    log: Path
    log_from: int  # bytes of the log that earlier starts wrote
    started: float = field(default_factory=time.monotonic)
    ready_after: float | None = None

    def tail(self) -> str:
        """The last lines that it wrote since it was started."""
        with self.log.open("rb") as file:
            file.seek(self.log_from)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join("  | " + line for line in lines[-LOG_LINES:]) or "  | (it wrote nothing)"


class Supervisor:
    """The parts of one demo as child processes, each in a process group of its own and on a leash."""

    def __init__(self, parts: Sequence[Part], *, logs: Path) -> None:
        self._parts = {part.name: part for part in parts}
        self._logs = logs
        self._running: dict[str, Running] = {}
        logs.mkdir(parents=True, exist_ok=True)
        for log in logs.glob("*.log"):  # also those that the assistant writes itself
            put_aside(log)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> tuple[Running, ...]:
        """Every started part."""
        return tuple(self._running.values())

    def start_all(self) -> None:
        """Start every part; they come up side by side."""
        for name in self._parts:
            self.start(name)

    def start(self, name: str) -> None:
        """Start one part; its output goes to the end of its log."""
        part = self._parts[name]
        path = self._logs / f"{name}.log"
        with path.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  # commands of our own plan, no shell
                [sys.executable, "-I", str(LEASH), str(os.getpid()), *part.command],
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C reaches the supervisor alone, which stops the parts in order
            )
            self._running[name] = Running(part, process, path, log_from=log.tell())

    def wait_ready(
        self, names: Sequence[str] | None = None, *, tell: Callable[[Running], None]
    ) -> None:
        """Wait for these parts (all unless told), calling `tell` as each becomes ready.

        Raises PartFailed when any part ends or is not ready within its patience.
        """
        waiting = [self._running[name] for name in (names or self._parts)]
        # trust_env=False: a proxy setting of the machine must not carry loopback traffic away.
        with httpx.Client(timeout=2, trust_env=False) as client:
            while waiting:
                self.check()
                for each in [each for each in waiting if _is_ready(each, client)]:
                    each.ready_after = time.monotonic() - each.started
                    waiting.remove(each)
                    tell(each)
                for each in waiting:
                    if time.monotonic() - each.started > each.part.patience:
                        msg = f"{each.part.title} was not ready within {each.part.patience:.0f} s"
                        raise PartFailed(f"{msg}. The end of {each.log}:\n{each.tail()}")
                time.sleep(POLL_SECONDS if waiting else 0)

    def check(self) -> None:
        """Raise PartFailed when a part has ended."""
        for each in self._running.values():
            code = each.process.poll()
            if code is not None:
                why = (
                    f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended ({code})"
                )
                raise PartFailed(f"{each.part.title} {why}. The end of {each.log}:\n{each.tail()}")

    def watch(self) -> None:
        """Watch until a part ends (PartFailed) or a signal handler raises."""
        while True:
            self.check()
            time.sleep(POLL_SECONDS)

    def kill(self, name: str) -> None:
        """SIGKILL a part and everything it started."""
        each = self._running.pop(name)
        _signal(each, signal.SIGKILL)
        each.process.wait()

    def stop(self) -> None:
        """Ask every part to stop, give them time to finish what is in hand, then kill what is left."""
        for each in self._running.values():
            _signal(each, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for each in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                each.process.wait(timeout=max(0.0, end - time.monotonic()))
            # Also when it ended well: something that it started may be left in its group.
            _signal(each, signal.SIGKILL)
            each.process.wait()
        self._running.clear()


def put_aside(log: Path, *, limit: int = LOG_LIMIT) -> bool:
    """Rename a log of more than `limit` bytes to `.log.1`, over an older one; True if it was."""
    if log.stat().st_size <= limit:
        return False
    log.replace(log.with_name(log.name + ".1"))
    return True


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Within, SIGINT, SIGTERM and SIGHUP raise Stopped in the main thread; a second one is not needed."""

    def stop(number: int, _: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)  # the clean-up itself must not be interrupted
        raise Stopped(signal.Signals(number).name)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, stop)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _is_ready(each: Running, client: httpx.Client) -> bool:
    part = each.part
    if part.ready_url is not None:
        try:
            return client.get(part.ready_url).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
    if part.ready_line is not None:
        with each.log.open("rb") as file:
            file.seek(each.log_from)
            return part.ready_line.encode() in file.read()
    return True


def _signal(each: Running, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # all of it has ended already
        os.killpg(each.process.pid, number)
