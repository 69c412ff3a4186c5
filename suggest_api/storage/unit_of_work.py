"""One transaction per request: the only place of the service that begins, commits and rolls back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from knowledge_base.gathering import Gathering
from knowledge_base.store.engine import read_session, write_session
from suggest_api.errors import StorageBusy, StorageError

# As many as the web server works on at once (anyio's thread limit): nobody waits for a second round.
MOST_TOGETHER = 40


@contextmanager
def write(engine: Engine) -> Iterator[Session]:
    """One transaction: all of the block or none of it.

    It begins at the first statement, not before: work that needs no database (encoding a question)
    and is done first holds no lock. Raises StorageBusy when another writer kept the database for too
    long and StorageError when it cannot be reached; nothing of the block is kept then.
    """
    with translated(), write_session(engine) as session:
        yield session


@contextmanager
def read(engine: Engine) -> Iterator[Session]:
    """One consistent snapshot to read from; whatever is written through it is rolled back."""
    with translated(), read_session(engine) as session:
        yield session


class Together:
    """Writes of requests that arrive at the same time, in one transaction: one wait for the disk, not many.

    For writes that only add rows of their own and so cannot get into each other's way. A write that fails is
    tried alone before its caller is told; the others are not harmed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._write = Gathering(self._commit, most=MOST_TOGETHER, of_all=(StorageError,))

    def __call__(self, work: Callable[[Session], None]) -> None:
        """Do `work` in a transaction, and return once it is committed. Raises as `write` does."""
        self._write(work)

    def _commit(self, works: Sequence[Callable[[Session], None]]) -> Sequence[None]:
        with write(self._engine) as session:
            return [work(session) for work in works]


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors of a block into StorageBusy and StorageError."""
    try:
        yield
    except OperationalError as error:
        if "locked" in str(error.orig) or "lock timeout" in str(error.orig):
            msg = "the database is busy with another writer: send the same request again"
            raise StorageBusy(msg) from error
        raise StorageError(_unreachable(error)) from error


def _unreachable(error: DBAPIError) -> str:
    # The driver's own words, first line only: they name the file or host, and never a value.
    first = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    return f"the database cannot be used: {first} (check FIRSTLINE_DATABASE_URL, run `firstline db upgrade`)"
