"""The runbooks: every command on them is run as it stands, in the trouble that its page is about."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from knowledge_base.home import Home
from knowledge_base.store.engine import open_engine
from suggest_api import flow
from suggest_api.conversations import events
from suggest_api.flow import Desk
from suggest_api.storage import unit_of_work
from tests.api.test_command_line import wait_ready
from tests.conftest import NOW
from tests.postgres_server import find_programs
from tests.prepared import Filling, SqliteTemplates

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = sorted(path.stem for path in RUNBOOKS.glob("*.md") if path.stem != "README")
ADDRESS = "http://127.0.0.1:8600"
Shell = Callable[[str], subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Command:
    """A block of a page. `mark`: `finding` ends with 1 in the trouble at hand, `postgresql` needs that server."""

    line: str
    mark: str


def commands(page: str) -> list[Command]:
    blocks = re.findall(
        r"^ *```sh *(\w*)\n(.*?)\n *```$",
        (RUNBOOKS / f"{page}.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    return [Command(line=line.strip(), mark=mark) for mark, line in blocks]


@pytest.fixture
def engine(home: Home, sqlite_templates: SqliteTemplates, filling: Filling) -> Iterator[Engine]:
    """The SQLite file of the home itself: that is what the pages speak of."""
    engine = open_engine(home.database_url)
    sqlite_templates.copy(filling, engine)
    yield engine
    engine.dispose()


@pytest.fixture
def environment(home: Home, tmp_path: Path) -> dict[str, str]:
    """What an operator has: `firstline` on PATH and the settings of the installation."""
    programs = tmp_path / "programs"
    programs.mkdir()
    firstline = programs / "firstline"
    firstline.write_text(f'#!/bin/sh\nexec {sys.executable} -m suggest_api.cli "$@"\n')
    firstline.chmod(0o755)
    bare = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTLINE_")}
    return {
        **bare,
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        "FIRSTLINE_HOME": str(home.root),
        "FIRSTLINE_DEMO": "1",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Shell:
    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", line],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return run


@pytest.fixture
def address(desk: Desk, environment: dict[str, str]) -> Iterator[str]:
    """A service that runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = ["firstline", "serve"]
    env = {**environment, "FIRSTLINE_PORT": port, "FIRSTLINE_BOT_URL": "none"}
    with subprocess.Popen(
        command,
        env=env,
        stderr=subprocess.DEVNULL,
        executable=shutil.which("firstline", path=env["PATH"]),
    ) as process:
        try:
            assert wait_ready(f"http://127.0.0.1:{port}/readyz", seconds=120)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)


def follow(page: str, shell: Shell, *, address: str = ADDRESS, build_id: str = "") -> str:
    """Run a page from top to bottom; the output of its last command."""
    told = ""
    for command in commands(page):
        if command.mark == "postgresql":
            continue
        done = shell(command.line.replace(ADDRESS, address).replace("BUILD_ID", build_id))
        assert done.returncode == (command.mark == "finding"), (command, done.stdout, done.stderr)
        told = done.stdout
    return told


def test_every_page_is_listed_and_every_command_has_a_known_mark() -> None:
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (RUNBOOKS / "README.md").read_text())
    assert sorted(listed) == PAGES
    for page in PAGES:
        assert commands(page), page
        assert {command.mark for command in commands(page)} <= {"", "finding", "postgresql"}


def test_quarantined_events(desk: Desk, shell: Shell) -> None:
    with unit_of_work.write(desk.engine) as session:
        events.store(
            session, channel="gone", account="a", external_id="e-1", raw=b"{}", now=NOW
        )  # fmt: skip
    flow.ingest(desk)
    assert '"events": []' in follow("quarantined-events", shell)
    with unit_of_work.read(desk.engine) as session:
        assert events.counts(session)["pending"] == 1


def test_unknown_deliveries(desk: Desk, shell: Shell) -> None:
    told = follow("unknown-deliveries", shell)
    assert re.search(r"intact: [1-9][0-9,]* entries", told), told


def test_generation_refused(desk: Desk, home: Home, shell: Shell, address: str) -> None:
    build_id = str(desk.generations.build_id)
    with (home.index / build_id / "vectors.npy").open("r+b") as file:
        file.truncate(100)
    last = follow("generation-refused", shell, address=address, build_id=build_id)
    assert '"up_to_date": true' in last
    assert (home.index / "CURRENT").read_text().strip() == build_id


def test_policy_not_loaded(shell: Shell, address: str) -> None:
    assert "pass" in follow("policy-not-loaded", shell, address=address)


def test_assistant_down(shell: Shell, address: str) -> None:
    assert follow("assistant-down", shell, address=address).startswith("fl_")


def test_audit_chain_broken(desk: Desk, shell: Shell) -> None:
    with unit_of_work.write(desk.engine) as session:
        session.execute(text("DROP TRIGGER audit_fixed"))
        session.execute(text("UPDATE audit SET actor = 'Eve' WHERE seq = 2"))
    assert "entry 2 was changed" in follow("audit-chain-broken", shell)


def test_backup_and_restore_of_sqlite(desk: Desk, home: Home, shell: Shell) -> None:
    def counts() -> tuple[int, ...]:
        engine = open_engine(home.database_url)
        with engine.connect() as connection:
            found = tuple(
                connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0  # noqa: S608  # fixed names
                for table in ("revision", "snippet", "person")
            )
        engine.dispose()
        return found

    before = counts()
    assert min(before) > 0
    saved = (home.index / "CURRENT").read_text()
    backup: list[str] = []
    restore: list[str] = []
    for command in commands("backup-and-restore"):
        if command.mark != "postgresql":
            (restore if restore or command.line.startswith("rm ") else backup).append(command.line)
    # The connection that is open holds what it committed in the -wal file: the copy must have it.
    for line in backup:
        assert shell(line).returncode == 0, line
    desk.engine.dispose()
    shutil.rmtree(home.root)
    home.root.mkdir()
    for line in restore:
        done = shell(line)
        assert done.returncode == 0, (line, done.stderr)
    assert counts() == before
    assert (home.index / "CURRENT").read_text() == saved


@pytest.mark.postgres
def test_backup_and_restore_of_postgresql(
    postgres_engine: Engine, empty_postgres: Engine, shell: Shell, environment: dict[str, str]
) -> None:
    programs = find_programs()
    assert programs is not None
    with postgres_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO person (name, created_at) VALUES ('Ana', '2026-01-01')")
        )
    environment["PATH"] = os.pathsep.join([str(programs), environment["PATH"]])
    for name, engine in (("DATABASE", postgres_engine), ("RESTORED", empty_postgres)):
        url = engine.url.render_as_string(hide_password=False)
        environment[name] = url.replace("+psycopg", "")
    lines = [c.line for c in commands("backup-and-restore") if c.mark == "postgresql"]
    assert len(lines) == 2
    for line in lines:
        done = shell(line)
        assert done.returncode == 0, (line, done.stderr)
    with empty_postgres.connect() as connection:
        assert connection.scalar(text("SELECT name FROM person")) == "Ana"
        # The guards came along: what was approved cannot be rewritten in the copy either.
        assert connection.scalar(text("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"))
