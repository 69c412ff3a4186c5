"""The recalls that were made, and the hold that keeps a snippet from being recalled within a transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.store.curation_tables import RecallRow
from knowledge_base.store.tables import SnippetRow

_TABLE = RecallRow.__table__


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A recall as it is kept: which revision of which snippet, by whom, when and why."""

    id: int
    snippet_key: str
    revision_id: int
    by: str
    at: datetime
    reason: str

    def to_json(self) -> dict[str, Any]:
        """All of it, the time in ISO 8601."""
        return {**asdict(self), "at": self.at.isoformat()}


def get(session: Session, recall_id: int) -> Recalled:
    """The recall of this id. Raises NotFound."""
    row = session.execute(select(*_TABLE.columns).where(_TABLE.c.id == recall_id)).mappings()
    found = row.first()
    if found is None:
        msg = f"there is no recall {recall_id}"
        raise NotFound(msg)
    return Recalled(**found)


def of_revision(session: Session, revision_id: int) -> Recalled | None:
    """How this revision was recalled; None if it was not."""
    statement = select(*_TABLE.columns).where(_TABLE.c.revision_id == revision_id)
    row = session.execute(statement).mappings().first()
    return None if row is None else Recalled(**row)


def of_snippet(session: Session, key: str) -> tuple[Recalled, ...]:
    """Every recall of a snippet, oldest first."""
    statement = select(*_TABLE.columns).where(_TABLE.c.snippet_key == key).order_by(_TABLE.c.id)
    return tuple(Recalled(**row) for row in session.execute(statement).mappings())


def newest(session: Session, *, limit: int) -> tuple[Recalled, ...]:
    """The newest recalls, newest first."""
    statement = select(*_TABLE.columns).order_by(_TABLE.c.id.desc()).limit(limit)
    return tuple(Recalled(**row) for row in session.execute(statement).mappings())


def hold(session: Session, keys: Collection[str]) -> None:
    """Let no recall of these snippets commit before this transaction; a recall that is under way is waited for.

    What is live is to be asked after this. SQLite has one writer at a time and needs nothing.
    """
    if keys and session.get_bind().dialect.name == "postgresql":
        statement = select(SnippetRow.key).where(SnippetRow.key.in_(keys))
        session.execute(
            statement.order_by(SnippetRow.key).with_for_update(read=True, key_share=True)
        )


def keep_out(session: Session, key: str) -> None:
    """Let nobody store a draft of a snippet until this transaction, which recalls it, has ended."""
    session.execute(select(SnippetRow.key).where(SnippetRow.key == key).with_for_update())
