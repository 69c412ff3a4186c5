"""The governed policy in the database: files, sets of them, the versions they judge as, and proposals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, PolicyError, StaleRevision
from knowledge_base.governance.model import (
    PolicyRevision,
    State,
    content_hash,
    manifest,
    text_hash,
)
from knowledge_base.store import audit
from knowledge_base.store.policy_tables import (
    PolicyFileRow,
    PolicyLiveRow,
    PolicyRevisionRow,
    PolicySetRow,
    PolicyVersionRow,
)

_TABLE = PolicyRevisionRow.__table__
# Made once: every request asks it, and making a statement costs more than asking it.
_COUNTER: Select[int] = select(PolicyLiveRow.__table__.c.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is known of a version: the set of files, and the hash of the code that read them."""

    version: str
    content_hash: str
    code_hash: str
    recorded_at: datetime


def counter(session: Session, *, lock: bool = False) -> int:
    """Counts up whenever another policy comes into force; `lock` keeps others from changing it meanwhile."""
    statement = _COUNTER.with_for_update() if lock else _COUNTER
    return session.execute(statement).scalar_one()


def keep_set(session: Session, files: Mapping[str, str]) -> str:
    """Keep these texts, unless they are kept already; returns the hash of the set."""
    hashes = manifest(files)
    name = content_hash(hashes)
    known = session.execute(
        select(PolicySetRow.content_hash).where(PolicySetRow.content_hash == name)
    ).first()
    if known is None:
        rows = [{"hash": hashes[file], "text": text} for file, text in sorted(files.items())]
        _insert_missing(session, PolicyFileRow, rows)
        _insert_missing(session, PolicySetRow, [{"content_hash": name, "files": hashes}])
    return name


def files_of(session: Session, name: str) -> dict[str, str]:
    """The texts of a set, each checked against its hash. Raises NotFound, and PolicyError when they are not it."""
    hashes = session.execute(
        select(PolicySetRow.files).where(PolicySetRow.content_hash == name)
    ).scalar()
    if hashes is None:
        raise NotFound(f"there is no set of packs {name[:12]}")
    if content_hash(hashes) != name:
        raise PolicyError(f"the stored set of packs {name[:12]} was changed in the database")
    columns = (PolicyFileRow.hash, PolicyFileRow.text)
    wanted = PolicyFileRow.hash.in_(list(hashes.values()))
    texts = {row.hash: row.text for row in session.execute(select(*columns).where(wanted))}
    for file, digest in hashes.items():
        if digest not in texts or text_hash(texts[digest]) != digest:
            msg = f"{file} of the stored set of packs {name[:12]} was changed in the database"
            raise PolicyError(msg, file=file)
    return {file: texts[digest] for file, digest in sorted(hashes.items())}


def record_version(
    session: Session, version: str, *, content: str, code: str, now: datetime
) -> None:
    """Remember which set of files and which code gave verdicts under a version."""
    row = {"version": version, "content_hash": content, "code_hash": code, "recorded_at": now}
    _insert_missing(session, PolicyVersionRow, [row])


def recorded(session: Session, version: str) -> Recorded | None:
    """What is known of a version; None when it was never recorded here."""
    columns = PolicyVersionRow.__table__.c
    row = session.execute(select(*columns).where(columns.version == version)).first()
    return None if row is None else Recorded(**row._mapping)


def recorded_versions(session: Session) -> list[Recorded]:
    """Every version that judged here, oldest first."""
    columns = PolicyVersionRow.__table__.c
    rows = session.execute(select(*columns).order_by(columns.recorded_at, columns.version))
    return [Recorded(**row._mapping) for row in rows]


def live(session: Session) -> PolicyRevision | None:
    """The revision in force; None while the packs of the program are."""
    row = session.execute(select(*_TABLE.c).where(_TABLE.c.state == State.LIVE.value)).first()
    return None if row is None else _value(row)


def get(session: Session, number: int, *, lock: bool = False) -> PolicyRevision:
    """The revision of this number. Raises NotFound."""
    statement = select(*_TABLE.c).where(_TABLE.c.id == number)
    row = session.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise NotFound(f"there is no policy {number}: `firstline policy history` lists them")
    return _value(row)


def in_review(session: Session, *, limit: int = 2) -> list[str]:
    """The content hashes of the newest that wait for approval."""
    columns = _TABLE.c
    statement = select(columns.content_hash).where(columns.state == State.IN_REVIEW.value)
    return list(session.scalars(statement.order_by(columns.submitted_at.desc()).limit(limit)))


def every(session: Session) -> list[PolicyRevision]:
    """All revisions, newest first."""
    return [_value(row) for row in session.execute(select(*_TABLE.c).order_by(_TABLE.c.id.desc()))]


def add(
    session: Session, *, author: str, note: str, content: str, base: str, now: datetime
) -> PolicyRevision:
    """A new draft."""
    values = {
        "state": State.DRAFT.value,
        "author": author,
        "note": note,
        "content_hash": content,
        "base_hash": base,
        "created_at": now,
        "changed_at": now,
        "weakenings": [],
        "reason": "",
    }
    number: int = session.execute(
        insert(PolicyRevisionRow).values(values).returning(PolicyRevisionRow.id)
    ).scalar_one()
    return get(session, number)


def move(
    session: Session,
    before: PolicyRevision,
    after: PolicyRevision,
    *,
    action: str,
    by: str,
    now: datetime,
    detail: Mapping[str, Any] = MappingProxyType({}),
) -> PolicyRevision:
    """Write a step unless somebody moved the revision meanwhile, and record it with the files' hash.

    Raises StaleRevision.
    """
    changed = {
        name: _stored(getattr(after, name))
        for name in PolicyRevision.__dataclass_fields__
        if getattr(after, name) != getattr(before, name)
    }
    found = (_TABLE.c.id == before.id) & (_TABLE.c.state == before.state.value)
    found &= _TABLE.c.content_hash == before.content_hash
    moved = session.execute(
        update(PolicyRevisionRow).where(found).values(changed or {"state": before.state.value})
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult
        msg = f"policy {before.id} was changed by somebody else in between: look again"
        raise StaleRevision(msg)
    said = {"content_hash": after.content_hash, **detail}
    record(session, before.id, action, by=by, detail=said, now=now)
    return after


def record(
    session: Session,
    number: int,
    action: str,
    *,
    by: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """The audit row of a step."""
    audit.append(
        session, actor=by, action=action, subject=f"policy:{number}", detail=dict(detail), now=now
    )


def _insert_missing(session: Session, row: type[Any], values: Sequence[Mapping[str, Any]]) -> None:
    # Two processes may keep the same thing at once: the second one finds it there.
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(dialect.insert(row).on_conflict_do_nothing(), list(values))


def _stored(value: Any) -> Any:
    if isinstance(value, State):
        return value.value
    return list(value) if isinstance(value, Collection) and not isinstance(value, str) else value


def _value(row: Any) -> PolicyRevision:
    found = dict(row._mapping)
    return PolicyRevision(
        **{**found, "state": State(row.state), "weakenings": tuple(row.weakenings)}
    )
