"""Drafts in the database (SQL only)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from knowledge_base.store.curation_tables import RecallRow
from knowledge_base.store.repository import KEYS_AT_ONCE
from knowledge_base.store.revisions import TABLE as REVISION
from knowledge_base.store.tables import RevisionRow, SnippetRow
from suggest_api.drafts.model import OPEN, Draft, DraftState
from suggest_api.storage.tables import DraftRow, DraftUnrecordedRow
from suggest_api.values import Use

_TABLE = DraftRow.__table__
_UNRECORDED = DraftUnrecordedRow.__table__
# Made once: every request that is answered stores its drafts with them.
_ADD, _ADD_UNRECORDED = insert(_TABLE), insert(_UNRECORDED)
_TAKEN = (DraftState.EDITED, DraftState.ACCEPTED, DraftState.SENT)


def add(session: Session, drafts: Sequence[Draft]) -> None:
    """Store new drafts, and that the audit chain has yet to record them."""
    if drafts:
        session.execute(_ADD, [_row(draft) for draft in drafts])
        session.execute(_ADD_UNRECORDED, [{"draft_id": draft.id} for draft in drafts])


def take_unrecorded(session: Session, *, most: int) -> dict[str, str]:
    """Take drafts off the list of those that the chain has yet to record; their proofs' hashes by id, in order.

    What another transaction has taken is passed over.
    """
    listed = select(DraftUnrecordedRow.draft_id).order_by(DraftUnrecordedRow.draft_id)
    ids = session.scalars(listed.limit(most).with_for_update(skip_locked=True)).all()
    if not ids:
        return {}
    session.execute(delete(DraftUnrecordedRow).where(DraftUnrecordedRow.draft_id.in_(ids)))
    rows = session.execute(select(DraftRow.id, DraftRow.proof_sha256).where(DraftRow.id.in_(ids)))
    return dict(sorted((row.id, row.proof_sha256) for row in rows))


def unrecorded(session: Session, draft_id: str | None = None) -> bool:
    """Whether the chain has yet to record this draft, or any."""
    statement = select(DraftUnrecordedRow.draft_id).limit(1)
    if draft_id is not None:
        statement = statement.where(DraftUnrecordedRow.draft_id == draft_id)
    return session.scalar(statement) is not None


def get(session: Session, draft_id: str, *, lock: bool = False) -> Draft | None:
    """The draft; `lock` keeps other transactions from deciding it until this one ends."""
    statement = select(*_TABLE.columns).where(DraftRow.id == draft_id)
    row = session.execute(statement.with_for_update() if lock else statement).mappings().first()
    return None if row is None else _draft(row)


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


def recalled_snippet(session: Session, recall_id: int) -> tuple[str, datetime] | None:
    """The snippet that a recall pulled, and when; None if there is no such recall."""
    statement = select(RecallRow.snippet_key, RecallRow.at).where(RecallRow.id == recall_id)
    row = session.execute(statement).first()
    return None if row is None else (row.snippet_key, row.at)


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
            recall_id=draft.recall_id,
        )
    )


def lock_open(session: Session, snippet_key: str, *, also: Collection[str]) -> tuple[Draft, ...]:
    """The drafts of a snippet that are open or of these ids, held until the transaction ends."""
    accepted = and_(DraftRow.state == DraftState.ACCEPTED, DraftRow.id.in_(also))
    statement = (
        select(*_TABLE.columns)
        .where(
            DraftRow.snippet_key == snippet_key,
            or_(DraftRow.state.in_(OPEN), accepted) if also else DraftRow.state.in_(OPEN),
        )
        .order_by(DraftRow.id)
    )
    return tuple(_draft(row) for row in session.execute(statement.with_for_update()).mappings())


def withdraw(
    session: Session, ids: Sequence[str], *, recall_id: int, by: str, reason: str, now: datetime
) -> None:
    """Dismiss these, which are held, because of a recall."""
    for start in range(0, len(ids), KEYS_AT_ONCE):
        session.execute(
            update(DraftRow)
            .where(DraftRow.id.in_(ids[start : start + KEYS_AT_ONCE]))
            .values(
                state=DraftState.DISMISSED,
                decided_by=by,
                decided_at=now,
                reason=reason,
                recall_id=recall_id,
            )
        )


def withdrawn_in(session: Session, conversation_id: str) -> int:
    """How many drafts of a conversation were taken back by recalls."""
    statement = select(func.count()).where(
        DraftRow.conversation_id == conversation_id, DraftRow.recall_id.is_not(None)
    )
    return session.scalar(statement) or 0


def of_snippet(
    session: Session, snippet_key: str, *, states: Collection[DraftState]
) -> tuple[Draft, ...]:
    """The drafts of a snippet in one of these states, newest first."""
    statement = (
        select(*_TABLE.columns)
        .where(DraftRow.snippet_key == snippet_key, DraftRow.state.in_(states))
        .order_by(DraftRow.created_at.desc(), DraftRow.id)
    )
    return tuple(_draft(row) for row in session.execute(statement).mappings())


def count(session: Session, snippet_key: str) -> tuple[int, int]:
    """How often a snippet was offered, and how many of those drafts recalls took back."""
    statement = select(func.count(), func.count(DraftRow.recall_id))
    offered, withdrawn = session.execute(
        statement.where(DraftRow.snippet_key == snippet_key)
    ).one()
    return offered, withdrawn


def count_about(session: Session, topic: str, *, channel: str, since: datetime | None) -> int:
    """Drafts of snippets of a topic ('' is any) on a channel ('' is all): open ones, or all offered since then."""
    statement = (
        select(func.count(DraftRow.id))
        .join(REVISION, REVISION.c.id == DraftRow.revision_id)
        .where(
            DraftRow.state.in_(OPEN) if since is None else DraftRow.created_at >= since,
        )
    )
    if topic:
        statement = statement.where(REVISION.c.topic == topic)
    if channel:
        statement = statement.where(DraftRow.channel == channel)
    return session.scalar(statement) or 0


def _draft(row: RowMapping) -> Draft:
    values: dict[str, Any] = dict(row)
    values["use"], values["state"] = Use(values["use"]), DraftState(values["state"])
    return Draft(**values)


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


def offered(session: Session, *, since: datetime, taken: bool = False) -> frozenset[str]:
    """The keys of all snippets that were offered since then, or of those that were also `taken`, edited or not."""
    drafts = select(DraftRow.id).where(
        DraftRow.snippet_key == SnippetRow.key, DraftRow.created_at >= since
    )
    if taken:
        drafts = drafts.where(DraftRow.state.in_([state.value for state in _TAKEN]))
    return frozenset(session.scalars(select(SnippetRow.key).where(drafts.exists())))


def _times(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows it holds for."""
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
