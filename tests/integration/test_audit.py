"""The audit chain on both databases: appended in order, tampering named, writers at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, text

from knowledge_base.errors import ContentError
from knowledge_base.store import audit
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.people import ensure_person

ENTRIES = 6


def record(engine: Engine, number: int, now: datetime) -> str:
    with write_session(engine) as session:
        return audit.append(
            session,
            actor="Ana",
            action="revision.add",
            subject=f"revision:a.b@{number}",
            detail={"n": number, "caf\u00e9": None},
            now=now + timedelta(microseconds=number),
        )


@pytest.fixture
def chain(engine: Engine, now: datetime) -> Engine:
    for number in range(1, ENTRIES + 1):
        record(engine, number, now)
    return engine


def tamper(engine: Engine, *statements: str) -> None:
    """As somebody would who owns the database: the guards are taken away first."""
    drop = {
        "sqlite": ("DROP TRIGGER audit_fixed", "DROP TRIGGER audit_kept"),
        "postgresql": ("ALTER TABLE audit DISABLE TRIGGER USER",),
    }[engine.dialect.name]
    with engine.begin() as connection:
        for statement in (*drop, *statements):
            connection.exec_driver_sql(statement)


def verify(engine: Engine, expected_head: str | None = None) -> audit.ChainReport:
    with read_session(engine) as session:
        return audit.verify(session, expected_head=expected_head)


def kinds(report: audit.ChainReport) -> list[tuple[int, str]]:
    return [(problem.seq, problem.kind) for problem in report.problems]


def test_an_empty_chain_is_intact(engine: Engine) -> None:
    assert verify(engine) == audit.ChainReport(length=0, head=audit.GENESIS)


def test_what_is_appended_verifies_and_gives_the_head(engine: Engine, now: datetime) -> None:
    hashes = [record(engine, number, now) for number in range(1, 4)]
    report = verify(engine)
    assert report.intact
    assert (report.length, report.head) == (3, hashes[-1])
    assert verify(engine, hashes[1]).intact


def test_the_hash_is_the_documented_one(engine: Engine, now: datetime) -> None:
    content = {
        "actor": "Ana",
        "action": "revision.add",
        "subject": "revision:a.b@1",
        "detail": {"n": 1, "caf\u00e9": None},
    }
    at = now + timedelta(microseconds=1)
    assert record(engine, 1, now) == audit.link_hash(audit.GENESIS, seq=1, at=at, content=content)


def test_times_in_other_zones_hash_as_utc(engine: Engine, now: datetime) -> None:
    record(engine, 1, now.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert verify(engine).intact


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET actor = 'Eve' WHERE seq = 3",
        "UPDATE audit SET action = 'revision.approve' WHERE seq = 3",
        "UPDATE audit SET subject = 'revision:other@1' WHERE seq = 3",
        "UPDATE audit SET detail = '{\"n\":99}' WHERE seq = 3",
        "UPDATE audit SET at = '2020-01-01 00:00:00+00:00' WHERE seq = 3",
    ],
)
def test_a_changed_entry_is_named(chain: Engine, change: str) -> None:
    if chain.dialect.name == "sqlite":
        change = change.replace("+00:00", "")
    tamper(chain, change)
    report = verify(chain)
    assert kinds(report) == [(3, "changed")]
    assert "entry 3 was changed" in report.problems[0].message


def test_a_changed_entry_with_its_hash_made_right_is_still_named(chain: Engine) -> None:
    with read_session(chain) as session:
        row = session.execute(text("SELECT previous_hash FROM audit WHERE seq = 3")).one()
        at = {r.seq: r.at for r in audit._rows(session)}[3]
    content = {
        "actor": "Eve",
        "action": "revision.add",
        "subject": "revision:a.b@3",
        "detail": {"n": 3, "caf\u00e9": None},
    }
    forged = audit.link_hash(row.previous_hash, seq=3, at=at, content=content)
    tamper(chain)
    with chain.begin() as connection:
        forge = text("UPDATE audit SET actor = 'Eve', hash = :forged WHERE seq = 3")
        connection.execute(forge, {"forged": forged})
    report = verify(chain)
    assert kinds(report) == [(3, "changed")]
    assert "entry 3 is not the one that entry 4 was chained to" in report.problems[0].message


def test_removed_entries_are_named(chain: Engine) -> None:
    tamper(chain, "DELETE FROM audit WHERE seq IN (2, 4, 5)")
    report = verify(chain)
    assert kinds(report) == [(2, "removed"), (4, "removed")]
    assert "entries 4 to 5 are missing" in report.problems[1].message


def test_the_first_entry_is_missed(chain: Engine) -> None:
    tamper(chain, "DELETE FROM audit WHERE seq = 1")
    assert kinds(verify(chain)) == [(1, "removed")]


def test_swapped_entries_are_named(chain: Engine) -> None:
    tamper(
        chain,
        "UPDATE audit SET seq = 99 WHERE seq = 2",
        "UPDATE audit SET seq = 2 WHERE seq = 3",
        "UPDATE audit SET seq = 3 WHERE seq = 99",
    )
    report = verify(chain)
    assert kinds(report) == [(2, "reordered"), (3, "reordered")]
    assert "entry 2 was written as entry 3" in report.problems[0].message


def test_a_chain_cut_short_is_noticed_with_the_noted_head(chain: Engine) -> None:
    head = verify(chain).head
    tamper(chain, "DELETE FROM audit WHERE seq = 6")
    assert verify(chain).intact  # nothing inside the chain can tell
    assert kinds(verify(chain, head)) == [(ENTRIES, "missing_end")]


def test_what_is_rolled_back_leaves_no_gap(engine: Engine, now: datetime) -> None:
    record(engine, 1, now)

    def append_and_fail() -> None:
        with write_session(engine) as session:
            audit.append(session, actor="Ana", action="x", subject="s", detail={}, now=now)
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        append_and_fail()
    record(engine, 2, now)
    report = verify(engine)
    assert (report.intact, report.length) == (True, 2)


def test_many_writers_at_once_make_one_chain(engine: Engine, now: datetime) -> None:
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda number: record(engine, number, now), range(40)))
    report = verify(engine)
    assert (report.intact, report.length) == (True, 40)
    assert len(set(hashes)) == 40


def test_an_entry_that_is_no_json_is_refused(engine: Engine, now: datetime) -> None:
    with pytest.raises(ValueError, match="Out of range float"), write_session(engine) as session:
        audit.append(
            session, actor="Ana", action="x", subject="s", detail={"n": float("nan")}, now=now
        )
    assert verify(engine).length == 0


def test_people_are_made_once(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        assert ensure_person(session, " Ana \n Lima ", now=now) == "Ana Lima"
        assert ensure_person(session, "Ana Lima", now=now) == "Ana Lima"
        assert session.execute(text("SELECT count(*) FROM person")).scalar_one() == 1


@pytest.mark.parametrize(
    ("name", "complaint"),
    [(" ", "is empty"), ("x" * 121, "121 characters"), ("a\u202eb", "cannot be seen")],
)
def test_names_that_are_none(
    sqlite_engine: Engine, now: datetime, name: str, complaint: str
) -> None:
    with pytest.raises(ContentError, match=complaint), write_session(sqlite_engine) as session:
        ensure_person(session, name, now=now)
