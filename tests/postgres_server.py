"""Starts a real PostgreSQL for the tests: a throw-away data folder, a free port, an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NoReturn

import psycopg
import pytest

START_SECONDS = 30
USUAL_FOLDERS = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server on loopback."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://firstline@127.0.0.1:{self.port}/{database}"


@contextmanager
def serve_postgres() -> Iterator[PostgresServer]:
    """Start it, hand it out, stop it. Skips the test without the programs; fails when CI=true."""
    programs = find_programs()
    if programs is None:
        give_up("no PostgreSQL server program (initdb, postgres) on PATH or in the usual folders")
    # Not pytest's own folder: that is closed to the unprivileged user the server has to run as.
    folder = Path(mkdtemp(prefix="firstline-postgres-"))
    as_user = unprivileged(folder)
    port = free_port()
    try:
        initialise(programs, folder / "data", as_user)
        with running(programs, folder, port, as_user):
            yield PostgresServer(port=port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path | None:
    """The folder that holds `initdb` and `postgres`, the newest of the usual ones."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).parent, Path(on_path).resolve().parent] if on_path else []
    for usual in USUAL_FOLDERS:
        candidates.extend(sorted(Path(usual).glob("*/bin"), reverse=True))
    return next(
        (c for c in candidates if (c / "initdb").exists() and (c / "postgres").exists()), None
    )


def give_up(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}: in CI the PostgreSQL tests have to run")
    pytest.skip(reason)


def unprivileged(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then hand the folder and the process to another user."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    give_up("run by root, and there is neither a postgres nor a nobody user to run the server as")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def initialise(programs: Path, data: Path, as_user: dict[str, Any]) -> None:
    command = [programs / "initdb", "-D", data, "-U", "firstline", "-A", "trust", "-E", "UTF8"]
    # The C locale is everywhere and sorts by code points, as SQLite does.
    done = subprocess.run(
        [*map(str, command), "--locale=C", "--no-sync"],
        capture_output=True,
        text=True,
        check=False,
        cwd=data.parent,
        **as_user,
    )
    if done.returncode:
        give_up(f"initdb failed: {done.stderr.strip()}")


@contextmanager
def running(programs: Path, folder: Path, port: int, as_user: dict[str, Any]) -> Iterator[None]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        # Nothing here has to survive a power cut.
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "max_connections": 60,
        "autovacuum": "off",
        "wal_level": "minimal",
        "max_wal_senders": 0,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(folder / "data"), *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            **as_user,
        )
    try:
        wait_until_up(server, port, folder / "log")
        yield
    finally:
        server.send_signal(signal.SIGQUIT)  # stop at once: the data is thrown away
        server.wait(timeout=START_SECONDS)


def wait_until_up(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    address = f"host=127.0.0.1 port={port} user=firstline dbname=postgres connect_timeout=2"
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    give_up(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")
