"""The audit chain: who did what when, each entry hashed over the one before it, so that tampering shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from knowledge_base.store.columns import canonical_json
from knowledge_base.store.tables import AuditRow

GENESIS = "0" * 64  # what the first entry names as the hash before it

# Any fixed number, another one than the migrations': writers of the chain queue on it on PostgreSQL.
_LOCK = 0x4649_5253_5402

# Rows read from the database at a time while verifying; bounds memory, not correctness.
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something to record. `detail` is JSON and never holds what a customer wrote."""

    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainProblem:
    """One place where the chain does not hold. `kind`: changed, removed, reordered or missing_end."""

    seq: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What verifying found; `head` is the newest hash (keep a copy elsewhere to notice a chain cut short)."""

    length: int
    head: str
    problems: tuple[ChainProblem, ...] = field(default=())

    @property
    def intact(self) -> bool:
        """Whether nothing was changed, removed or reordered."""
        return not self.problems


def append(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, Any],
    now: datetime,
) -> str:
    """Add one entry in the session's transaction; returns its hash (64 hex digits).

    Call it after the change it records and as late as possible: on PostgreSQL every other writer of the
    chain waits from here until this transaction ends. (SQLite has one writer at a time anyway.)
    """
    entry = Entry(actor=actor, action=action, subject=subject, detail=detail)
    return append_all(session, [entry], now=now)


def append_all(session: Session, entries: Iterable[Entry], *, now: datetime) -> str:
    """Add many entries in their order, with one lock and one statement; returns the newest hash."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    seq, previous = _end(session)
    rows: list[dict[str, Any]] = []
    for entry in entries:
        seq += 1
        content = {
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "detail": entry.detail,
        }
        row = {"seq": seq, "at": now, **content, "previous_hash": previous}
        previous = link_hash(previous, seq=seq, at=now, content=content)
        rows.append({**row, "hash": previous})
    if rows:
        session.execute(insert(AuditRow), rows)
    return previous


def link_hash(previous: str, *, seq: int, at: datetime, content: dict[str, Any]) -> str:
    """SHA-256 (hex) of the previous hash followed by the canonical JSON of the entry's other columns.

    `content` holds actor, action, subject and detail. Anybody can recompute it with these two lines.
    """
    payload = canonical_json({"seq": seq, "at": at.astimezone(UTC).isoformat(), **content})
    return hashlib.sha256((previous + payload).encode()).hexdigest()


def verify(session: Session, *, expected_head: str | None = None) -> ChainReport:
    """Recompute the whole chain and name every entry that was changed, removed or moved.

    The newest entries can be cut off without a trace inside the chain; pass the head that was noted
    earlier as `expected_head` to notice that too.
    """
    problems: list[ChainProblem] = []
    length, last_seq, last_hash, found = 0, 0, GENESIS, expected_head in (None, GENESIS)
    ranks: dict[str, int] | None = None
    named = False  # whether the entry before is known to be wrong already
    for row in _rows(session):
        length += 1
        if row.hash != _own_hash(row, seq=row.seq):
            ranks = _ranks(session) if ranks is None else ranks
            problems.append(_explain(row, ranks))
            named = True
        else:
            if row.seq == last_seq + 1 and row.previous_hash != last_hash and not named:
                problems.append(_broken_link(row))
            named = False
        if row.seq > last_seq + 1:
            problems.append(_gap(last_seq + 1, row.seq - 1))
        last_seq, last_hash = row.seq, row.hash
        found = found or row.hash == expected_head
    if not found:
        problems.append(_cut(last_seq, expected_head))
    return ChainReport(length=length, head=last_hash, problems=tuple(problems))


@dataclass(frozen=True, slots=True)
class _Row:
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    previous_hash: str
    hash: str


def _end(session: Session) -> tuple[int, str]:
    newest = session.execute(
        select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1)
    ).first()
    return (0, GENESIS) if newest is None else (newest.seq, newest.hash)


def _rows(session: Session) -> Iterator[_Row]:
    columns: Sequence[Any] = (
        AuditRow.seq,
        AuditRow.at,
        AuditRow.actor,
        AuditRow.action,
        AuditRow.subject,
        AuditRow.detail,
        AuditRow.previous_hash,
        AuditRow.hash,
    )
    result = session.execute(
        select(*columns).order_by(AuditRow.seq).execution_options(yield_per=_PAGE)
    )
    for row in result:
        yield _Row(*row)


def _own_hash(row: _Row, *, seq: int) -> str:
    content = {
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
    }
    return link_hash(row.previous_hash, seq=seq, at=row.at, content=content)


def _ranks(session: Session) -> dict[str, int]:
    """Where each entry stands when the links are followed from the first one, by hash."""
    links = session.execute(select(AuditRow.previous_hash, AuditRow.hash)).all()
    following: dict[str, str] = {link.previous_hash: link.hash for link in links}
    ranks: dict[str, int] = {}
    at = GENESIS
    while at in following and following[at] not in ranks:
        at = following[at]
        ranks[at] = len(ranks) + 1
    return ranks


def _explain(row: _Row, ranks: dict[str, int]) -> ChainProblem:
    stood = ranks.get(row.hash)
    if stood is not None and stood != row.seq and row.hash == _own_hash(row, seq=stood):
        message = f"entry {row.seq} was written as entry {stood}: the order was changed"
        return ChainProblem(seq=row.seq, kind="reordered", message=message)
    message = f"entry {row.seq} was changed: its hash is not the hash of what it says"
    return ChainProblem(seq=row.seq, kind="changed", message=message)


def _broken_link(row: _Row) -> ChainProblem:
    message = (
        f"entry {row.seq - 1} is not the one that entry {row.seq} was chained to: it was rewritten"
    )
    return ChainProblem(seq=row.seq - 1, kind="changed", message=message)


def _gap(first: int, last: int) -> ChainProblem:
    named = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    return ChainProblem(seq=first, kind="removed", message=f"{named} missing")


def _cut(last_seq: int, expected_head: str | None) -> ChainProblem:
    message = (
        f"the chain ends at entry {last_seq} without the expected hash {expected_head}:"
        " newer entries were removed, or this is another chain"
    )
    return ChainProblem(seq=last_seq + 1, kind="missing_end", message=message)
