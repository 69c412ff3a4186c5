"""Say what a conversation is about, and which team a freeze of that gave it to.

Revision: 0010
Follows: 0009
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NAME = 120  # characters of a topic


def upgrade() -> None:
    """Add both columns; conversations that people have now are about what their newest hand-over says."""
    for column in ("topic", "team"):
        op.execute(
            f"ALTER TABLE conversation ADD COLUMN {column} VARCHAR({NAME}) DEFAULT '' NOT NULL"
        )
    found = op.get_bind().execute(
        sa.text(
            "SELECT t.conversation_id, t.detail FROM turn t"
            " JOIN conversation c ON c.id = t.conversation_id AND c.owner = 'person'"
            " WHERE t.kind = 'hand_over' ORDER BY t.conversation_id, t.seq"
        )
    )
    topics = {
        row.conversation_id: str(json.loads(row.detail).get("topic") or "")[:NAME] for row in found
    }
    for conversation_id, topic in topics.items():
        if topic:
            op.get_bind().execute(
                sa.text("UPDATE conversation SET topic = :topic WHERE id = :id"),
                {"topic": topic, "id": conversation_id},
            )
