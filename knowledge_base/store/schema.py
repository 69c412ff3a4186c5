"""Which schema a database has and which one this code needs, told without loading the migration tool.

Every start asks this; loading Alembic for it would be a tenth of the service's start.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from knowledge_base.errors import ConfigurationError

VERSION_TABLE = "alembic_version"  # where Alembic keeps the revision, in one row


def head() -> str:
    """The newest revision that this code knows: migrations are files named `NNNN_words.py`, one after another."""
    found = sorted(path.stem for path in (migrations() / "versions").glob("[0-9]*_*.py"))
    if not found:
        msg = f"no migration in {migrations()}: the installation is not complete"
        raise ConfigurationError(msg)
    return found[-1].partition("_")[0]


def current(engine: Engine) -> str | None:
    """The revision that the database is at; None when it is empty."""
    with engine.connect().execution_options(firstline_readonly=True) as connection:
        return version(connection)


def version(connection: Connection) -> str | None:
    """The revision as an open connection sees it; None when there is none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  # our own name
    return None if found is None else str(found)


def migrations() -> Path:
    """`migrations/` beside the packages, wherever the checkout is and whatever the working directory."""
    for parent in Path(__file__).resolve().parents:
        if (parent / "migrations" / "env.py").is_file():
            return parent / "migrations"
    msg = "the folder migrations/ is missing beside the packages: install Firstline from its checkout"
    raise ConfigurationError(msg)
