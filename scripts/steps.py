"""Runs the steps of the set-up: once each, stamped when done, timed, and explained when they fail."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

TAIL = 25  # lines of a failed step's log that are shown; the whole log stays on disk
TICK = 1.0  # seconds between two redraws of a running step's clock

# What the package tools print when they cannot reach a server, in lower case.
NETWORK_SIGNS = (
    "dns error",
    "failed to lookup address",
    "temporary failure in name resolution",
    "connection refused",
    "network is unreachable",
    "error sending request",
    "could not connect",
    "operation timed out",
    "newconnectionerror",
    "max retries exceeded",
)
DISK_SIGNS = ("no space left on device", "os error 28", "disk quota exceeded")


class SetupError(Exception):
    """The set-up cannot go on; the message says what is missing and how to mend it."""


def digest(*inputs: object) -> str:
    """One hash over `inputs`: the bytes of every file or folder given as a Path, the text of all else."""
    total = hashlib.sha256()
    for item in inputs:
        if not isinstance(item, Path):
            total.update(repr(item).encode())
            continue
        for path in sorted(item.rglob("*")) if item.is_dir() else [item]:
            if path.is_file() and "__pycache__" not in path.parts and ".venv" not in path.parts:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                total.update(f"{path.name}\0{content}\0".encode())
    return total.hexdigest()


class Journal:
    """Runs named steps one after another and remembers how long each took."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._done: list[tuple[str, str]] = []
        self._skipped = 0
        self.started = time.monotonic()

    def step(
        self,
        title: str,
        *,
        stamp: Path,
        inputs: str,
        work: Callable[[Run], None],
        present: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Do `work` unless `stamp` says it was finished with the same `inputs` and its result is still `present`.

        The stamp is removed first and written last, so that a step that was interrupted is done again.
        """
        if stamp.is_file() and stamp.read_text().strip() == inputs and present():
            self._skipped += 1
            return False
        if stamp.exists():
            stamp.unlink()
        began = time.monotonic()
        # The stamps of an environment lie in ENVIRONMENT/stamps: name the log after both.
        owner = "assistant" if "bot" in stamp.parts else "service"
        work(Run(title, log=self._logs / f"{owner}-{stamp.name}.log"))
        stamp.parent.mkdir(parents=True, exist_ok=True)
        unfinished = stamp.with_name(stamp.name + ".tmp")
        unfinished.write_text(inputs + "\n")
        unfinished.replace(stamp)
        self._done.append((title, _duration(time.monotonic() - began)))
        return True

    def close(self, subject: str, *, quiet: bool = False) -> None:
        """Print the table of times, or one line (none if `quiet`) when there was nothing to do."""
        if not self._done:
            if not quiet:
                say(f"{subject} is up to date: nothing to do.")
            return
        total = _duration(time.monotonic() - self.started)
        rows = [*self._done, (f"{subject}, altogether", total)]
        width = max(len(title) for title, _ in rows)
        say("")
        for title, took in rows:
            say(f"  {title.ljust(width)}  {took:>9}")
        if self._skipped:
            say(f"  ({self._skipped} further steps were up to date)")
        say("")


class Run:
    """The commands of one step: quiet ones write to a log and show a clock, talking ones speak for themselves."""

    def __init__(self, title: str, *, log: Path) -> None:
        self.title = title
        self.log = log
        self._announced = False
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def quiet(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Run `command` with its output in the log; raise SetupError with the end of the log if it fails."""
        with self.log.open("ab") as out, Clock(self.title, announce=not self._announced):
            self._announced = True
            done = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, **(env or {})),
                check=False,
            )
        if done.returncode != 0:
            raise SetupError(self._explain(command, done.returncode))

    def talking(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Run `command` on the terminal, because it shows its own progress; raise SetupError if it fails."""
        say(f"  {self.title} ...")
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            env=dict(os.environ, **(env or {})),
            check=False,
        )
        if done.returncode != 0:
            raise SetupError(
                f"{self.title}: this command ended with exit code {done.returncode}, see above:\n"
                f"  {_shown(command)}"
            )

    def _explain(self, command: Sequence[str], code: int) -> str:
        text = self.log.read_text(errors="replace")
        tail = "\n".join("  | " + line for line in text.splitlines()[-TAIL:])
        lowered = text.lower()
        hint = ""
        if any(sign in lowered for sign in DISK_SIGNS):
            hint = "The disk is full. Make room and run the same command again.\n"
        elif any(sign in lowered for sign in NETWORK_SIGNS):
            hint = (
                "The package index could not be reached. Setting up needs the network once; check the\n"
                "connection (or the proxy settings) and run the same command again: it goes on where it stopped.\n"
            )
        return (
            f"{self.title} failed (exit code {code}).\n{hint}"
            f"Command: {_shown(command)}\nThe end of {self.log}:\n{tail}"
        )


class Clock:
    """A line that shows that a quiet step is still running; only its end is printed where there is no terminal."""

    def __init__(self, title: str, *, announce: bool) -> None:
        self._title = title
        self._announce = announce
        self._over = threading.Event()
        self._began = time.monotonic()
        self._live = sys.stdout.isatty()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Clock:
        if self._live:
            self._thread.start()
        elif self._announce:
            say(f"  {self._title} ...")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        took = _duration(time.monotonic() - self._began)
        if self._live:
            self._thread.join()
            sys.stdout.write(f"\r\033[K  {self._title}: {took}\n")
            sys.stdout.flush()

    def _tick(self) -> None:
        while not self._over.is_set():
            took = _duration(time.monotonic() - self._began)
            room = shutil.get_terminal_size().columns - 1
            sys.stdout.write("\r\033[K" + f"  {self._title} ... {took}"[:room])
            sys.stdout.flush()
            self._over.wait(TICK)


def say(text: str) -> None:
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{seconds:.1f} s"


def _shown(command: Sequence[str]) -> str:
    return " ".join(str(part) for part in command)
