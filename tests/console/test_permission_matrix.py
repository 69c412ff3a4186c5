"""The permission matrix, walked through completely: every role and every action, in code and over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine
from suggest_api.access import service as access
from suggest_api.access.model import Identity, Role
from suggest_api.access.permissions import PERMISSIONS, Action, may
from suggest_api.console.guards import OwnForm, Require
from suggest_api.console.home import home_of
from suggest_api.main import create_app, create_desk
from suggest_api.settings import Settings
from suggest_api.storage import unit_of_work
from tests.architecture.test_routes import guards, routes
from tests.conftest import NOW

ROOT = Path(__file__).parents[2]
PASSWORD = "a long pass phrase"
NOBODY = "nobody"  # somebody who can sign in and has no role
# Actions that no page offers yet. A page that comes takes its action off this list, or the test below fails.
NOT_YET: set[Action] = set()
# Actions that read. Every other one changes something, so a form has to stand for it.
READING = {
    Action.READ_INBOX,
    Action.VIEW_KNOWLEDGE,
    Action.VIEW_COVERAGE,
    Action.READ_AUDIT,
    Action.READ_POLICY,
    Action.EXPORT,
    Action.VERIFY_PROOF,
}
STREAMS = {"/console/events"}  # answers go on for ever: only refusals are looked at


def identity(*roles: Role) -> Identity:
    return Identity(name="x", roles=frozenset(roles), csrf="", expires_at=NOW + timedelta(hours=1))


def table_in_docs() -> dict[Action, frozenset[Role]]:
    """The table that people read: a row for each action, a column for each role."""
    text = (ROOT / "docs" / "roles.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    found = {}
    for name, words, *marks in rows:
        assert Action[name].value == words, f"docs/roles.md words {name} otherwise"
        held = (Role(role) for role, mark in zip(head[2:], marks, strict=True) if mark == "yes")
        found[Action[name]] = frozenset(held)
    return found


def test_the_table_that_people_read_is_the_one_that_the_code_asks() -> None:
    assert table_in_docs() == dict(PERMISSIONS)


@pytest.mark.parametrize("action", Action)
def test_each_role_alone_may_do_what_the_table_says_and_roles_add_up(action: Action) -> None:
    for role in Role:
        assert may(identity(role), action) == (role in PERMISSIONS[action])
        for other in Role:
            both = may(identity(role, other), action)
            assert both == (may(identity(role), action) or may(identity(other), action))
    assert not may(identity(), action)
    assert may(identity(Role.ADMIN), action)


@dataclass(frozen=True)
class Person:
    """A browser that is signed in as somebody with one role."""

    client: TestClient
    csrf: str
    roles: frozenset[Role]

    def send(self, method: str, path: str) -> tuple[int, str]:
        headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        data = {"csrf": self.csrf} if method == "POST" else None
        answer = self.client.request(method, path, data=data, headers=headers)
        return answer.status_code, answer.text


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    home = tmp_path_factory.mktemp("matrix")
    settings = Settings(home=home, demo=True, database_url=f"sqlite:///{home / 'a.db'}")
    engine = open_engine(settings.place.database_url)
    migrate.upgrade(engine)
    yield create_app(settings, desk=create_desk(settings, engine=engine))
    engine.dispose()


@pytest.fixture(scope="module")
def people(app: FastAPI) -> Iterator[dict[str, Person]]:
    desk = app.state.desk
    found: dict[str, Person] = {}
    for name, roles in {NOBODY: (), **{role.value: (role,) for role in Role}}.items():
        with unit_of_work.write(desk.engine) as session:
            access.create_user(session, name, roles=roles, password=PASSWORD, now=desk.clock())
            started = access.sign_in(session, name, PASSWORD, now=desk.clock())
        client = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
        client.cookies.set("firstline", started.token)
        found[name] = Person(client, started.csrf, frozenset(roles))
    yield found
    for person in found.values():
        person.client.close()


def guarded(app: FastAPI) -> list[tuple[str, str, Require]]:
    """(method, path, guard) of every page and form of the console that asks for an action."""
    return [
        (method, path, guard)
        for method, path, route in routes(app)
        for guard in guards(route.dependant)
        if isinstance(guard, Require) and guard.action is not None and method != "HEAD"
    ]


def address(path: str) -> str:
    """The path with something in its places that exists nowhere."""
    numbers = re.sub(r"\{[a-z_]*id\}|\{number\}", "0" * 32, path)
    return re.sub(r"\{[^}]*\}", "resend", numbers)


def refused(status: int, text: str) -> bool:
    return status == 403 and "takes the role" in text


def test_every_action_stands_behind_a_page_and_every_change_behind_a_form(app: FastAPI) -> None:
    offered = {guard.action for _, _, guard in guarded(app)}
    forms = {guard.action for _, _, guard in guarded(app) if isinstance(guard, OwnForm)}
    missing = {action.name for action in set(Action) - offered}
    assert missing == {action.name for action in NOT_YET}, "pages came or went: change NOT_YET"
    without_form = {a.name for a in set(Action) - READING - NOT_YET - forms}
    assert not without_form, "these change something, and no form stands for them"


def test_a_page_is_read_and_a_form_is_sent(app: FastAPI) -> None:
    for method, path, guard in guarded(app):
        assert isinstance(guard, OwnForm) == (method != "GET"), f"{method} {path}"


def test_over_http_each_role_is_let_in_and_refused_as_the_table_says(
    app: FastAPI, people: dict[str, Person]
) -> None:
    walked = set()
    for method, path, guard in guarded(app):
        assert guard.action is not None
        for name, person in people.items():
            allowed = bool(person.roles & PERMISSIONS[guard.action])
            if allowed and path in STREAMS:
                continue
            status, text = person.send(method, address(path))
            where = f"{name}: {method} {path} ({guard.action.name}) answers {status}"
            assert refused(status, text) != allowed, where
            assert status < 500 or status == 503, where
            walked.add((guard.action, name))
    actions = set(Action) - NOT_YET
    assert walked == {(action, name) for action in actions for name in people}


def test_everybody_with_a_role_lands_on_a_page_that_they_may_see(
    people: dict[str, Person],
) -> None:
    for name, person in people.items():
        home = home_of(identity(*person.roles))
        status, text = person.send("GET", home)
        assert status == (403 if name == NOBODY else 200), f"{name} lands on {home}: {status}"
        if name == NOBODY:
            assert "ask an admin" in text


def test_nobody_gets_further_without_a_role_than_to_sign_out(people: dict[str, Person]) -> None:
    status, _ = people[NOBODY].send("GET", "/console")
    assert status == 303  # to where it says that a role is needed
    assert people[NOBODY].send("POST", "/console/sign-out")[0] == 303
