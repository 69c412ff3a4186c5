"""`freeze`, `thaw` and `freezes`: the crisis switch from the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowledge_base.errors import ConfigurationError
from suggest_api.cli.output import (
    AsJson,
    By,
    Reason,
    database,
    failing_clearly,
    print_json,
    whole_desk,
)

if TYPE_CHECKING:
    from suggest_api.flow.freezing import FreezeReport
    from suggest_api.values import Freeze


def freeze(
    team: Annotated[str, typer.Option(help="Who gets the conversations.")],
    by: By,
    reason: Reason,
    topic: Annotated[str, typer.Argument(help="The topic, as its snippets have it.")] = "",
    everything: Annotated[
        bool, typer.Option("--everything", help="All topics but the holding statement.")
    ] = False,
    channel: Annotated[str, typer.Option(help="One channel; all of them unless told.")] = "",
    holding: Annotated[
        str | None, typer.Option(help="The key of the one snippet that may be said.")
    ] = None,
    drill: Annotated[
        bool, typer.Option("--drill", help="Count and show it all; withhold nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Answer nothing about a topic, or nothing at all, until it is thawed; every process follows at once."""
    from suggest_api.errors import Unprocessable
    from suggest_api.flow import freezing
    from suggest_api.storage import unit_of_work

    with failing_clearly(as_json=as_json):
        if bool(topic) == everything:
            raise ConfigurationError("name one topic to freeze, or say --everything")
        with whole_desk(generation=False) as desk, unit_of_work.write(desk.engine) as session:
            try:
                report = freezing.freeze(
                    desk,
                    session,
                    topic=topic,
                    channel=channel,
                    holding_key=holding,
                    team=team,
                    drill=drill,
                    by=by,
                    reason=reason,
                    now=datetime.now(UTC),
                )
            except Unprocessable as error:  # a name that does not exist: the call is wrong
                raise ConfigurationError(str(error)) from error
    _tell(report, as_json=as_json)


def thaw(
    freeze_id: Annotated[int, typer.Argument(metavar="ID", help="As `freezes` shows it.")],
    by: By,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Answer again, at once; for a drill, what it would have withheld."""
    from suggest_api.flow import freezing
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        whole_desk(generation=False) as desk,
        unit_of_work.write(desk.engine) as session,
    ):
        now = datetime.now(UTC)
        report = freezing.thaw(desk, session, freeze_id, by=by, reason=reason, now=now)
    _tell(report, as_json=as_json)


def freezes(
    every: Annotated[bool, typer.Option("--all", help="Those that were thawed too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is frozen. Exit code 0 whether or not anything is."""
    from suggest_api.flow import freezing
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        database() as engine,
        unit_of_work.read(engine) as session,
    ):
        found = freezing.every(session) if every else freezing.in_force(session).freezes
    if as_json:
        print_json({"freezes": [one.to_json() for one in found]})
        return
    for one in found:
        typer.echo(_line(one))
    if not found:
        typer.echo("nothing is frozen")


def _line(freeze: Freeze) -> str:
    what = "DRILL " if freeze.drill else ""
    where = f" on {freeze.channel}" if freeze.channel else ""
    held = f", holding {freeze.holding_key}" if freeze.holding_key else ""
    line = (
        f"{freeze.id}  {what}{freeze.subject}{where} -> {freeze.team}{held},"
        f" by {freeze.by} since {freeze.at.isoformat(timespec='seconds')}: {freeze.reason}"
    )
    if freeze.thawed_at is None:
        return line
    return (
        f"{line}; thawed by {freeze.thawed_by} at {freeze.thawed_at.isoformat(timespec='seconds')}"
    )


def _tell(report: FreezeReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
        return
    one, found = report.freeze, report.impact
    ended = one.thawed_at is not None
    verb = "would be" if one.drill and not ended else "would have been" if one.drill else "are"
    typer.echo(_line(one))
    counts: dict[str, Any] = {
        "published snippets": found.snippets,
        "drafts offered meanwhile" if ended else "open drafts": found.drafts,
        "replies written meanwhile" if ended else "queued replies": found.replies,
        "customers before the assistant": found.bot_turns,
        "conversations": len(found.conversations),
    }
    listed = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    typer.echo(f"  {listed}" + ("" if ended and not one.drill else f" {verb} affected"))
    if not one.drill and not ended and one.holding_key is None:
        typer.echo(
            "  no holding statement: customers hear nothing about it until a person answers"
        )
