"""`serve`, `worker` and `db upgrade`: the processes, and the database they need."""

from __future__ import annotations

import typer

from suggest_api.cli.output import AsJson, database, failing_clearly, say


def serve() -> None:
    """Run the service: JSON API, webhooks and console, on FIRSTLINE_HOST and FIRSTLINE_PORT."""
    with failing_clearly(as_json=False):
        from suggest_api.server import run
        from suggest_api.settings import load_settings

        run(load_settings())


def worker() -> None:
    """Run the worker: works off events, lets the assistant answer, sends replies."""
    with failing_clearly(as_json=False):
        from suggest_api.main import create_desk
        from suggest_api.settings import load_settings
        from suggest_api.worker import run

        code = run(create_desk(load_settings()))
    raise typer.Exit(code)


def db_upgrade(as_json: AsJson = False) -> None:
    """Bring the database to the newest schema; nothing happens when it is there already."""
    from knowledge_base.store import schema

    with failing_clearly(as_json=as_json), database():
        head = schema.head()
    say({"head": head}, f"the database is at {head}", as_json=as_json)
