"""`key` and `user`: who may call the API and who may sign in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowledge_base.errors import ConfigurationError
from suggest_api.cli.output import AsJson, database, failing_clearly, print_json, say

if TYPE_CHECKING:
    from suggest_api.access.model import Person, Role


Roles = Annotated[
    list[str],
    typer.Option(
        help="agent, author, approver, publisher, auditor or admin; give it again for more."
        " curator stands for author, approver and publisher."
    ),
]
Teams = Annotated[
    list[str] | None,
    typer.Option(help="A team that an approver signs off for; without one, all of them."),
]


def key_create(
    scope: Annotated[
        str, typer.Option(help="suggest, assist, check, drafts, metrics; separated by commas.")
    ],
    name: Annotated[
        str, typer.Option(help="Whose key it is; decisions are recorded under it.")
    ] = "api",
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and show it, this once."""
    from suggest_api.access import service as access
    from suggest_api.access.model import parse_scopes
    from suggest_api.storage import unit_of_work

    with failing_clearly(as_json=as_json), database() as engine:
        try:
            scopes = parse_scopes([part.strip() for part in scope.split(",") if part.strip()])
        except ValueError as error:
            raise ConfigurationError(f"--scope: {error}") from None
        valid_for = None if days is None else timedelta(days=days)
        with unit_of_work.write(engine) as session:
            plain = access.create_key(
                session, name, scopes=scopes, valid_for=valid_for, now=datetime.now(UTC)
            )
    if as_json:
        print_json({"name": name, "scopes": sorted(scopes), "key": plain})
    else:
        typer.echo(plain)


def key_revoke(
    name: Annotated[str, typer.Argument(help="The name that the keys were made with.")],
    as_json: AsJson = False,
) -> None:
    """End every key of a name, at once."""
    from suggest_api.access import service as access
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        database() as engine,
        unit_of_work.write(engine) as session,
    ):
        ended = access.revoke_keys(session, name, by="cli", now=datetime.now(UTC))
    say({"name": name, "revoked": ended}, f"{ended} revoked", as_json=as_json)


def user_create(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    role: Roles,
    team: Teams = None,
    ask_password: Annotated[
        bool, typer.Option("--ask-password", help="Ask for a password; else one is made up.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in; a made-up password is shown this once."""
    from suggest_api.access import service as access
    from suggest_api.storage import unit_of_work

    with failing_clearly(as_json=as_json), database() as engine:
        roles = _roles(role)
        given = typer.prompt("Password", hide_input=True) if ask_password else None
        with unit_of_work.write(engine) as session:
            password = access.create_user(
                session,
                name,
                roles=roles,
                teams=team or (),
                password=given,
                now=datetime.now(UTC),
            )
    shown = {} if ask_password else {"password": password}
    text = f"{name} can sign in" + ("" if ask_password else f" with the password {password}")
    say({"name": name, "roles": sorted(roles), **shown}, text, as_json=as_json)


def user_grant(
    name: Annotated[str, typer.Argument(help="Somebody who can sign in.")],
    role: Roles,
    team: Teams = None,
    as_json: AsJson = False,
) -> None:
    """Give a person more roles."""
    from suggest_api.access import roles as giving
    from suggest_api.storage import unit_of_work

    with failing_clearly(as_json=as_json), database() as engine:
        wanted = _roles(role)
        with unit_of_work.write(engine) as session:
            person = giving.grant(
                session, name, wanted, teams=team or (), by="cli", now=datetime.now(UTC)
            )
    say(_plain(person), _line(person), as_json=as_json)


def user_revoke(
    name: Annotated[str, typer.Argument(help="Somebody who can sign in.")],
    role: Roles,
    team: Annotated[
        str | None, typer.Option(help="Only approving for this team; without it the whole role.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take roles away; it holds from the person's next request on."""
    from suggest_api.access import roles as giving
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        database() as engine,
        unit_of_work.write(engine) as session,
    ):
        for each in sorted(_roles(role)):
            giving.revoke(session, name, each, team=team, by="cli", now=datetime.now(UTC))
        person = giving.person(session, name)
    say(_plain(person), _line(person), as_json=as_json)


def user_list(as_json: AsJson = False) -> None:
    """Who can sign in, and what they may do."""
    from suggest_api.access import roles as giving
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        database() as engine,
        unit_of_work.read(engine) as session,
    ):
        people = giving.people(session)
    text = "\n".join(_line(person) for person in people) or "nobody can sign in yet"
    say({"people": [_plain(person) for person in people]}, text, as_json=as_json)


def user_sign_out(
    name: Annotated[str, typer.Argument(help="Whose sessions end.")], as_json: AsJson = False
) -> None:
    """End every session of a person, at once."""
    from suggest_api.access import service as access
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        database() as engine,
        unit_of_work.write(engine) as session,
    ):
        ended = access.revoke_all(session, name, by="cli", now=datetime.now(UTC))
    say({"name": name, "sessions": ended}, f"{ended} sessions ended", as_json=as_json)


def _roles(names: list[str]) -> frozenset[Role]:
    from suggest_api.access.model import parse_roles

    try:
        return parse_roles(names)
    except ValueError as error:
        raise ConfigurationError(f"--role: {error}") from None


def _plain(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "roles": sorted(person.roles),
        "teams": sorted(person.teams),
        "disabled": person.disabled,
    }


def _line(person: Person) -> str:
    roles = ", ".join(sorted(person.roles)) or "no role"
    teams = f", approves for {', '.join(sorted(person.teams))}" if person.teams else ""
    return f"{person.name}: {roles}{teams}{' (disabled)' if person.disabled else ''}"
