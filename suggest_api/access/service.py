"""Signing in and out, and what a session or an API key allows."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.store import audit
from knowledge_base.store.people import ensure_person
from suggest_api.access import repository
from suggest_api.access.model import Identity, KeyIdentity, Role, Scope, SignedIn
from suggest_api.access.roles import grant, teams_of
from suggest_api.errors import AccountExists, NotAllowed, NotAuthenticated, Unprocessable
from suggest_api.storage.tables import ApiKeyRow, SessionRow, SignInRow
from suggest_api.values import new_id

TOKEN_BYTES = 32  # 256 random bits for sessions, CSRF tokens and keys: nobody guesses them
KEY_PREFIX = "fl_"  # lets secret scanners find a key that leaked

KEY_NAME_MAX = 100  # "key:" and the name stand where a person's name of 120 characters may

# A break for lunch does not sign an agent out, a forgotten browser is out before the next shift.
IDLE = timedelta(hours=2)
# One working day with overtime; ASVS 5.0 V7.3.2 asks for an absolute limit beside the idle one.
ABSOLUTE = timedelta(hours=12)
# A page with live updates asks often; writing the time of each would make every read a write.
TOUCH_AFTER = timedelta(minutes=1)

PASSWORD_MIN = 12  # characters; NIST SP 800-63B asks for 8, and we have no second factor
PASSWORD_MAX = 256  # argon2 hashes any length, a hostile one costs time
GENERATED_PASSWORD_BYTES = 15  # 120 bits, 20 characters to copy


def create_user(
    session: Session,
    name: str,
    *,
    roles: Collection[Role],
    teams: Collection[str] = (),
    password: str | None = None,
    by: str = "cli",
    now: datetime,
) -> str:
    """Let a person sign in with these roles; returns the password, which is kept nowhere.

    One is made up when none is given. An approver approves for `teams`, for all when none is named.
    Raises AccountExists, and Unprocessable for a password of fewer than 12 or more than 256 characters.
    """
    chosen = password or secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    _check_password(chosen)
    person = ensure_person(session, name, now=now)
    if repository.sign_in_of(session, person) is not None:
        msg = f"{person} can sign in already: choose another name"
        raise AccountExists(msg)
    hashed = _hasher().hash(chosen)
    session.add(SignInRow(person=person, password_hash=hashed, created_at=now))
    session.flush()
    audit.append(session, actor=by, action="user.create", subject=person, detail={}, now=now)
    grant(session, person, roles, teams=teams, by=by, now=now)
    return chosen


def sign_in(session: Session, name: str, password: str, *, now: datetime) -> SignedIn:
    """A new session for a person; a session that the browser had before is not taken over.

    Raises NotAuthenticated, in the same time and with the same words for an unknown name, a wrong password
    and a disabled account. (`Throttle` holds back repeated tries; the caller asks it first.)
    """
    nobodys = _nobodys_hash()  # made before it is known whether it is needed
    row = repository.sign_in_of(session, " ".join(name.split()))
    matches = _verify(row.password_hash if row else nobodys, password)
    if row is None or not matches or row.disabled_at is not None:
        msg = "name or password is wrong"
        raise NotAuthenticated(msg)
    if _hasher().check_needs_rehash(row.password_hash):
        row.password_hash = _hasher().hash(password)
    token, csrf = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_hex(TOKEN_BYTES)
    expires_at = now + ABSOLUTE
    session.add(
        SessionRow(
            token_hash=_hash(token),
            person=row.person,
            csrf_token=csrf,
            created_at=now,
            last_seen_at=now,
            expires_at=expires_at,
        )
    )
    session.flush()
    audit.append(
        session, actor=row.person, action="session.start", subject=row.person, detail={}, now=now
    )
    return SignedIn(token=token, csrf=csrf, expires_at=expires_at)


def resume(session: Session, token: str, *, now: datetime, active: bool = True) -> Identity | None:
    """Who the cookie's session belongs to; None when it is unknown, idle, expired, revoked or disabled.

    Notes the use at most once a minute, so give it a session that may write; not `active` means that the
    browser asked by itself, which is no use and writes nothing.
    """
    found = repository.session_of(session, _hash(token))
    if found is None:
        return None
    row, person = found
    if now >= row.expires_at or now >= row.last_seen_at + IDLE or person.disabled_at is not None:
        return None
    if active and now - row.last_seen_at >= TOUCH_AFTER:
        repository.touch(session, row.token_hash, now=now)
    held = [(given.role, given.team) for given in repository.roles_of(session, row.person)]
    return Identity(
        name=row.person,
        roles=frozenset(Role(role) for role, _ in held),
        teams=teams_of(held),
        csrf=row.csrf_token,
        expires_at=row.expires_at,
    )


def sign_out(session: Session, token: str, *, now: datetime) -> None:
    """End the session; one that has ended already stays ended."""
    person = repository.revoke(session, _hash(token), now=now)
    if person is not None:
        audit.append(
            session, actor=person, action="session.end", subject=person, detail={}, now=now
        )


def revoke_all(session: Session, name: str, *, by: str, now: datetime) -> int:
    """End every session of a person; returns how many there were. Raises NotFound for an unknown name."""
    if repository.sign_in_of(session, name) is None:
        msg = f"nobody called {name!r} can sign in"
        raise NotFound(msg)
    ended = repository.revoke_of(session, name, now=now)
    detail = {"sessions": ended}
    audit.append(
        session, actor=by, action="session.revoke_all", subject=name, detail=detail, now=now
    )
    return ended


def create_key(
    session: Session,
    name: str,
    *,
    scopes: Collection[Scope],
    now: datetime,
    valid_for: timedelta | None = None,
    by: str = "cli",
) -> str:
    """A new API key, shown this once; only its hash is kept. `valid_for` None means until it is revoked.

    Raises Unprocessable for a name that is empty or longer than 100 characters.
    """
    if not 0 < len(name) <= KEY_NAME_MAX or not name.isprintable():
        msg = f"a key's name has 1 to {KEY_NAME_MAX} visible characters"
        raise Unprocessable(msg)
    plain = KEY_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    row = ApiKeyRow(
        id=new_id(),
        name=name,
        key_hash=_hash(plain),
        scopes=sorted(scope.value for scope in scopes),
        created_at=now,
        expires_at=None if valid_for is None else now + valid_for,
    )
    session.add(row)
    session.flush()
    detail = {"name": name, "scopes": row.scopes}
    audit.append(session, actor=by, action="key.create", subject=row.id, detail=detail, now=now)
    return plain


def identify_key(session: Session, plain: str, *, now: datetime) -> KeyIdentity:
    """Whose key this is. Raises NotAuthenticated.

    Keys are found by SHA-256: with 256 random bits there is nothing that a slow hash would protect.
    """
    row = repository.key_of(session, _hash(plain)) if plain.startswith(KEY_PREFIX) else None
    expired = row is not None and row.expires_at is not None and now >= row.expires_at
    if row is None or row.revoked_at is not None or expired:
        msg = "the API key is unknown, expired or revoked: make one with `firstline key create`"
        raise NotAuthenticated(msg)
    return KeyIdentity(
        id=row.id, name=row.name, scopes=frozenset(Scope(name) for name in row.scopes)
    )


def authenticate_key(session: Session, plain: str, *, scope: Scope, now: datetime) -> KeyIdentity:
    """Whose key this is. Raises NotAuthenticated, or NotAllowed when it has not this scope."""
    identity = identify_key(session, plain, now=now)
    require(identity, scope)
    return identity


def revoke_keys(session: Session, name: str, *, by: str, now: datetime) -> int:
    """End every key of this name; returns how many. Raises NotFound when there is none to end."""
    rows = repository.keys_named(session, name)
    if not rows:
        msg = f"there is no key called {name[:KEY_NAME_MAX]!r} that is not revoked"
        raise NotFound(msg)
    for row in rows:
        row.revoked_at = now
    session.flush()
    detail = {"name": name, "keys": [row.id for row in rows]}
    audit.append(session, actor=by, action="key.revoke", subject=name, detail=detail, now=now)
    return len(rows)


def require(identity: KeyIdentity, *scopes: Scope) -> None:
    """Raise NotAllowed unless the key has one of the scopes."""
    if identity.scopes.isdisjoint(scopes):
        named = " or ".join(repr(scope.value) for scope in scopes)
        msg = f"this key has not the scope {named}: make one with `firstline key create`"
        raise NotAllowed(msg)


def _check_password(password: str) -> None:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        msg = f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters, this one has {len(password)}"
        raise Unprocessable(msg)


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher().verify(hashed, password[:PASSWORD_MAX])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    # argon2id with the second recommendation of RFC 9106 section 4 (3 passes, 64 MiB): the library's default.
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    """What an unknown name is checked against, so that it takes as long as a known one."""
    return _hasher().hash(secrets.token_urlsafe(TOKEN_BYTES))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
