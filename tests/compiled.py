"""Compiled SQL for all engines of a test process: each keeps its own, and every test would compile it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

STATEMENTS = 3000  # kept; more than there are different ones


def sharing(create_engine: Callable[..., Engine]) -> Callable[..., Engine]:
    """`create_engine`, whose engines have the compiled statements of the first that connected to such a database.

    What was compiled is found by its dialect as well, so they have that one's dialect too.
    """
    first: dict[str, Engine] = {}

    def create(*arguments: Any, **options: Any) -> Engine:
        engine = create_engine(*arguments, query_cache_size=STATEMENTS, **options)
        name = engine.dialect.name
        if name in first:
            engine.dialect = first[name].dialect
            engine._compiled_cache = first[name]._compiled_cache
        else:  # a dialect learns about its database when it connects

            def remember(*_connected: object) -> None:
                first.setdefault(name, engine)

            event.listen(engine, "connect", remember)
        return engine

    return create
