"""The crisis switch: a topic, or everything but a holding statement, is not answered until it is thawed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from knowledge_base.policy import Outcome
from knowledge_base.store import repository as knowledge
from knowledge_base.wording import slots_in
from suggest_api.bot_client.model import HandOverReason
from suggest_api.compliance import service as compliance
from suggest_api.compliance.model import Circumstances
from suggest_api.conversations import bot_turns
from suggest_api.conversations import service as conversations
from suggest_api.delivery import stopping
from suggest_api.drafts import service as drafts
from suggest_api.errors import Unprocessable
from suggest_api.flow import circumstances
from suggest_api.flow.circumstances import CONFIRMATIONS
from suggest_api.flow.desk import Desk
from suggest_api.flow.stopping import freeze_detail, leave
from suggest_api.freezes import service as freezes
from suggest_api.freezes.service import every, get, in_force, topics
from suggest_api.values import Freeze, Use

__all__ = [
    "FreezeReport",
    "Impact",
    "every",
    "freeze",
    "get",
    "impact",
    "in_force",
    "meanwhile",
    "thaw",
    "topics",
]


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
    snippet that may be said; it has to be published, marked for automatic sending, without slots, and let
    through on every channel. A drill is computed and shown and does nothing of this.
    Raises Unprocessable (an unknown topic or channel, a holding statement that cannot be said, no team, no
    reason), FreezeError (exactly this is frozen already) and PolicyUnavailable; nothing is changed then.
    """
    if channel and channel not in desk.channels:
        msg = (
            f"there is no channel {channel!r}: the channels are {', '.join(sorted(desk.channels))}"
        )
        raise Unprocessable(msg)
    if holding_key is not None:
        _require_sayable(desk, session, holding_key, channel=channel, now=now)
    begun = freezes.begin(
        session,
        topic=topic,
        channel=channel,
        holding_key=holding_key,
        team=team,
        drill=drill,
        by=by,
        reason=reason,
        now=now,
    )
    found = impact(desk, session, begun, now=now)
    if not drill:
        _stop(desk, session, begun, now=now)
    counts = {**found.to_json(), "conversations": len(found.conversations)}
    freezes.record(session, begun, detail=counts, now=now)
    return FreezeReport(freeze=begun, impact=found)


def thaw(
    desk: Desk, session: Session, freeze_id: int, *, by: str, reason: str, now: datetime
) -> FreezeReport:
    """Answer again, at once. Conversations that nobody took go back to everybody, unless another freeze
    holds them. The report of a drill is what it would have withheld.

    Raises NotFound, FreezeError if it is thawed already, Unprocessable without a reason.
    """
    ended = freezes.end(session, freeze_id, by=by, reason=reason, now=now)
    found = meanwhile(desk, session, ended)
    if not ended.drill:
        state = freezes.in_force(session)
        for conversation in conversations.of_team(session, ended.team):
            about, channel = conversation.topic, conversation.channel
            other = state.on(about, channel=channel)
            # Without a topic its words had told (`assigning`), so any freeze of this team may hold it still.
            if (
                not about
                and ended.topic
                and any(f.team == ended.team for f in state.of(channel).freezes)
            ):
                continue
            if not about or ended.covers(about, channel=channel):
                team = "" if other is None else other.team
                conversations.give_to_team(session, [conversation.id], team=team, now=now)
    counts = {**found.to_json(), "conversations": len(found.conversations)}
    freezes.record(session, ended, detail=counts, now=now)
    return FreezeReport(freeze=ended, impact=found)


def impact(desk: Desk, session: Session, freeze: Freeze, *, now: datetime) -> Impact:
    """What a freeze bears on at this moment: for its page, and before anything is done about it."""
    which = _which(session, freeze)
    queued = stopping.conversations_with(session, which)
    waiting = conversations.on_topic(session, topic=freeze.topic, channel=freeze.channel)
    return Impact(
        snippets=freezes.count_live(session, freeze),
        drafts=drafts.count_about(session, freeze.topic, channel=freeze.channel),
        replies=stopping.count_waiting(session, which),
        bot_turns=bot_turns.count_open(session, channel=freeze.channel),
        conversations=tuple(sorted({*queued, *(c.id for c in waiting)})),
    )


def meanwhile(desk: Desk, session: Session, freeze: Freeze) -> Impact:
    """What there was since a freeze began: of a drill, what it would have withheld so far."""
    which, since = _which(session, freeze), freeze.at
    waiting = conversations.on_topic(session, topic=freeze.topic, channel=freeze.channel)
    answered = stopping.conversations_since(session, which, since=since)
    return Impact(
        snippets=freezes.count_live(session, freeze),
        drafts=drafts.count_about(session, freeze.topic, channel=freeze.channel, since=since),
        replies=stopping.count_since(session, which, since=since),
        bot_turns=bot_turns.count_open(session, channel=freeze.channel),
        conversations=tuple(sorted({*answered, *(c.id for c in waiting)})),
    )


def _stop(desk: Desk, session: Session, freeze: Freeze, *, now: datetime) -> None:
    """Cancel what waits to go out, and give the conversations to the team."""
    which = _which(session, freeze)
    ids = stopping.conversations_with(session, which)
    for conversation_id in ids:
        conversations.lock(session, conversation_id)
    queued = stopping.hold(session, which, conversation_ids=ids)
    why = f"{freeze.subject} is frozen by {freeze.by} (freeze {freeze.id})"
    stopping.cancel(session, queued, why=why, now=now)
    waiting = conversations.on_topic(session, topic=freeze.topic, channel=freeze.channel)
    state = freezes.in_force(session)
    mine = [c.id for c in waiting if state.on(c.topic, channel=c.channel) == freeze]
    conversations.give_to_team(session, mine, team=freeze.team, now=now)
    leave(
        desk,
        session,
        queued,
        reason=HandOverReason.FROZEN,
        detail=freeze_detail(freeze, topic=freeze.topic),
        by=freeze.by,
        now=now,
    )


def _which(session: Session, freeze: Freeze) -> ColumnElement[bool]:
    """The replies that a freeze stops: neither a holding statement nor what confirms the customer's own switch."""
    holding = {f.holding_key for f in freezes.in_force(session).freezes if f.holding_key}
    but = {*CONFIRMATIONS, *holding, *([freeze.holding_key] if freeze.holding_key else [])}
    return stopping.about_topic(freeze.topic, channel=freeze.channel, but=but)


def _require_sayable(
    desk: Desk, session: Session, key: str, *, channel: str, now: datetime
) -> None:
    """Raise Unprocessable unless a holding statement can be said to everybody on every channel of the freeze."""
    revision = knowledge.live_revision(session, key)
    if revision is None:
        msg = f"the holding statement {key} is not published: choose one that is"
        raise Unprocessable(msg)
    content = revision.content
    if not content.auto_send:
        msg = f"the holding statement {key} is not marked for automatic sending"
        raise Unprocessable(msg)
    named = slots_in(content.text)
    if named:
        msg = f"the holding statement {key} has the slot {named[0]}: it has to be the same for everybody"
        raise Unprocessable(msg)
    for name in [channel] if channel else sorted(desk.channels):
        here = Circumstances(
            use=Use.ASSISTANT,
            channel=name,
            locale=None,
            now=now,
            revision=circumstances.facts_of_revision(desk, session, revision, name, now=now),
        )
        verdict = compliance.judge(
            desk.policies.at(session), content.text, channel=name, locale=content.locale, here=here
        )
        if verdict.outcome is not Outcome.pass_:
            reasons = "; ".join(finding.reason for finding in verdict.findings)
            msg = f"the holding statement {key} may not be said on {name}: {reasons}"
            raise Unprocessable(msg)
