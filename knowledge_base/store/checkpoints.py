"""Signed checkpoints of the audit chain: what a later check compares the chain with, here or on another machine.

A hash chain does not show that its end was cut off, nor that all of it was written anew. A checkpoint says "at
this time the chain was so long and ended in this hash" under a signature. Those in the database notice a chain
that was cut while they were left; an exported file notices everything up to its last line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from knowledge_base.errors import AuditBroken, UnreadableFile
from knowledge_base.store import audit
from knowledge_base.store.audit import ChainProblem
from knowledge_base.store.columns import canonical_json
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.signing import PublicKey, SigningKey
from knowledge_base.store.tables import AuditCheckpointRow, AuditRow

FORMAT = 1
# What a signature of this kind starts with, so that it can stand for nothing else.
_PREFIX = b"firstline audit checkpoint\n"
_FIELDS = {"format": int, "seq": int, "head": str, "at": str, "key": str, "signature": str}
_AT_ONCE = 10_000  # entries asked for in one statement
_MAX_LINE = 4096  # characters; a line has some 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The chain had `seq` entries at `at`, the last one with the hash `head`; signed by the key `key`."""

    seq: int
    head: str
    at: datetime
    key: str
    signature: str

    def message(self) -> bytes:
        """The bytes that are signed: a fixed first line, then the canonical JSON of the other fields."""
        return _message(seq=self.seq, head=self.head, at=self.at, key=self.key)

    def line(self) -> str:
        """One line of the exported file."""
        fields = {**_signed(self.seq, self.head, self.at, self.key), "signature": self.signature}
        return canonical_json(fields)


def make(engine: Engine, key: SigningKey, *, now: datetime) -> Checkpoint | None:
    """Sign the end of the chain if it grew since the newest checkpoint; None if it did not.

    Only what grew is looked through, so this takes moments. Raises AuditBroken instead of signing a chain that
    does not hold.
    """
    with read_session(engine) as session:
        fresh = signed_end(session, key, now=now)
    if fresh is None:
        return None
    try:
        with write_session(engine) as session:
            store(session, fresh)
    except IntegrityError:  # another process was first, which is as good
        return None
    return fresh


def signed_end(session: Session, key: SigningKey, *, now: datetime) -> Checkpoint | None:
    """A checkpoint of the chain as this session sees it, not stored; None if the newest one is there already."""
    before = newest(session)
    since = (0, audit.GENESIS) if before is None else (before.seq, before.head)
    report = audit.verify_since(session, *since)
    if report.problems:
        msg = (
            f"no checkpoint was made: {report.problems[0].message} (see `firstline audit verify`)"
        )
        raise AuditBroken(msg)
    if report.length == 0:
        return None
    seq = since[0] + report.length
    head, fingerprint = report.head, key.public.fingerprint
    message = _message(seq=seq, head=head, at=now, key=fingerprint)
    return Checkpoint(seq=seq, head=head, at=now, key=fingerprint, signature=key.sign(message))


def store(session: Session, checkpoint: Checkpoint) -> None:
    """Add it to the table."""
    row = {
        "seq": checkpoint.seq,
        "head": checkpoint.head,
        "at": checkpoint.at,
        "key_fingerprint": checkpoint.key,
        "signature": checkpoint.signature,
    }
    session.execute(insert(AuditCheckpointRow), row)


def due(session: Session, *, every: timedelta, now: datetime) -> bool:
    """Whether the newest checkpoint is at least so old."""
    before = newest(session)
    return before is None or now - before.at >= every


def newest(session: Session) -> Checkpoint | None:
    """The checkpoint with the highest entry."""
    row = session.scalars(
        select(AuditCheckpointRow).order_by(AuditCheckpointRow.seq.desc()).limit(1)
    ).first()
    return None if row is None else _checkpoint(row)


def stored(session: Session) -> tuple[Checkpoint, ...]:
    """All checkpoints of the database, oldest first."""
    rows = session.scalars(select(AuditCheckpointRow).order_by(AuditCheckpointRow.seq))
    return tuple(_checkpoint(row) for row in rows)


def render(checkpoints: Iterable[Checkpoint]) -> str:
    """The exported file: one JSON object a line."""
    return "".join(f"{checkpoint.line()}\n" for checkpoint in checkpoints)


def parse(text: str, *, name: str) -> tuple[Checkpoint, ...]:
    """The checkpoints of an exported file. Raises UnreadableFile that names the line."""
    lines = text.splitlines()
    found = [_parsed(line, f"{name}, line {n}") for n, line in enumerate(lines, 1) if line.strip()]
    if not found:
        msg = f"{name}: holds no checkpoint (`firstline audit checkpoint --out FILE` writes them)"
        raise UnreadableFile(msg)
    return tuple(found)


def problems(
    checkpoints: Sequence[Checkpoint], keys: Mapping[str, PublicKey], *, where: str
) -> list[ChainProblem]:
    """What is wrong with the checkpoints by themselves: signatures, keys, order. No database is needed."""
    found: list[ChainProblem] = []
    last: Checkpoint | None = None
    for point in checkpoints:
        named = f"the checkpoint of entry {point.seq:,} ({where})"
        public = keys.get(point.key)
        if public is None:
            reason = f"is signed with the key {point.key[:16]}, which is not among the public keys known here"
            found.append(_problem(point, "unknown_key", f"{named} {reason}"))
        elif not public.signed(point.message(), point.signature):
            reason = "has a wrong signature: it was changed, or made by somebody else"
            found.append(_problem(point, "signature", f"{named} {reason}"))
        if last is not None and point.seq <= last.seq:
            reason = f"stands after the one of entry {last.seq:,}: the order was changed"
            found.append(_problem(point, "reordered", f"{named} {reason}"))
        last = point
    return found


def compare(
    session: Session, checkpoints: Sequence[Checkpoint], *, end: int, where: str
) -> list[ChainProblem]:
    """Where the chain of the database, which ends at entry `end`, is not what the checkpoints say."""
    hashes = _hashes(session, [point.seq for point in checkpoints])
    found: list[ChainProblem] = []
    agreed = 0
    for point in checkpoints:
        day = f"{point.at:%Y-%m-%d %H:%M} UTC"
        if point.seq > end:
            message = (
                f"the chain ends at entry {end:,}, but a checkpoint of {day} ({where}) covers entry"
                f" {point.seq:,}: {_entries(point.seq - end)} cut off, or an older copy was restored"
            )
            found.append(_problem(point, "missing_end", message, seq=end + 1))
        elif hashes.get(point.seq) == point.head:
            agreed = max(agreed, point.seq)
        else:
            message = (
                f"entry {point.seq:,} is not what was signed on {day} ({where}): the chain was written"
                f" anew somewhere from entry {agreed + 1:,} to {point.seq:,}"
            )
            found.append(_problem(point, "rewritten", message))
    return found


def missing(
    inside: Sequence[Checkpoint], outside: Sequence[Checkpoint], *, where: str
) -> list[ChainProblem]:
    """Checkpoints of an exported file that the database does not have, or has otherwise."""
    held = {point.seq: point for point in inside}
    found: list[ChainProblem] = []
    for point in outside:
        mine = held.get(point.seq)
        if mine is None:
            reason = f"is in {where} and was removed from the database"
        elif (mine.head, mine.at) != (point.head, point.at):
            reason = f"is another one in {where} than in the database"
        else:
            continue
        message = f"the checkpoint of entry {point.seq:,} {reason}"
        found.append(_problem(point, "checkpoint_removed", message))
    return found


def _entries(number: int) -> str:
    return "1 entry was" if number == 1 else f"{number:,} entries were"


def _hashes(session: Session, seqs: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for start in range(0, len(seqs), _AT_ONCE):
        page = seqs[start : start + _AT_ONCE]
        rows = session.execute(select(AuditRow.seq, AuditRow.hash).where(AuditRow.seq.in_(page)))
        found.update((row.seq, row.hash) for row in rows)
    return found


def _problem(
    point: Checkpoint, kind: str, message: str, *, seq: int | None = None
) -> ChainProblem:
    return ChainProblem(seq=point.seq if seq is None else seq, kind=kind, message=message)


def _signed(seq: int, head: str, at: datetime, key: str) -> dict[str, Any]:
    moment = at.astimezone(UTC).isoformat()
    return {"format": FORMAT, "seq": seq, "head": head, "at": moment, "key": key}


def _message(*, seq: int, head: str, at: datetime, key: str) -> bytes:
    return _PREFIX + canonical_json(_signed(seq, head, at, key)).encode()


def _checkpoint(row: AuditCheckpointRow) -> Checkpoint:
    return Checkpoint(
        seq=row.seq,
        head=row.head,
        at=row.at,
        key=row.key_fingerprint,
        signature=row.signature,
    )


def _parsed(line: str, place: str) -> Checkpoint:
    try:
        fields = json.loads(line[:_MAX_LINE])
        at = datetime.fromisoformat(fields["at"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _unreadable(place) from None
    if set(fields) != set(_FIELDS) or at.tzinfo is None:
        raise _unreadable(place)
    if any(type(fields[name]) is not kind for name, kind in _FIELDS.items()):
        raise _unreadable(place)
    if fields["format"] != FORMAT:
        msg = f"{place}: format {fields['format']}; this program knows format {FORMAT}"
        raise UnreadableFile(msg)
    return Checkpoint(
        seq=fields["seq"],
        head=fields["head"],
        at=at,
        key=fields["key"],
        signature=fields["signature"],
    )


def _unreadable(place: str) -> UnreadableFile:
    return UnreadableFile(f"{place}: is not a checkpoint: copy the file again")
