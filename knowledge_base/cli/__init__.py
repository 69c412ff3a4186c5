"""The commands `firstline kb ...` and `firstline encoder ...`; the service's command line mounts both groups."""

import typer

from knowledge_base.cli import content, generations
from knowledge_base.cli.generations import encoder_app

__all__ = ["encoder_app", "kb_app"]

kb_app = typer.Typer(
    name="kb", help="Snippets: import, export, check, build.", no_args_is_help=True
)
content.register(kb_app)
generations.register(kb_app)
