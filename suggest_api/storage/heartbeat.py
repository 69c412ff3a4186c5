"""Which workers are alive: each says so every few seconds, and readiness asks when the last one did."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from suggest_api.storage.tables import WorkerRow

# Seconds between two signs of life, and how old the last may be: two may be missed under load.
BEAT_SECONDS = 5.0
ALIVE_FOR = timedelta(seconds=3 * BEAT_SECONDS)
FORGET_AFTER = timedelta(days=1)  # a killed worker leaves its row behind


def beat(session: Session, worker_id: str, *, now: datetime) -> None:
    """Say that this worker is alive, for the first time or again."""
    row = session.get(WorkerRow, worker_id)
    if row is None:
        session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now - FORGET_AFTER))
        session.add(WorkerRow(id=worker_id, started_at=now, seen_at=now))
    else:
        row.seen_at = now


def stop(session: Session, worker_id: str, *, now: datetime) -> None:
    """Say that this worker ended as it was asked to."""
    session.execute(
        update(WorkerRow)
        .where(WorkerRow.id == worker_id)
        .values(stopped_at=now, seen_at=now)
        .execution_options(synchronize_session=False)
    )


def alive(session: Session, *, now: datetime) -> int:
    """How many workers gave a sign of life lately and did not end."""
    statement = select(func.count()).where(
        WorkerRow.seen_at >= now - ALIVE_FOR, WorkerRow.stopped_at.is_(None)
    )
    return session.scalar(statement) or 0
