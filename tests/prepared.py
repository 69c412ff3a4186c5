"""Databases that are migrated and filled once in each test process, and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, create_engine, text

from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine
from tests.postgres_server import PostgresServer


@dataclass(frozen=True, slots=True)
class Filling:
    """What a database holds when a test gets it; `fill` may put what belongs to it into the folder it is given."""

    name: str
    fill: Callable[[Engine, Path], None] | None = None


MIGRATED = Filling("migrated")


class SqliteTemplates:
    """SQLite files to copy, one for each filling."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, filling: Filling, engine: Engine) -> None:
        """Give an engine that has not connected yet this content."""
        assert engine.url.database is not None
        shutil.copyfile(self.folder(filling) / "template.db", engine.url.database)

    def folder(self, filling: Filling) -> Path:
        """The folder with the file, and with what filling it left beside it; made when first asked for."""
        folder = self._folder / filling.name
        if not folder.is_dir():
            folder.mkdir()
            engine = open_engine(f"sqlite:///{folder / 'template.db'}")
            if filling.fill is not None:
                self.copy(MIGRATED, engine)
                filling.fill(engine, folder)
            else:
                migrate.upgrade(engine)
            engine.dispose()  # the last connection writes what is in the write-ahead log into the file
            assert not (folder / "template.db-wal").exists()
        return folder


class PostgresTemplates:
    """Databases of the server to copy, one for each filling."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self._folder = folder
        self._server = server
        self._administrator = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")

    @contextmanager
    def database(self, filling: Filling | None) -> Iterator[Engine]:
        """A database of one's own with this content, or empty; PostgreSQL copies one in some 50 ms."""
        template = self._name(filling) if filling else "template1"
        name = f"t_{uuid4().hex}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {template}")
        engine = open_engine(self._server.url(name))
        try:
            yield engine
        finally:
            engine.dispose()
            self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def folder(self, filling: Filling) -> Path:
        """What filling a database with this content left."""
        self._name(filling)
        return self._folder / filling.name

    def close(self) -> None:
        self._administrator.dispose()

    def _name(self, filling: Filling) -> str:
        """The template's name; it is made when first asked for."""
        name, folder = f"template_{filling.name}", self._folder / filling.name
        if not folder.is_dir():
            folder.mkdir()
            template = "template1" if filling.fill is None else self._name(MIGRATED)
            self._do(f"CREATE DATABASE {name} TEMPLATE {template}")
            engine = open_engine(self._server.url(name))
            if filling.fill is not None:
                filling.fill(engine, folder)
            else:
                migrate.upgrade(engine)
            engine.dispose()
        return name

    def _do(self, statement: str) -> None:
        with self._administrator.connect() as connection:
            connection.execute(text(statement))
