"""Makes what the demo needs in the database: people who can sign in, and the keys of its programs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import knowledge_base
from knowledge_base.curation import paths_file
from knowledge_base.home import Home
from knowledge_base.store import migrate, repository, review
from suggest_api.access import service as access
from suggest_api.access.model import CURATOR_ROLES, Role, Scope
from suggest_api.demo import secrets_file
from suggest_api.demo.secrets_file import DemoSecrets
from suggest_api.errors import AccountExists, NotAllowed, NotAuthenticated
from suggest_api.storage import unit_of_work


@dataclass(frozen=True, slots=True)
class Work:
    """What somebody does here; an approver for no team named approves for all."""

    roles: frozenset[Role]
    teams: tuple[str, ...] = ()


# One for each kind of work; maya and tomas are the people behind the starter content.
PEOPLE: Mapping[str, Work] = {
    "ana": Work(frozenset({Role.AGENT})),
    "maya": Work(frozenset(CURATOR_ROLES)),
    "tomas": Work(frozenset(CURATOR_ROLES)),
    "lena": Work(frozenset({Role.APPROVER}), ("legal",)),
    "pavel": Work(frozenset({Role.APPROVER}), ("communications",)),
    "iris": Work(frozenset({Role.AUDITOR})),
    "ruth": Work(frozenset({Role.ADMIN})),
}
REVIEW_PATHS = Path(knowledge_base.__file__).parent / "content" / "review_paths.yaml"
SCRIPT_AGENT = "rehearsal"  # signs in for `firstline demo --script` and nobody else
PASSWORD_BYTES = 15  # 120 random bits, 20 characters

# (customer, messages): what a newcomer finds in the console after the first start.
FIRST_CONVERSATIONS = (
    ("Priya Nair", ("how long do refunds take?",)),
    ("Tom Becker", ("my parcel never turned up", "QH-1048213")),
    ("Chloé Martin", ("can i talk to a real person please, this is the second time",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What there is after seeding; `passwords` are those of people created just now, to be shown once."""

    secrets: DemoSecrets
    passwords: Mapping[str, str] = field(default_factory=dict)


def seed(engine: Engine, home: Home, *, now: datetime) -> Seeded:
    """Migrate the database and make what is missing; doing it again changes nothing."""
    migrate.upgrade(engine)
    kept = secrets_file.load_or_make(home)
    with unit_of_work.write(engine) as session:
        passwords = _people(session, now=now)
        complete = secrets_file.with_keys(
            kept,
            desk_key=_key(session, kept.desk_key, "assistant", {Scope.ASSIST}, now=now),
            script_key=_key(
                session, kept.script_key, "demo-script", {Scope.DRAFTS, Scope.SUGGEST}, now=now
            ),
            script_password=_script_password(session, kept.script_password, now=now),
        )
        # Before the commit: a key in the database that no file has would be of no use to anybody,
        # and one in the file that the database lacks is made anew next time.
        secrets_file.save(home, complete)
    return Seeded(secrets=complete, passwords=passwords)


def set_review_paths(engine: Engine, *, now: datetime) -> list[str]:
    """Have the starter's sensitive topics signed off by two teams; does nothing once any path was set.

    The starter content comes first: a file cannot be approved by one person where two teams sign off.
    """
    with unit_of_work.write(engine) as session:
        if review.paths(session) or not repository.approved_revisions(session):
            return []
        wanted = paths_file.read_paths(REVIEW_PATHS)
        return paths_file.apply_paths(session, wanted, by="demo", now=now)


def play_first_conversations(network: str, *, client: httpx.Client) -> int:
    """Let three customers write through the network, if nobody has written yet; how many messages that were."""
    written = client.get(f"{network}/api/customers").raise_for_status().json()["customers"]
    if written:
        return 0
    count = 0
    for who, texts in FIRST_CONVERSATIONS:
        for text in texts:
            body = {"as": who, "text": text}
            client.post(f"{network}/api/events", json=body).raise_for_status()
            count += 1
    return count


def _people(session: Session, *, now: datetime) -> dict[str, str]:
    made = {}
    for name, work in PEOPLE.items():
        password = _create(session, name, work, password=None, now=now)
        if password is not None:
            made[name] = password
    return made


def _create(
    session: Session, name: str, work: Work, *, password: str | None, now: datetime
) -> str | None:
    """The password of a person who could not sign in before; None if they could."""
    try:
        return access.create_user(
            session,
            name,
            roles=work.roles,
            teams=work.teams,
            password=password,
            by="demo",
            now=now,
        )
    except AccountExists:
        return None


def _script_password(session: Session, kept: str, *, now: datetime) -> str:
    password = kept or secrets.token_urlsafe(PASSWORD_BYTES)
    _create(session, SCRIPT_AGENT, Work(frozenset({Role.AGENT})), password=password, now=now)
    return password


def _key(session: Session, kept: str, name: str, scopes: set[Scope], *, now: datetime) -> str:
    """The key that the file has if the database knows it with these scopes, else a new one."""
    try:
        for scope in scopes:
            access.authenticate_key(session, kept, scope=scope, now=now)
    except (NotAuthenticated, NotAllowed):
        return access.create_key(session, name, scopes=scopes, now=now)
    return kept
