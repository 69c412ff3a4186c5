"""Drafts in the database (SQL only)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from suggest_api.drafts.model import Draft, DraftState
from suggest_api.storage.tables import DraftRow
from suggest_api.values import Use

_TABLE = DraftRow.__table__


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
