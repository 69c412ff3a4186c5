"""Approved revisions are parsed once, and the database is asked at every request which ones they are."""

from __future__ import annotations

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from knowledge_base.store import repository
from knowledge_base.store.engine import read_session, write_session
from suggest_api.flow import Desk
from suggest_api.suggestions.live import LiveRevisions
from tests.conftest import NOW


def keys_of(session: Session) -> list[str]:
    return [revision.key for revision in repository.approved_revisions(session)]


def test_known_revisions_are_not_read_again_but_a_retired_one_is_gone(desk: Desk, engine: Engine):
    live = LiveRevisions()
    statements: list[str] = []
    event.listen(
        engine, "before_cursor_execute", lambda _c, _cur, sql, *_rest: statements.append(sql)
    )
    with read_session(engine) as session:
        keys = keys_of(session)
        first = live.get(session, keys)
        assert first == repository.live_revisions(session, keys)
        statements.clear()
        assert live.get(session, [*keys, "no.such.snippet"]) == first
        assert len(statements) == 2  # the version, and the one snippet that was not known
    gone = first[keys[0]]
    with write_session(engine) as session:
        repository.retire(session, gone.id, by="Kim", now=NOW)
    with read_session(engine) as session:
        assert live.get(session, keys) == {k: r for k, r in first.items() if k != gone.key}


def test_what_is_kept_is_bounded(desk: Desk, engine: Engine):
    live = LiveRevisions(most=1)
    with read_session(engine) as session:
        keys = keys_of(session)
        for key in keys:
            assert live.get(session, [key])[key].key == key
            assert len(live._kept) == 1


def test_nothing_is_asked_but_the_version_while_nothing_changes(desk: Desk, engine: Engine):
    live = LiveRevisions()
    statements: list[str] = []
    event.listen(
        engine, "before_cursor_execute", lambda _c, _cur, sql, *_rest: statements.append(sql)
    )
    with read_session(engine) as session:
        keys = [*keys_of(session), "no.such.snippet"]
        first = live.get(session, keys)
        statements.clear()
        assert live.get(session, keys) == first
    assert [sql for sql in statements if "FROM" in sql] == [
        "SELECT live_set.version \nFROM live_set"
    ]


def test_a_reader_of_an_older_snapshot_learns_nothing_for_the_others(desk: Desk, engine: Engine):
    live = LiveRevisions()
    with read_session(engine) as old:
        keys = keys_of(old)
        before = repository.live_set_version(old)
        with write_session(engine) as session:
            repository.go_live(session, [])
        with read_session(engine) as session:
            assert repository.live_set_version(session) == before + len(keys)
            assert live.get(session, keys) == {}
        if repository.live_set_version(old) == before:  # SQLite keeps the snapshot
            assert set(live.get(old, keys)) == set(keys)
    with read_session(engine) as session:
        assert live.get(session, keys) == {}
