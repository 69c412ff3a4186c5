"""Sign-ins, sessions and API keys in the database (SQL only; hashes, never secrets)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from suggest_api.storage.tables import ApiKeyRow, SessionRow, SignInRow


def sign_in_of(session: Session, name: str) -> SignInRow | None:
    """How this person signs in, if they can."""
    return session.get(SignInRow, name)


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


def key_of(session: Session, key_hash: str) -> ApiKeyRow | None:
    """The key with this hash, live or not."""
    return session.execute(
        select(ApiKeyRow).where(ApiKeyRow.key_hash == key_hash)
    ).scalar_one_or_none()
