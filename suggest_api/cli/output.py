"""How a command speaks and fails, and the parts that it opens: one line, one exit code, no traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowledge_base.errors import ConfigurationError, FirstlineError, UnreadableFile

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from suggest_api.flow import Desk

OK, FOUND, USAGE = 0, 1, 2

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Channel = Annotated[str, typer.Option(help="The channel that the text is for.")]
By = Annotated[str, typer.Option(metavar="NAME", help="Who does it; it is on record.")]
Reason = Annotated[str, typer.Option(help="Why; everybody who is concerned reads it.")]


@contextmanager
def failing_clearly(*, as_json: bool) -> Iterator[None]:
    """Turn an error of ours into one line and an exit code; a bug keeps its traceback."""
    try:
        yield
    except FirstlineError as error:
        if as_json:
            print_json({"error": str(error), "kind": type(error).__name__})
        else:
            typer.secho(f"firstline: {error}", fg=typer.colors.RED, err=True)
        wrong_call = isinstance(error, ConfigurationError | UnreadableFile)
        raise typer.Exit(USAGE if wrong_call else FOUND) from None


@contextmanager
def database() -> Iterator[Engine]:
    """The configured database, brought to the newest schema."""
    from knowledge_base.store import migrate
    from knowledge_base.store.engine import open_engine
    from suggest_api.settings import load_settings
    from suggest_api.storage import unit_of_work

    engine = open_engine(load_settings(serving=False).place.database_url)
    try:
        with unit_of_work.translated():
            migrate.upgrade(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def whole_desk(*, generation: bool = True) -> Iterator[Desk]:
    """The parts that a question needs, without a service; `generation` for one that is ranked."""
    from suggest_api.logs import configure
    from suggest_api.main import create_desk
    from suggest_api.settings import load_settings

    settings = load_settings(serving=False)
    configure(level="error", form=settings.log_format)
    with database() as engine:
        desk = create_desk(settings, engine=engine)
        desk.policies.start()
        if generation:
            desk.generations.refresh(force=True)
        yield desk


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def say(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        typer.echo(text)
