"""How often snippets were offered and what became of it, counted from the drafts and from what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from suggest_api.delivery import repository as deliveries
from suggest_api.drafts import repository as drafts


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A snippet's use since a moment.

    `shown` drafts that were offered; `accepted` those that a person took as they were, `edited` those that they
    changed first, `dismissed` those that were put away. `sent` replies with its words that a network took, the
    assistant's as well.
    """

    shown: int = 0
    accepted: int = 0
    edited: int = 0
    dismissed: int = 0
    sent: int = 0

    @property
    def acceptance(self) -> float | None:
        """The share of the decided drafts that were taken, edited or not; None when none was decided."""
        taken = self.accepted + self.edited
        decided = taken + self.dismissed
        return taken / decided if decided else None


def usage(session: Session, keys: Sequence[str], *, since: datetime) -> dict[str, Usage]:
    """The use of each of these snippets; those that were never offered or sent have zeros."""
    offered = drafts.usage(session, keys, since=since)
    sent = deliveries.sent_of(session, keys, since=since)
    return {
        key: Usage(**offered.get(key, {}), sent=sent.get(key, 0)) for key in dict.fromkeys(keys)
    }


def used(session: Session, *, since: datetime, taken: bool = False) -> frozenset[str]:
    """The snippets that were offered since then, or `taken`: what a filter for unused ones leaves out.

    What the assistant said of its own accord, without an offer, is both.
    """
    offered = drafts.offered(session, since=since, taken=taken)
    return offered | deliveries.sent_keys(session, since=since)
