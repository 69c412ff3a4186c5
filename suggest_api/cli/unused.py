"""`firstline kb unused`: live snippets that nobody was offered, or that nobody took, in some days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from suggest_api.cli.output import AsJson, database, failing_clearly, print_json

if TYPE_CHECKING:
    from knowledge_base.snippet import Revision


def register(app: typer.Typer) -> None:
    """Add the command to the `kb` group."""
    if "unused" not in {command.name for command in app.registered_commands}:
        app.command("unused")(unused)


def unused(
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far back to look.")] = 90,
    taken: Annotated[
        bool,
        typer.Option("--taken", help="Also those that were offered, but that nobody took."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Live snippets that nobody was offered in so many days, and that the assistant did not say."""
    from knowledge_base.store import repository
    from suggest_api.flow import usage
    from suggest_api.storage import unit_of_work

    since = datetime.now(UTC) - timedelta(days=days)
    with (
        failing_clearly(as_json=as_json),
        database() as engine,
        unit_of_work.read(engine) as session,
    ):
        live = repository.all_live(session)
        used = usage.used(session, since=since, taken=taken)
    found = sorted((one for one in live if one.key not in used), key=lambda one: one.key)
    if as_json:
        print_json({"days": days, "live": len(live), "unused": [_plain(one) for one in found]})
    else:
        _show(found)
        what = "taken" if taken else "offered"
        typer.echo(f"{len(found):,} of {len(live):,} live snippets not {what} in {days:,} days")


def _plain(revision: Revision) -> dict[str, object]:
    return {
        "key": revision.key,
        "revision": revision.number,
        "topic": revision.content.topic,
        "owner": revision.content.owner,
        "approved_at": revision.approved_at and revision.approved_at.isoformat(),
    }


def _show(found: Sequence[Revision]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("approved", "snippet", "topic", "owner", box=None, header_style="bold")
    for one in found:
        approved = "" if one.approved_at is None else f"{one.approved_at:%Y-%m-%d}"
        cells = (approved, f"{one.key}@{one.number}", one.content.topic, one.content.owner)
        table.add_row(*(escape(cell) for cell in cells))
    if found:
        Console(highlight=False).print(table)
