"""Unanswered questions and proposed phrasings in the database (SQL only)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from suggest_api.coverage.model import PhrasingProposal, ProposalState, Unanswered
from suggest_api.storage.coverage_tables import PhrasingProposalRow, UnansweredQuestionRow
from suggest_api.values import Abstention, Use

_QUESTION = UnansweredQuestionRow.__table__
_ADD = insert(_QUESTION)  # made once: a third of all requests store a question
_PROPOSAL = PhrasingProposalRow.__table__
_COLUMNS = tuple(c for c in _PROPOSAL.columns if c.name != "phrasing_key")


def add(session: Session, question: Unanswered) -> None:
    """Store one question; rows are only added, so that writers never wait for each other's."""
    row = {
        column.name: getattr(question, column.name)
        for column in _QUESTION.columns
        if column.name != "id"
    }
    row["use"], row["reason"] = question.use.value, question.reason.value
    session.execute(_ADD, row)


def recent(session: Session, *, since: datetime, most: int) -> tuple[Unanswered, ...]:
    """The newest `most` questions since then, oldest first; a repeated one counts once, as it was asked last."""
    newest = (
        select(func.max(UnansweredQuestionRow.id))
        .where(UnansweredQuestionRow.asked_at >= since)
        .group_by(UnansweredQuestionRow.asked_key)
    )
    rows = session.scalars(
        select(UnansweredQuestionRow)
        .where(UnansweredQuestionRow.id.in_(newest))
        .order_by(UnansweredQuestionRow.asked_at.desc(), UnansweredQuestionRow.id.desc())
        .limit(most)
    )
    return tuple(_unanswered(row) for row in reversed(rows.all()))


def sweep(session: Session, *, before: datetime) -> int:
    """Delete questions asked, and undecided proposals last seen, before then; returns how many rows went."""
    gone = 0
    for statement in (
        delete(UnansweredQuestionRow).where(UnansweredQuestionRow.asked_at < before),
        delete(PhrasingProposalRow).where(
            PhrasingProposalRow.last_seen_at < before,
            PhrasingProposalRow.state == ProposalState.PROPOSED.value,
        ),
    ):
        done = session.execute(statement.execution_options(synchronize_session=False))
        gone += done.rowcount  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
    return gone


def saw(
    session: Session, *, snippet_key: str, phrasing: str, phrasing_key: str, now: datetime
) -> None:
    """Propose the phrasing, or count it once more; one that was decided stays decided."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    row = {
        "snippet_key": snippet_key,
        "phrasing": phrasing,
        "phrasing_key": phrasing_key,
        "count": 1,
        "first_seen_at": now,
        "last_seen_at": now,
        "state": ProposalState.PROPOSED.value,
    }
    again = {"count": PhrasingProposalRow.count + 1, "last_seen_at": now}
    session.execute(
        dialect.insert(PhrasingProposalRow)
        .values(row)
        .on_conflict_do_update(index_elements=["snippet_key", "phrasing_key"], set_=again)
    )


def proposals(
    session: Session,
    *,
    state: ProposalState | None,
    snippet_key: str | None,
    limit: int,
) -> tuple[PhrasingProposal, ...]:
    """Proposals, the most often seen first."""
    statement = select(*_COLUMNS).order_by(
        PhrasingProposalRow.count.desc(), PhrasingProposalRow.id
    )
    if state is not None:
        statement = statement.where(PhrasingProposalRow.state == state.value)
    if snippet_key is not None:
        statement = statement.where(PhrasingProposalRow.snippet_key == snippet_key)
    return tuple(_proposal(row) for row in session.execute(statement.limit(limit)).mappings())


def answered(session: Session, *, most: int) -> tuple[tuple[str, str], ...]:
    """Customers' questions, masked, with the snippet that an agent sent for them; the most recent ones first.

    One that was declined as a phrasing says nothing about its answer, so it is left out.
    """
    rows = session.execute(
        select(PhrasingProposalRow.phrasing, PhrasingProposalRow.snippet_key)
        .where(PhrasingProposalRow.state != ProposalState.DECLINED.value)
        .order_by(PhrasingProposalRow.last_seen_at.desc(), PhrasingProposalRow.id.desc())
        .limit(most)
    )
    return tuple((row.phrasing, row.snippet_key) for row in rows)


def locked(session: Session, ids: Sequence[int]) -> tuple[PhrasingProposal, ...]:
    """These proposals in order of id, held until the transaction ends; unknown ids are left out."""
    statement = (
        select(*_COLUMNS)
        .where(PhrasingProposalRow.id.in_(ids))
        .order_by(PhrasingProposalRow.id)
        .with_for_update()
    )
    return tuple(_proposal(row) for row in session.execute(statement).mappings())


def decide(
    session: Session,
    ids: Sequence[int],
    *,
    state: ProposalState,
    by: str,
    at: datetime,
    revision_id: int | None,
) -> None:
    """Write a decision on proposals that are held."""
    session.execute(
        update(PhrasingProposalRow)
        .where(PhrasingProposalRow.id.in_(ids))
        .values(state=state.value, decided_by=by, decided_at=at, revision_id=revision_id)
        .execution_options(synchronize_session=False)
    )


def _unanswered(row: UnansweredQuestionRow) -> Unanswered:
    values = {
        column.name: getattr(row, column.name)
        for column in _QUESTION.columns
        if column.name != "id"
    }
    return Unanswered(
        **{**values, "use": Use(values["use"]), "reason": Abstention(values["reason"])}
    )


def _proposal(row: Any) -> PhrasingProposal:
    return PhrasingProposal(**{**row, "state": ProposalState(row["state"])})
