"""Keep the policy in the database: proposals by two people, every set of packs that ever judged.

Revision: 0011
Follows: 0010

Until the first proposal is approved nothing changes: the packs that come with the program judge.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from knowledge_base.store.guards import Guard, not_truncated, only_added_to

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ONLY_ADDED_TO = {
    "policy_file": "a text of the policy",
    "policy_set": "a set of packs",
    "policy_version": "a version of the policy",
}
_CONTENT = "content_hash, base_hash, note"
_APPROVAL = "approved_by, approved_at, approved_hash, policy_version, weakenings, reason"
_COUNT = "UPDATE policy_live SET version = version + 1"

_GUARDS = (
    Guard(
        "policy_revision_author_fixed",
        "policy_revision",
        "UPDATE OF id, author, created_at",
        "who proposed a policy and when never changes: propose another one",
    ),
    Guard(
        "policy_revision_content_fixed",
        "policy_revision",
        f"UPDATE OF {_CONTENT}",
        "a policy that was submitted never changes: propose another one",
        "OLD.state NOT IN ('draft','returned')",
    ),
    Guard(
        "policy_revision_approval_fixed",
        "policy_revision",
        f"UPDATE OF {_APPROVAL}",
        "an approval never changes: propose another policy and approve that",
        "OLD.approved_by IS NOT NULL",
    ),
    Guard(
        "policy_revision_ended_for_good",
        "policy_revision",
        "UPDATE OF state, ended_at",
        "a policy that ended stays ended: propose it again",
        "OLD.state IN ('superseded','withdrawn')",
    ),
    Guard(
        "policy_revision_reviewed_first",
        "policy_revision",
        "UPDATE OF state",
        "only a policy that is in review comes into force",
        "NEW.state = 'live' AND OLD.state <> 'in_review'",
    ),
    Guard(
        "policy_revision_born_as_draft",
        "policy_revision",
        "INSERT",
        "a policy begins as a draft",
        "NEW.state <> 'draft' OR NEW.approved_by IS NOT NULL",
    ),
    Guard(
        "policy_revision_kept",
        "policy_revision",
        "DELETE",
        "a policy is never deleted, because drafts prove themselves by it",
    ),
)


def upgrade() -> None:
    """Create the tables, the guards, and the count of changes with its one row."""
    _create_content()
    _create_revision()
    dialect = op.get_bind().dialect.name
    for table, what in _ONLY_ADDED_TO.items():
        for guard in only_added_to(table, what):
            op.execute(guard.statement(dialect))
    for guard in _GUARDS:
        op.execute(guard.statement(dialect))
    for table in (*_ONLY_ADDED_TO, "policy_revision"):
        statement = not_truncated(table, dialect)
        if statement is not None:
            op.execute(statement)
    _create_count(dialect)


def _create_content() -> None:
    op.create_table(
        "policy_file",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_policy_file")),
    )
    op.create_table(
        "policy_set",
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("content_hash", name=op.f("pk_policy_set")),
    )
    op.create_table(
        "policy_version",
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_hash"],
            ["policy_set.content_hash"],
            name=op.f("fk_policy_version_content_hash_policy_set"),
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policy_version")),
    )


def _create_revision() -> None:
    table = "policy_revision"
    people = ("author", "returned_by", "approved_by")
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("base_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("returned_by", sa.String(length=120), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("return_reason", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.String(length=120), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_hash", sa.String(length=64), nullable=True),
        sa.Column("policy_version", sa.String(length=64), nullable=True),
        sa.Column("weakenings", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}")) for name, rule in _CHECKS),
        *(
            sa.ForeignKeyConstraint(
                [name], ["person.name"], name=op.f(f"fk_{table}_{name}_person")
            )
            for name in people
        ),
        *(
            sa.ForeignKeyConstraint(
                [name], ["policy_set.content_hash"], name=op.f(f"fk_{table}_{name}_policy_set")
            )
            for name in ("content_hash", "base_hash")
        ),
        sa.ForeignKeyConstraint(
            ["policy_version"],
            ["policy_version.version"],
            name=op.f(f"fk_{table}_policy_version_policy_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index(
        f"uq_{table}_one_live",
        table,
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )


_CHECKS = (
    ("state", "state IN ('draft','in_review','returned','live','superseded','withdrawn')"),
    ("says_why", "note <> ''"),
    ("two_people", "approved_by IS NULL OR approved_by <> author"),
    ("returned_by_another", "returned_by IS NULL OR returned_by <> author"),
    (
        "approval_whole",
        (
            "(approved_by IS NULL) = (approved_at IS NULL)"
            " AND (approved_by IS NULL) = (approved_hash IS NULL)"
            " AND (approved_by IS NULL) = (policy_version IS NULL)"
        ),
    ),
    (
        "approval_bound_to_content",
        "approved_hash IS NULL OR approved_hash = content_hash",
    ),
    (
        "in_force_by_approval",
        "(state IN ('live','superseded')) = (approved_by IS NOT NULL)",
    ),
    ("submitted_some_time", "state <> 'in_review' OR submitted_at IS NOT NULL"),
    (
        "return_whole",
        (
            "(returned_by IS NULL) = (returned_at IS NULL)"
            " AND (returned_by IS NULL) = (return_reason IS NULL)"
            " AND (return_reason IS NULL OR return_reason <> '')"
        ),
    ),
    ("weaker_with_reason", "approved_by IS NULL OR weakenings = '[]' OR reason <> ''"),
    ("end_whole", "(state IN ('superseded','withdrawn')) = (ended_at IS NOT NULL)"),
)


def _create_count(dialect: str) -> None:
    op.create_table(
        "policy_live",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_policy_live_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_live")),
    )
    op.execute("INSERT INTO policy_live (id, version) VALUES (1, 0)")
    head = (
        "CREATE TRIGGER policy_live_counts AFTER UPDATE OF state ON policy_revision FOR EACH ROW"
    )
    when = "OLD.state <> NEW.state AND (OLD.state = 'live' OR NEW.state = 'live')"
    if dialect == "sqlite":
        op.execute(f"{head} WHEN {when} BEGIN {_COUNT}; END")
        return
    op.execute(
        "CREATE FUNCTION firstline_count_policy() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {_COUNT}; RETURN NULL; END $$"
    )
    op.execute(f"{head} WHEN ({when}) EXECUTE FUNCTION firstline_count_policy()")
