"""A proof fails when any stored part of it is changed: every column and every field, one after another.

The columns are taken from the tables and the fields from the stored proof, so a new one is covered, or has to be
named here with the part that notices it. Each change is made as the owner of the database would make it, without
triggers, foreign keys and checks, and rolled back after the look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, DateTime, Engine, Integer, Table, select, text, update
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, ProofFailed
from knowledge_base.store.columns import CanonicalJson
from knowledge_base.store.curation_tables import ReviewDecisionRow
from knowledge_base.store.tables import AuditRow, RevisionRow
from suggest_api import flow
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import DraftState, proof_hash
from suggest_api.drafts.proof import ProofReport
from suggest_api.flow.operating import record_offers
from suggest_api.storage import unit_of_work
from suggest_api.storage.tables import DraftRow, OutboxRow
from tests.doubles.desk import Parts
from tests.doubles.rasa import Rasa
from tests.flow.test_gate import RETURNS, offer, waiting

__all__ = ["waiting"]  # the fixture is used by name

# A word that the column can hold, since any other one cannot even be read.
WORDS = {
    "status": "in_review",
    "kind": "return",
    "state": "accepted",
    "use": "assistant",
    "verdict_outcome": "pass",
}
EDITED = RETURNS.replace("30", "60")

# Which part says that a column was changed.
DRAFT = {
    "id": "draft_id",
    "request_id": "request_id",
    "conversation_id": "conversation_id",
    "channel": "channel",
    "use": "use",
    "rank": "rank",
    "snippet_key": "snippet_key",
    "revision_id": "revision_id",
    "text": "rebuilt text",
    "text_sha256": "text_sha256 (stored)",
    "proof": "proof_sha256",
    "proof_sha256": "proof_sha256",
    "state": "state",
    "final_text": "final text (audit)",
    "final_verdict": "verdict_sha256 (audit)",
    "decided_by": "decided_by",
    "decided_at": "decided_at",
    "reason": "reason_sha256 (audit)",
    "created_at": "created_at",
    "recall_id": "recall_id",
}
REVISION = {
    "id": "revision",
    "snippet_key": "content_hash",
    "number": "revision",
    **dict.fromkeys(
        ("title", "text", "examples", "topic", "tags", "locale", "channels", "auto_send"),
        "content_hash",
    ),
    **dict.fromkeys(("valid_from", "valid_until", "owner"), "content_hash"),
    "content_hash": "content_hash (stored)",
    "status": "status",
    "author": "author",
    "created_at": "created_at (audit)",
    "submitted_at": "submitted_at",
    "approved_by": "approved_by",
    "approved_at": "approved_at",
    "approved_hash": "approved_hash",
    "policy_version": "approval's policy_version",
    "retired_by": "retired_by",
    "retired_at": "retired_at",
}
# What a revision's place is now, which a proof of what was said then does not depend on.
LATER = {
    "live": "whether it is offered today; it was when the draft was made, as the build id says"
}
OUTBOX = {
    "id": "reply (audit)",
    "text": "reply's text",
    "text_sha256": "reply's text_sha256",
    "judged_sha256": "reply's judged text",
    "draft_id": "reply",
    "revision_id": "reply's revision",
    "verdict": "reply's verdict",
    "verdict_outcome": "reply's outcome",
}
DECISION = {
    **dict.fromkeys(("revision_id", "submitted_at", "kind"), "sign-offs"),
    **dict.fromkeys(("step", "team", "by", "at"), "sign-off 1"),
    **dict.fromkeys(("author", "content_hash"), "sign-off 1, what was signed"),
    "reason": "sign-off 1, reason",
}
# Where the sending stands and where it went, which is the delivery's own story.
DELIVERY = {
    *("conversation_id", "seq", "turn_id", "author", "author_name", "state", "attempts"),
    *("next_attempt_at", "lease_owner", "lease_until", "platform_id", "failure", "created_at"),
    "settled_at",
}


class Owner:
    """Somebody who owns the database: changes anything, looks at the proof, and puts it back."""

    def __init__(self, parts: Parts, draft_id: str) -> None:
        self.parts = parts
        self.draft_id = draft_id

    @contextmanager
    def unguarded(self) -> Iterator[Connection]:
        with self.parts.engine.connect() as connection:
            self._switch_checks(connection, on=False)
            self._drop_guards(connection)
            try:
                yield connection
            finally:
                connection.rollback()
                self._switch_checks(connection, on=True)
                connection.rollback()

    def _switch_checks(self, connection: Connection, *, on: bool) -> None:
        if connection.dialect.name != "sqlite":
            role = "origin" if on else "replica"
            connection.exec_driver_sql(f"SET LOCAL session_replication_role = {role}")
            return
        raw: Any = connection.connection.driver_connection  # outside of any transaction
        raw.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")
        raw.execute(f"PRAGMA ignore_check_constraints={'OFF' if on else 'ON'}")

    def _drop_guards(self, connection: Connection) -> None:
        tables = ("draft", "revision", "review_decision", "audit", "outbox")
        if connection.dialect.name == "sqlite":
            named = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for name in connection.scalars(named).all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            return
        checks = text(
            "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'c'"
            " AND conrelid::regclass::text = ANY(:tables)"
        )
        for table, name in connection.execute(checks, {"tables": list(tables)}).all():
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")

    def look(self, connection: Connection, draft_id: str | None = None) -> ProofReport | str:
        """The proof as the changed database gives it, or why there is none."""
        with Session(connection, join_transaction_mode="rollback_only") as session:
            try:
                return flow.prove(self.parts.desk, session, draft_id or self.draft_id)
            except (ProofFailed, NotFound) as error:
                return str(error)

    def row(self, connection: Connection, table: Table) -> dict[str, Any]:
        revision = select(DraftRow.revision_id).where(DraftRow.id == self.draft_id)
        wanted: Any = {
            "draft": table.c.get("id") == self.draft_id,
            "revision": table.c.get("id") == revision.scalar_subquery(),
            "review_decision": table.c.get("revision_id") == revision.scalar_subquery(),
            "outbox": table.c.get("draft_id") == self.draft_id,
        }[table.name]
        return dict(connection.execute(select(table).where(wanted)).mappings().one())


@pytest.fixture
def owner(waiting: Parts, rasa: Rasa) -> Owner:
    """A draft that was edited twice, sent with a reason, and whose revision was retired since."""
    draft = offer(waiting, title="Returns", tags=("a",), examples=("can i return it",))
    assert record_offers(waiting.desk) >= 1
    waiting.clock.forward(60)
    with unit_of_work.write(waiting.engine) as session:
        flow.feedback(
            waiting.desk, session, draft, action=DraftState.EDITED,
            final_text=RETURNS.replace("anything", "all"), reason="tone", by="Sam",
        )  # fmt: skip
    waiting.clock.forward(60)
    waiting.reply(EDITED, draft_id=draft, reason="Winter rules give 60 days.")
    waiting.deliver()
    made = Owner(waiting, draft)
    with made.unguarded() as connection:
        report = made.look(connection)
    assert isinstance(report, ProofReport)
    assert report.holds, [check for check in report.checks if check.holds is False]
    assert report.draft.state.value == "sent"
    assert all(check.holds is True for check in report.checks)
    return made


def others(column: Any, value: Any) -> list[Any]:
    """Other values that this column can hold."""
    found: list[Any] = []
    if value is None:
        now = datetime.fromisoformat("2026-03-02T09:30:00+00:00")
        kinds = {DateTime: now, Integer: 77, Boolean: True}
        found = [next((v for k, v in kinds.items() if is_a(column, k)), "x")]
        return [{"x": 1}] if isinstance(column.type, CanonicalJson) else found
    if column.name in WORDS:
        return [WORDS[column.name]]
    if isinstance(column.type, CanonicalJson):
        return (
            [*value, "x"] and [[*value, "x"]] if isinstance(value, list) else [{**value, "x": 1}]
        )
    if isinstance(value, datetime):
        found = [value + timedelta(microseconds=1)]
    elif isinstance(value, bool):
        found = [not value]
    elif isinstance(value, int):
        found = [value + 1000]
    else:
        found = [value[:-1] + ("0" if value[-1:] != "0" else "1")]  # "" becomes "0"
    return [*found, None] if column.nullable else found


def is_a(column: Any, kind: type) -> bool:
    return isinstance(getattr(column.type, "impl_instance", column.type), kind)


def verdict_on(report: ProofReport | str, part: str, what: str) -> None:
    """The look found something, and named the part."""
    if isinstance(report, str):
        assert part in {"draft_id", "state", "use", "revision"}, (what, report)
        return
    assert not report.holds, f"{what}: nobody noticed"
    assert part in report.differing, f"{what}: {report.differing}"


@pytest.mark.parametrize(
    ("model", "expected", "excused"),
    [
        (DraftRow, DRAFT, set()),
        (RevisionRow, REVISION, set(LATER)),
        (ReviewDecisionRow, DECISION, {"id"}),  # a number and no more: nothing refers to it
        (OutboxRow, OUTBOX, DELIVERY),
    ],
    ids=["draft", "revision", "review_decision", "outbox"],
)
def test_every_changed_column_is_noticed(
    owner: Owner, model: Any, expected: dict[str, str], excused: set[str]
) -> None:
    table: Table = model.__table__
    assert {c.name for c in table.columns} == set(expected) | excused, "say which part notices it"
    for name, part in expected.items():
        with owner.unguarded() as connection:
            row = owner.row(connection, table)
        for value in others(table.c[name], row[name]):
            with owner.unguarded() as connection:
                connection.execute(
                    update(table).where(table.c.id == row["id"]).values({name: value})
                )
                mine = value if (table.name, name) == ("draft", "id") else None
                verdict_on(owner.look(connection, mine), part, f"{name} = {value!r}")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a JSON document, the empty lists and dicts among them."""
    inside = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(
        value, list
    ) else []  # fmt: skip
    for key, one in inside:
        yield from leaves(one, (*path, key))
    if not inside:
        yield path


def with_other(document: Any, path: tuple[Any, ...]) -> Any:
    """The document with something else in this place."""
    changed = deepcopy(document)
    at = changed
    for key in path[:-1]:
        at = at[key]
    old = at[path[-1]]
    new: Any
    if isinstance(old, bool) or old is None:
        new = "x"
    elif isinstance(old, int | float):
        new = old + 1
    elif isinstance(old, str):
        new = old[:-1] + ("0" if old[-1:] != "0" else "1")
    else:
        new = ["x"] if isinstance(old, list) else {"x": 1}
    at[path[-1]] = new
    return changed


def about(owner: Owner) -> list[dict[str, Any]]:
    """The audit entries about the draft, its revision, and its reply."""
    with owner.unguarded() as connection:
        draft = owner.row(connection, DraftRow.__table__)  # type: ignore[arg-type]  # as above
        revision = owner.row(connection, RevisionRow.__table__)  # type: ignore[arg-type]  # as above
        rows = connection.execute(select(AuditRow.__table__).order_by(AuditRow.seq)).mappings()
        subjects = {
            f"draft:{draft['id']}",
            f"revision:{revision['snippet_key']}@{revision['number']}",
        }
        return [
            dict(row)
            for row in rows
            if row["subject"] in subjects or row["detail"].get("draft_id") == draft["id"]
        ]


class TestEveryField:
    """Inside one column; on SQLite only, since JSON is the same text in both databases."""

    @pytest.fixture
    def engine(self, sqlite_engine: Engine) -> Engine:
        return sqlite_engine

    def test_every_changed_field_of_the_proof_breaks_its_seal(self, owner: Owner) -> None:
        table = DraftRow.__table__
        with owner.unguarded() as connection:
            proof = owner.row(connection, table)["proof"]
        places = list(leaves(proof))
        assert {path[0] for path in places} == set(proof)
        changed = [with_other(proof, path) for path in places]
        changed += [{k: v for k, v in proof.items() if k != gone} for gone in proof]
        changed.append({**proof, "more": 1})
        for other in changed:
            for sealed in (False, True):
                values = {"proof": other}
                if sealed:  # made to fit, so that only what was recorded outside can tell
                    values["proof_sha256"] = proof_hash(other)
                with owner.unguarded() as connection:
                    connection.execute(
                        update(table).where(table.c.id == owner.draft_id).values(values)
                    )
                    part = "proof_sha256 (audit)" if sealed else "proof_sha256"
                    verdict_on(owner.look(connection), part, f"{other}")

    def test_every_changed_field_of_the_final_verdict_is_noticed(self, owner: Owner) -> None:
        table = DraftRow.__table__
        with owner.unguarded() as connection:
            verdict = owner.row(connection, table)["final_verdict"]
        assert verdict["drift"]["changed"] == ["a number"]
        for path in leaves(verdict):
            with owner.unguarded() as connection:
                connection.execute(
                    update(table)
                    .where(table.c.id == owner.draft_id)
                    .values(final_verdict=with_other(verdict, path))
                )
                report = owner.look(connection)
                verdict_on(report, "verdict_sha256 (audit)", str(path))
                if path[0] == "drift":
                    verdict_on(report, "drift", str(path))

    def test_another_spelling_of_the_same_json_is_noticed(self, owner: Owner) -> None:
        for column in ("proof", "final_verdict"):
            with owner.unguarded() as connection:
                change = f"UPDATE draft SET {column} = replace({column}, ',', ', ') WHERE id = :id"  # noqa: S608 - fixed names
                connection.execute(text(change), {"id": owner.draft_id})
                verdict_on(owner.look(connection), f"{column} (stored)", column)

    def test_a_column_that_cannot_be_read_any_more_is_told(self, owner: Owner) -> None:
        for column, value in (
            ("proof", "{"),
            ("proof", "[]"),
            ("final_verdict", "3"),
            ("use", "x"),
        ):
            with owner.unguarded() as connection:
                change = f"UPDATE draft SET {column} = :value WHERE id = :id"  # noqa: S608 - fixed names
                connection.execute(text(change), {"value": value, "id": owner.draft_id})
                told = owner.look(connection)
            assert isinstance(told, str)
            assert owner.draft_id in told
        with owner.unguarded() as connection:
            connection.exec_driver_sql("UPDATE revision SET examples = '{'")
            verdict_on(owner.look(connection), "revision", "examples")

    def test_every_changed_or_removed_audit_entry_is_noticed(self, owner: Owner) -> None:
        entries = about(owner)
        assert [entry["action"] for entry in entries] == [
            "revision.add",
            "revision.submit",
            "revision.approve",
            "draft.edited",
            "draft.accepted",
            "reply.queue",
            "draft.sent",
        ]
        table = AuditRow.__table__
        for entry in entries:
            changes: list[dict[str, Any]] = [
                {column.name: value}
                for column in table.columns
                for value in others(column, entry[column.name])
            ]
            changes += [
                {"detail": with_other(entry["detail"], path)}
                for path in leaves(entry["detail"])
                if path
            ]
            for change in changes:
                with owner.unguarded() as connection:
                    connection.execute(
                        update(table).where(table.c.seq == entry["seq"]).values(change)
                    )
                    report = owner.look(connection)
                assert isinstance(report, ProofReport)
                assert not report.holds, (entry["action"], change)
                named = [check for check in report.checks if check.holds is False]
                assert named, (entry["action"], change)
            with owner.unguarded() as connection:
                connection.execute(table.delete().where(table.c.seq == entry["seq"]))
                report = owner.look(connection)
            assert isinstance(report, ProofReport)
            assert not report.holds, entry["action"]


def test_a_decision_that_nobody_recorded_is_noticed(waiting: Parts) -> None:
    draft = offer(waiting)
    owner = Owner(waiting, draft)
    for values in (
        "state = 'accepted', decided_by = 'Eve', decided_at = created_at",
        "final_text = 'x'",
        "reason = 'x'",
    ):
        with owner.unguarded() as connection:
            report = owner.look(connection)
            assert isinstance(report, ProofReport)
            assert report.holds
            change = f"UPDATE draft SET {values} WHERE id = :id"  # noqa: S608 - fixed names
            connection.execute(text(change), {"id": draft})
            verdict_on(owner.look(connection), "decision", values)


def test_what_was_offered_is_held_by_the_chain_although_nobody_decided(waiting: Parts) -> None:
    draft = offer(waiting)
    owner, part = Owner(waiting, draft), "proof (audit)"
    table = DraftRow.__table__
    with owner.unguarded() as connection:
        proof = owner.row(connection, table)["proof"]
        report = owner.look(connection)
    assert isinstance(report, ProofReport)
    assert report.holds
    [waits] = [check for check in report.checks if check.part == part]
    assert waits.holds is None
    assert record_offers(waiting.desk) == waiting.value("SELECT count(*) FROM draft")
    assert record_offers(waiting.desk) == 0
    assert waiting.value("SELECT count(*) FROM audit WHERE action = 'draft.offered'") == 1
    with owner.unguarded() as connection:
        report = owner.look(connection)
    assert isinstance(report, ProofReport)
    assert report.holds
    assert all(check.holds is True for check in report.checks)
    changes = {"score": 0.5, "confidence": 0.99, "build_id": "0" * 32, "matched_example": "x"}
    for name, value in changes.items():
        other = {**proof, name: value}
        sealed = {"proof": other, "proof_sha256": proof_hash(other)}
        with owner.unguarded() as connection:
            connection.execute(update(table).where(table.c.id == draft).values(sealed))
            verdict_on(owner.look(connection), part, name)
            # Recorded anew as it is now: the first entry says otherwise still.
            connection.execute(text("INSERT INTO draft_unrecorded VALUES (:id)"), {"id": draft})
            with Session(connection, join_transaction_mode="rollback_only") as session:
                assert drafts.record_offers(session, now=waiting.clock()) == 1
                session.flush()
            verdict_on(owner.look(connection), part, f"{name}, recorded again")
    with owner.unguarded() as connection:
        connection.execute(text("DELETE FROM audit WHERE action = 'draft.offered'"))
        verdict_on(owner.look(connection), part, "the entry is gone")
