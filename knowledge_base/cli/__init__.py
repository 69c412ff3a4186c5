"""The commands `firstline kb ...`; the service's command line mounts `kb_app`."""

import typer

from knowledge_base.cli import content, generations

kb_app = typer.Typer(
    name="kb", help="Snippets: import, export, check, build.", no_args_is_help=True
)
content.register(kb_app)
generations.register(kb_app)
