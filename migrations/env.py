"""Runs the migrations on the connection that `knowledge_base.store.migrate` hands over, in its transaction."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

import suggest_api.storage.coverage_tables
import suggest_api.storage.tables  # noqa: F401 - registers the service's tables in the one metadata
from knowledge_base.home import Home
from knowledge_base.store import tables  # noqa: F401 - registers the knowledge base's tables
from knowledge_base.store.columns import Base
from knowledge_base.store.engine import open_engine


def run() -> None:
    """Use the given connection; the `alembic` program itself (for developers) opens the configured database."""
    given = context.config.attributes.get("connection")
    if given is not None:
        _migrate(given)
        return
    with open_engine(Home.from_environment().database_url).begin() as connection:
        _migrate(connection)


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite can roll DDL back as well; our engine begins the transaction itself, so let it.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
