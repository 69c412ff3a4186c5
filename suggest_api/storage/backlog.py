"""How much is waiting: rows of the queues by state, for metrics and for whoever watches."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from suggest_api.storage.tables import BotTurnRow, InboxEventRow, OutboxRow

QUEUES: dict[str, type[InboxEventRow | BotTurnRow | OutboxRow]] = {
    "inbox": InboxEventRow,
    "bot_turn": BotTurnRow,
    "outbox": OutboxRow,
}


def count(session: Session) -> dict[tuple[str, str], int]:
    """Rows by (queue, state); a state without rows is missing."""
    counts: dict[tuple[str, str], int] = {}
    for name, table in QUEUES.items():
        rows = session.execute(select(table.state, func.count()).group_by(table.state))
        counts.update({(name, state): number for state, number in rows})
    return counts
