"""Sign-ins, sessions and API keys in the database (SQL only; hashes, never secrets)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, update
from sqlalchemy.orm import Session

from suggest_api.storage.tables import ApiKeyRow, PersonRoleRow, SessionRow, SignInRow

_API_KEY = ApiKeyRow.__table__
# Made once: every request of the JSON API asks it, and making a statement costs more than asking it.
_KEY = select(*_API_KEY.columns).where(_API_KEY.c.key_hash == bindparam("key_hash"))


def sign_in_of(session: Session, name: str) -> SignInRow | None:
    """How this person signs in, if they can."""
    return session.get(SignInRow, name)


def sign_ins(session: Session, *, name: str | None = None) -> Sequence[SignInRow]:
    """Everybody who can sign in, or one of them, by name."""
    statement = select(SignInRow).order_by(SignInRow.person)
    return session.scalars(
        statement if name is None else statement.where(SignInRow.person == name)
    ).all()


def roles_of(session: Session, name: str) -> Sequence[PersonRoleRow]:
    """What this person may do."""
    return all_roles(session, name=name)


def all_roles(session: Session, *, name: str | None = None) -> Sequence[PersonRoleRow]:
    """What everybody, or one person, may do."""
    statement = select(PersonRoleRow)
    return session.scalars(
        statement if name is None else statement.where(PersonRoleRow.person == name)
    ).all()


def people_with(session: Session, role: str) -> list[str]:
    """Who has this role and can sign in, by name."""
    statement = (
        select(PersonRoleRow.person)
        .join(SignInRow, SignInRow.person == PersonRoleRow.person)
        .where(PersonRoleRow.role == role, SignInRow.disabled_at.is_(None))
        .distinct()
        .order_by(PersonRoleRow.person)
    )
    return list(session.scalars(statement))


def remove_role(session: Session, name: str, role: str, *, team: str | None) -> list[str]:
    """Take a role away, for one team or altogether; returns the teams that it was held for."""
    statement = delete(PersonRoleRow).where(
        PersonRoleRow.person == name, PersonRoleRow.role == role
    )
    if team is not None:
        statement = statement.where(PersonRoleRow.team == team)
    return list(session.scalars(statement.returning(PersonRoleRow.team)))


def session_of(session: Session, token_hash: str) -> tuple[SessionRow, SignInRow] | None:
    """A session that was not revoked, with its person; whether it is still valid is the service's to say."""
    row = session.execute(
        select(SessionRow, SignInRow)
        .join(SignInRow, SignInRow.person == SessionRow.person)
        .where(SessionRow.token_hash == token_hash, SessionRow.revoked_at.is_(None))
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def touch(session: Session, token_hash: str, *, now: datetime) -> None:
    """Note that the session was used."""
    session.execute(
        update(SessionRow).where(SessionRow.token_hash == token_hash).values(last_seen_at=now)
    )


def revoke(session: Session, token_hash: str, *, now: datetime) -> str | None:
    """End one session; returns whose it was, or None when it had ended already."""
    return session.execute(
        update(SessionRow)
        .where(SessionRow.token_hash == token_hash, SessionRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(SessionRow.person)
    ).scalar_one_or_none()


def revoke_of(session: Session, name: str, *, now: datetime) -> int:
    """End all sessions of a person; returns how many there were."""
    ended = session.execute(
        update(SessionRow)
        .where(SessionRow.person == name, SessionRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(SessionRow.token_hash)
    )
    return len(ended.all())


def keys_named(session: Session, name: str) -> list[ApiKeyRow]:
    """The keys of this name that were not revoked."""
    statement = select(ApiKeyRow).where(ApiKeyRow.name == name, ApiKeyRow.revoked_at.is_(None))
    return list(session.scalars(statement))


def key_of(session: Session, key_hash: str) -> Row[Any] | None:
    """The key with this hash, live or not: a row of the columns of `ApiKeyRow`."""
    return session.execute(_KEY, {"key_hash": key_hash}).one_or_none()
