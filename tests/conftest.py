"""What every test may use: a fixed clock, both databases with the real migrations, no way out to the network."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, create_engine

from knowledge_base.home import Home
from knowledge_base.index import sealed
from knowledge_base.index.export import export_default, packaged_source
from knowledge_base.store import engine as engines
from knowledge_base.store.engine import open_engine
from suggest_api.access import service
from tests.compiled import sharing
from tests.fixtures_generation import TEST_HOME
from tests.postgres_server import PostgresServer, serve_postgres
from tests.prepared import MIGRATED, Filling, PostgresTemplates, SqliteTemplates
from tests.scratch import in_memory

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


# The files that take longest, to be begun in this order.
LONGEST = (
    "tests/crash/test_kill_demo.py",
    "tests/flow/test_worker.py",
    "tests/browser/test_first_reply.py",
    "tests/browser/test_governed_content.py",
    "tests/integration/test_tuning.py",
    "tests/integration/test_at_once.py",
    "tests/integration/test_swap.py",
    "tests/api/test_command_line.py",
    "tests/api/test_runbooks.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the longest files first, so that no process is left with one of them when the others are done."""
    places = {path: place for place, path in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.location[0], len(places)))


def pytest_configure() -> None:
    """Put temporary files where they cost least; a TMPDIR that somebody chose is left alone."""
    if "TMPDIR" not in os.environ and (folder := in_memory()):
        os.environ["TMPDIR"] = str(folder)  # for the other test processes and all that they start
        tempfile.tempdir = None


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that stands still, on a Monday morning."""
    return lambda: NOW


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(autouse=True, scope="session")
def _cheap_password_hashes() -> Iterator[None]:
    """argon2id with its smallest parameters: a real hash takes 64 MiB, and people sign in all over the tests.

    What is used outside of tests is checked in tests/access.
    """
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "_hasher", lambda: cheap)
        yield


@pytest.fixture(autouse=True, scope="session")
def _compiled_once() -> Iterator[None]:
    """Engines of this process compile each statement once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "create_engine", sharing(create_engine))
        yield


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may reach another machine; a test that tries is told so."""
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))


def _guarded(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            msg = f"a test tried to connect to {address!r}: only loopback is allowed"
            raise RuntimeError(msg)
        return original(self, address)

    return connect


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real encoder: FIRSTLINE_TEST_HOME's, or exported once for all test processes of a run."""
    ready = Path(os.environ.get(TEST_HOME) or "none").absolute() / "encoders"
    if sealed.read_current(ready) == packaged_source().fingerprint:  # not one that was tuned
        return ready
    folder = tmp_path_factory.getbasetemp()
    home = Home.at((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "exported")
    # Whoever comes second waits for the first, and recognises what that one has exported.
    export_default(home, environ={})
    return home.encoders


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One real PostgreSQL for the whole run; without the program it skips (and fails when CI=true)."""
    with serve_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of the server's maintenance database."""
    return postgres_server.url("postgres")


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplates:
    return SqliteTemplates(tmp_path_factory.mktemp("sqlite-templates"))


@pytest.fixture(scope="session")
def postgres_templates(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[PostgresTemplates]:
    templates = PostgresTemplates(tmp_path_factory.mktemp("postgres-templates"), postgres_server)
    yield templates
    templates.close()


@pytest.fixture
def filling() -> Filling:
    """What the databases of a test hold to begin with; a folder or a file of tests may want another one."""
    return MIGRATED


@pytest.fixture
def empty_postgres(postgres_templates: PostgresTemplates) -> Iterator[Engine]:
    """An empty PostgreSQL database of its own."""
    with postgres_templates.database(None) as engine:
        yield engine


@pytest.fixture
def empty_sqlite(tmp_path: Path) -> Iterator[Engine]:
    """An SQLite file that does not exist yet."""
    engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_engine(request: pytest.FixtureRequest) -> Engine:
    """An empty database, once on SQLite and once on PostgreSQL."""
    name = "empty_sqlite" if request.param == "sqlite" else "empty_postgres"
    engine: Engine = request.getfixturevalue(name)
    return engine


@pytest.fixture
def sqlite_engine(
    empty_sqlite: Engine, sqlite_templates: SqliteTemplates, filling: Filling
) -> Engine:
    """An SQLite file with the content, migrated at least."""
    sqlite_templates.copy(filling, empty_sqlite)
    return empty_sqlite


@pytest.fixture
def postgres_engine(postgres_templates: PostgresTemplates, filling: Filling) -> Iterator[Engine]:
    """A PostgreSQL database of its own with the content, migrated at least."""
    with postgres_templates.database(filling) as engine:
        yield engine


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A migrated database, once on SQLite and once on PostgreSQL."""
    name = "sqlite_engine" if request.param == "sqlite" else "postgres_engine"
    migrated: Engine = request.getfixturevalue(name)
    return migrated


@pytest.fixture
def filled_folder(request: pytest.FixtureRequest, engine: Engine, filling: Filling) -> Path:
    """What filling the database of `engine` left in the folder, to read and to copy."""
    name = "sqlite_templates" if engine.dialect.name == "sqlite" else "postgres_templates"
    templates: SqliteTemplates | PostgresTemplates = request.getfixturevalue(name)
    return templates.folder(filling)
