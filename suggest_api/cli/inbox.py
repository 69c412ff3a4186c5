"""`inbox`: the stored webhook events, and working one off again; never what a customer wrote."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowledge_base.errors import ConfigurationError
from suggest_api.cli.output import AsJson, database, failing_clearly, print_json, say

if TYPE_CHECKING:
    from suggest_api.conversations.model import StoredEvent


def inbox_list(
    state: Annotated[
        str | None,
        typer.Option(help="pending, done, ignored or quarantined; every state unless told."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most events.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the newest stored events; `--state quarantined` are those that need a look."""
    from suggest_api import flow
    from suggest_api.conversations.model import EventState
    from suggest_api.storage import unit_of_work

    with failing_clearly(as_json=as_json), database() as engine:
        if state is not None and state not in set(EventState):
            raise ConfigurationError(f"--state: {state!r} is not one of {', '.join(EventState)}")
        wanted = None if state is None else EventState(state)
        with unit_of_work.read(engine) as session:
            events = flow.stored_events(session, state=wanted, limit=limit)
    if as_json:
        print_json({"events": [_shown(event) for event in events]})
        return
    for event in events:
        row = "  ".join(str(value) for value in _shown(event).values() if value is not None)
        # The type of an unknown event is the network's word, and could hold a terminal's commands.
        typer.echo("".join(character if character.isprintable() else "?" for character in row))
    if not events:
        typer.echo("no events" if state is None else f"no {state} events")


def inbox_replay(
    event_id: Annotated[int, typer.Argument(metavar="ID", help="As `inbox list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Let the worker take an event up again; what it did before is not done twice."""
    from suggest_api import flow
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        database() as engine,
        unit_of_work.write(engine) as session,
    ):
        event = flow.replay_event(session, event_id)
    say(_shown(event), f"event {event.id} waits for the worker", as_json=as_json)


def _shown(event: StoredEvent) -> dict[str, Any]:
    """Where the event came from and where it stands. Its body stays in the database."""
    return {
        "id": event.id,
        "channel": event.channel,
        "account": event.account,
        "received_at": event.received_at.astimezone(UTC).isoformat(timespec="seconds"),
        "state": event.state.value,
        "reason": event.reason,
    }
