"""Create the tables of coverage: unanswered questions, proposed phrasings, merges of snippets.

Revision: 0004
Follows: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_unanswered_question()
    _create_phrasing_proposal()
    _create_snippet_merge()


def _create_unanswered_question() -> None:
    op.create_table(
        "unanswered_question",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asked_key", sa.String(length=32), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=True),
        sa.Column("use", sa.String(length=16), nullable=False),
        sa.Column("build_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "use IN ('agent','assistant')", name=op.f("ck_unanswered_question_use")
        ),
        sa.CheckConstraint(
            "question <> '' AND length(question) <= 500",
            name=op.f("ck_unanswered_question_length"),
        ),
        sa.CheckConstraint(
            "confidence IS NULL OR (confidence >= 0 AND confidence <= 1)",
            name=op.f("ck_unanswered_question_confidence_share"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unanswered_question")),
    )
    op.create_index("ix_unanswered_question_asked_at", "unanswered_question", ["asked_at"])


def _create_phrasing_proposal() -> None:
    op.create_table(
        "phrasing_proposal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("snippet_key", sa.String(length=120), nullable=False),
        sa.Column("phrasing", sa.Text(), nullable=False),
        sa.Column("phrasing_key", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed','accepted','declined')", name=op.f("ck_phrasing_proposal_state")
        ),
        sa.CheckConstraint(
            "count > 0 AND first_seen_at <= last_seen_at", name=op.f("ck_phrasing_proposal_seen")
        ),
        sa.CheckConstraint(
            "phrasing <> '' AND length(phrasing) <= 500",
            name=op.f("ck_phrasing_proposal_length"),
        ),
        sa.CheckConstraint(
            "(decided_by IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_phrasing_proposal_decision_whole"),
        ),
        sa.CheckConstraint(
            "(state = 'proposed') = (decided_by IS NULL)",
            name=op.f("ck_phrasing_proposal_decided_by_someone"),
        ),
        sa.CheckConstraint(
            "(state = 'accepted') = (revision_id IS NOT NULL)",
            name=op.f("ck_phrasing_proposal_accepted_into_a_revision"),
        ),
        sa.ForeignKeyConstraint(
            ["snippet_key"], ["snippet.key"], name=op.f("fk_phrasing_proposal_snippet_key_snippet")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.name"], name=op.f("fk_phrasing_proposal_decided_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"],
            ["revision.id"],
            name=op.f("fk_phrasing_proposal_revision_id_revision"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phrasing_proposal")),
        sa.UniqueConstraint(
            "snippet_key",
            "phrasing_key",
            name=op.f("uq_phrasing_proposal_snippet_key_phrasing_key"),
        ),
    )
    op.create_index("ix_phrasing_proposal_state", "phrasing_proposal", ["state", "snippet_key"])


def _create_snippet_merge() -> None:
    op.create_table(
        "snippet_merge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("from_key", sa.String(length=120), nullable=False),
        sa.Column("merged_into", sa.String(length=120), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("retired_revision_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.String(length=120), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("from_key <> merged_into", name=op.f("ck_snippet_merge_two_snippets")),
        sa.CheckConstraint(
            "state IN ('open','done','withdrawn')", name=op.f("ck_snippet_merge_state")
        ),
        sa.CheckConstraint(
            "(settled_by IS NULL) = (settled_at IS NULL)",
            name=op.f("ck_snippet_merge_settlement_whole"),
        ),
        sa.CheckConstraint(
            "(state = 'open') = (settled_at IS NULL)", name=op.f("ck_snippet_merge_settled")
        ),
        sa.CheckConstraint(
            "state = 'done' OR retired_revision_id IS NULL",
            name=op.f("ck_snippet_merge_retires_only_when_done"),
        ),
        *(
            sa.ForeignKeyConstraint(
                [column],
                [f"{table}.{target}"],
                name=op.f(f"fk_snippet_merge_{column}_{table}"),
            )
            for column, table, target in (
                ("from_key", "snippet", "key"),
                ("merged_into", "snippet", "key"),
                ("revision_id", "revision", "id"),
                ("retired_revision_id", "revision", "id"),
                ("by", "person", "name"),
                ("settled_by", "person", "name"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snippet_merge")),
    )
    op.create_index(
        "uq_snippet_merge_one_open",
        "snippet_merge",
        ["from_key"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_snippet_merge_merged_into", "snippet_merge", ["merged_into"])
