"""The engine: how SQLite and PostgreSQL are set up so that nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session

# Seconds that a writer waits for another one on SQLite before it is an error (the networks retry for hours).
BUSY_SECONDS = 30
# Connections kept, and more while they are needed: the web server works on up to 40 requests at once
# (anyio's thread limit), and none of them should wait for a connection.
POOL, OVERFLOW = 8, 40


def open_engine(database_url: str) -> Engine:
    """An engine for `sqlite:///file` or `postgresql+psycopg://...`; no connection is made yet.

    SQLite runs in WAL with synchronous=FULL (a commit that was acknowledged survives a power cut,
    sqlite.org/wal.html) and every transaction begins IMMEDIATE: a deferred one that reads and then
    writes fails at once with "database is locked" whatever the busy timeout. Read-only sessions
    (`read_session`) begin DEFERRED, so they never wait for a writer.
    """
    url = make_url(database_url)
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=POOL,
            max_overflow=OVERFLOW,
            isolation_level="READ COMMITTED",
        )
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"timeout": BUSY_SECONDS}, pool_size=POOL, max_overflow=OVERFLOW
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


@contextmanager
def write_session(engine: Engine) -> Iterator[Session]:
    """One transaction: committed when the block ends, rolled back when it raises."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def read_session(engine: Engine) -> Iterator[Session]:
    """One consistent snapshot to read from; writing through it is a mistake and is rolled back."""
    with engine.connect().execution_options(firstline_readonly=True) as connection:
        with Session(connection, expire_on_commit=False) as session:
            yield session
        connection.rollback()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = (
        None  # the driver begins nothing by itself: `_begin_immediate` does
    )
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    readonly = connection.get_execution_options().get("firstline_readonly", False)
    connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")
