"""Refuse, in the database itself, any change of what must never change.

Revision: 0003
Follows: 0002

A trigger speaks when a bug, or somebody with a database client, tries to rewrite history: approved words,
approvals, the audit chain, what was said. Each message says what to do instead.
"""

from __future__ import annotations

from typing import NamedTuple

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


class _Guard(NamedTuple):
    """One trigger: before `event` on `table`, when `condition` holds, the statement fails with `message`."""

    name: str
    table: str
    event: str
    message: str
    condition: str = ""


_CONTENT = (
    "id, snippet_key, number, title, text, examples, topic, tags, locale, channels, auto_send,"
    " valid_from, valid_until, owner, content_hash, author, created_at"
)

_GUARDS = (
    _Guard(
        "revision_content_fixed",
        "revision",
        f"UPDATE OF {_CONTENT}",
        "the content of a revision never changes: add a new revision",
    ),
    _Guard(
        "revision_approval_fixed",
        "revision",
        "UPDATE OF approved_by, approved_at, approved_hash, policy_version",
        "an approval never changes: add a new revision and approve that",
        "OLD.approved_by IS NOT NULL",
    ),
    _Guard(
        "revision_retired_for_good",
        "revision",
        "UPDATE",
        "a retired revision stays retired: add a new revision",
        "OLD.status = 'retired'",
    ),
    _Guard(
        "revision_kept",
        "revision",
        "DELETE",
        "a revision is never deleted, because drafts prove themselves by it: retire it",
    ),
    _Guard(
        "audit_fixed",
        "audit",
        "UPDATE",
        "the audit chain is only ever added to: an entry never changes",
    ),
    _Guard(
        "audit_kept",
        "audit",
        "DELETE",
        "the audit chain is only ever added to: an entry is never deleted",
    ),
    # A turn may be deleted (erasure on request), but what was said, by whom and in which order is not rewritten.
    _Guard(
        "turn_fixed",
        "turn",
        "UPDATE OF id, conversation_id, seq, kind, author, author_name, text",
        "a turn never changes: add a new one",
    ),
)

# TRUNCATE goes round row triggers on PostgreSQL; SQLite has no such statement.
_NEVER_TRUNCATED = ("revision", "audit")


def upgrade() -> None:
    """Create the triggers in the dialect of the database."""
    if op.get_bind().dialect.name == "sqlite":
        for guard in _GUARDS:
            op.execute(_sqlite(guard))
        return
    op.execute(
        "CREATE FUNCTION firstline_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation'; END $$"
    )
    for guard in _GUARDS:
        op.execute(_postgresql(guard))
    for table in _NEVER_TRUNCATED:
        op.execute(
            f"CREATE TRIGGER {table}_not_truncated BEFORE TRUNCATE ON {table}"
            f" EXECUTE FUNCTION firstline_refuse('the table {table} is never emptied')"
        )


def _sqlite(guard: _Guard) -> str:
    when = f" WHEN {guard.condition}" if guard.condition else ""
    return (
        f"CREATE TRIGGER {guard.name} BEFORE {guard.event} ON {guard.table}{when}"
        f" BEGIN SELECT RAISE(ABORT, '{guard.message}'); END"
    )


def _postgresql(guard: _Guard) -> str:
    when = f" WHEN ({guard.condition})" if guard.condition else ""
    return (
        f"CREATE TRIGGER {guard.name} BEFORE {guard.event} ON {guard.table}"
        f" FOR EACH ROW{when} EXECUTE FUNCTION firstline_refuse('{guard.message}')"
    )
