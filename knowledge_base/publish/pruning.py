"""Candidates that nobody will publish are deleted from disk; what was ever live stays for a rollback."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select

from knowledge_base.home import Home
from knowledge_base.index import sealed
from knowledge_base.publish.generations import BUILD_LOCK, live_build
from knowledge_base.publish.switching import SYSTEM
from knowledge_base.store import audit
from knowledge_base.store.curation_tables import PublicationRow
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.publications import State

# A candidate that was set aside last week may still be looked into with `kb eval`.
KEEP_DAYS = 7
# The newest ones stay whatever their age: approved content that comes back to them is not built again.
KEEP_NEWEST = 3

_ASIDE = f"{sealed.TEMPORARY_PREFIX}old-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A generation on disk that only superseded publications name; `size` in bytes."""

    build_id: str
    publication: int
    made_at: datetime
    size: int


def stale(
    home: Home,
    engine: Engine,
    *,
    now: datetime,
    keep_days: int = KEEP_DAYS,
    keep_newest: int = KEEP_NEWEST,
) -> tuple[Stale, ...]:
    """The candidates that `prune` would delete, newest first.

    Kept are: the live one, everything that was ever published (a rollback may want it), what may still be
    published or overridden, what no publication names, the newest `keep_newest`, what is younger than `keep_days`.
    """
    with read_session(engine) as session:
        rows = session.execute(
            select(PublicationRow.build_id, PublicationRow.state, PublicationRow.id).where(
                PublicationRow.build_id.is_not(None)
            )
        ).all()
    kept = {row.build_id for row in rows if row.state != State.SUPERSEDED.value}
    kept.add(live_build(home))
    named = {row.build_id: row.id for row in rows if row.build_id not in kept}
    found = []
    for build_id, number in named.items():
        folder = home.index / build_id
        if build_id.isalnum() and folder.is_dir():
            made = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
            size = sum(path.stat().st_size for path in folder.iterdir())
            found.append(Stale(build_id=build_id, publication=number, made_at=made, size=size))
    found.sort(key=lambda one: (one.made_at, one.build_id), reverse=True)
    before = now - timedelta(days=keep_days)
    return tuple(one for one in found[keep_newest:] if one.made_at < before)


def prune(
    home: Home,
    engine: Engine,
    *,
    now: datetime,
    keep_days: int = KEEP_DAYS,
    keep_newest: int = KEEP_NEWEST,
    by: str = SYSTEM,
) -> tuple[Stale, ...]:
    """Delete what `stale` lists, with an audit row for each; returns what went.

    Nothing while somebody builds or switches. Killed in between, a folder that the audit log calls deleted is
    there still, and goes with the next call.
    """
    with sealed.try_lock(home.index, BUILD_LOCK) as free:
        if not free:
            return ()
        with sealed.try_lock(home.index) as also_free:
            if not also_free:
                return ()
            gone = stale(home, engine, now=now, keep_days=keep_days, keep_newest=keep_newest)
            if not gone:
                return ()
            with write_session(engine) as session:
                entries = [
                    audit.Entry(
                        actor=by,
                        action="generation.delete",
                        subject=f"generation:{one.build_id}",
                        detail={
                            "publication": one.publication,
                            "made_at": one.made_at.isoformat(),
                            "size": one.size,
                        },
                    )
                    for one in gone
                ]
                audit.append_all(session, entries, now=now)
            for one in gone:
                aside = home.index / f"{_ASIDE}{one.build_id}"
                (home.index / one.build_id).rename(aside)  # nobody sees half a generation
                shutil.rmtree(aside, ignore_errors=True)
            return gone
