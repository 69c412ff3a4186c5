"""Drafts in the database (SQL only)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, case, func, insert, select, type_coerce, update
from sqlalchemy.orm import Session

from knowledge_base.store.curation_tables import RecallRow
from knowledge_base.store.repository import KEYS_AT_ONCE
from knowledge_base.store.tables import RevisionRow
from suggest_api.drafts.model import Draft, DraftState
from suggest_api.storage.tables import DraftRow
from suggest_api.values import Use

_TABLE = DraftRow.__table__
_TAKEN = (DraftState.EDITED, DraftState.ACCEPTED, DraftState.SENT)


def add(session: Session, drafts: Sequence[Draft]) -> None:
    """Store new drafts."""
    if drafts:
        session.execute(insert(DraftRow), [_row(draft) for draft in drafts])


def get(session: Session, draft_id: str, *, lock: bool = False) -> Draft | None:
    """The draft; `lock` keeps other transactions from deciding it until this one ends."""
    statement = select(*_TABLE.columns).where(DraftRow.id == draft_id)
    row = session.execute(statement.with_for_update() if lock else statement).mappings().first()
    if row is None:
        return None
    values: dict[str, Any] = dict(row)
    values["use"], values["state"] = Use(values["use"]), DraftState(values["state"])
    return Draft(**values)


def as_stored(session: Session, draft_id: str) -> dict[str, str | None]:
    """The JSON of a draft as the text that is stored: another spelling of the same value is a change."""
    columns = (
        type_coerce(_TABLE.c[name], Text).label(name) for name in ("proof", "final_verdict")
    )
    row = session.execute(select(*columns).where(DraftRow.id == draft_id)).mappings().one()
    return dict(row)


def approved_hash(session: Session, revision_id: int) -> str | None:
    """The hash that an approval was bound to."""
    return session.scalar(select(RevisionRow.approved_hash).where(RevisionRow.id == revision_id))


def recalled_revision(session: Session, recall_id: int) -> tuple[int, datetime] | None:
    """The revision that a recall pulled, and when; None if there is no such recall."""
    statement = select(RecallRow.revision_id, RecallRow.at).where(RecallRow.id == recall_id)
    row = session.execute(statement).first()
    return None if row is None else (row.revision_id, row.at)


def save(session: Session, draft: Draft) -> None:
    """Write what became of a draft; what was offered never changes."""
    session.execute(
        update(DraftRow)
        .where(DraftRow.id == draft.id)
        .values(
            state=draft.state.value,
            final_text=draft.final_text,
            final_verdict=None if draft.final_verdict is None else dict(draft.final_verdict),
            decided_by=draft.decided_by,
            decided_at=draft.decided_at,
            reason=draft.reason,
        )
    )


def _row(draft: Draft) -> dict[str, Any]:
    columns = {column.name: getattr(draft, column.name) for column in _TABLE.columns}
    return {
        **columns,
        "use": draft.use.value,
        "state": draft.state.value,
        "proof": dict(draft.proof),
    }


def usage(session: Session, keys: Sequence[str], *, since: datetime) -> dict[str, dict[str, int]]:
    """By snippet: how many drafts were `shown`, `accepted` as they were, `edited` and taken, `dismissed`."""
    edited = DraftRow.final_text.is_not(None)
    taken = DraftRow.state.in_([state.value for state in _TAKEN])
    found: dict[str, dict[str, int]] = {}
    for start in range(0, len(keys), KEYS_AT_ONCE):
        statement = (
            select(
                DraftRow.snippet_key,
                func.count().label("shown"),
                _times(taken & ~edited).label("accepted"),
                _times(taken & edited).label("edited"),
                _times(DraftRow.state == DraftState.DISMISSED.value).label("dismissed"),
            )
            .where(
                DraftRow.snippet_key.in_(keys[start : start + KEYS_AT_ONCE]),
                DraftRow.created_at >= since,
            )
            .group_by(DraftRow.snippet_key)
        )
        for row in session.execute(statement).mappings():
            counts = {name: int(value) for name, value in row.items() if name != "snippet_key"}
            found[row["snippet_key"]] = counts
    return found


def offered(session: Session, *, since: datetime) -> frozenset[str]:
    """The keys of all snippets that were offered since then."""
    statement = select(DraftRow.snippet_key).where(DraftRow.created_at >= since).distinct()
    return frozenset(session.scalars(statement))


def _times(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows it holds for."""
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
