"""What the audit chain says about one thing: its entries, each checked by itself and against its neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Text, select, type_coerce
from sqlalchemy.orm import Session

from knowledge_base.store import audit
from knowledge_base.store.tables import AuditRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One entry. `fault` says what is wrong with it; empty when it is whole and its neighbours agree."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    fault: str = ""


def entries_about(
    session: Session, subjects: Iterable[str], *, naming: str = ""
) -> tuple[Recorded, ...]:
    """All entries with these subjects, oldest first; with `naming`, those whose detail has these words as well.

    Only they and their neighbours are read: whether the chain holds as a whole, `audit.verify` tells.
    """
    statement = select(AuditRow.seq).where(AuditRow.subject.in_(list(subjects)))
    if naming:
        detail = type_coerce(AuditRow.detail, Text)
        statement = statement.where(detail.contains(naming, autoescape=True))
    found = session.scalars(statement.order_by(AuditRow.seq)).all()
    around = {seq + step for seq in found for step in (-1, 0, 1)}
    rows = {row.seq: row for row in audit.rows_at(session, around)}
    return tuple(_recorded(rows[seq], rows) for seq in found)


def _recorded(row: audit.Row, rows: dict[int, audit.Row]) -> Recorded:
    fault = _fault(row, rows)
    try:
        detail = json.loads(row.detail)
    except ValueError:
        detail = None
    return Recorded(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=detail if isinstance(detail, dict) else {},
        fault=fault,
    )


def _fault(row: audit.Row, rows: dict[int, audit.Row]) -> str:
    before, after = rows.get(row.seq - 1), rows.get(row.seq + 1)
    expected = audit.GENESIS if row.seq == 1 else None if before is None else before.hash
    if not row.whole:
        return f"entry {row.seq} of the audit chain was changed"
    if expected is None:
        return f"entry {row.seq - 1} of the audit chain is missing"
    if row.previous_hash != expected:
        return f"entry {row.seq} of the audit chain is not chained to the one before it"
    if after is not None and after.previous_hash != row.hash:
        return f"entry {row.seq + 1} of the audit chain is not chained to the one before it"
    return ""
