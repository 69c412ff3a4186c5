"""`firstline kb import`, `export` and `lint`: snippets between files and the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from knowledge_base import exchange
from knowledge_base.cli.output import (
    FINDING,
    console,
    fail,
    failing_clearly,
    print_json,
    progress_bar,
)
from knowledge_base.errors import ImportRefused, UnreadableFile
from knowledge_base.governance import in_force
from knowledge_base.home import Home
from knowledge_base.store import migrate, publications
from knowledge_base.store.engine import open_engine, read_session, write_session

SHOWN = 50  # problems or warnings printed for a person; --json has all of them

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the `kb` group."""
    app.command("import")(import_command)
    app.command("export")(export_command)
    app.command("sample")(sample_command)
    app.command("lint")(lint_command)


def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            readable=True,
            help="A .csv or .yaml file, a folder of YAML files, or another desk's export.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and summarise; change nothing.")
    ] = False,
    author: Annotated[
        str | None, typer.Option(help="Who wrote the snippets; created when new.")
    ] = None,
    approve_as: Annotated[
        str | None,
        typer.Option(help="Somebody else, who approves them; without it they wait in review."),
    ] = None,
    desk: Annotated[
        str | None,
        typer.Option(
            "--from",
            help=f"The desk that the file comes from: {', '.join(exchange.DESKS)}. Told by its shape otherwise.",
        ),
    ] = None,
    leave_out_bad: Annotated[
        bool,
        typer.Option(
            help="Of another desk's export: import the good rows although others are bad."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import snippets: all rows or none, every bad row named.

    Columns: key, title, text, examples, topic, tags, locale, channels, auto_send, valid_from, valid_until, owner.
    Only key and text are required. Examples are separated by newlines or ' | '. A column that is not in the file
    keeps what the snippet has; an empty cell empties it.

    Canned responses of Chatwoot and macros of Zendesk (JSON of their APIs) and text modules of Zammad (CSV) become
    drafts of the author: to plain text, with the placeholders that have a slot here. Inactive ones are skipped.
    """
    with failing_clearly(as_json=as_json):
        engine = open_database()
        try:
            with read_session(engine) as session:
                policy = in_force(session).policy
            with progress_bar(quiet=as_json) as progress:
                # Reading and judging may take seconds: the service can write meanwhile.
                with read_session(engine) as session:
                    prepared = exchange.prepare(
                        session,
                        file,
                        policy=policy,
                        author=author,
                        approve_as=approve_as,
                        desk=desk,
                        leave_out_bad=leave_out_bad,
                        dry_run=dry_run,
                        now=datetime.now(UTC),
                        progress=progress,
                    )
                asked: int | None = None
                if not dry_run:
                    with write_session(engine) as session:
                        exchange.write(session, prepared, progress=progress)
                        asked = _ask_for_candidate(session, prepared, by=approve_as)
        except ImportRefused as refused:
            refused_rows(refused, as_json=as_json)
        finally:
            engine.dispose()
    if as_json:
        print_json({**prepared.report.to_json(), "publication": asked})
    else:
        _show_import(prepared.report)
        if asked is not None:
            typer.echo(
                f"approved is not yet live: publication {asked} is requested, which a running worker builds and"
                " compares (`firstline kb publications`); without a worker run `firstline kb build`"
            )


def export_command(
    file: Annotated[
        Path, typer.Argument(help="Where to write; .csv or .yaml decides the format.")
    ],
    as_json: AsJson = False,
) -> None:
    """Export all live snippets so that importing the file again changes nothing.

    In CSV, a cell that a spreadsheet would run as a formula starts with an apostrophe; the import takes it away.
    """
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with read_session(engine) as session:
            report = exchange.export_file(session, file)
        engine.dispose()
    if as_json:
        print_json(asdict(report))
    else:
        typer.echo(f"{report.snippets:,} snippets written to {report.path}")


def sample_command(
    file: Annotated[
        Path, typer.Argument(help="Where to write; .csv or .yaml decides the format.")
    ],
    as_json: AsJson = False,
) -> None:
    """Write a small file to start from, with every column; an earlier file of that name stays as it is."""
    with failing_clearly(as_json=as_json):
        text = exchange.sample(suffix=file.suffix.lower())
        try:
            with file.open("x", encoding="utf-8", newline="") as out:
                out.write(text)
        except OSError as error:
            msg = f"{file}: cannot be written: {error.strerror}"
            raise UnreadableFile(msg) from error
    if as_json:
        print_json({"path": str(file)})
    else:
        typer.echo(f"{file}: change it, then try it with `firstline kb import {file} --dry-run`")


def lint_command(as_json: AsJson = False) -> None:
    """Judge all live snippets again: policy, worst-case length, validity. Exit code 1 when there are findings."""
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with read_session(engine) as session:
            policy = in_force(session).policy
            report = exchange.lint(session, policy=policy, now=datetime.now(UTC))
        engine.dispose()
    if as_json:
        print_json(report.to_json())
    else:
        _show_lint(report)
    if report.findings:
        raise typer.Exit(FINDING)


def open_database() -> Engine:
    """The configured database, brought up to date."""
    engine = open_engine(Home.from_environment().database_url)
    migrate.upgrade(engine)
    return engine


def refused_rows(refused: ImportRefused, *, as_json: bool) -> NoReturn:
    """Show every bad row of an import that was refused, and leave."""
    problems = [p for p in refused.problems if isinstance(p, exchange.Problem)]
    report = refused.report if isinstance(refused.report, exchange.ImportReport) else None
    if not as_json:
        _show_problems(problems, style="red")
        if report is not None and report.dry_run:
            typer.echo("without these rows it would be:")
            _show_import(report)
    fail(refused, as_json=as_json, extra={"problems": [asdict(problem) for problem in problems]})


def _show_problems(problems: Iterable[exchange.Problem], *, style: str) -> None:
    found = list(problems)
    table = Table("line", "column", "key", "value", "what is wrong", box=None, header_style="bold")
    files = {problem.file for problem in found}
    for problem in found[:SHOWN]:
        place = str(problem.line) if len(files) == 1 else f"{problem.file}:{problem.line}"
        cells = (place, problem.column or "", problem.key or "", problem.value, problem.reason)
        table.add_row(*(escape(cell) for cell in cells), style=style)
    if found:
        console().print(table)
    if len(found) > SHOWN:
        typer.echo(f"... and {len(found) - SHOWN:,} more (--json lists all)")


def _show_import(report: exchange.ImportReport) -> None:
    _show_problems(report.warnings, style="yellow")
    _show_problems(report.left_out, style="red")
    _show_source(report.source)
    table = Table(box=None, show_header=False)
    for name, value in (
        ("rows", report.rows),
        ("customer phrasings", report.phrasings),
        ("new", len(report.added)),
        ("changed", len(report.changed)),
        ("unchanged", report.unchanged),
        ("approved", len(report.approved)),
        ("waiting for approval", len(report.waiting)),
        ("drafts to work on", len(report.drafted)),
        ("left retired", len(report.retired)),
        ("warnings", len(report.warnings)),
        *((f"skipped: {reason}", number) for reason, number in report.skipped),
        ("bad rows left out", len({(p.file, p.line) for p in report.left_out})),
    ):
        table.add_row(name, f"{value:,}")
    console().print(table)
    _name_keys("waiting for approval, so not offered yet", report.waiting)
    _name_keys("retired by somebody in exactly these words, so left retired", report.retired)
    if report.dry_run:
        typer.echo("dry run: nothing was changed")


def _ask_for_candidate(
    session: Session, prepared: exchange.Prepared, *, by: str | None
) -> int | None:
    """Request a publication in the transaction of an approval, as an approval in the console does."""
    if by is None or not prepared.report.approved:
        return None
    return publications.request(session, by=by, now=prepared.now).id


def _show_source(source: exchange.Source | None) -> None:
    if source is not None:
        how = (
            source.kind,
            source.encoding,
            source.delimiter and f"{source.delimiter} between cells",
        )
        typer.echo(f"{source.name}: {', '.join(part for part in how if part)}")
        for remark in source.remarks:
            typer.secho(f"  {remark}", fg=typer.colors.YELLOW)


def _name_keys(what: str, keys: tuple[str, ...]) -> None:
    if keys:
        more = f" and {len(keys) - SHOWN:,} more" if len(keys) > SHOWN else ""
        typer.echo(f"{what}: {', '.join(keys[:SHOWN])}{more}")


def _show_lint(report: exchange.LintReport) -> None:
    table = Table("snippet", "kind", "severity", "what", box=None, header_style="bold")
    for finding in report.findings:
        cells = (
            f"{finding.key}@{finding.revision}",
            finding.kind,
            finding.severity,
            finding.reason,
        )
        table.add_row(*(escape(cell) for cell in cells))
    if report.findings:
        console().print(table)
    typer.echo(f"{report.snippets:,} live snippets looked at, {len(report.findings):,} findings")
