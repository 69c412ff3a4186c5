"""Where a revision stands, in one word for its colour and one for people."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from knowledge_base.snippet import Revision, Snippet, Status

WORDS = {
    "draft": "Draft",
    "in_review": "In review",
    "approved": "Approved, not published",
    "live": "Live",
    "replaced": "Replaced",
    "retired": "Retired",
    "recalled": "Recalled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A revision with where it stands; `state` is one of the keys of `WORDS`."""

    revision: Revision
    state: str

    @property
    def words(self) -> str:
        """For people."""
        return WORDS[self.state]


def all_standing(snippet: Snippet, *, recalled: Collection[int]) -> tuple[Standing, ...]:
    """Every revision of a snippet, newest first; `recalled` are the ids of revisions that were pulled."""
    return tuple(
        Standing(revision=revision, state=_state(revision, snippet.live, recalled))
        for revision in reversed(snippet.revisions)
    )


def _state(revision: Revision, live: Revision | None, recalled: Collection[int]) -> str:
    if revision.live:
        return "live"
    if revision.id in recalled:
        return "recalled"
    replaced = live is not None and revision.number < live.number
    return "replaced" if replaced and revision.status is Status.APPROVED else revision.status.value
