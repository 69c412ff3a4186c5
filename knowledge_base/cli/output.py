"""How a command speaks: tables for people, JSON for programs, progress on a terminal, exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from knowledge_base.errors import ConfigurationError, FirstlineError, UnreadableFile

OK = 0
FINDING = 1  # the command worked and found something wrong
USAGE = 2  # the command could not do its work as it was called

Report = Callable[[str, int, int], None]


def console() -> Console:
    """For people, on standard output; without colours when it is not a terminal."""
    return Console(highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


@contextmanager
def failing_clearly(*, as_json: bool) -> Iterator[None]:
    """Turn the errors of the product into one message and an exit code; others stay visible as bugs."""
    try:
        yield
    except FirstlineError as error:
        fail(error, as_json=as_json)


def fail(error: FirstlineError, *, as_json: bool, extra: dict[str, Any] | None = None) -> NoReturn:
    """Say what is wrong and leave: 2 for a file or setting that cannot be used, 1 for anything else."""
    code = USAGE if isinstance(error, ConfigurationError | UnreadableFile) else FINDING
    if as_json:
        print_json({"error": str(error), "kind": type(error).__name__, **(extra or {})})
    else:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
    raise typer.Exit(code)


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Report]:
    """A bar per step with the time left, on standard error; nothing when `quiet` or when nobody is watching."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet or not sys.stderr.isatty(),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def report(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(step, total=total)
        bar.update(tasks[step], completed=done, total=total)

    with bar:
        yield report


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)
