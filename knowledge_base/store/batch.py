"""Many revisions in one go, for imports: a few statements for thousands of rows, with the same audit entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from knowledge_base.errors import StaleRevision
from knowledge_base.snippet import Revision, Status
from knowledge_base.store import audit
from knowledge_base.store.approval import changes, state
from knowledge_base.store.repository import KEYS_AT_ONCE, ensure_snippets
from knowledge_base.store.revisions import COLUMNS, TABLE, new_row, subject, to_revision
from knowledge_base.store.tables import SnippetRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One revision from `before` (None: it is new, its id does not count) to `after`."""

    before: Revision | None
    after: Revision


def newest_revisions(session: Session, keys: Iterable[str]) -> dict[str, Revision]:
    """The revision with the highest number of each of these snippets, by key."""
    newest: dict[str, Revision] = {}
    for page in _pages(keys):
        numbers = (
            select(TABLE.c.snippet_key.label("key"), func.max(TABLE.c.number).label("number"))
            .where(TABLE.c.snippet_key.in_(page))
            .group_by(TABLE.c.snippet_key)
            .subquery()
        )
        statement = select(*COLUMNS).join(
            numbers,
            (TABLE.c.snippet_key == numbers.c.key) & (TABLE.c.number == numbers.c.number),
        )
        revisions = (to_revision(row) for row in session.execute(statement))
        newest.update((revision.key, revision) for revision in revisions)
    return newest


def lock_snippets(session: Session, keys: Iterable[str], *, now: datetime) -> None:
    """Create these snippets where they are new, and hold them until the transaction ends.

    In order of their keys, so that two imports that share snippets wait for each other instead of locking up.
    """
    for page in _pages(keys):
        ensure_snippets(session, page, now=now)
        held = select(SnippetRow.key).where(SnippetRow.key.in_(page)).order_by(SnippetRow.key)
        session.execute(held.with_for_update()).all()


def apply_steps(session: Session, steps: Sequence[Step], *, now: datetime) -> None:
    """Write all steps and their audit entries. Retirements go first: a snippet has one live revision.

    Raises StaleRevision when a revision is not in the state that its step starts from.
    """
    moved = [step for step in steps if step.before is not None]
    for status in (Status.RETIRED, Status.IN_REVIEW, Status.APPROVED):
        _move(session, [step for step in moved if step.after.status is status])
    new = [
        {
            **new_row(
                step.after.content, number=step.after.number, author=step.after.author, now=now
            ),
            **state(step.after),
        }
        for step in steps
        if step.before is None
    ]
    if new:
        session.execute(insert(TABLE), new)
    audit.append_all(session, [entry for step in steps for entry in _entries(step)], now=now)


def _move(session: Session, steps: Sequence[Step]) -> None:
    """One statement for each set of columns that changes."""
    groups: dict[tuple[str, ...], list[dict[str, object]]] = {}
    for step in steps:
        if step.before is None:
            continue
        values = changes(step.before, step.after)
        row = {"at_id": step.before.id, "at_status": step.before.status.value}
        groups.setdefault(tuple(values), []).append(
            {**row, **{f"to_{name}": value for name, value in values.items()}}
        )
    for names, rows in groups.items():
        statement = (
            update(TABLE)
            .where(TABLE.c.id == bindparam("at_id"), TABLE.c.status == bindparam("at_status"))
            .values({name: bindparam(f"to_{name}") for name in names})
        )
        done = session.connection().execute(statement, rows)
        if done.rowcount != len(rows):
            msg = "a revision was changed by somebody else in between: run the import again"
            raise StaleRevision(msg)


def _entries(step: Step) -> list[audit.Entry]:
    """What happened between `before` and `after`, as the single steps would have recorded it."""
    after, before = step.after, step.before
    named = subject(after.key, after.number)
    entries: list[audit.Entry] = []

    def note(actor: str | None, action: str, detail: dict[str, object]) -> None:
        entries.append(
            audit.Entry(actor=actor or after.author, action=action, subject=named, detail=detail)
        )

    if before is None:
        note(after.author, "revision.add", {"content_hash": after.content_hash})
    if after.submitted_at is not None and (before is None or before.submitted_at is None):
        note(after.author, "revision.submit", {})
    if after.approved_by is not None and (before is None or before.approved_by is None):
        note(
            after.approved_by,
            "revision.approve",
            {"content_hash": after.content_hash, "policy_version": after.policy_version},
        )
    if after.status is Status.RETIRED:
        note(after.retired_by, "revision.retire", {})
    return entries


def _pages(keys: Iterable[str]) -> Iterable[list[str]]:
    wanted = sorted(set(keys))
    return (wanted[at : at + KEYS_AT_ONCE] for at in range(0, len(wanted), KEYS_AT_ONCE))
