"""`firstline kb due` and `firstline kb paths`: what has to be read again, and who signs off which topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from knowledge_base.cli.content import AsJson, open_database
from knowledge_base.cli.output import FINDING, console, failing_clearly, print_json
from knowledge_base.curation import paths_file, verification
from knowledge_base.errors import UnreadableFile
from knowledge_base.store import review
from knowledge_base.store.engine import read_session, write_session

ANYBODY = "any approver"
BY = "cli"  # who stands in the audit log where nobody is named

By = Annotated[str, typer.Option(help="Who sets it; stands in the audit log.")]
paths_app = typer.Typer(help="Review paths: the teams that sign off a topic, in their order.")


def register(app: typer.Typer) -> None:
    """Add the commands to the `kb` group."""
    app.command("due")(due_command)
    app.add_typer(paths_app, name="paths")


def due_command(as_json: AsJson = False) -> None:
    """Live snippets that have to be read again within two weeks. Exit code 1 when one is overdue."""
    now = datetime.now(UTC)
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with read_session(engine) as session:
            found = verification.due(session, now=now)
        engine.dispose()
    overdue = sum(each.overdue for each in found)
    if as_json:
        print_json({"due": [_plain(each) for each in found], "overdue": overdue})
    else:
        _show_due(found)
        typer.echo(f"{len(found):,} to be read again within two weeks, {overdue:,} overdue")
    if overdue:
        raise typer.Exit(FINDING)


@paths_app.callback(invoke_without_command=True)
def paths_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List the review paths."""
    if context.invoked_subcommand is not None:
        return
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with read_session(engine) as session:
            kept = review.paths(session)
        engine.dispose()
    _show_paths(kept, as_json=as_json)


@paths_app.command("set")
def set_command(
    topic: Annotated[str, typer.Argument(help="A topic, or '*' for all that have no path.")],
    teams: Annotated[
        list[str] | None, typer.Argument(help="The teams in their order; none removes the path.")
    ] = None,
    by: By = BY,
    as_json: AsJson = False,
) -> None:
    """Set the teams that sign off a topic; what is in review goes on along the new path."""
    topic = review.EVERY_TOPIC if topic == paths_file.EVERY else topic
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with write_session(engine) as session:
            review.set_path(session, topic, teams or (), by=by, now=datetime.now(UTC))
            kept = review.paths(session)
        engine.dispose()
    _show_paths(kept, as_json=as_json)


@paths_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A YAML file: a list of topics with their teams.")],
    by: By = BY,
    as_json: AsJson = False,
) -> None:
    """Set the paths of a file; topics that it does not name keep theirs."""
    with failing_clearly(as_json=as_json):
        wanted = paths_file.read_paths(file)
        engine = open_database()
        with write_session(engine) as session:
            changed = paths_file.apply_paths(session, wanted, by=by, now=datetime.now(UTC))
        engine.dispose()
    if as_json:
        print_json({"changed": [topic or paths_file.EVERY for topic in changed]})
    else:
        typer.echo(f"{len(changed):,} of {len(wanted):,} paths changed")


@paths_app.command("export")
def export_command(
    file: Annotated[Path, typer.Argument(help="Where to write the YAML file.")],
    as_json: AsJson = False,
) -> None:
    """Write the review paths to a file that `import` reads back."""
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with read_session(engine) as session:
            kept = review.paths(session)
        engine.dispose()
        try:
            file.write_text(paths_file.render_paths(kept), encoding="utf-8")
        except OSError as error:
            raise UnreadableFile(f"{file}: cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"path": str(file), "paths": len(kept)})
    else:
        typer.echo(f"{len(kept):,} paths written to {file}")


def _plain(each: verification.Due) -> dict[str, Any]:
    revision = each.revision
    return {
        "key": revision.key,
        "revision": revision.number,
        "topic": revision.content.topic,
        "owner": revision.content.owner,
        "due_at": each.due_at,
        "overdue": each.overdue,
        "verified_by": each.verified_by,
    }


def _show_due(found: Sequence[verification.Due]) -> None:
    table = Table("due", "snippet", "topic", "owner", "last by", box=None, header_style="bold")
    for each in found:
        content = each.revision.content
        last = each.verified_by or each.revision.approved_by or ""
        cells = (
            f"{each.due_at:%Y-%m-%d}",
            f"{each.revision.key}@{each.revision.number}",
            content.topic,
            content.owner,
            last,
        )
        table.add_row(*(escape(cell) for cell in cells), style="red" if each.overdue else "yellow")
    if found:
        console().print(table)


def _show_paths(kept: Mapping[str, Sequence[str]], *, as_json: bool) -> None:
    named = {topic or paths_file.EVERY: list(teams) for topic, teams in sorted(kept.items())}
    if as_json:
        print_json({"paths": named})
        return
    table = Table("topic", "signed off by", box=None, header_style="bold")
    for topic, teams in named.items():
        table.add_row(escape(topic), escape(", then ".join(teams)))
    if paths_file.EVERY not in named:
        table.add_row("all others" if named else "all", ANYBODY)
    console().print(table)
