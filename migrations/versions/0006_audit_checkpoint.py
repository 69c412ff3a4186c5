"""Keep signed checkpoints of the audit chain, which are only ever added to.

Revision: 0006
Follows: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLE = "audit_checkpoint"
_REFUSAL = "a checkpoint never changes and is never deleted: add a new one"


def upgrade() -> None:
    """Create the table and the triggers that keep it."""
    op.create_table(
        _TABLE,
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.CheckConstraint("seq > 0", name=op.f("ck_audit_checkpoint_seq_positive")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_checkpoint")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {_TABLE}_kept_{event.lower()} BEFORE {event} ON {_TABLE}"
                f" BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    for event, each in (("UPDATE OR DELETE", "FOR EACH ROW "), ("TRUNCATE", "")):
        op.execute(
            f"CREATE TRIGGER {_TABLE}_kept_{event.split()[0].lower()} BEFORE {event} ON {_TABLE}"
            f" {each}EXECUTE FUNCTION firstline_refuse('{_REFUSAL}')"
        )
