"""`firstline kb build`, `candidate`, `publish`, `publications`, `rollback`, `prune`: what changes what is live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine

from knowledge_base import publish
from knowledge_base.cli.generations import AsJson, By, database, show_calibration
from knowledge_base.cli.output import (
    FINDING,
    console,
    fail,
    failing_clearly,
    print_json,
    progress_bar,
)
from knowledge_base.errors import ConfigurationError, GateRefused, StaleCandidate
from knowledge_base.home import Home
from knowledge_base.publish import pruning
from knowledge_base.publish.comparing import nothing_accepted
from knowledge_base.store.engine import read_session, write_session

SHOWN = 20  # questions of a kind printed for a person; --json has all of them

WORDS = {
    publish.Change.LOST: "lost",
    publish.Change.SILENCE_LOST: "answered, nothing should be",
    publish.Change.STILL_WRONG: "must pass, does not",
    publish.Change.GIVEN_UP: "given up with its snippet",
    publish.Change.GAINED: "gained",
    publish.Change.SILENCE_GAINED: "no longer answered, rightly",
    publish.Change.MOVED: "another first suggestion",
}


def register(app: typer.Typer) -> None:
    """Add the commands to the `kb` group."""
    app.command("build")(build_command)
    app.command("candidate")(candidate_command)
    app.command("publish")(publish_command)
    app.command("publications")(publications_command)
    app.command("rollback")(rollback_command)
    app.command("prune")(prune_command)


def build_command(
    context: typer.Context,
    by: By = publish.SYSTEM,
    override_by: Annotated[
        str | None, typer.Option(help="Who wants it published although questions are lost.")
    ] = None,
    confirm_as: Annotated[
        str | None, typer.Option(help="Somebody else, who agrees with that.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit chain.")] = None,
    as_json: AsJson = False,
) -> None:
    """Build all approved snippets, compare with what is live, and publish what passes the gate.

    Exit code 1 with the questions that are lost when it does not; what is live stays as it is then.
    """
    home = Home.from_environment()
    with (
        failing_clearly(as_json=as_json),
        database(home) as engine,
        progress_bar(quiet=as_json) as progress,
    ):
        try:
            report = publish.build(
                home,
                engine,
                now=datetime.now(UTC),
                progress=progress,
                accepted=_accepted(context),
                override=_override(override_by, confirm_as, reason),
                by=by,
            )
        except GateRefused as refused:
            _refuse(refused, as_json=as_json)
            return
    if as_json:
        print_json(asdict(report))
        return
    what = "built" if report.built else "already built, verified"
    typer.echo(
        f"generation {report.build_id} {what} and live: {report.snippets:,} snippets,"
        f" {report.vectors:,} vectors, {report.seconds:.1f} s"
    )
    if report.gate is not None:
        _show_gate(report.gate)
    show_calibration(report.calibration)


def candidate_command(
    context: typer.Context,
    by: By = publish.SYSTEM,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only if somebody asked for one already.")
    ] = False,
    publish_passing: Annotated[
        bool, typer.Option("--publish", help="Publish it when it passes the gate.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build all approved snippets beside what is live and compare; nothing goes live unless --publish says so.

    Exit code 1 when the gate refuses it.
    """
    home = Home.from_environment()
    with (
        failing_clearly(as_json=as_json),
        database(home) as engine,
        progress_bar(quiet=as_json) as progress,
    ):
        publish.recover(home, engine)
        number = publish.due(home, engine) if waiting else _request(engine, by=by)
        if number is None:
            _say({"publication": None}, "nothing is requested", as_json=as_json)
            return
        candidate = publish.prepare_candidate(
            home,
            engine,
            number,
            clock=lambda: datetime.now(UTC),
            accepted=_accepted(context),
            progress=progress,
        )
        done = candidate.publication
        if publish_passing and candidate.report.passes:
            try:
                done = publish.publish_ready(home, engine, number, by=by, now=datetime.now(UTC))
            except StaleCandidate as stale:  # asked for again already: the next round compares it
                _say({"publication": stale.publication}, str(stale), as_json=as_json)
                return
    if as_json:
        print_json({**asdict(done), "report": candidate.report.to_json()})
    else:
        typer.echo(f"publication {done.id} ({done.build_id}) is {done.state.value}")
        _show_gate(candidate.report)
    if not candidate.report.passes:
        raise typer.Exit(FINDING)


def publish_command(
    number: Annotated[int, typer.Argument(help="A publication that `kb publications` lists.")],
    by: By = publish.SYSTEM,
    as_json: AsJson = False,
) -> None:
    """Make a candidate live that passed the gate, or whose refusal two people set aside."""
    home = Home.from_environment()
    with failing_clearly(as_json=as_json), database(home) as engine:
        done = publish.publish_ready(home, engine, number, by=by, now=datetime.now(UTC))
    if as_json:
        print_json(asdict(done))
    else:
        typer.echo(f"generation {done.build_id} is live")


def publications_command(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = SHOWN,
    as_json: AsJson = False,
) -> None:
    """Show what was requested, compared, published and rolled back, newest first."""
    home = Home.from_environment()
    with (
        failing_clearly(as_json=as_json),
        database(home) as engine,
        read_session(engine) as session,
    ):
        found = publish.recent(session, limit=limit)
    if as_json:
        print_json([asdict(publication) for publication in found])
        return
    table = Table("number", "state", "generation", "asked by", "published", "", box=None)
    for each in found:
        report = publish.report_of(each)
        note = each.failure or ("; ".join(report.reasons) if report else "")
        cells = (
            str(each.id),
            "rolled back" if each.is_rollback else each.state.value,
            each.build_id or "",
            each.requested_by,
            f"{each.published_at:%Y-%m-%d %H:%M} {each.published_by}" if each.published_at else "",
            note,
        )
        table.add_row(*(escape(cell) for cell in cells))
    console().print(table)


def rollback_command(
    build_id: Annotated[str, typer.Argument(help="A generation that `kb status` lists.")],
    by: By = publish.SYSTEM,
    as_json: AsJson = False,
) -> None:
    """Put an earlier generation back into service; what is no longer approved stays out, and is named."""
    home = Home.from_environment()
    with failing_clearly(as_json=as_json), database(home) as engine:
        live = publish.rollback(home, engine, build_id, now=datetime.now(UTC), by=by)
        with read_session(engine) as session:
            missing = publish.not_back(home, session, live.build_id)
    if as_json:
        left = [each.to_json() for each in missing]
        told = {"live": live.build_id, "encoder_fingerprint": live.encoder_fingerprint}
        print_json({**told, "not_back": left})
        return
    typer.echo(f"generation {live.build_id} is live")
    for each in missing:
        typer.echo(f"  not back: {each.key}, {each.why}")
    if missing:
        typer.echo(
            "  To bring one back, reopen it in the console (Knowledge, the snippet's page): its words become"
            " a new draft, which goes through review and is published."
        )


def prune_command(
    days: Annotated[
        int, typer.Option(min=0, help="Keep candidates that are younger.")
    ] = pruning.KEEP_DAYS,
    keep: Annotated[int, typer.Option(min=0, help="Keep so many, however old.")] = (
        pruning.KEEP_NEWEST
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List them; delete nothing.")] = False,
    by: By = publish.SYSTEM,
    as_json: AsJson = False,
) -> None:
    """Delete candidates that were never live and were set aside. A worker does the same once an hour.

    What is live, what was ever published, and what may still be published stays.
    """
    home = Home.from_environment()
    kept, now = {"keep_days": days, "keep_newest": keep}, datetime.now(UTC)
    with failing_clearly(as_json=as_json), database(home) as engine:
        if dry_run:
            gone = publish.stale(home, engine, now=now, **kept)
        else:
            gone = publish.prune(home, engine, now=now, by=by, **kept)
    freed = sum(one.size for one in gone)
    if as_json:
        print_json({"dry_run": dry_run, "bytes": freed, "candidates": [asdict(g) for g in gone]})
        return
    for one in gone:
        typer.echo(f"{one.build_id}  made {one.made_at:%Y-%m-%d}, publication {one.publication}")
    done = "would be deleted" if dry_run else "deleted"
    typer.echo(f"{len(gone):,} candidates {done}, {freed / 1e6:,.1f} MB")


def _accepted(context: typer.Context) -> publish.Accepted:
    """Where the accepted questions come from: the service's command line knows (it sets the context's object)."""
    found: publish.Accepted = context.obj or nothing_accepted
    return found


def _override(
    by: str | None, confirmed_by: str | None, reason: str | None
) -> publish.Override | None:
    if by is None and confirmed_by is None and reason is None:
        return None
    if by is None or confirmed_by is None or reason is None:
        raise ConfigurationError("--override-by, --confirm-as and --reason go together")
    return publish.Override(by=by, confirmed_by=confirmed_by, reason=reason)


def _request(engine: Engine, *, by: str) -> int:
    with write_session(engine) as session:
        return publish.request(session, by=by, now=datetime.now(UTC)).id


def _say(document: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        typer.echo(words)


def _refuse(refused: GateRefused, *, as_json: bool) -> None:
    report = refused.report
    assert isinstance(report, publish.GateReport)  # noqa: S101  # the error tree knows no types of ours
    if as_json:
        extra = {"publication": refused.publication, "report": report.to_json()}
        fail(refused, as_json=True, extra=extra)
    _show_gate(report)
    fail(refused, as_json=False)


def _show_gate(report: publish.GateReport) -> None:
    if report.note:
        typer.secho(report.note, fg=typer.colors.YELLOW)
    for name, tally in (
        ("golden questions", report.golden),
        ("must-pass questions", report.must_pass),
        ("questions with an accepted answer", report.accepted),
    ):
        if tally.total:
            before = "" if tally.right_before is None else f"{tally.right_before:,} -> "
            typer.echo(f"{name}: {before}{tally.right_after:,} of {tally.total:,} as expected")
    for change, words in WORDS.items():
        _show_changes(words, report.of(change))


def _show_changes(words: str, judged: Iterable[publish.Judged]) -> None:
    found = list(judged)
    if not found:
        return
    table = Table(words, "expected", "before", "now", box=None, header_style="bold")
    for each in found[:SHOWN]:
        cells = (
            each.question.text[:70],
            each.question.expected_key or "(nothing)",
            "" if each.before is None else each.before.key or "(nothing)",
            each.after.key or "(nothing)",
        )
        table.add_row(*(escape(cell) for cell in cells))
    console().print(table)
    if len(found) > SHOWN:
        typer.echo(f"... and {len(found) - SHOWN:,} more (--json lists all)")
