"""Snippets and their revisions in the database: reading, adding, and the steps of the workflow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from knowledge_base.errors import ContentError, NotFound
from knowledge_base.snippet import Revision, Snippet, SnippetContent, Status
from knowledge_base.store import audit
from knowledge_base.store.approval import (
    approve,
    go_live,
    recall,
    reopen,
    retire,
    return_to_author,
    submit,
    withdraw,
)
from knowledge_base.store.curation_tables import LiveSetRow
from knowledge_base.store.people import ensure_person
from knowledge_base.store.revisions import COLUMNS, LIVE, TABLE, new_row, subject, to_revision
from knowledge_base.store.tables import SnippetRow

__all__ = [
    "add_revision",
    "all_live",
    "approve",
    "approved_ids",
    "approved_revisions",
    "get_revision",
    "given_up_keys",
    "go_live",
    "live_ids",
    "live_revision",
    "live_revisions",
    "live_set_version",
    "live_versions",
    "lock_newest",
    "recall",
    "reopen",
    "retire",
    "return_to_author",
    "snippet",
    "snippets",
    "submit",
    "withdraw",
]

# Keys asked for in one statement; SQLite takes at most 32,766 parameters (sqlite.org/limits.html).
KEYS_AT_ONCE = 10_000
# Made once: every request asks it, and making a statement costs more than asking it.
_LIVE_SET_VERSION: Select[int] = select(LiveSetRow.__table__.c.version)


def add_revision(
    session: Session, content: SnippetContent, *, author: str, now: datetime
) -> Revision:
    """Store the content as the next draft of its snippet, making the snippet and the person where new.

    The content has to be in order already (`knowledge_base.exchange` checks what comes from a file).
    Raises ContentError when it is word for word the newest revision of the snippet.
    """
    person = ensure_person(session, author, now=now)
    newest = lock_newest(session, content.key, now=now)
    same = newest is not None and newest.content_hash == content.content_hash
    if newest is not None and same and newest.status is not Status.RETIRED:
        msg = f"{content.key} already says exactly this (revision {newest.number}): nothing to add"
        raise ContentError(msg)
    number = 1 if newest is None else newest.number + 1
    row = new_row(content, number=number, author=person, now=now)
    revision_id = session.execute(insert(TABLE).returning(TABLE.c.id), row).scalar_one()
    audit.append(
        session,
        actor=person,
        action="revision.add",
        subject=subject(content.key, number),
        detail={"content_hash": content.content_hash},
        now=now,
    )
    return get_revision(session, revision_id)


def get_revision(session: Session, revision_id: int) -> Revision:
    """The revision of this id. Raises NotFound."""
    row = session.execute(select(*COLUMNS).where(TABLE.c.id == revision_id)).first()
    if row is None:
        msg = f"there is no revision with the id {revision_id}"
        raise NotFound(msg)
    return to_revision(row)


def live_revision(session: Session, key: str) -> Revision | None:
    """The published revision of the snippet; None when it has none or does not exist."""
    return live_revisions(session, (key,)).get(key)


def live_revisions(session: Session, keys: Iterable[str]) -> dict[str, Revision]:
    """The published revisions of these snippets by key; those without one are left out."""
    return {revision.key: revision for revision in _by_keys(session, keys, live=True)}


def live_set_version(session: Session) -> int:
    """Counts up with every change of what is live, in every process that shares the database."""
    return session.execute(_LIVE_SET_VERSION).scalar_one()


def live_versions(session: Session, keys: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Id and content hash of the published revision of each snippet: what tells whether a known one still is."""
    columns = (TABLE.c.snippet_key, TABLE.c.id, TABLE.c.content_hash)
    found: dict[str, tuple[int, str]] = {}
    wanted = list(dict.fromkeys(keys))
    for start in range(0, len(wanted), KEYS_AT_ONCE):
        page = wanted[start : start + KEYS_AT_ONCE]
        statement = select(*columns).where(TABLE.c.snippet_key.in_(page), LIVE)
        found.update((key, (number, digest)) for key, number, digest in session.execute(statement))
    return found


def approved_revisions(session: Session, *, now: datetime | None = None) -> list[Revision]:
    """What a publication would make live: the newest approved revision of each snippet, by key in code points.

    With `now`, one that is not valid yet does not replace one that is live; a new snippet may go ahead, since
    nothing is offered before its time.
    """
    statement = select(*COLUMNS).where(TABLE.c.status == Status.APPROVED.value)
    ordered = sorted(
        _read(session, statement), key=lambda revision: (revision.key, revision.number)
    )
    return [
        _newest(list(group), now=now)
        for _, group in groupby(ordered, key=lambda revision: revision.key)
    ]


def all_live(session: Session) -> list[Revision]:
    """Everything that is published, by key in code points."""
    found = _read(session, select(*COLUMNS).where(LIVE))
    return sorted(found, key=lambda revision: revision.key)


def live_ids(session: Session) -> set[int]:
    """The ids of everything that is published."""
    return set(session.scalars(select(TABLE.c.id).where(LIVE)))


def approved_ids(session: Session) -> set[int]:
    """The ids of everything that is approved, published or not."""
    return set(session.scalars(select(TABLE.c.id).where(TABLE.c.status == Status.APPROVED.value)))


def given_up_keys(session: Session) -> set[str]:
    """Snippets of which something was approved once and nothing is now: retired or recalled on purpose."""
    approved = select(TABLE.c.snippet_key).where(TABLE.c.status == Status.APPROVED.value)
    retired = select(TABLE.c.snippet_key).where(
        TABLE.c.status == Status.RETIRED.value, TABLE.c.snippet_key.not_in(approved)
    )
    return set(session.scalars(retired))


def _newest(approved: list[Revision], *, now: datetime | None) -> Revision:
    """Of the approved revisions of one snippet, oldest first, the one to publish."""
    if now is None or not any(revision.live for revision in approved):
        return approved[-1]
    begun = [
        r
        for r in approved
        if r.live or r.content.valid_from is None or r.content.valid_from <= now
    ]
    return begun[-1]


def snippet(session: Session, key: str) -> Snippet:
    """The snippet with all its revisions. Raises NotFound."""
    found = session.execute(select(SnippetRow.key).where(SnippetRow.key == key)).first()
    if found is None:
        msg = f"there is no snippet with the key {key}"
        raise NotFound(msg)
    statement = select(*COLUMNS).where(TABLE.c.snippet_key == key).order_by(TABLE.c.number)
    return Snippet(key=key, revisions=tuple(_read(session, statement)))


def snippets(session: Session, keys: Iterable[str] | None = None) -> list[Snippet]:
    """Snippets with all their revisions, ordered by key in code points; all of them unless told."""
    everything = keys is None
    found = _read(session, select(*COLUMNS)) if everything else _by_keys(session, keys or ())
    ordered = sorted(found, key=lambda revision: (revision.key, revision.number))
    return [
        Snippet(key=key, revisions=tuple(group))
        for key, group in groupby(ordered, key=lambda revision: revision.key)
    ]


def ensure_snippets(session: Session, keys: Sequence[str], *, now: datetime) -> None:
    """Create the snippets of these keys that do not exist yet."""
    if not keys:
        return
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(SnippetRow).on_conflict_do_nothing()
    session.execute(statement, [{"key": key, "created_at": now} for key in sorted(keys)])


def lock_newest(session: Session, key: str, *, now: datetime) -> Revision | None:
    """The newest revision, with the snippet locked so that nobody takes the next number in between."""
    ensure_snippets(session, [key], now=now)
    session.execute(select(SnippetRow.key).where(SnippetRow.key == key).with_for_update())
    number = select(func.max(TABLE.c.number)).where(TABLE.c.snippet_key == key).scalar_subquery()
    statement = select(*COLUMNS).where(TABLE.c.snippet_key == key, TABLE.c.number == number)
    row = session.execute(statement).first()
    return None if row is None else to_revision(row)


def _by_keys(session: Session, keys: Iterable[str], *, live: bool = False) -> list[Revision]:
    wanted = sorted(set(keys))
    found: list[Revision] = []
    for start in range(0, len(wanted), KEYS_AT_ONCE):
        page = wanted[start : start + KEYS_AT_ONCE]
        statement = select(*COLUMNS).where(TABLE.c.snippet_key.in_(page))
        found.extend(_read(session, statement.where(LIVE) if live else statement))
    return found


def _read(session: Session, statement: Select[Any]) -> Iterable[Revision]:
    return (to_revision(row) for row in session.execute(statement))
