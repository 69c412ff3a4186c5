"""`firstline kb duplicates`: live snippets that answer the same question, and those that contradict each other."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from knowledge_base import publish
from knowledge_base.cli.output import FINDING, console, failing_clearly, print_json, progress_bar
from knowledge_base.home import Home
from knowledge_base.similarity.duplicates import DuplicateReport, Pair, find_duplicates
from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine, read_session

# Alike are first the phrasings, then the texts.
WORDS = {"same_question": "same question"}
SHOWN = 50  # pairs printed for a person; --json has all of them

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the command to the `kb` group."""
    app.command("duplicates")(duplicates_command)


def duplicates_command(as_json: AsJson = False) -> None:
    """Find live snippets for the same question: duplicates, and texts that contradict each other.

    Compares what the live generation knows. Exit code 1 when there is a pair.
    """
    home = Home.from_environment()
    with failing_clearly(as_json=as_json):
        engine = open_engine(home.database_url)
        try:
            migrate.upgrade(engine)
            ranker = publish.open_ranker(home)
            with read_session(engine) as session, progress_bar(quiet=as_json) as progress:
                report = find_duplicates(session, ranker, progress=progress)
        finally:
            engine.dispose()
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    if report.pairs:
        raise typer.Exit(FINDING)


def _show(report: DuplicateReport) -> None:
    table = Table("", "snippets", "alike", "texts", box=None, header_style="bold", show_lines=True)
    for pair in report.pairs[:SHOWN]:
        sort = pair.alikeness.sort or ""
        table.add_row(
            WORDS.get(sort, sort),
            f"{escape(pair.one.key)}\n{escape(pair.other.key)}",
            f"{pair.alikeness.questions:.2f}\n{pair.alikeness.text:.2f}",
            _texts(pair),
            style="red" if sort == "contradiction" else None,
        )
    if report.pairs:
        console().print(table)
    if len(report.pairs) > SHOWN:
        typer.echo(f"... and {len(report.pairs) - SHOWN:,} more (--json lists all)")
    if report.missing:
        typer.echo(
            f"{len(report.missing):,} live snippets are not in the generation as they are:"
            " run `firstline kb build`"
        )
    found = Counter(pair.alikeness.sort for pair in report.pairs)
    typer.echo(
        f"{report.snippets:,} snippets with {report.rows:,} texts compared:"
        f" {found['contradiction']:,} contradictions, {found['duplicate']:,} duplicates,"
        f" {found['same_question']:,} more for the same question"
    )


def _texts(pair: Pair) -> str:
    lines = [escape(pair.one.content.text), escape(pair.other.content.text)]
    lines += [f"[dim]{escape(clash.reason)}[/dim]" for clash in pair.alikeness.clashes]
    return "\n".join(lines)
