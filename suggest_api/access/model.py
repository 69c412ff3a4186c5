"""Who somebody is and what that allows: roles, scopes and identities."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person does here; somebody may do several things (`access.permissions` says what each may)."""

    AGENT = "agent"  # answers customers
    AUTHOR = "author"  # writes snippets
    APPROVER = "approver"  # signs snippets off, for teams
    PUBLISHER = "publisher"  # decides what is live
    AUDITOR = "auditor"  # reads everything that was decided, changes nothing
    ADMIN = "admin"  # everything; author and approver of one text are two people all the same


# A shorthand for whoever looks after the content alone: writes, approves (what others wrote) and publishes.
CURATOR = "curator"
CURATOR_ROLES = (Role.AUTHOR, Role.APPROVER, Role.PUBLISHER)

ALL_TEAMS = "*"  # an approver for every team of every review path


class Scope(StrEnum):
    """What a key may do."""

    SUGGEST = "suggest"  # ask for drafts for an agent, and tell what became of them
    ASSIST = "assist"  # ask for answers that are sent without a person: the bot's
    CHECK = "check"  # the verdict on a text
    DRAFTS = "drafts"  # read proofs
    METRICS = "metrics"  # scrape


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A signed-in person. `teams` are those that they approve for ('*' is all); `csrf` goes into their forms."""

    name: str
    roles: frozenset[Role]
    teams: frozenset[str] = frozenset()
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A new session: `token` goes into the cookie and is kept nowhere else, `csrf` into the forms."""

    token: str
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIdentity:
    """Whose key it is. `actor` is the name that audit rows and decisions carry."""

    id: str
    name: str
    scopes: frozenset[Scope]

    @property
    def actor(self) -> str:
        """`key:<name>`: never mistaken for a person."""
        return f"key:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can sign in, as admins see them."""

    name: str
    roles: frozenset[Role]
    teams: frozenset[str]
    created_at: datetime
    disabled: bool


def parse_roles(names: Collection[str]) -> frozenset[Role]:
    """The roles of these names, `curator` standing for its three; ValueError names those that do not exist."""
    known = {role.value for role in Role}
    unknown = sorted(set(names) - known - {CURATOR})
    if unknown or not names:
        wrong = f"there is no role {', '.join(map(repr, unknown))}" if unknown else "no role"
        msg = f"{wrong}: give one or more of {', '.join([*sorted(known), CURATOR])}"
        raise ValueError(msg)
    roles = {Role(name) for name in names if name != CURATOR}
    return frozenset(roles.union(CURATOR_ROLES) if CURATOR in names else roles)


def parse_scopes(names: Collection[str]) -> frozenset[Scope]:
    """The scopes of these names; ValueError names those that do not exist."""
    known = {scope.value for scope in Scope}
    unknown = sorted(set(names) - known)
    if unknown or not names:
        wrong = f"unknown scope {', '.join(unknown)}" if unknown else "no scope"
        msg = f"{wrong}: give one or more of {', '.join(sorted(known))}"
        raise ValueError(msg)
    return frozenset(Scope(name) for name in names)
