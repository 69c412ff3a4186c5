"""One snippet goes up in another: its phrasings at once as a draft, itself when that draft has gone live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, WorkflowError
from knowledge_base.snippet import Revision, folded
from knowledge_base.store import audit, repository
from knowledge_base.store.additions import add_phrasings
from knowledge_base.store.people import ensure_person
from knowledge_base.store.tables import SnippetMergeRow

_TABLE = SnippetMergeRow.__table__
_OPEN = SnippetMergeRow.state == "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """`from_key` goes up in `merged_into`. `revision_id` is the draft with the phrasings of both.

    `state` is open (both live on), done (`retired_revision_id` of `from_key` is retired) or withdrawn;
    `settled_by` and `settled_at` come together.
    """

    id: int
    from_key: str
    merged_into: str
    revision_id: int
    state: str
    by: str
    at: datetime
    retired_revision_id: int | None = None
    settled_by: str | None = None
    settled_at: datetime | None = None


def merge(session: Session, from_key: str, *, into: str, by: str, now: datetime) -> Merge:
    """Begin a merge: `into` gets a new draft by `by` with the phrasings of `from_key` added, each once.

    Somebody else approves the draft as always; once it is published, `settle_merges` retires `from_key`. Until
    then nothing that is offered changes. Raises NotFound, and WorkflowError where one of them is not live, is
    being merged already, or `into` is open in somebody else's revision.
    """
    person = ensure_person(session, by, now=now)
    if from_key == into:
        msg = f"{from_key} cannot be merged into itself: name another snippet"
        raise WorkflowError(msg)
    live = _live(session, from_key)
    _live(session, into)
    _refuse_twice(session, from_key, into)
    draft = add_phrasings(session, into, live.content.examples, by=person, now=now)
    row: dict[str, Any] = {
        "from_key": from_key,
        "merged_into": into,
        "revision_id": draft.id,
        "state": "open",
        "by": person,
        "at": now,
    }
    number = session.execute(
        insert(SnippetMergeRow).returning(SnippetMergeRow.id), row
    ).scalar_one()
    _record(
        session,
        "snippet.merge",
        from_key,
        by=person,
        now=now,
        detail={"merged_into": into, "revision": draft.number, "content_hash": draft.content_hash},
    )
    return Merge(id=number, **row)


def settle_merges(session: Session, *, by: str, now: datetime) -> tuple[Merge, ...]:
    """Retire every snippet whose merge has gone live, and record where it went; returns the merges that ended.

    To be called where revisions go live, in the same transaction. A merge has gone live when the live revision
    of the snippet it goes into has all the live phrasings of the one that goes.
    """
    waiting = merges(session, state="open")
    live = repository.live_revisions(
        session, {key for m in waiting for key in (m.from_key, m.merged_into)}
    )
    ended = []
    for one in waiting:
        gone, target = live.get(one.from_key), live.get(one.merged_into)
        if target is None or (gone is not None and not _covers(target, gone)):
            continue
        if gone is not None:
            repository.retire(session, gone.id, by=by, now=now)
        ended.append(_settle(session, one, "done", by=by, now=now, retired=gone))
    return tuple(ended)


def withdraw(session: Session, merge_id: int, *, by: str, now: datetime) -> Merge:
    """Give a merge up: both snippets stay. The draft it made is left to its author.

    Raises NotFound, WorkflowError when it has ended.
    """
    row = session.execute(select(_TABLE).where(_TABLE.c.id == merge_id).with_for_update()).first()
    if row is None:
        msg = f"there is no merge {merge_id}"
        raise NotFound(msg)
    found = _merge(row)
    if found.state != "open":
        msg = f"the merge of {found.from_key} into {found.merged_into} is {found.state} already"
        raise WorkflowError(msg)
    return _settle(session, found, "withdrawn", by=by, now=now, retired=None)


def merges(
    session: Session, *, key: str | None = None, state: str | None = None
) -> tuple[Merge, ...]:
    """Merges, oldest first: all, those of a snippet (on either side), or those in a state."""
    statement = select(_TABLE).order_by(_TABLE.c.id)
    if key is not None:
        statement = statement.where(
            or_(SnippetMergeRow.from_key == key, SnippetMergeRow.merged_into == key)
        )
    if state is not None:
        statement = statement.where(SnippetMergeRow.state == state)
    return tuple(_merge(row) for row in session.execute(statement))


def merged_into(session: Session, key: str) -> str | None:
    """Where a snippet went, through all merges after it; None when it was not merged away."""
    found: str | None = None
    seen = {key}
    current: str | None = key
    while current is not None:
        statement = (
            select(SnippetMergeRow.merged_into)
            .where(SnippetMergeRow.from_key == current, SnippetMergeRow.state == "done")
            .order_by(SnippetMergeRow.id.desc())
            .limit(1)
        )
        current = session.scalar(statement)
        if current is None or current in seen:  # it may have been reopened, and merged back
            break
        seen.add(current)
        found = current
    return found


def successors(session: Session, revisions: Iterable[Revision]) -> dict[str, str]:
    """Where the snippets go that have no words of their own once these revisions are live, by key.

    Those that were merged away already, and those that `settle_merges` would retire then; through all merges.
    """
    coming = {revision.key: revision for revision in revisions}
    went: dict[str, str] = {}
    for one in merges(session):
        gone, target = coming.get(one.from_key), coming.get(one.merged_into)
        if one.state == "done":
            left = gone is None  # else it was reopened, and answers for itself
        else:
            ends = target is not None and (gone is None or _covers(target, gone))
            left = one.state == "open" and ends
        if left:
            went[one.from_key] = one.merged_into
    return {key: _last(went, key) for key in went}


def _last(went: Mapping[str, str], key: str) -> str:
    seen = {key}
    while (following := went.get(key)) is not None and following not in seen:
        seen.add(following)
        key = following
    return key


def _live(session: Session, key: str) -> Revision:
    live = repository.snippet(session, key).live
    if live is None:
        msg = f"nothing of {key} is live: only live snippets are merged"
        raise WorkflowError(msg)
    return live


def _refuse_twice(session: Session, from_key: str, into: str) -> None:
    """A snippet takes part in one open merge as the one that goes, and then in no other."""
    for one in merges(session, state="open"):
        if one.from_key in (from_key, into) or one.merged_into == from_key:
            msg = (
                f"{one.from_key} is being merged into {one.merged_into} already:"
                " let that be published or withdraw it"
            )
            raise WorkflowError(msg)


def _covers(target: Revision, gone: Revision) -> bool:
    has = {folded(example) for example in target.content.examples}
    return all(folded(example) in has for example in gone.content.examples if folded(example))


def _settle(
    session: Session,
    one: Merge,
    state: str,
    *,
    by: str,
    now: datetime,
    retired: Revision | None,
) -> Merge:
    person = ensure_person(session, by, now=now)
    values: dict[str, Any] = {
        "state": state,
        "settled_by": person,
        "settled_at": now,
        "retired_revision_id": None if retired is None else retired.id,
    }
    session.execute(
        update(SnippetMergeRow)
        .where(SnippetMergeRow.id == one.id, _OPEN)
        .values(values)
        .execution_options(synchronize_session=False)
    )
    _record(
        session,
        f"snippet.merge_{state}",
        one.from_key,
        by=person,
        now=now,
        detail={
            "merged_into": one.merged_into,
            "retired": None if retired is None else retired.number,
        },
    )
    return replace(
        one,
        state=state,
        settled_by=person,
        settled_at=now,
        retired_revision_id=values["retired_revision_id"],
    )


def _merge(row: Row[Any]) -> Merge:
    return Merge(**dict(row._mapping))


def _record(
    session: Session,
    action: str,
    key: str,
    *,
    by: str,
    now: datetime,
    detail: dict[str, Any],
) -> None:
    audit.append(
        session, actor=by, action=action, subject=f"snippet:{key}", detail=detail, now=now
    )
