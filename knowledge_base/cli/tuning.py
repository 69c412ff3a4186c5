"""`firstline kb tune`: adapt the encoder to the approved phrasings, and publish it when nothing gets worse."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from knowledge_base import publish
from knowledge_base.cli.generations import AsJson, By, database
from knowledge_base.cli.output import FINDING, console, failing_clearly, print_json, progress_bar
from knowledge_base.home import Home
from knowledge_base.tuning import run
from knowledge_base.tuning.comparison import Change, Comparison
from knowledge_base.tuning.settings import SEED, TuningSettings

SHOWN = 20  # changed questions printed for a person; --json has all of them
SHORT = 12  # hex digits of an id on the screen
MAX_SEED = 2**31 - 1  # what every library in play takes


def register(app: typer.Typer) -> None:
    """Add the command to the `kb` group."""
    app.command("tune")(tune_command)


def tune_command(
    questions: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV: question,expected_key. No figure on them may get worse.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=100, help="At most so many passes over the phrasings.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Decides every chance of the run.")
    ] = SEED,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Learn and compare, but publish nothing.")
    ] = False,
    by: By = publish.SYSTEM,
    as_json: AsJson = False,
) -> None:
    """Tune the encoder on the approved phrasings, on a GPU where there is one.

    The tuned encoder and a generation made by it go into service together, and only if neither the
    phrasings kept back nor the questions get worse; else exit code 1, and nothing has changed. A run
    that was interrupted goes on where it was. `kb rollback` puts the former encoder back.
    """
    home = Home.from_environment()
    settings = TuningSettings(seed=seed, epochs=epochs)
    with (
        failing_clearly(as_json=as_json),
        database(home) as engine,
        progress_bar(quiet=as_json) as progress,
    ):
        report = run.tune(
            home,
            engine,
            now=datetime.now(UTC),
            settings=settings,
            questions=questions,
            dry_run=dry_run,
            by=by,
            progress=progress,
        )
    if as_json:
        print_json({**asdict(report), "worse": list(report.refused)})
    else:
        _show(report)
    if report.refused:
        raise typer.Exit(FINDING)


def _show(report: run.TuningReport) -> None:
    typer.echo(
        f"learnt from {report.phrasings:,} phrasings of {report.snippets:,} snippets in"
        f" {report.learning_seconds:.0f} s on {report.device}:"
        f" {report.epochs} epochs, kept the state after epoch {report.chosen_epoch}"
    )
    if report.held_out_before is not None and report.held_out_after is not None:
        typer.echo(
            f"hit@1 by nearest text on {report.held_out:,} phrasings kept back:"
            f" {report.held_out_before:.1%} untuned, {report.held_out_after:.1%} tuned"
        )
    if report.comparison is None:
        typer.echo("no questions were given: only the phrasings kept back decided")
    else:
        _show_comparison(report.comparison)
    for reason in report.refused:
        typer.secho(f"not published: {reason}", fg=typer.colors.RED, err=True)
    if report.published:
        typer.echo(
            f"generation {report.build_id} with the encoder {report.encoder_fingerprint[:SHORT]}"
            f" is live, tuned from {report.tuned_from[:SHORT]}"
        )
        typer.echo(
            "A running assistant goes on with the encoder it was trained with. Train it again before its"
            " next start (`make setup`, or `bot/launch.py train`): untrained it refuses to start, and"
            " people answer instead"
        )
    elif not report.refused:
        typer.echo("dry run: nothing was published, and nothing speaks against it")


def _show_comparison(comparison: Comparison) -> None:
    table = Table("figure", "before", "tuned", "gained", "lost", box=None, header_style="bold")
    for figure in comparison.figures:
        if figure.total:
            table.add_row(
                figure.name,
                f"{figure.before}/{figure.total}",
                f"{figure.after}/{figure.total}",
                f"+{len(figure.gained)}",
                f"-{len(figure.lost)}",
            )
    console().print(table)
    for figure in comparison.figures:
        _show_changes(f"{figure.name} gained", figure.gained)
        _show_changes(f"{figure.name} lost", figure.lost)


def _show_changes(title: str, changes: tuple[Change, ...]) -> None:
    if not changes:
        return
    columns = (title, "expected", "before", "tuned")
    table = Table(*columns, box=None, header_style="bold")
    for change in changes[:SHOWN]:
        cells = (
            f"{change.line}: {change.question[:60]}",
            change.expected_key or "(none)",
            change.before or "(none)",
            change.after or "(none)",
        )
        table.add_row(*(escape(cell) for cell in cells))
    console().print(table)
    if len(changes) > SHOWN:
        typer.echo(f"... and {len(changes) - SHOWN:,} more (--json lists all)")
