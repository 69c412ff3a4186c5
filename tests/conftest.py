"""What every test may use: a fixed clock, both databases with the real migrations, no way out to the network."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine
from tests.postgres_server import PostgresServer, serve_postgres

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that stands still, on a Monday morning."""
    return lambda: NOW


@pytest.fixture
def now() -> datetime:
    return NOW


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
def postgres_server() -> Iterator[PostgresServer]:
    """One real PostgreSQL for the whole run; without the program it skips (and fails when CI=true)."""
    with serve_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of the server's maintenance database."""
    return postgres_server.url("postgres")


@pytest.fixture(scope="session")
def _migrated_template(postgres_server: PostgresServer) -> str:
    """A database with all migrations, which PostgreSQL copies in some 50 ms for each test."""
    name = "firstline_template"
    _administer(postgres_server, f"CREATE DATABASE {name}")
    engine = open_engine(postgres_server.url(name))
    migrate.upgrade(engine)
    engine.dispose()
    return name


@pytest.fixture
def empty_postgres(postgres_server: PostgresServer) -> Iterator[Engine]:
    """An empty PostgreSQL database of its own."""
    with _database(postgres_server, template="template1") as engine:
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
def sqlite_engine(empty_sqlite: Engine) -> Engine:
    """A migrated SQLite file."""
    migrate.upgrade(empty_sqlite)
    return empty_sqlite


@pytest.fixture
def postgres_engine(postgres_server: PostgresServer, _migrated_template: str) -> Iterator[Engine]:
    """A migrated PostgreSQL database of its own."""
    with _database(postgres_server, template=_migrated_template) as engine:
        yield engine


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A migrated database, once on SQLite and once on PostgreSQL."""
    name = "sqlite_engine" if request.param == "sqlite" else "postgres_engine"
    migrated: Engine = request.getfixturevalue(name)
    return migrated


@contextmanager
def _database(server: PostgresServer, *, template: str) -> Iterator[Engine]:
    name = f"t_{uuid4().hex}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    engine = open_engine(server.url(name))
    try:
        yield engine
    finally:
        engine.dispose()
        _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: PostgresServer, statement: str) -> None:
    engine = create_engine(make_url(server.url("postgres")), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
