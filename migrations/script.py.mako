"""${message}.

Revision: ${up_revision}
Follows: ${down_revision | comma,n}
Written: ${create_date}
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Bring the database to this revision, on SQLite and on PostgreSQL."""
    ${upgrades if upgrades else "raise NotImplementedError"}
