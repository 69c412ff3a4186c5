"""Let approved revisions wait for publication, and keep what governed content needs.

Revision: 0005
Follows: 0004

Until now an approval made a revision live. From here on it makes it ready: what is offered is what was published.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from knowledge_base.store.guards import not_truncated, only_added_to

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ONLY_ADDED_TO = {
    "review_decision": "a decision",
    "review_comment": "a comment",
    "verification": "a verification",
    "recall": "a recall",
}


def upgrade() -> None:
    """Create the tables, each after those it refers to; what was approved so far is live."""
    _add_live()
    _create_review_path()
    _create_review_decision()
    _create_review_comment()
    _create_verification()
    _create_recall()
    _create_freeze()
    _create_golden_question()
    _create_publication()
    _add_withdrawal()
    dialect = op.get_bind().dialect.name
    for table, what in _ONLY_ADDED_TO.items():
        for guard in only_added_to(table, what):
            op.execute(guard.statement(dialect))
        statement = not_truncated(table, dialect)
        if statement is not None:
            op.execute(statement)


def _add_live() -> None:
    # In one statement: SQLite cannot add a constraint to a table later, and rebuilding it would drop its guards.
    op.execute(
        "ALTER TABLE revision ADD COLUMN live BOOLEAN DEFAULT false NOT NULL"
        " CONSTRAINT ck_revision_live_is_approved CHECK (NOT live OR status = 'approved')"
    )
    op.execute("UPDATE revision SET live = true WHERE status = 'approved'")
    op.drop_index("uq_revision_one_live", table_name="revision")
    op.create_index(
        "uq_revision_one_live",
        "revision",
        ["snippet_key"],
        unique=True,
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.create_index("uq_revision_bound", "revision", ["id", "author", "content_hash"], unique=True)


def _add_withdrawal() -> None:
    op.execute(
        "ALTER TABLE draft ADD COLUMN recall_id INTEGER"
        " CONSTRAINT fk_draft_recall_id_recall REFERENCES recall (id)"
    )


def _create_review_path() -> None:
    op.create_table(
        "review_path",
        sa.Column("topic", sa.String(length=120), nullable=False),
        sa.Column("teams", sa.Text(), nullable=False),
        sa.Column("set_by", sa.String(length=120), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["set_by"], ["person.name"], name=op.f("fk_review_path_set_by_person")
        ),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_review_path")),
    )


def _create_review_decision() -> None:
    op.create_table(
        "review_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("team", sa.String(length=120), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind <> 'return' OR reason <> ''", name=op.f("ck_review_decision_return_has_reason")
        ),
        sa.CheckConstraint(
            "kind <> 'withdraw' OR by = author",
            name=op.f("ck_review_decision_withdrawn_by_author"),
        ),
        sa.CheckConstraint(
            "kind = 'withdraw' OR by <> author", name=op.f("ck_review_decision_two_people")
        ),
        sa.CheckConstraint(
            "kind IN ('approve','return','withdraw')", name=op.f("ck_review_decision_kind")
        ),
        sa.CheckConstraint("step >= 0", name=op.f("ck_review_decision_step_counts_from_zero")),
        sa.ForeignKeyConstraint(
            ["by"], ["person.name"], name=op.f("fk_review_decision_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["revision_id", "author", "content_hash"],
            ["revision.id", "revision.author", "revision.content_hash"],
            name="fk_review_decision_bound_to_content",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_decision")),
    )
    op.create_index(
        "uq_review_decision_person",
        "review_decision",
        ["revision_id", "submitted_at", "by"],
        unique=True,
        sqlite_where=sa.text("kind = 'approve'"),
        postgresql_where=sa.text("kind = 'approve'"),
    )
    op.create_index(
        "uq_review_decision_step",
        "review_decision",
        ["revision_id", "submitted_at", "step"],
        unique=True,
        sqlite_where=sa.text("kind = 'approve'"),
        postgresql_where=sa.text("kind = 'approve'"),
    )


def _create_review_comment() -> None:
    op.create_table(
        "review_comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint("text <> ''", name=op.f("ck_review_comment_says_something")),
        sa.ForeignKeyConstraint(["by"], ["person.name"], name=op.f("fk_review_comment_by_person")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revision.id"], name=op.f("fk_review_comment_revision_id_revision")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_comment")),
    )
    op.create_index("ix_review_comment_revision", "review_comment", ["revision_id"], unique=False)


def _create_verification() -> None:
    op.create_table(
        "verification",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("at < due_at", name=op.f("ck_verification_due_later")),
        sa.ForeignKeyConstraint(["by"], ["person.name"], name=op.f("fk_verification_by_person")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revision.id"], name=op.f("fk_verification_revision_id_revision")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification")),
    )
    op.create_index("ix_verification_revision", "verification", ["revision_id"], unique=False)


def _create_recall() -> None:
    op.create_table(
        "recall",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("snippet_key", sa.String(length=120), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_recall_has_reason")),
        sa.ForeignKeyConstraint(["by"], ["person.name"], name=op.f("fk_recall_by_person")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revision.id"], name=op.f("fk_recall_revision_id_revision")
        ),
        sa.ForeignKeyConstraint(
            ["snippet_key"], ["snippet.key"], name=op.f("fk_recall_snippet_key_snippet")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall")),
        sa.UniqueConstraint("revision_id", name=op.f("uq_recall_revision_id")),
    )
    op.create_index("ix_recall_snippet", "recall", ["snippet_key"], unique=False)


def _create_freeze() -> None:
    op.create_table(
        "freeze",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(length=120), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("holding_key", sa.String(length=120), nullable=True),
        sa.Column("team", sa.String(length=120), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("thawed_by", sa.String(length=120), nullable=True),
        sa.Column("thawed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("thaw_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("reason <> '' AND team <> ''", name=op.f("ck_freeze_says_why_and_who")),
        sa.CheckConstraint(
            "(thawed_by IS NULL) = (thawed_at IS NULL) AND (thawed_by IS NULL) = (thaw_reason IS NULL)",
            name=op.f("ck_freeze_thaw_whole"),
        ),
        sa.ForeignKeyConstraint(["by"], ["person.name"], name=op.f("fk_freeze_by_person")),
        sa.ForeignKeyConstraint(
            ["holding_key"], ["snippet.key"], name=op.f("fk_freeze_holding_key_snippet")
        ),
        sa.ForeignKeyConstraint(
            ["thawed_by"], ["person.name"], name=op.f("fk_freeze_thawed_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freeze")),
    )
    op.create_index(
        "uq_freeze_in_force",
        "freeze",
        ["topic", "channel", "drill"],
        unique=True,
        sqlite_where=sa.text("thawed_at IS NULL"),
        postgresql_where=sa.text("thawed_at IS NULL"),
    )


def _create_golden_question() -> None:
    op.create_table(
        "golden_question",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("expected_key", sa.String(length=120), nullable=True),
        sa.Column("must_pass", sa.Boolean(), nullable=False),
        sa.Column("added_by", sa.String(length=120), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_by", sa.String(length=120), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("question <> ''", name=op.f("ck_golden_question_asks_something")),
        sa.CheckConstraint(
            "(removed_by IS NULL) = (removed_at IS NULL)",
            name=op.f("ck_golden_question_removal_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["added_by"], ["person.name"], name=op.f("fk_golden_question_added_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["expected_key"], ["snippet.key"], name=op.f("fk_golden_question_expected_key_snippet")
        ),
        sa.ForeignKeyConstraint(
            ["removed_by"], ["person.name"], name=op.f("fk_golden_question_removed_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden_question")),
    )
    op.create_index(
        "uq_golden_question_in_use",
        "golden_question",
        ["question"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def _create_publication() -> None:
    op.create_table(
        "publication",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_by", sa.String(length=120), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("base_build_id", sa.String(length=64), nullable=True),
        sa.Column("build_id", sa.String(length=64), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("override_by", sa.String(length=120), nullable=True),
        sa.Column("override_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("override_reason", sa.Text(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=120), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.String(length=120), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(published_by IS NULL) = (published_at IS NULL)"
            " AND (state = 'published') = (published_at IS NOT NULL)",
            name=op.f("ck_publication_publication_whole"),
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_publication_failure_named")
        ),
        sa.CheckConstraint(
            "state IN ('requested','building','ready','refused','failed','published','superseded')",
            name=op.f("ck_publication_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('ready','refused','published') OR build_id IS NOT NULL",
            name=op.f("ck_publication_compared_has_build"),
        ),
        sa.CheckConstraint(
            "(confirmed_by IS NULL) = (confirmed_at IS NULL)"
            " AND (confirmed_by IS NULL OR override_by IS NOT NULL)",
            name=op.f("ck_publication_confirmation_whole"),
        ),
        sa.CheckConstraint(
            "(override_by IS NULL) = (override_at IS NULL) AND (override_by IS NULL) = (override_reason IS NULL)",
            name=op.f("ck_publication_override_whole"),
        ),
        sa.CheckConstraint(
            "confirmed_by IS NULL OR confirmed_by <> override_by",
            name=op.f("ck_publication_two_people"),
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["person.name"], name=op.f("fk_publication_confirmed_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["override_by"], ["person.name"], name=op.f("fk_publication_override_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["published_by"], ["person.name"], name=op.f("fk_publication_published_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["person.name"], name=op.f("fk_publication_requested_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
    )
    op.create_index("ix_publication_state", "publication", ["state", "id"], unique=False)
