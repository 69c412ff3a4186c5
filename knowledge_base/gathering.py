"""Work that many threads bring at the same time is done in one go; alone, nobody waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Waiting(Generic[T, R]):
    """One caller's item and what became of it."""

    __slots__ = ("done", "error", "item", "result")

    def __init__(self, item: T) -> None:
        self.item = item
        self.done = False
        self.result: R | None = None
        self.error: BaseException | None = None


class Gathering(Generic[T, R]):
    """Calls `work` with everything that waits, at most `most` items; safe to share between threads.

    Whoever finds nobody at work does the work of all who wait; those who come meanwhile make up the next
    round. There is no thread of its own and no time to wait for company: a single caller is served at once.
    `work` returns one result for each item, in order. When it raises, every item of that round is worked
    alone, so that one caller's error is nobody else's; errors in `of_all` are told to all of them, because
    trying again would fail again.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Sequence[R]],
        *,
        most: int,
        of_all: tuple[type[Exception], ...] = (),
    ) -> None:
        self._work = work
        self._of_all = of_all
        self._most = most
        self._waiting: list[_Waiting[T, R]] = []
        self._guard = Lock()  # over the list
        self._turn = Lock()  # over the work

    def __call__(self, item: T) -> R:
        """The result for `item`, once its round is done. Raises what `work` raised for it."""
        mine: _Waiting[T, R] = _Waiting(item)
        with self._guard:
            self._waiting.append(mine)
        with self._turn:
            # Whoever had the turn before may have done it; of a long queue it takes several rounds.
            while not mine.done:
                self._round()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # done without an error: there is a result

    def _round(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            self._give(batch)
        except Exception as error:
            if len(batch) == 1 or isinstance(error, self._of_all):
                _fail(batch, error)
                return
            for one in batch:
                self._alone(one)
        except BaseException as error:  # the process is ending: nobody may be left waiting
            _fail(batch, error)
            raise

    def _alone(self, one: _Waiting[T, R]) -> None:
        try:
            self._give([one])
        except Exception as error:
            _fail([one], error)

    def _give(self, batch: Sequence[_Waiting[T, R]]) -> None:
        results = self._work([one.item for one in batch])
        for one, result in zip(batch, results, strict=True):
            one.result, one.done = result, True


def _fail(batch: Sequence[_Waiting[T, R]], error: BaseException) -> None:
    for one in batch:
        one.error, one.done = error, True
