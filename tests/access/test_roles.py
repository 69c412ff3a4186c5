"""Roles: several for a person, teams for approvers, given and taken with an audit entry, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from knowledge_base.errors import NotFound
from knowledge_base.store import audit, migrate
from suggest_api.access import roles
from suggest_api.access import service as access
from suggest_api.access.model import ALL_TEAMS, CURATOR_ROLES, Identity, Role, parse_roles
from suggest_api.access.permissions import PERMISSIONS, Action, may, require
from suggest_api.cli import build
from suggest_api.errors import NotAllowed, Unprocessable
from suggest_api.storage import unit_of_work
from tests.conftest import NOW

PASSWORD = "correct horse battery"


def make(engine: Engine, name: str, *given: Role, teams: tuple[str, ...] = ()) -> None:
    with unit_of_work.write(engine) as session:
        access.create_user(
            session, name, roles=given, teams=teams, password=PASSWORD, by="ruth", now=NOW
        )


def who(engine: Engine, name: str) -> Identity:
    with unit_of_work.write(engine) as session:
        token = access.sign_in(session, name, PASSWORD, now=NOW).token
        found = access.resume(session, token, now=NOW)
    assert found is not None
    return found


def test_somebody_may_do_several_things(engine: Engine) -> None:
    make(engine, "maya", Role.AUTHOR, Role.APPROVER, teams=("legal", "press office"))
    found = who(engine, "maya")
    assert found.roles == {Role.AUTHOR, Role.APPROVER}
    assert found.teams == {"legal", "press office"}
    assert roles.approves_for(found, "legal")
    assert roles.approves_for(found, "")
    assert not roles.approves_for(found, "communications")


def test_an_approver_without_a_team_approves_for_all_and_so_does_an_admin(engine: Engine) -> None:
    make(engine, "tomas", Role.APPROVER)
    make(engine, "ruth", Role.ADMIN)
    make(engine, "ana", Role.AGENT)
    assert who(engine, "tomas").teams == who(engine, "ruth").teams == {ALL_TEAMS}
    assert roles.approves_for(who(engine, "ruth"), "legal")
    assert not roles.approves_for(who(engine, "ana"), "")


def test_a_role_given_or_taken_holds_from_the_next_request_on(engine: Engine) -> None:
    make(engine, "ana", Role.AGENT)
    with unit_of_work.write(engine) as session:
        token = access.sign_in(session, "ana", PASSWORD, now=NOW).token
        roles.grant(session, "ana", [Role.APPROVER], teams=["legal"], by="ruth", now=NOW)
        roles.grant(session, "ana", [Role.APPROVER], teams=["finance"], by="ruth", now=NOW)
        again = roles.grant(session, "ana", [Role.AGENT], by="ruth", now=NOW)
        assert again.teams == {"legal", "finance"}
    with unit_of_work.write(engine) as session:
        roles.revoke(session, "ana", Role.APPROVER, team="legal", by="ruth", now=NOW)
        left = roles.revoke(session, "ana", Role.AGENT, by="ruth", now=NOW)
        assert left.roles == {Role.APPROVER}
        found = access.resume(session, token, now=NOW)
    assert found is not None
    assert (found.roles, found.teams) == ({Role.APPROVER}, {"finance"})
    with unit_of_work.read(engine) as session:
        assert audit.verify(session).intact
        rows = session.execute(
            text("SELECT actor, action, detail FROM audit WHERE subject = 'ana' ORDER BY seq")
        )
        told = [
            (actor, action, json.loads(detail).get("roles"))
            for actor, action, detail in rows
            if action.startswith("user.")
        ]
    assert told == [
        ("ruth", "user.create", None),
        ("ruth", "user.grant", ["agent"]),
        ("ruth", "user.grant", ["approver:legal"]),
        ("ruth", "user.grant", ["approver:finance"]),
        ("ruth", "user.revoke", ["approver:legal"]),
        ("ruth", "user.revoke", ["agent"]),
    ]


def test_what_cannot_be_given_or_taken_is_refused_and_changes_nothing(engine: Engine) -> None:
    make(engine, "ruth", Role.ADMIN)
    with unit_of_work.read(engine) as session:
        with pytest.raises(NotFound, match="nobody called 'nobody'"):
            roles.grant(session, "nobody", [Role.AGENT], by="ruth", now=NOW)
        with pytest.raises(NotFound, match="nobody called 'nobody'"):
            roles.person(session, "nobody")
        with pytest.raises(Unprocessable, match="give the role approver with them"):
            roles.grant(session, "ruth", [Role.AGENT], teams=["legal"], by="ruth", now=NOW)
        for team in ("", " ", "x" * 121, "a\x00b"):
            with pytest.raises(Unprocessable, match="no name for a team"):
                roles.grant(session, "ruth", [Role.APPROVER], teams=[team], by="ruth", now=NOW)
        with pytest.raises(NotFound, match="has not the role agent"):
            roles.revoke(session, "ruth", Role.AGENT, by="ruth", now=NOW)
        with pytest.raises(NotAllowed, match="the only admin"):
            roles.revoke(session, "ruth", Role.ADMIN, by="ruth", now=NOW)
        assert roles.person(session, "ruth").roles == {Role.ADMIN}


def test_an_admin_goes_when_another_stays(engine: Engine) -> None:
    make(engine, "ruth", Role.ADMIN)
    make(engine, "olga", Role.ADMIN)
    with unit_of_work.write(engine) as session:
        assert roles.revoke(session, "ruth", Role.ADMIN, by="olga", now=NOW).roles == frozenset()
        assert [p.name for p in roles.people(session) if p.roles] == ["olga"]


def test_the_database_knows_the_roles_and_that_approvers_have_teams(engine: Engine) -> None:
    make(engine, "ana", Role.AGENT)
    row = text("INSERT INTO person_role VALUES ('ana', :role, :team, 'x', '2026-01-01 00:00:00')")
    for role, team in (("boss", ""), ("approver", ""), ("agent", "legal")):
        # The drivers' errors have no common base but SQLAlchemy's.
        with pytest.raises(Exception, match="person_role"), engine.begin() as connection:
            connection.execute(row, {"role": role, "team": team})


def test_names_of_roles_are_read_and_the_shorthand_stands_for_three() -> None:
    assert parse_roles(["agent", "auditor"]) == {Role.AGENT, Role.AUDITOR}
    assert parse_roles(["curator", "agent"]) == {*CURATOR_ROLES, Role.AGENT}
    with pytest.raises(ValueError, match="there is no role 'boss': give one or more of admin"):
        parse_roles(["agent", "boss"])
    with pytest.raises(ValueError, match="no role: give"):
        parse_roles([])


def identity(*given: Role) -> Identity:
    return Identity(name="x", roles=frozenset(given), csrf="", expires_at=NOW + timedelta(hours=1))


def test_every_action_is_in_the_table_and_every_role_has_something_to_do() -> None:
    assert set(PERMISSIONS) == set(Action)
    for role in Role:
        assert any(may(identity(role), action) for action in Action)
    assert not any(may(identity(), action) for action in Action)


def test_a_refusal_names_the_roles_that_may() -> None:
    with pytest.raises(
        NotAllowed, match="^to publish what is approved takes the role admin or publisher"
    ):
        require(identity(Role.AUTHOR), Action.PUBLISH)
    require(identity(Role.AUTHOR, Role.PUBLISHER), Action.PUBLISH)


AS_IT_WAS = (
    "INSERT INTO person VALUES (:name, '2026-01-01 00:00:00')",
    (
        "INSERT INTO sign_in (person, password_hash, role, created_at)"
        " VALUES (:name, 'h', :role, '2026-01-01 00:00:00')"
    ),
    (
        "INSERT INTO session (token_hash, person, csrf_token, created_at, last_seen_at, expires_at) VALUES"
        " (:name, :name, 'c', '2026-01-01 00:00:00', '2026-01-01 00:00:00', '2099-01-01 00:00:00')"
    ),
)


def test_the_roles_of_before_are_carried_over_and_sessions_live_on(empty_engine: Engine) -> None:
    config = migrate._config()
    with empty_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        for name, role in (("ana", "agent"), ("maya", "curator"), ("ruth", "admin")):
            for statement in AS_IT_WAS:
                given = {"name": name, "role": role}
                wanted = {key: value for key, value in given.items() if f":{key}" in statement}
                connection.execute(text(statement), wanted)
    migrate.upgrade(empty_engine)
    with unit_of_work.read(empty_engine) as session:
        found = {p.name: (p.roles, p.teams) for p in roles.people(session)}
        assert session.scalar(text("SELECT count(*) FROM session")) == 3
    assert found == {
        "ana": ({Role.AGENT}, frozenset()),
        "maya": (set(CURATOR_ROLES), {ALL_TEAMS}),
        "ruth": ({Role.ADMIN}, {ALL_TEAMS}),
    }
    with empty_engine.begin() as connection:
        connection.execute(text("DELETE FROM person_role"))
    with pytest.raises(Exception, match=r"(?i)foreign key"), empty_engine.begin() as connection:
        connection.execute(text("DELETE FROM sign_in WHERE person = 'ana'"))


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))

    def run(self, *words: str) -> tuple[int, dict]:
        result = CliRunner().invoke(build(words), [*words, "--json"])
        return result.exit_code, json.loads(result.stdout)

    def test_people_are_made_changed_and_listed(self) -> None:
        code, made = self.run(
            "user", "create", "maya", "--role", "author", "--role", "approver", "--team", "legal"
        )
        assert (code, made["roles"]) == (0, ["approver", "author"])
        assert self.run("user", "create", "cora", "--role", "curator")[1]["roles"] == [
            "approver", "author", "publisher",
        ]  # fmt: skip
        code, granted = self.run("user", "grant", "maya", "--role", "auditor")
        assert granted["roles"] == ["approver", "auditor", "author"]
        code, left = self.run("user", "revoke", "maya", "--role", "auditor", "--role", "author")
        assert (left["roles"], left["teams"]) == (["approver"], ["legal"])
        code, listed = self.run("user", "list")
        assert [(p["name"], p["teams"]) for p in listed["people"]] == [
            ("cora", ["*"]),
            ("maya", ["legal"]),
        ]
        shown = CliRunner().invoke(build(["user", "list"]), ["user", "list"]).stdout
        assert "maya: approver, approves for legal" in shown

    def test_a_role_that_does_not_exist_is_a_wrong_call(self) -> None:
        code, said = self.run("user", "create", "ana", "--role", "boss")
        assert code == 2
        assert "there is no role 'boss'" in said["error"]
        code, said = self.run("user", "revoke", "nobody", "--role", "agent")
        assert (code, said["kind"]) == (1, "NotFound")
