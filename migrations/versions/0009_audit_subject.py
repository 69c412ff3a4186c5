"""Find the audit entries about one thing without reading the whole chain.

Revision: 0009
Follows: 0008
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index; the chain itself is untouched."""
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)
