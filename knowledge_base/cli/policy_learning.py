"""`firstline policy learn`: teach the second reader of the policy anew."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from knowledge_base import safe_yaml
from knowledge_base.cli.output import console, failing_clearly, print_json, progress_bar
from knowledge_base.policy import load_policy
from knowledge_base.tuning import second_reader

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the command to the `policy` group."""
    app.command("learn")(learn_command)


def learn_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            help="A .csv with label, kind and text, a .txt of compliant texts, or a folder of them.",
        ),
    ],
    into: Annotated[Path, typer.Option(file_okay=False, help="The folder to write.")],
    as_json: AsJson = False,
) -> None:
    """Learn from these texts, the examples of all rules and the starter snippets; needs the builder's packages.

    The same texts give the same files. What is shown was found among texts that were held out.
    """
    with failing_clearly(as_json=as_json), progress_bar(quiet=as_json) as progress:
        read = [each for file in files for each in _inside(file)]
        texts = second_reader.lessons(load_policy(), read, _snippets())
        learnt = second_reader.learn(texts, progress=progress)
        second_reader.write(learnt, into)
    report = {
        "lessons": learnt.lessons,
        "rules": len(learnt.reader.rules),
        "threshold": learnt.reader.threshold,
        "held_out": learnt.figures,
    }
    if as_json:
        print_json(report)
        return
    table = Table("held-out texts", "number", "warned about", "with a rule they break", box=None)
    for kind, row in learnt.figures.items():
        table.add_row(
            kind,
            f"{row['texts']:,}",
            *(f"{row[k] / row['texts']:.1%}" for k in ("warned", "right")),
        )
    console().print(table)
    typer.echo(f"{report['rules']} rules learnt from {learnt.lessons:,} texts, written to {into}")


def _inside(file: Path) -> list[Path]:
    return sorted((*file.glob("*.csv"), *file.glob("*.txt"))) if file.is_dir() else [file]


def _snippets() -> list[str]:
    """The texts of the starter content: approved, so compliant."""
    folder = resources.files("knowledge_base").joinpath("content", "snippets")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return [
        str(snippet["text"])
        for file in files
        for snippet in safe_yaml.load(file.read_text("utf-8"))
    ]
