"""How long work tells how far it is, without knowing who shows it."""

from __future__ import annotations

from collections.abc import Callable

# (what is being done, steps done, steps in all); called from the thread that does the work.
Progress = Callable[[str, int, int], None]


def silent(_step: str, _done: int, _total: int) -> None:
    """Nobody is watching."""
