"""Brings a database to the schema that this code knows, in one transaction, and refuses one from the future."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from knowledge_base.errors import ConfigurationError
from knowledge_base.store import schema

# Any fixed number: all processes that migrate one PostgreSQL database queue on this advisory lock.
_LOCK = 0x4649_5253_5401


def upgrade(engine: Engine) -> None:
    """Apply the missing migrations; does nothing when the database is up to date.

    All of them run in one transaction (SQLite and PostgreSQL both roll DDL back), so a process that is
    killed in the middle leaves the database as it was. Processes that start together wait for each other.
    Raises ConfigurationError for a database that is newer than the code or was not made by Firstline.
    """
    scripts = _scripts()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        at = schema.version(connection)
        if at == scripts.get_current_head():
            return
        _refuse_unknown(connection, at, scripts)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _refuse_unknown(connection: Connection, at: str | None, scripts: ScriptDirectory) -> None:
    if at is None:
        tables = inspect(connection).get_table_names()
        if "snippet" in tables or "revision" in tables:
            msg = (
                "the database holds tables of these names already, but not from Firstline's migrations:"
                " name an empty one with FIRSTLINE_DATABASE_URL"
            )
            raise ConfigurationError(msg)
        return
    if at not in {script.revision for script in scripts.walk_revisions()}:
        msg = (
            f"the database is at revision {at}, which this version of Firstline does not know (its newest is"
            f" {scripts.get_current_head()}): install the newer version, or name another database with"
            " FIRSTLINE_DATABASE_URL"
        )
        raise ConfigurationError(msg)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    # A per cent sign in the path would be read as an interpolation.
    config.set_main_option("script_location", str(schema.migrations()).replace("%", "%%"))
    return config
