"""The crisis switch: a topic, or everything but a holding statement, is not answered until it is thawed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from suggest_api.flow.desk import Desk
from suggest_api.freezes.service import every, in_force, topics
from suggest_api.values import Freeze

__all__ = ["FreezeReport", "Impact", "every", "freeze", "impact", "in_force", "thaw", "topics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a freeze bears on. At its begin: what there is at this moment; at its end: what there was meanwhile.

    `snippets` published ones that it withholds, `drafts` open ones of those snippets, `replies` of the
    assistant and of people that were queued (at the end: written), `bot_turns` of customers whom the assistant
    has yet to answer, `conversations` the ids of those whom it sends to the team.
    """

    snippets: int = 0
    drafts: int = 0
    replies: int = 0
    bot_turns: int = 0
    conversations: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {**asdict(self), "conversations": list(self.conversations)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeReport:
    """A freeze that began or ended, and what it bears on. In a drill nothing of that was done."""

    freeze: Freeze
    impact: Impact

    def to_json(self) -> dict[str, Any]:
        """Both, as the command line prints them."""
        return {"freeze": self.freeze.to_json(), "impact": self.impact.to_json()}


def freeze(
    desk: Desk,
    session: Session,
    *,
    topic: str = "",
    channel: str = "",
    holding_key: str | None = None,
    team: str,
    drill: bool = False,
    by: str,
    reason: str,
    now: datetime,
) -> FreezeReport:
    """Answer nothing about a topic ('' is everything) on a channel ('' is all) until it is thawed.

    With the commit, in every process: suggestions and the assistant withhold it, the gate stops what is on its
    way, replies that wait are cancelled, and their conversations go to the team. `holding_key` names the one
    snippet that may be said; it has to be published, marked for automatic sending, without slots, and fit
    every channel. A drill is computed and shown and does nothing of this.
    Raises Unprocessable (an unknown topic or channel, a holding statement that cannot be said, no team, no
    reason) and FreezeError (exactly this is frozen already); nothing is changed then.
    """
    raise NotImplementedError


def thaw(
    desk: Desk, session: Session, freeze_id: int, *, by: str, reason: str, now: datetime
) -> FreezeReport:
    """Answer again, at once. Conversations that nobody took go back to everybody, unless another freeze
    holds them.

    Raises NotFound, FreezeError if it is thawed already, Unprocessable without a reason.
    """
    raise NotImplementedError


def impact(desk: Desk, session: Session, freeze: Freeze, *, now: datetime) -> Impact:
    """What a freeze in force bears on at this moment: for its page, and for a drill while it goes on."""
    raise NotImplementedError
