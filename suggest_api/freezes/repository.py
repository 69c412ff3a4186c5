"""The SQL of freezes: what is in force, what was, and the topics there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from knowledge_base.store.curation_tables import FreezeRow, ReviewPathRow
from knowledge_base.store.revisions import LIVE
from knowledge_base.store.revisions import TABLE as REVISION
from suggest_api.values import Freeze

_TABLE = FreezeRow.__table__
# Made once: every request asks it, and making a statement costs more than asking it.
_IN_FORCE = select(*_TABLE.columns).where(_TABLE.c.thawed_at.is_(None))


def in_force(session: Session) -> tuple[Freeze, ...]:
    """Those that nobody thawed; the partial index `uq_freeze_in_force` has exactly them."""
    return tuple(Freeze(**row) for row in session.execute(_IN_FORCE).mappings())


def newest(session: Session, *, limit: int) -> tuple[Freeze, ...]:
    """Every freeze there was, newest first."""
    rows = session.execute(select(*_TABLE.columns).order_by(_TABLE.c.id.desc()).limit(limit))
    return tuple(Freeze(**row) for row in rows.mappings())


def get(session: Session, freeze_id: int, *, lock: bool = False) -> Freeze | None:
    """The freeze; `lock` keeps others from thawing it until the transaction ends."""
    statement = select(*_TABLE.columns).where(_TABLE.c.id == freeze_id)
    row = session.execute(statement.with_for_update() if lock else statement).mappings().first()
    return None if row is None else Freeze(**row)


def add(session: Session, values: Mapping[str, Any]) -> Freeze:
    """Store a freeze; it is in force with the commit."""
    statement = insert(_TABLE).values(dict(values)).returning(*_TABLE.columns)
    return Freeze(**session.execute(statement).mappings().one())


def thaw(session: Session, freeze_id: int, *, by: str, reason: str, now: datetime) -> None:
    """Write down who ended it."""
    session.execute(
        update(_TABLE)
        .where(_TABLE.c.id == freeze_id, _TABLE.c.thawed_at.is_(None))
        .values(thawed_by=by, thawed_at=now, thaw_reason=reason)
    )


def live_scopes(session: Session, *, topic: str, but: str | None) -> tuple[tuple[str, ...], ...]:
    """The channels of every published snippet of a topic ('' is any), without the one of the key `but`."""
    statement = select(REVISION.c.snippet_key, REVISION.c.channels).where(LIVE)
    if topic:
        statement = statement.where(REVISION.c.topic == topic)
    rows = session.execute(statement)
    return tuple(tuple(channels) for key, channels in rows if key != but)


def topics(session: Session) -> tuple[str, ...]:
    """The topics of what is published and of the review paths, in order."""
    live = select(REVISION.c.topic).where(LIVE).distinct()
    paths = select(ReviewPathRow.topic)
    found = {*session.scalars(live), *session.scalars(paths)}
    return tuple(sorted(found - {""}))
