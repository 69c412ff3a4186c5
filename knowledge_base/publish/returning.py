"""What a rollback does not bring back: revisions that a generation names and that were retired since."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from knowledge_base.home import Home
from knowledge_base.index import sealed
from knowledge_base.snippet import Status
from knowledge_base.store import merges, recalls
from knowledge_base.store.revisions import TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBack:
    """A revision that stays retired, and why: merged into another snippet, recalled for a reason, or just retired.

    `live` says whether other words of the same snippet are live now.
    """

    key: str
    revision: int
    retired_by: str
    retired_at: datetime
    merged_into: str | None = None
    recalled_because: str | None = None
    live: bool = False

    @property
    def why(self) -> str:
        """In words for a person."""
        if self.merged_into is not None:
            return f"merged into {self.merged_into}"
        if self.recalled_because is not None:
            return f"recalled: {self.recalled_because}"
        return f"retired by {self.retired_by}"

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "retired_at": self.retired_at.isoformat(), "why": self.why}


def not_back(home: Home, session: Session, build_id: str) -> tuple[NotBack, ...]:
    """What this generation names and a rollback to it does not make live, by key.

    A retired revision stays retired, the database sees to it. To bring its words back, `reopen` the snippet: that
    makes a new draft of them, which goes through review. Empty where the generation cannot be read.
    """
    try:
        manifest = sealed.read_manifest(home.index / build_id)
    except sealed.SealBroken:
        return ()  # a rollback to it is refused, and says why
    named = {int(row[0]) for row in manifest.get("revisions", {}).values()}
    statement = select(TABLE.c.id, TABLE.c.snippet_key, TABLE.c.number, TABLE.c.retired_by).where(
        TABLE.c.status == Status.RETIRED.value
    )
    retired = [
        row
        for row in session.execute(statement.add_columns(TABLE.c.retired_at))
        if row.id in named
    ]
    if not retired:
        return ()
    went = {
        one.retired_revision_id: one.merged_into for one in merges.merges(session, state="done")
    }
    live = set(session.scalars(select(TABLE.c.snippet_key).where(TABLE.c.live.is_(True))))
    found = []
    for row in sorted(retired, key=lambda each: each.snippet_key):
        recall = recalls.of_revision(session, row.id)
        found.append(
            NotBack(
                key=row.snippet_key,
                revision=row.number,
                retired_by=row.retired_by,
                retired_at=row.retired_at,
                merged_into=went.get(row.id),
                recalled_because=None if recall is None else recall.reason,
                live=row.snippet_key in live,
            )
        )
    return tuple(found)
