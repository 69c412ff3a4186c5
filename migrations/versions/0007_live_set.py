"""Count the changes of what is live, so that a server can tell with one small read that nothing changed.

Revision: 0007
Follows: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COUNT = "UPDATE live_set SET version = version + 1"


def upgrade() -> None:
    """Create the counter with its one row, and the trigger that counts."""
    op.create_table(
        "live_set",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_live_set_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_set")),
    )
    op.execute("INSERT INTO live_set (id, version) VALUES (1, 0)")
    head = "CREATE TRIGGER live_set_counts AFTER UPDATE OF live ON revision FOR EACH ROW"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"{head} WHEN OLD.live <> NEW.live BEGIN {_COUNT}; END")
        return
    op.execute(
        "CREATE FUNCTION firstline_count_live_set() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {_COUNT}; RETURN NULL; END $$"
    )
    op.execute(f"{head} WHEN (OLD.live <> NEW.live) EXECUTE FUNCTION firstline_count_live_set()")
