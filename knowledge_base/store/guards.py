"""Triggers that refuse a change of what must never change, in the dialect of the database; for migrations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """Before `event` on `table`, when `condition` holds, the statement fails with `message`.

    All parts are text of our own, never a value. PostgreSQL needs the function `firstline_refuse`, which the
    third migration creates.
    """

    name: str
    table: str
    event: str
    message: str
    condition: str = ""

    def statement(self, dialect: str) -> str:
        """CREATE TRIGGER for `sqlite` or `postgresql`."""
        when = f" WHEN ({self.condition})" if self.condition else ""
        if dialect == "sqlite":
            return (
                f"CREATE TRIGGER {self.name} BEFORE {self.event} ON {self.table}{when}"
                f" BEGIN SELECT RAISE(ABORT, '{self.message}'); END"
            )
        return (
            f"CREATE TRIGGER {self.name} BEFORE {self.event} ON {self.table}"
            f" FOR EACH ROW{when} EXECUTE FUNCTION firstline_refuse('{self.message}')"
        )


def only_added_to(table: str, what: str) -> Iterator[Guard]:
    """The guards of a table whose rows never change and never go."""
    for event, done in (("UPDATE", "changed"), ("DELETE", "deleted")):
        name = f"{table}_not_{done}"
        yield Guard(name, table, event, f"{what} is never {done}: add another one")


def not_truncated(table: str, dialect: str) -> str | None:
    """TRUNCATE goes round row triggers on PostgreSQL; SQLite has no such statement."""
    if dialect == "sqlite":
        return None
    return (
        f"CREATE TRIGGER {table}_not_truncated BEFORE TRUNCATE ON {table}"
        f" EXECUTE FUNCTION firstline_refuse('the table {table} is never emptied')"
    )
