"""Let a person have several roles, and approvers have teams.

Revision: 0008
Follows: 0007

What a curator did is now three roles, so that they can be given apart. The column of the one role goes: two
places that say who may do what would sooner or later disagree.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# (the old role, the new one, the team)
_BECOMES = (
    ("agent", "agent", ""),
    ("curator", "author", ""),
    ("curator", "approver", "*"),
    ("curator", "publisher", ""),
    ("admin", "admin", ""),
)


def upgrade() -> None:
    """Create the table, carry the roles over, and drop the column that held them."""
    roles = _carried_over()
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_sign_in()
    else:
        op.drop_constraint(op.f("ck_sign_in_role"), "sign_in", type_="check")
        op.drop_column("sign_in", "role")
    table = _create_person_role()
    if roles:
        op.bulk_insert(table, roles)


def _carried_over() -> list[dict[str, object]]:
    people = sa.table(
        "sign_in",
        sa.column("person", sa.String),
        sa.column("role", sa.String),
        sa.column("created_at", sa.DateTime(timezone=True)),
    )
    return [
        {
            "person": person,
            "role": role,
            "team": team,
            "granted_by": "migration",
            "granted_at": created_at,
        }
        for person, old, created_at in op.get_bind().execute(sa.select(people))
        for was, role, team in _BECOMES
        if was == old
    ]


def _rebuild_sign_in() -> None:
    """SQLite drops no column that a constraint names, so the table is made anew with its rows.

    Sessions refer to it. Their foreign keys are looked at when the transaction ends, when the rows are back;
    whoever is signed in stays so.
    """
    op.execute("PRAGMA defer_foreign_keys = ON")  # ends with the transaction
    op.execute(
        "CREATE TEMPORARY TABLE sign_in_kept AS"
        " SELECT person, password_hash, created_at, disabled_at FROM sign_in"
    )
    op.drop_table("sign_in")
    op.create_table(
        "sign_in",
        sa.Column("person", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person"], ["person.name"], name=op.f("fk_sign_in_person_person")
        ),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_sign_in")),
    )
    op.execute(
        "INSERT INTO sign_in (person, password_hash, created_at, disabled_at)"
        " SELECT person, password_hash, created_at, disabled_at FROM sign_in_kept"
    )
    op.execute("DROP TABLE sign_in_kept")


def _create_person_role() -> sa.Table:
    return op.create_table(
        "person_role",
        sa.Column("person", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("team", sa.String(length=120), nullable=False),
        sa.Column("granted_by", sa.String(length=120), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('agent','author','approver','publisher','auditor','admin')",
            name=op.f("ck_person_role_role"),
        ),
        sa.CheckConstraint(
            "(role = 'approver') = (team <> '')",
            name=op.f("ck_person_role_approvers_have_teams"),
        ),
        sa.ForeignKeyConstraint(
            ["person"], ["sign_in.person"], name=op.f("fk_person_role_person_sign_in")
        ),
        sa.PrimaryKeyConstraint("person", "role", "team", name=op.f("pk_person_role")),
    )
