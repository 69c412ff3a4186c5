"""Create people, snippets, revisions and the audit chain.

Revision: 0001
Follows: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, each after those it refers to."""
    _create_audit()
    _create_person()
    _create_snippet()
    _create_revision()


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_hash")),
    )


def _create_person() -> None:
    op.create_table(
        "person",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_person")),
    )


def _create_snippet() -> None:
    op.create_table(
        "snippet",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_snippet")),
    )


def _create_revision() -> None:
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("snippet_key", sa.String(length=120), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("examples", sa.Text(), nullable=False),
        sa.Column("topic", sa.String(length=120), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("channels", sa.Text(), nullable=False),
        sa.Column("auto_send", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.String(length=120), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.String(length=120), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_hash", sa.String(length=64), nullable=True),
        sa.Column("policy_version", sa.String(length=64), nullable=True),
        sa.Column("retired_by", sa.String(length=120), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'retired') = (retired_at IS NOT NULL)",
            name=op.f("ck_revision_retired_by_someone"),
        ),
        sa.CheckConstraint(
            "status <> 'approved' OR approved_by IS NOT NULL",
            name=op.f("ck_revision_approved_by_someone"),
        ),
        sa.CheckConstraint(
            "status IN ('draft','in_review','approved','retired')", name=op.f("ck_revision_status")
        ),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)"
            " AND (approved_by IS NULL) = (approved_hash IS NULL)"
            " AND (approved_by IS NULL) = (policy_version IS NULL)",
            name=op.f("ck_revision_approval_whole"),
        ),
        sa.CheckConstraint(
            "(retired_by IS NULL) = (retired_at IS NULL)",
            name=op.f("ck_revision_retirement_whole"),
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> author", name=op.f("ck_revision_two_people")
        ),
        sa.CheckConstraint(
            "approved_hash IS NULL OR approved_hash = content_hash",
            name=op.f("ck_revision_approval_bound_to_content"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_revision_number_positive")),
        sa.CheckConstraint(
            "valid_until IS NULL OR valid_from IS NULL OR valid_from < valid_until",
            name=op.f("ck_revision_valid_from_before_until"),
        ),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["person.name"], name=op.f("fk_revision_approved_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["author"], ["person.name"], name=op.f("fk_revision_author_person")
        ),
        sa.ForeignKeyConstraint(
            ["retired_by"], ["person.name"], name=op.f("fk_revision_retired_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["snippet_key"], ["snippet.key"], name=op.f("fk_revision_snippet_key_snippet")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
        sa.UniqueConstraint("snippet_key", "number", name=op.f("uq_revision_snippet_key_number")),
    )
    op.create_index(
        "ix_revision_in_review",
        "revision",
        ["snippet_key"],
        unique=False,
        sqlite_where=sa.text("status = 'in_review'"),
        postgresql_where=sa.text("status = 'in_review'"),
    )
    op.create_index(
        "uq_revision_one_live",
        "revision",
        ["snippet_key"],
        unique=True,
        sqlite_where=sa.text("status = 'approved'"),
        postgresql_where=sa.text("status = 'approved'"),
    )
