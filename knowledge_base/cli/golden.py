"""`firstline kb golden`: the questions that a publication may not lose."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from knowledge_base.cli.content import open_database, refused_rows
from knowledge_base.cli.output import console, failing_clearly, print_json
from knowledge_base.errors import ImportRefused, UnreadableFile
from knowledge_base.exchange import golden_file
from knowledge_base.store import golden
from knowledge_base.store.engine import read_session, write_session

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
By = Annotated[str, typer.Option("--by", help="Who does it, for the audit chain.")]
MustPass = Annotated[
    bool,
    typer.Option("--must-pass", help="A publication that does not answer it so is refused."),
]

golden_app = typer.Typer(
    name="golden", help="Questions that a publication may not lose.", no_args_is_help=True
)


@golden_app.command("import")
def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="CSV: question,expected_key (empty: nothing should be offered)[,must_pass].",
        ),
    ],
    by: By,
    must_pass: MustPass = False,
    as_json: AsJson = False,
) -> None:
    """Add the questions of a file: all rows or none, every bad row named."""
    with failing_clearly(as_json=as_json):
        engine = open_database()
        try:
            data = file.read_bytes()
            with write_session(engine) as session:
                planned = golden_file.plan(session, data, name=file.name, must_pass=must_pass)
                golden_file.refuse(planned)
                done = golden.add_all(session, planned.questions, by=by, now=datetime.now(UTC))
        except OSError as error:
            raise UnreadableFile(f"{file}: cannot be read ({error.strerror})") from None
        except ImportRefused as refused:
            refused_rows(refused, as_json=as_json)
        finally:
            engine.dispose()
    if as_json:
        print_json(asdict(done))
    else:
        typer.echo(f"{done.added:,} added, {done.changed:,} changed, {done.unchanged:,} unchanged")


@golden_app.command("export")
def export_command(
    file: Annotated[Path, typer.Argument(help="Where to write.")], as_json: AsJson = False
) -> None:
    """Write every question in use as CSV that can be imported again."""
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with read_session(engine) as session:
            questions = golden.in_use(session)
        engine.dispose()
        try:
            file.write_text(golden_file.write(questions), encoding="utf-8", newline="")
        except OSError as error:
            raise UnreadableFile(f"{file}: cannot be written ({error.strerror})") from None
    if as_json:
        print_json({"path": str(file), "questions": len(questions)})
    else:
        typer.echo(f"{len(questions):,} questions written to {file}")


@golden_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Show every question in use with its number."""
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with read_session(engine) as session:
            questions = golden.in_use(session)
        engine.dispose()
    if as_json:
        print_json([asdict(question) for question in questions])
        return
    table = Table("number", "question", "expected", "", box=None, header_style="bold")
    for question in questions:
        cells = (
            str(question.id),
            question.question,
            question.expected_key or "(nothing)",
            "must pass" if question.must_pass else "",
        )
        table.add_row(*(escape(cell) for cell in cells))
    console().print(table)


@golden_app.command("add")
def add_command(
    question: Annotated[str, typer.Argument(help="What a customer asks.")],
    by: By,
    expected: Annotated[
        str | None,
        typer.Option(help="Key of the snippet that has to answer; without it, nothing may."),
    ] = None,
    must_pass: MustPass = False,
    as_json: AsJson = False,
) -> None:
    """Add one question, or change what is expected of one that is in use."""
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with write_session(engine) as session:
            added = golden.add(
                session,
                question,
                expected_key=expected,
                must_pass=must_pass,
                by=by,
                now=datetime.now(UTC),
            )
        engine.dispose()
    if as_json:
        print_json(asdict(added))
    else:
        typer.echo(f"question {added.id}: {added.expected_key or 'nothing may be offered'}")


@golden_app.command("remove")
def remove_command(
    number: Annotated[int, typer.Argument(help="As `kb golden list` shows it.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Take a question out of use."""
    with failing_clearly(as_json=as_json):
        engine = open_database()
        with write_session(engine) as session:
            removed = golden.remove(session, number, by=by, now=datetime.now(UTC))
        engine.dispose()
    if as_json:
        print_json(asdict(removed))
    else:
        typer.echo(f"question {removed.id} is no longer asked")
