"""The migrations: exactly the tables of the code, guards that speak, nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, inspect, text

import suggest_api.storage.coverage_tables
import suggest_api.storage.tables  # noqa: F401 - the comparison needs every table
from knowledge_base.errors import ConfigurationError
from knowledge_base.store import migrate, schema
from knowledge_base.store.columns import Base
from knowledge_base.store.engine import open_engine, write_session

HELD_MIGRATION = """
import sys, time
from sqlalchemy import Engine, event
from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine

@event.listens_for(Engine, "before_cursor_execute")
def stop(connection, cursor, statement, *rest):
    if "CREATE TABLE outbox" in statement:
        print("half way", flush=True)
        time.sleep(60)

migrate.upgrade(open_engine(sys.argv[1]))
"""


def test_an_empty_database_becomes_exactly_the_metadata(empty_engine: Engine) -> None:
    migrate.upgrade(empty_engine)
    with empty_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_check_constraints_are_those_of_the_metadata(empty_engine: Engine) -> None:
    # Alembic does not compare these, so count them by name.
    migrate.upgrade(empty_engine)
    found = inspect(empty_engine)
    for table in Base.metadata.sorted_tables:
        expected = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
        actual = {c["name"] for c in found.get_check_constraints(table.name)}
        assert actual == expected, table.name


def test_upgrading_again_changes_nothing(empty_engine: Engine) -> None:
    assert schema.current(empty_engine) is None
    migrate.upgrade(empty_engine)
    migrate.upgrade(empty_engine)
    assert schema.current(empty_engine) == schema.head()


def test_it_works_from_another_directory(
    empty_sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    migrate.upgrade(empty_sqlite)
    assert schema.current(empty_sqlite) == schema.head()


def test_a_database_from_the_future_is_refused_and_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="revision 9999.*install the newer version"):
        migrate.upgrade(engine)
    assert schema.current(engine) == "9999"


def test_a_foreign_database_is_refused_and_left_alone(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE TABLE snippet (body text)"))
    with pytest.raises(ConfigurationError, match="FIRSTLINE_DATABASE_URL"):
        migrate.upgrade(empty_engine)
    assert inspect(empty_engine).get_table_names() == ["snippet"]


def test_a_migration_killed_half_way_leaves_a_database_that_upgrades(
    empty_engine: Engine,
) -> None:
    url = empty_engine.url.render_as_string(hide_password=False)
    with subprocess.Popen(
        [sys.executable, "-c", HELD_MIGRATION, url], stdout=subprocess.PIPE, text=True
    ) as half:
        assert half.stdout is not None
        assert half.stdout.readline() == "half way\n"
        os.kill(half.pid, signal.SIGKILL)
    assert schema.current(empty_engine) is None
    assert "person" not in inspect(empty_engine).get_table_names()
    migrate.upgrade(empty_engine)
    assert schema.current(empty_engine) == schema.head()


def test_two_processes_that_start_together_both_succeed(empty_engine: Engine) -> None:
    url = empty_engine.url.render_as_string(hide_password=False)
    program = (
        "import sys; from knowledge_base.store import migrate;"
        "from knowledge_base.store.engine import open_engine; migrate.upgrade(open_engine(sys.argv[1]))"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, url]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in started] == [0, 0]
    assert schema.current(empty_engine) == schema.head()


def test_postgres_is_found_by_the_plain_scheme(postgres_url: str) -> None:
    engine = open_engine(postgres_url.replace("postgresql+psycopg", "postgresql"))
    assert schema.current(engine) is None
    engine.dispose()


REVISION = (
    "INSERT INTO revision (id, snippet_key, number, title, text, examples, topic, tags, locale, channels,"
    " auto_send, owner, content_hash, status, author, created_at, approved_by, approved_at, approved_hash,"
    " policy_version) VALUES (1, 'a', 1, '', 'Hello', '[]', '', '[]', 'en', '[]', false, '', 'h',"
    " 'approved', 'Ana', '2026-01-01 00:00:00', 'Bo', '2026-01-01 00:00:00', 'h', 'p')"
)
ROWS = (
    "INSERT INTO person VALUES ('Ana', '2026-01-01 00:00:00'), ('Bo', '2026-01-01 00:00:00')",
    "INSERT INTO snippet VALUES ('a', '2026-01-01 00:00:00')",
    REVISION,
    "INSERT INTO audit VALUES (1, '2026-01-01 00:00:00', 'Ana', 'x', 's', '{}', 'p', 'h')",
    (
        "INSERT INTO conversation (id, channel, account, peer, display_name, locale, owner, version, facts,"
        " last_seq, created_at, changed_at) VALUES ('c', 'generic', 'q', 'p', '', 'en', 'bot', 1, '{}', 1,"
        " '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
    ),
    (
        "INSERT INTO turn (id, conversation_id, seq, kind, author, author_name, text, detail, said_at, created_at)"
        " VALUES (1, 'c', 1, 'said', 'customer', '', 'hi', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
    ),
)


@pytest.fixture
def filled(engine: Engine) -> Engine:
    with engine.begin() as connection:
        for statement in ROWS:
            connection.execute(text(statement))
    return engine


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE revision SET text = 'Bye'", "content of a revision never changes"),
        ("UPDATE revision SET examples = '[\"x\"]'", "content of a revision never changes"),
        ("UPDATE revision SET author = 'Bo'", "content of a revision never changes"),
        ("UPDATE revision SET content_hash = 'x'", "content of a revision never changes"),
        ("UPDATE revision SET approved_by = 'Cy'", "an approval never changes"),
        ("UPDATE revision SET policy_version = 'x'", "an approval never changes"),
        ("DELETE FROM revision", "a revision is never deleted"),
        ("UPDATE audit SET detail = '{}'", "audit chain is only ever added to"),
        ("DELETE FROM audit", "audit chain is only ever added to"),
        ("UPDATE turn SET text = 'never said'", "a turn never changes"),
        ("UPDATE turn SET author = 'bot'", "a turn never changes"),
        ("UPDATE turn SET seq = 7", "a turn never changes"),
    ],
)
def test_history_is_not_rewritten(filled: Engine, statement: str, message: str) -> None:
    # The drivers' errors have no common base but SQLAlchemy's.
    with pytest.raises(Exception, match=message), filled.begin() as connection:
        connection.execute(text(statement))


def test_what_moves_still_moves(filled: Engine) -> None:
    retire = "UPDATE revision SET status = 'retired', retired_by = 'Bo', retired_at = '2026-02-01 00:00:00'"
    with filled.begin() as connection:
        assert connection.execute(text(retire)).rowcount == 1
        assert connection.execute(text("UPDATE turn SET detail = '[]'")).rowcount == 1
        assert connection.execute(text("DELETE FROM turn")).rowcount == 1
    with pytest.raises(Exception, match="stays retired"), filled.begin() as connection:
        connection.execute(text("UPDATE revision SET status = 'approved'"))


@pytest.mark.postgres
@pytest.mark.parametrize("table", ["revision", "audit"])
def test_truncate_does_not_go_round_the_guards(postgres_engine: Engine, table: str) -> None:
    with (
        pytest.raises(Exception, match="is never emptied"),
        write_session(postgres_engine) as session,
    ):
        session.execute(text(f"TRUNCATE {table} CASCADE"))
