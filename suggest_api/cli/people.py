"""`key` and `user`: who may call the API and who may sign in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from knowledge_base.errors import ConfigurationError
from suggest_api.cli.output import AsJson, database, failing_clearly, print_json, say


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
    role: Annotated[str, typer.Option(help="agent, curator or admin.")],
    ask_password: Annotated[
        bool, typer.Option("--ask-password", help="Ask for a password; else one is made up.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in; a made-up password is shown this once."""
    from suggest_api.access import service as access
    from suggest_api.access.model import Role
    from suggest_api.storage import unit_of_work

    with failing_clearly(as_json=as_json), database() as engine:
        if role not in set(Role):
            raise ConfigurationError(f"--role: there is no role {role!r}: agent, curator or admin")
        given = typer.prompt("Password", hide_input=True) if ask_password else None
        with unit_of_work.write(engine) as session:
            password = access.create_user(
                session, name, role=Role(role), password=given, now=datetime.now(UTC)
            )
    shown = {} if ask_password else {"password": password}
    text = f"{name} can sign in" + ("" if ask_password else f" with the password {password}")
    say({"name": name, "role": role, **shown}, text, as_json=as_json)


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
