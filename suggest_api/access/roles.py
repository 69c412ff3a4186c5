"""Giving roles and taking them away: each with its audit entry, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.store import audit
from knowledge_base.store.tables import NAME
from suggest_api.access import repository
from suggest_api.access.model import ALL_TEAMS, Identity, Person, Role
from suggest_api.errors import NotAllowed, Unprocessable
from suggest_api.storage.tables import PersonRoleRow

NO_TEAM = ""  # every role but the approver's


def grant(
    session: Session,
    name: str,
    roles: Collection[Role],
    *,
    teams: Collection[str] = (),
    by: str,
    now: datetime,
) -> Person:
    """Give a person more roles, an approver for these teams ('*', all of them, when none is named).

    What they have already they keep; only what is new is recorded.
    Raises NotFound for somebody who cannot sign in, Unprocessable for teams without the role approver.
    """
    _expect(session, name)
    wanted = _rows(roles, teams)
    held = {(row.role, row.team) for row in repository.roles_of(session, name)}
    fresh = [row for row in wanted if row not in held]
    for role, team in fresh:
        row = PersonRoleRow(person=name, role=role, team=team, granted_by=by, granted_at=now)
        session.add(row)
    session.flush()
    if fresh:
        detail = {"roles": [_spelt(role, team) for role, team in fresh]}
        audit.append(session, actor=by, action="user.grant", subject=name, detail=detail, now=now)
    return person(session, name)


def revoke(
    session: Session,
    name: str,
    role: Role,
    *,
    team: str | None = None,
    by: str,
    now: datetime,
) -> Person:
    """Take a role away, of an approver one team or all; it holds from the person's next request on.

    Raises NotFound when they have it not, NotAllowed when nobody would be left to give roles back.
    """
    _expect(session, name)
    if role is Role.ADMIN and repository.people_with(session, Role.ADMIN.value) == [name]:
        msg = f"{name} is the only admin: make somebody else one first"
        raise NotAllowed(msg)
    gone = repository.remove_role(session, name, role.value, team=team)
    if not gone:
        named = role.value if team is None else f"{role.value} for {team}"
        msg = f"{name} has not the role {named}"
        raise NotFound(msg)
    detail = {"roles": sorted(_spelt(role.value, each) for each in gone)}
    audit.append(session, actor=by, action="user.revoke", subject=name, detail=detail, now=now)
    return person(session, name)


def person(session: Session, name: str) -> Person:
    """Somebody who can sign in. Raises NotFound."""
    found = [each for each in people(session, name=name) if each.name == name]
    if not found:
        _expect(session, name)
    return found[0]


def people(session: Session, *, name: str | None = None) -> list[Person]:
    """Everybody who can sign in, by name, with what they may do."""
    held: dict[str, list[tuple[str, str]]] = {}
    for row in repository.all_roles(session, name=name):
        held.setdefault(row.person, []).append((row.role, row.team))
    return [
        Person(
            name=row.person,
            roles=frozenset(Role(role) for role, _ in held.get(row.person, ())),
            teams=teams_of(held.get(row.person, ())),
            created_at=row.created_at,
            disabled=row.disabled_at is not None,
        )
        for row in repository.sign_ins(session, name=name)
    ]


def teams_of(held: Collection[tuple[str, str]]) -> frozenset[str]:
    """The teams that somebody with these (role, team) approves for; an admin approves for all."""
    teams = {team for _, team in held if team != NO_TEAM}
    admin = any(role == Role.ADMIN.value for role, _ in held)
    return frozenset(teams | {ALL_TEAMS} if admin else teams)


def approves_for(identity: Identity, team: str) -> bool:
    """Whether the person approves for this team; a step without a team is for every approver."""
    return bool(identity.teams) and (
        team == NO_TEAM or team in identity.teams or ALL_TEAMS in identity.teams
    )


def _rows(roles: Collection[Role], teams: Collection[str]) -> list[tuple[str, str]]:
    named = [" ".join(team.split()) for team in teams]
    if named and Role.APPROVER not in roles:
        msg = "teams are what approvers sign off for: give the role approver with them"
        raise Unprocessable(msg)
    for team in named:
        if not 0 < len(team) <= NAME or not team.isprintable():
            msg = f"{team!r} is no name for a team: 1 to {NAME} visible characters, for example legal"
            raise Unprocessable(msg)
    rows = [(role.value, NO_TEAM) for role in roles if role is not Role.APPROVER]
    if Role.APPROVER in roles:
        rows += [(Role.APPROVER.value, team) for team in dict.fromkeys(named or [ALL_TEAMS])]
    return sorted(rows)


def _expect(session: Session, name: str) -> None:
    if repository.sign_in_of(session, name) is None:
        msg = f"nobody called {name!r} can sign in"
        raise NotFound(msg)


def _spelt(role: str, team: str) -> str:
    return f"{role}:{team}" if team else role
