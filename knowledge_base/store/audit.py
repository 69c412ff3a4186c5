"""The audit chain: who did what when, each entry hashed over the one before it, so that tampering shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, func, insert, select, text, type_coerce
from sqlalchemy.orm import Session

from knowledge_base.progress import Progress, silent
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
    """One place where the chain does not hold.

    `kind`: changed, removed, reordered or missing_end; a comparison with checkpoints adds rewritten, signature,
    unknown_key and checkpoint_removed.
    """

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


def length(session: Session) -> int:
    """The number of the newest entry, 0 when there is none."""
    return _end(session)[0]


def verify(
    session: Session, *, expected_head: str | None = None, progress: Progress = silent
) -> ChainReport:
    """Recompute the whole chain and name every entry that was changed, removed or moved.

    The newest entries can be cut off without a trace inside the chain; pass the head that was noted
    earlier as `expected_head` to notice that too, or compare with signed checkpoints (`store.checkpoints`).
    `progress` hears (what, entries done, entries in all).
    """
    total = session.scalar(select(func.count()).select_from(AuditRow)) or 0
    walk = _Walk(session, expected_head=expected_head)
    for row in _rows(session):
        if walk.length % _PAGE == 0:
            progress("Checking the audit chain", walk.length, total)
        walk.take(row)
    progress("Checking the audit chain", total, total)
    return walk.report()


def verify_since(session: Session, seq: int, head: str) -> ChainReport:
    """Recompute what came after entry `seq`, which has the hash `head`; `length` counts only that."""
    walk = _Walk(session, seq=seq, head=head)
    held = session.scalar(select(AuditRow.hash).where(AuditRow.seq == seq))
    if seq and held != head:
        walk.problems.append(_cut(seq - 1, head) if held is None else _rewritten(seq))
    for row in _rows(session, after=seq):
        walk.take(row)
    return walk.report()


class _Walk:
    """Follows the chain entry by entry and collects what does not hold."""

    def __init__(
        self,
        session: Session,
        *,
        seq: int = 0,
        head: str = GENESIS,
        expected_head: str | None = None,
    ) -> None:
        self.problems: list[ChainProblem] = []
        self.length = 0
        self._session = session
        self._seq, self._hash = seq, head
        self._expected = expected_head
        self._found = expected_head in (None, GENESIS)
        self._ranks: dict[str, int] | None = None
        self._named = False  # whether the entry before is known to be wrong already

    def take(self, row: Row) -> None:
        """The next entry."""
        self.length += 1
        if not row.whole:
            self._ranks = _ranks(self._session) if self._ranks is None else self._ranks
            self.problems.append(_explain(row, self._ranks))
            self._named = True
        else:
            if row.seq == self._seq + 1 and row.previous_hash != self._hash and not self._named:
                self.problems.append(_rewritten(row.seq - 1) if row.seq > 1 else _begun(row))
            self._named = False
        if row.seq > self._seq + 1:
            self.problems.append(_gap(self._seq + 1, row.seq - 1))
        self._seq, self._hash = row.seq, row.hash
        self._found = self._found or row.hash == self._expected

    def report(self) -> ChainReport:
        """What was found up to here."""
        cut = () if self._found else (_cut(self._seq, self._expected),)
        return ChainReport(length=self.length, head=self._hash, problems=(*self.problems, *cut))


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it is stored."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str  # as it is stored: another spelling of the same JSON is a change
    previous_hash: str
    hash: str

    @property
    def whole(self) -> bool:
        """Whether its hash is the hash of what it says."""
        return self.seq > 0 and self.hash == _own_hash(self, seq=self.seq)


def _end(session: Session) -> tuple[int, str]:
    newest = session.execute(
        select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1)
    ).first()
    return (0, GENESIS) if newest is None else (newest.seq, newest.hash)


def rows_at(session: Session, seqs: Collection[int]) -> Iterator[Row]:
    """The entries of these numbers, in order; those that do not exist are left out."""
    ordered = sorted(seqs)
    for start in range(0, len(ordered), _PAGE):
        page = ordered[start : start + _PAGE]
        yield from _read(session, AuditRow.seq.in_(page))


def _rows(session: Session, *, after: int | None = None) -> Iterator[Row]:
    return _read(session, None if after is None else AuditRow.seq > after)


def _read(session: Session, condition: ColumnElement[bool] | None) -> Iterator[Row]:
    columns: Sequence[Any] = (
        AuditRow.seq,
        AuditRow.at,
        AuditRow.actor,
        AuditRow.action,
        AuditRow.subject,
        type_coerce(AuditRow.detail, Text),
        AuditRow.previous_hash,
        AuditRow.hash,
    )
    statement = select(*columns).order_by(AuditRow.seq).execution_options(yield_per=_PAGE)
    result = session.execute(statement if condition is None else statement.where(condition))
    for row in result:
        yield Row(*row)


def _own_hash(row: Row, *, seq: int) -> str:
    """`link_hash` of a stored row, with the detail byte for byte as it is stored."""
    at = row.at.astimezone(UTC).isoformat()
    payload = (
        f'{{"action":{_json(row.action)},"actor":{_json(row.actor)},"at":"{at}","detail":{row.detail}'
        f',"seq":{seq},"subject":{_json(row.subject)}}}'
    )
    return hashlib.sha256(
        (row.previous_hash + payload).encode("utf-8", "surrogatepass")
    ).hexdigest()


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


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


def _explain(row: Row, ranks: dict[str, int]) -> ChainProblem:
    if row.seq < 1:
        message = (
            f"entry {row.seq} is not part of the chain, which begins with entry 1: it was added"
        )
        return ChainProblem(seq=row.seq, kind="changed", message=message)
    stood = ranks.get(row.hash)
    if stood is not None and stood != row.seq and row.hash == _own_hash(row, seq=stood):
        message = f"entry {row.seq} was written as entry {stood}: the order was changed"
        return ChainProblem(seq=row.seq, kind="reordered", message=message)
    message = f"entry {row.seq} was changed: its hash is not the hash of what it says"
    return ChainProblem(seq=row.seq, kind="changed", message=message)


def _rewritten(seq: int) -> ChainProblem:
    message = f"entry {seq} is not the one that entry {seq + 1} was chained to: it was rewritten"
    return ChainProblem(seq=seq, kind="changed", message=message)


def _begun(row: Row) -> ChainProblem:
    message = f"entry {row.seq} does not begin the chain: it names an entry before it"
    return ChainProblem(seq=row.seq, kind="changed", message=message)


def _gap(first: int, last: int) -> ChainProblem:
    named = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    return ChainProblem(seq=first, kind="removed", message=f"{named} missing")


def _cut(last_seq: int, expected_head: str | None) -> ChainProblem:
    message = (
        f"the chain ends at entry {last_seq} without the expected hash {expected_head}:"
        " newer entries were removed, or this is another chain"
    )
    return ChainProblem(seq=last_seq + 1, kind="missing_end", message=message)
