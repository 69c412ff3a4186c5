"""`firstline kb coverage`: what customers ask and no snippet answers, and what a snippet for it would bring."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suggest_api.cli.output import AsJson, failing_clearly, print_json, whole_desk

if TYPE_CHECKING:
    from knowledge_base.similarity.estimate import Gain
    from knowledge_base.similarity.gaps import Gap, GapReport

SHOWN = 25  # groups printed for a person; --json has all of them
EXAMPLES = 3  # questions printed of each
MOST_ESTIMATED = 10  # the largest groups; each takes some seconds


def register(app: typer.Typer) -> None:
    """Add the command to the `kb` group."""
    app.command("coverage")(coverage_command)


def coverage_command(
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far back to look.")] = 30,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate", help="Also estimate what a snippet for each of the largest would bring."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what customers asked and no snippet answered, in groups of the same meaning, largest first.

    Personal data was masked before the questions were stored. Needs no running service.
    """
    from knowledge_base.cli.output import progress_bar
    from suggest_api.flow import coverage
    from suggest_api.storage import unit_of_work

    gains: dict[str, Gain] = {}
    with (
        failing_clearly(as_json=as_json),
        whole_desk() as desk,
        progress_bar(quiet=as_json) as progress,
        unit_of_work.read(desk.engine) as session,
    ):
        report = coverage.find_gaps(desk, session, days=days, progress=progress)
        largest = report.gaps[:MOST_ESTIMATED] if estimate else ()
        for done, gap in enumerate(largest, start=1):
            gains[gap.gap_id] = coverage.estimate_gain(desk, session, gap.gap_id, days=days)
            progress("Estimating", done, len(largest))
    if as_json:
        print_json(_plain(report, gains))
    else:
        _show(report, gains, days=days)


def _plain(report: GapReport, gains: dict[str, Gain]) -> dict[str, Any]:
    return {
        "build_id": report.build_id,
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "questions": report.questions,
        "answered_now": report.answered_now,
        "gaps": [_gap(gap, gains.get(gap.gap_id)) for gap in report.gaps],
    }


def _gap(gap: Gap, gain: Gain | None) -> dict[str, Any]:
    plain = {
        "gap_id": gap.gap_id,
        "volume": gap.volume,
        "this_week": gap.this_week,
        "week_before": gap.week_before,
        "trend": gap.trend,
        "by_agents": gap.by_agents,
        "first_seen": gap.first_seen.isoformat(),
        "last_seen": gap.last_seen.isoformat(),
        "channels": list(gap.channels),
        "locale": gap.locale,
        "examples": list(gap.examples),
        "phrasings": list(gap.phrasings),
        "nearest": None if gap.nearest is None else asdict(gap.nearest),
    }
    return plain if gain is None else {**plain, "gain": asdict(gain)}


def _show(report: GapReport, gains: dict[str, Gain], *, days: int) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", show_lines=True)
    for name in ("asked", "trend", "for example", "first, last", "nearest snippet"):
        table.add_column(name, justify="right" if name in ("asked", "trend") else "left")
    if gains:
        table.add_column("a snippet would answer")
    for gap in report.gaps[:SHOWN]:
        nearest = gap.nearest
        cells = [
            f"{gap.volume:,}",
            f"{gap.trend:+,}",
            "\n".join(escape(example) for example in gap.examples[:EXAMPLES]),
            f"{gap.first_seen:%Y-%m-%d}\n{gap.last_seen:%Y-%m-%d}",
            "" if nearest is None else f"{escape(nearest.key)}\n{nearest.similarity:.2f}",
        ]
        table.add_row(*cells, *([_gain(gains.get(gap.gap_id))] if gains else []))
    if report.gaps:
        Console(highlight=False).print(table)
    if len(report.gaps) > SHOWN:
        typer.echo(f"... and {len(report.gaps) - SHOWN:,} more (--json lists all)")
    typer.echo(
        f"{report.questions:,} questions without a suggestion in {days} days,"
        f" {report.answered_now:,} of them answered by now, {len(report.gaps):,} groups"
    )


def _gain(gain: Gain | None) -> str:
    if gain is None:
        return ""
    inside = gain.inside
    if inside.value is None or inside.low is None or inside.high is None:
        return "too few to tell"
    return f"{inside.value:.0%} of them\n({inside.low:.0%} to {inside.high:.0%})"
