"""`firstline kb status`, `eval` and `firstline encoder export`: what a generation is and how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table
from sqlalchemy import Engine

from knowledge_base import publish
from knowledge_base.cli.output import FINDING, console, failing_clearly, print_json, progress_bar
from knowledge_base.home import Home
from knowledge_base.index import export
from knowledge_base.index.encoder import verify_encoder
from knowledge_base.ranking.evaluation import Evaluation, Miss, Proportion
from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine

SHOWN = 20  # misses and keys printed for a person; --json has all of them
SHORT = 12  # hex digits of an id on the screen

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
By = Annotated[str, typer.Option("--by", help="Who does it, for the audit chain.")]
Floor = Annotated[float | None, typer.Option(min=0.0, max=1.0)]

encoder_app = typer.Typer(
    name="encoder", help="The encoder that turns text into vectors.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands to the `kb` group."""
    app.command("status")(status_command)
    app.command("eval")(eval_command)


@encoder_app.callback()
def _group() -> None:
    """Keep `export` a command of its own: with one command only, the group would become it."""


@encoder_app.command("export")
def export_command(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A sentence-transformers folder or name; FIRSTLINE_ENCODER or the packaged one unless told."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Export again even if an intact one is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Export an encoder to ONNX once, check it against sentence-transformers and make it the current one."""
    home = Home.from_environment()
    with failing_clearly(as_json=as_json):
        with progress_bar(quiet=as_json) as progress:
            if source is None:
                fingerprint = export.export_default(home, progress=progress, force=force)
            else:
                fingerprint = export.export(home, source, progress=progress, force=force)
        info = verify_encoder(home.encoders / fingerprint)
    if as_json:
        print_json({**asdict(info), "folder": str(home.encoders / fingerprint)})
    else:
        typer.echo(
            f"encoder {info.fingerprint[:SHORT]} of {info.source}: {info.dimension} numbers"
        )


def status_command(as_json: AsJson = False) -> None:
    """Show the live generation and how it differs from what is approved.

    Exit code 1 when there is none, it cannot be used, or it differs.
    """
    home = Home.from_environment()
    with failing_clearly(as_json=as_json), database(home) as engine:
        report = publish.status(home, engine)
    if as_json:
        print_json({**asdict(report), "up_to_date": _up_to_date(report)})
    else:
        _show_status(report)
    if not _up_to_date(report):
        raise typer.Exit(FINDING)


def eval_command(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="CSV: question,expected_key (empty: nothing should be offered).",
        ),
    ],
    build_id: Annotated[
        str | None, typer.Option(help="Another generation than the live one.")
    ] = None,
    min_hit1: Floor = None,
    min_hit3: Floor = None,
    min_abstention: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Least share of unanswerable questions left unanswered."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a generation on questions of your own. Exit code 1 when a figure is below its --min-... floor."""
    home = Home.from_environment()
    with failing_clearly(as_json=as_json), progress_bar(quiet=as_json) as progress:
        report = publish.evaluate(home, file, build_id=build_id, progress=progress)
    floors = (
        ("hit@1", report.hit_at_1, min_hit1),
        ("hit@3", report.hit_at_3, min_hit3),
        ("abstention", report.unanswerable_abstained, min_abstention),
    )
    below = [_below(*floor) for floor in floors if _is_below(floor[1], floor[2])]
    if as_json:
        print_json({**asdict(report), "below_floor": below})
    else:
        _show_eval(report)
        for text in below:
            typer.secho(text, fg=typer.colors.RED, err=True)
    if below:
        raise typer.Exit(FINDING)


@contextmanager
def database(home: Home) -> Iterator[Engine]:
    """The database of this home, with its tables up to date."""
    engine = open_engine(home.database_url)
    try:
        migrate.upgrade(engine)
        yield engine
    finally:
        engine.dispose()


def _up_to_date(report: publish.StatusReport) -> bool:
    return report.live is not None and report.problem is None and not report.drift.any


def _is_below(found: Proportion, floor: float | None) -> bool:
    return floor is not None and (found.value is None or found.value < floor)


def _below(name: str, found: Proportion, floor: float | None) -> str:
    value = "not measured" if found.value is None else f"{found.value:.3f}"
    return f"{name} is {value}, at least {floor:.3f} was asked for"


def show_calibration(figures: Mapping[str, Any]) -> None:
    """The held-out figures of a build, and what they promise."""
    if figures.get("answerable"):
        typer.echo(
            f"on {figures['answerable']:,} customer phrasings held out in turn:"
            f" hit@1 {figures['hit_at_1']:.1%}, hit@3 {figures['hit_at_3']:.1%},"
            f" calibration error {figures['expected_calibration_error']:.3f} with"
            f" {figures['unanswerable_share']:.0%} unanswerable ones"
        )
        _show_reliability(figures["reliability"])
    if "sample" in figures:
        drawn = figures["sample"]
        typer.echo(
            f"drawn from {drawn['phrasings']:,} phrasings: {drawn['questions_per_fold']:,} at most of each of"
            f" {drawn['folds_asked']} folds in {drawn['folds']}, seed {drawn['seed']}"
        )
    for name, use in (("agent", "agents"), ("assistant", "the assistant")):
        if name in figures:
            typer.echo(_promise(use, figures[name]))


def _show_reliability(bins: list[dict[str, Any]]) -> None:
    table = Table(
        "confidence", "share of questions", "mean", "right", box=None, header_style="bold"
    )
    for row in bins:
        table.add_row(
            f"{row['from']:.1f} to {row['to']:.1f}",
            f"{row['share']:.1%}",
            f"{row['confidence']:.2f}",
            f"{row['right']:.2f} {'#' * round(20 * row['right'])}",
        )
    console().print(table)


def _promise(use: str, threshold: dict[str, Any]) -> str:
    """One line for a threshold: what it promises, or that it promises nothing."""
    offered = f"for {use}: offered from a confidence of {threshold['confidence']:.2f}"
    if threshold["basis"] == "prior":
        return (
            f"{offered}. This is a prior: {threshold['questions']:,} held-out questions cannot support"
            f" at most {threshold['target']:.1%} wrong first suggestions, so nothing is promised"
        )
    return (
        f"{offered}, {threshold['answered']:.1%} of the answerable ones answered; wrong"
        f" {threshold['error']:.1%}, with 90 % certainty at most {threshold['bound']:.1%}"
    )


def _show_status(report: publish.StatusReport) -> None:
    typer.echo(f"live: {report.live or 'none (run `firstline kb build`)'}")
    if report.problem:
        typer.secho(report.problem, fg=typer.colors.RED)
    if report.generations:
        table = Table(
            Column("generation", no_wrap=True),
            "published",
            "snippets",
            "vectors",
            "encoder",
            "",
            box=None,
        )
        for entry in report.generations:
            table.add_row(
                entry.build_id,
                f"{entry.published_at:%Y-%m-%d %H:%M}",
                f"{entry.snippets:,}",
                f"{entry.vectors:,}",
                entry.encoder_fingerprint[:SHORT],
                escape(entry.problem or ("live" if entry.live else "")),
            )
        console().print(table)
    for words, keys in (
        ("approved, not in the live generation", report.drift.missing),
        ("approved in another revision since", report.drift.changed),
        ("no longer approved (not offered)", report.drift.no_longer_approved),
    ):
        if keys:
            more = f" and {len(keys) - SHOWN:,} more" if len(keys) > SHOWN else ""
            typer.echo(f"{words}: {', '.join(keys[:SHOWN])}{more}")
    if _up_to_date(report):
        typer.echo(f"up to date with all {report.approved:,} approved snippets")


def _show_eval(report: Evaluation) -> None:
    typer.echo(f"split: {report.split}")
    typer.echo(
        f"generation {report.build_id}, {report.answerable:,} answerable and"
        f" {report.unanswerable:,} unanswerable questions, offered from a confidence of"
        f" {report.threshold:.2f}"
    )
    table = Table("figure", "value", "95 % interval", "count", box=None, header_style="bold")
    for name, found in (
        ("hit@1", report.hit_at_1),
        ("hit@3", report.hit_at_3),
        ("unanswerable left unanswered", report.unanswerable_abstained),
        ("answerable left unanswered", report.answerable_abstained),
        ("first suggestion right among answered", report.answered_right),
    ):
        table.add_row(name, *_cells(found))
    table.add_row(
        "mean reciprocal rank", "-" if report.mrr is None else f"{report.mrr:.3f}", "", ""
    )
    console().print(table)
    _show_misses(report.misses)


def _cells(found: Proportion) -> tuple[str, str, str]:
    if found.value is None or found.low is None or found.high is None:
        return "-", "-", "0"
    return (
        f"{found.value:.1%}",
        f"{found.low:.1%} to {found.high:.1%}",
        f"{found.count}/{found.total}",
    )


def _show_misses(misses: tuple[Miss, ...]) -> None:
    if not misses:
        return
    table = Table(
        "line", "question", "expected", "first", "confidence", box=None, header_style="bold"
    )
    for miss in misses[:SHOWN]:
        first = "(none)" if miss.abstained else (miss.first_key or "(none)")
        confidence = "" if miss.confidence is None else f"{miss.confidence:.2f}"
        cells = (miss.question[:60], miss.expected_key or "(none)", first, confidence)
        table.add_row(str(miss.line), *(escape(cell) for cell in cells))
    console().print(table)
    if len(misses) > SHOWN:
        typer.echo(f"... and {len(misses) - SHOWN:,} more (--json lists all)")
