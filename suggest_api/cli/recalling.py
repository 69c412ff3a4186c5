"""`kb recall` and `kb uses`: pull a snippet at once, and see where it had been used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

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
    from suggest_api.flow.recalling import RecallReport, UsageReport

Key = Annotated[str, typer.Argument(help="The snippet's key.")]
SHOWN = 50  # uses printed for a person; --json has all of them


def register(app: typer.Typer) -> None:
    """Add the commands to the `kb` group."""
    known = {command.name for command in app.registered_commands}
    for name, command in (("recall", recall), ("uses", uses)):
        if name not in known:
            app.command(name)(command)


def recall(key: Key, by: By, reason: Reason, as_json: AsJson = False) -> None:
    """Pull a published snippet, now: nobody is offered it, the assistant is silent, no reply of it leaves."""
    from suggest_api.flow.recalling import recall as pull
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        whole_desk(generation=False) as desk,
        unit_of_work.write(desk.engine) as session,
    ):
        report = pull(desk, session, key, by=by, reason=reason, now=datetime.now(UTC))
    if as_json:
        print_json(report.to_json())
    else:
        _show_recall(report)


def uses(key: Key, as_json: AsJson = False) -> None:
    """Where a snippet had been used: conversations, when, by whom, the text and what became of it."""
    from suggest_api.flow.recalling import usage_report
    from suggest_api.storage import unit_of_work

    with (
        failing_clearly(as_json=as_json),
        database() as engine,
        unit_of_work.read(engine) as session,
    ):
        report = usage_report(session, key)
    if as_json:
        print_json(report.to_json())
    else:
        _show_uses(report)


def _show_recall(report: RecallReport) -> None:
    made = report.recall
    typer.echo(f"{made.snippet_key} revision {report.revision.number} recalled (recall {made.id})")
    typer.echo(f"  {report.drafts_withdrawn:,} open drafts withdrawn")
    typer.echo(
        f"  {report.replies_stopped:,} queued replies stopped, {report.replies_in_flight:,} being sent"
        " and judged again"
    )
    typer.echo(f"  {len(report.conversations):,} conversations went to a person")
    typer.echo(f"  where it had been used: firstline kb uses {made.snippet_key}")


def _show_uses(report: UsageReport) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    states = ", ".join(f"{number:,} {state}" for state, number in report.states.items())
    typer.echo(
        f"{report.snippet_key}: used {len(report.uses):,} times ({states or 'never'}) in"
        f" {report.conversations:,} conversations, offered {report.offered:,} times"
    )
    for made in report.recalls:
        typer.echo(
            f"  recalled by {made.by} at {made.at.isoformat(timespec='minutes')}: {made.reason}"
        )
    if not report.uses:
        return
    table = Table("when", "conversation", "by", "state", "text", box=None, header_style="bold")
    for use in report.uses[:SHOWN]:
        again = f" ({use.repeats} possible repeats)" if use.repeats else ""
        cells = (
            use.at.isoformat(timespec="minutes"),
            f"{use.conversation_id or 'another desk'} ({use.channel})",
            use.by,
            use.state + again,
            use.text + (" (edited)" if use.edited else ""),
        )
        table.add_row(*(escape(cell) for cell in cells))
    Console(highlight=False).print(table)
    if len(report.uses) > SHOWN:
        typer.echo(f"... and {len(report.uses) - SHOWN:,} more (--json lists all)")
