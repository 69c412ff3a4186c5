"""Who somebody is and what that allows: roles, scopes and identities."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person does here."""

    AGENT = "agent"
    CURATOR = "curator"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """An admin may do everything; the others do their own work only."""
        return self is needed or self is Role.ADMIN


class Scope(StrEnum):
    """What a key may do."""

    SUGGEST = "suggest"  # ask for drafts for an agent, and tell what became of them
    ASSIST = "assist"  # ask for answers that are sent without a person: the bot's
    CHECK = "check"  # the verdict on a text
    DRAFTS = "drafts"  # read proofs
    METRICS = "metrics"  # scrape


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A signed-in person. `csrf` is the token that their forms must carry."""

    name: str
    role: Role
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


def parse_scopes(names: Collection[str]) -> frozenset[Scope]:
    """The scopes of these names; ValueError names those that do not exist."""
    known = {scope.value for scope in Scope}
    unknown = sorted(set(names) - known)
    if unknown or not names:
        wrong = f"unknown scope {', '.join(unknown)}" if unknown else "no scope"
        msg = f"{wrong}: give one or more of {', '.join(sorted(known))}"
        raise ValueError(msg)
    return frozenset(Scope(name) for name in names)
