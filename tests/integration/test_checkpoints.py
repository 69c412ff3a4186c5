"""Signed checkpoints on both databases: what they notice that the chain alone cannot."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from knowledge_base.errors import AuditBroken, UnreadableFile
from knowledge_base.store import audit, checkpoints, signing
from knowledge_base.store.checkpoints import Checkpoint
from knowledge_base.store.engine import read_session, write_session

KEY = signing.new_key()
KNOWN = {KEY.public.fingerprint: KEY.public}


class Chain:
    """A chain of one database, with somebody who owns the database."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        self.engine = engine
        self.now = now

    def grow(self, entries: int) -> None:
        with write_session(self.engine) as session:
            for _ in range(entries):
                self.now += timedelta(minutes=1)
                audit.append(
                    session, actor="Ana", action="x", subject="s", detail={"n": 1}, now=self.now
                )

    def sign(self, key: signing.SigningKey = KEY) -> Checkpoint | None:
        return checkpoints.make(self.engine, key, now=self.now)

    def stored(self) -> tuple[Checkpoint, ...]:
        with read_session(self.engine) as session:
            return checkpoints.stored(session)

    def tamper(self, *statements: str) -> None:
        """As the owner of the database: the guards are taken away first."""
        drop = {
            "sqlite": (
                "DROP TRIGGER IF EXISTS audit_fixed",
                "DROP TRIGGER IF EXISTS audit_kept",
                "DROP TRIGGER IF EXISTS audit_checkpoint_kept_update",
                "DROP TRIGGER IF EXISTS audit_checkpoint_kept_delete",
            ),
            "postgresql": (
                "ALTER TABLE audit DISABLE TRIGGER USER",
                "ALTER TABLE audit_checkpoint DISABLE TRIGGER USER",
            ),
        }[self.engine.dialect.name]
        with self.engine.begin() as connection:
            for statement in (*drop, *statements):
                connection.exec_driver_sql(statement)

    def rewrite(self, *, first: int) -> None:
        """All entries from `first` on say something else, with every hash made right again."""
        self.tamper()
        with self.engine.begin() as connection, read_session(self.engine) as session:
            rows = list(audit._rows(session))
            previous = rows[first - 2].hash if first > 1 else audit.GENESIS
            for row in rows[first - 1 :]:
                detail = {"n": 2}
                content = {
                    "actor": row.actor,
                    "action": row.action,
                    "subject": row.subject,
                    "detail": detail,
                }
                digest = audit.link_hash(previous, seq=row.seq, at=row.at, content=content)
                connection.execute(
                    text("UPDATE audit SET detail=:d, previous_hash=:p, hash=:h WHERE seq=:s"),
                    {"d": '{"n":2}', "p": previous, "h": digest, "s": row.seq},
                )
                previous = digest

    def found(self, outside: tuple[Checkpoint, ...] = ()) -> list[tuple[int, str]]:
        """What the chain and the checkpoints say, as the command puts it together."""
        with read_session(self.engine) as session:
            inside = checkpoints.stored(session)
            end = audit.length(session)
            problems = [
                *audit.verify(session).problems,
                *checkpoints.problems(inside, KNOWN, where="in the database"),
                *checkpoints.compare(session, inside, end=end, where="in the database"),
                *checkpoints.problems(outside, KNOWN, where="file"),
                *checkpoints.compare(session, outside, end=end, where="file"),
                *checkpoints.missing(inside, outside, where="file"),
            ]
        self.messages = [problem.message for problem in problems]
        return [(problem.seq, problem.kind) for problem in problems]


@pytest.fixture
def chain(engine: Engine, now: datetime) -> Chain:
    """Nine entries, signed after the third, the sixth and the ninth."""
    made = Chain(engine, now)
    for _ in range(3):
        made.grow(3)
        made.sign()
    return made


def test_a_checkpoint_says_how_long_the_chain_was(chain: Chain) -> None:
    points = chain.stored()
    assert [point.seq for point in points] == [3, 6, 9]
    with read_session(chain.engine) as session:
        hashes = {row.seq: row.hash for row in audit._rows(session)}
    assert [point.head for point in points] == [hashes[3], hashes[6], hashes[9]]
    assert {point.key for point in points} == set(KNOWN)
    assert chain.found(points) == []


def test_a_chain_that_did_not_grow_is_not_signed_again(chain: Chain) -> None:
    assert chain.sign() is None
    assert len(chain.stored()) == 3


def test_an_empty_chain_is_not_signed(engine: Engine, now: datetime) -> None:
    assert Chain(engine, now).sign() is None


def test_two_at_once_make_one_checkpoint(chain: Chain) -> None:
    chain.grow(1)
    with read_session(chain.engine) as session:
        fresh = checkpoints.signed_end(session, KEY, now=chain.now)
    assert fresh is not None
    assert chain.sign() is not None
    with pytest.raises(DatabaseError), write_session(chain.engine) as session:
        checkpoints.store(session, fresh)
    assert chain.found() == []


def test_when_the_next_one_is_due(chain: Chain) -> None:
    with read_session(chain.engine) as session:
        hour = timedelta(hours=1)
        assert not checkpoints.due(session, every=hour, now=chain.now + timedelta(minutes=59))
        assert checkpoints.due(session, every=hour, now=chain.now + hour)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_checkpoint SET seq = 1", "DELETE FROM audit_checkpoint"]
)
def test_the_database_refuses_to_change_a_checkpoint(chain: Chain, statement: str) -> None:
    with (
        pytest.raises(DatabaseError, match="a checkpoint never changes"),
        chain.engine.begin() as connection,
    ):
        connection.exec_driver_sql(statement)


def test_an_end_that_was_cut_off_is_noticed_by_what_is_in_the_database(chain: Chain) -> None:
    chain.tamper("DELETE FROM audit WHERE seq > 7")
    assert chain.found() == [(8, "missing_end")]
    assert "ends at entry 7" in chain.messages[0]
    assert "covers entry 9: 2 entries were cut off" in chain.messages[0]


def test_an_end_that_was_cut_off_with_its_checkpoints_is_noticed_by_the_file(chain: Chain) -> None:
    exported = chain.stored()
    chain.tamper("DELETE FROM audit WHERE seq > 4", "DELETE FROM audit_checkpoint WHERE seq > 4")
    assert chain.found() == []  # nothing inside the database can tell
    assert chain.found(exported) == [
        (5, "missing_end"),
        (5, "missing_end"),
        (6, "checkpoint_removed"),
        (9, "checkpoint_removed"),
    ]


def test_a_chain_that_was_cut_and_grew_again_is_noticed(chain: Chain) -> None:
    chain.tamper("DELETE FROM audit WHERE seq > 7")
    chain.grow(5)
    assert chain.found() == [(9, "rewritten")]
    assert "written anew somewhere from entry 7 to 9" in chain.messages[0]


@pytest.mark.parametrize(("first", "between"), [(1, "1 to 3"), (5, "4 to 6"), (9, "7 to 9")])
def test_a_chain_that_was_written_anew_is_noticed_and_narrowed_down(
    chain: Chain, first: int, between: str
) -> None:
    chain.rewrite(first=first)
    seqs = [seq for seq, kind in chain.found() if kind == "rewritten"]
    assert seqs == [seq for seq in (3, 6, 9) if seq >= first]
    assert f"somewhere from entry {between}" in chain.messages[0]


def test_a_chain_written_anew_with_its_checkpoints_is_noticed_by_the_key(chain: Chain) -> None:
    chain.rewrite(first=5)
    chain.tamper("DELETE FROM audit_checkpoint WHERE seq > 3")
    stranger = signing.new_key()
    assert chain.sign(stranger) is not None
    assert chain.found() == [(9, "unknown_key")]
    assert stranger.public.fingerprint[:16] in chain.messages[0]


@pytest.mark.parametrize(
    ("column", "value"),
    [("head", "'" + "0" * 64 + "'"), ("at", "'2020-01-01 00:00:00'"), ("seq", "8"),
     ("signature", "'" + "0" * 128 + "'")],
)  # fmt: skip
def test_a_changed_checkpoint_has_a_wrong_signature(chain: Chain, column: str, value: str) -> None:
    change = f"UPDATE audit_checkpoint SET {column} = {value} WHERE seq = 9"  # noqa: S608 - fixed names
    chain.tamper(change)
    assert "signature" in [kind for _, kind in chain.found()]


def test_a_changed_key_of_a_checkpoint_is_unknown(chain: Chain) -> None:
    chain.tamper("UPDATE audit_checkpoint SET key_fingerprint = head WHERE seq = 9")
    assert chain.found() == [(9, "unknown_key")]


def test_an_older_copy_of_the_database_is_behind_the_file(chain: Chain) -> None:
    ahead = Checkpoint(
        seq=12, head="a" * 64, at=chain.now, key=KEY.public.fingerprint,
        signature=KEY.sign(
            checkpoints._message(seq=12, head="a" * 64, at=chain.now, key=KEY.public.fingerprint)
        ),
    )  # fmt: skip
    assert chain.found((*chain.stored(), ahead)) == [
        (10, "missing_end"),
        (12, "checkpoint_removed"),
    ]
    assert "or an older copy was restored" in chain.messages[0]


def test_a_broken_chain_is_not_signed(chain: Chain) -> None:
    chain.grow(3)
    chain.tamper("UPDATE audit SET actor = 'Eve' WHERE seq = 11")
    with pytest.raises(AuditBroken, match="no checkpoint was made: entry 11 was changed"):
        chain.sign()
    chain.tamper("UPDATE audit SET actor = 'Ana' WHERE seq = 11")
    assert chain.sign() is not None


def test_a_chain_cut_below_its_checkpoint_is_not_signed(chain: Chain) -> None:
    chain.tamper("DELETE FROM audit WHERE seq > 7")
    with pytest.raises(AuditBroken, match="the chain ends at entry 8 without the expected hash"):
        chain.sign()
    chain.grow(5)
    with pytest.raises(AuditBroken, match="entry 9 is not the one"):
        chain.sign()


def test_an_entry_before_the_first_is_named(chain: Chain) -> None:
    chain.tamper(
        "INSERT INTO audit SELECT 0, at, actor, action, subject, detail, previous_hash, 'h' FROM audit"
        " WHERE seq = 1"
    )
    assert (0, "changed") in chain.found()
    assert "which begins with entry 1" in chain.messages[0]


def test_another_spelling_of_the_same_detail_is_a_change(chain: Chain) -> None:
    chain.tamper("""UPDATE audit SET detail = '{"n": 1}' WHERE seq = 2""")
    assert chain.found() == [(2, "changed")]


class TestFile:
    """The exported file, on a machine that has nothing but the public key."""

    def test_it_verifies_with_the_public_key_alone(self, chain: Chain, tmp_path: Path) -> None:
        exported = checkpoints.render(chain.stored())
        assert len(exported.splitlines()) == 3
        (tmp_path / "key.pem").write_text(KEY.public.pem())
        keys = signing.read_public_keys([tmp_path / "key.pem"])
        points = checkpoints.parse(exported, name="f.jsonl")
        assert points == chain.stored()
        assert checkpoints.problems(points, keys, where="f.jsonl") == []
        others = {key.fingerprint: key for key in [signing.new_key().public]}
        kinds = {p.kind for p in checkpoints.problems(points, others, where="f.jsonl")}
        assert kinds == {"unknown_key"}

    @pytest.mark.parametrize("field", ["seq", "head", "at", "key", "signature"])
    def test_every_changed_field_of_a_line_is_named(self, chain: Chain, field: str) -> None:
        lines = [json.loads(line) for line in checkpoints.render(chain.stored()).splitlines()]
        changed = {
            "seq": 7,
            "head": "0" * 64,
            "at": "2020-01-01T00:00:00+00:00",
            "key": "0" * 64,
            "signature": "0" * 128,
        }
        lines[1][field] = changed[field]
        points = checkpoints.parse("\n".join(json.dumps(line) for line in lines), name="f")
        (problem,) = checkpoints.problems(points, KNOWN, where="f")
        assert problem.kind == ("unknown_key" if field == "key" else "signature")
        assert f"the checkpoint of entry {points[1].seq} (f)" in problem.message

    def test_lines_in_another_order_are_named(self, chain: Chain) -> None:
        first, second, third = chain.stored()
        (problem,) = checkpoints.problems((first, third, second), KNOWN, where="f")
        assert (problem.seq, problem.kind) == (6, "reordered")

    @pytest.mark.parametrize(
        "line",
        [
            "{",
            "[]",
            "1",
            "null",
            "{}",
            '{"format":1}',
            "[" * 100_000,
            '{"at":"2026-01-01T00:00:00","format":1,"head":"h","key":"k","seq":1,"signature":"s"}',
            '{"at":"2026-01-01T00:00:00Z","format":1,"head":1,"key":"k","seq":1,"signature":"s"}',
            '{"at":"2026-01-01T00:00:00Z","format":1,"head":"h","key":"k","seq":true,"signature":"s"}',
            '{"at":"2026-01-01T00:00:00Z","format":1,"head":"h","key":"k","seq":1,"signature":"s","x":1}',
        ],
    )
    def test_what_is_no_checkpoint_is_named_with_its_line(self, line: str) -> None:
        with pytest.raises(UnreadableFile, match="f, line 2: is not a checkpoint"):
            checkpoints.parse(f"\n{line}\n", name="f")

    def test_a_later_format_is_named(self) -> None:
        line = (
            '{"at":"2026-01-01T00:00:00Z","format":2,"head":"h","key":"k","seq":1,"signature":"s"}'
        )
        with pytest.raises(UnreadableFile, match="format 2; this program knows format 1"):
            checkpoints.parse(line, name="f")

    def test_an_empty_file_is_not_a_proof(self) -> None:
        with pytest.raises(UnreadableFile, match="holds no checkpoint"):
            checkpoints.parse("\n", name="f")

    @given(st.text(max_size=80))
    def test_any_text_is_checkpoints_or_unreadable(self, written: str) -> None:
        with pytest.raises(UnreadableFile):
            checkpoints.parse(written, name="f")
