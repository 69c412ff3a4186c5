"""Keep which drafts the audit chain has yet to record, and find the use of a snippet since a moment.

Revision: 0012
Follows: 0011

Drafts that were offered before are recorded as they are now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = 32  # characters of a draft's id


def upgrade() -> None:
    """Create the list with every draft in it, and widen the index of a snippet's drafts by their time."""
    op.create_table(
        "draft_unrecorded",
        sa.Column("draft_id", sa.String(ID), nullable=False),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["draft.id"], name=op.f("fk_draft_unrecorded_draft_id_draft")
        ),
        sa.PrimaryKeyConstraint("draft_id", name=op.f("pk_draft_unrecorded")),
    )
    op.execute("INSERT INTO draft_unrecorded (draft_id) SELECT id FROM draft")
    op.drop_index("ix_draft_snippet", "draft")
    op.create_index("ix_draft_snippet", "draft", ["snippet_key", "created_at"], unique=False)
