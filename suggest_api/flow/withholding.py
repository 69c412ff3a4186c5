"""What a freeze leaves of an answer: nothing, or the holding statement; and what a customer's words are about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from suggest_api.conversations.model import Conversation
from suggest_api.flow.desk import Desk
from suggest_api.freezes import service as freezes
from suggest_api.storage import unit_of_work
from suggest_api.suggestions.holder import InService
from suggest_api.suggestions.model import Candidate, Candidates, Query, eligible
from suggest_api.suggestions.service import candidates, nothing
from suggest_api.values import Abstention, Freeze, FreezeState, Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What may be offered, and every freeze that bears on the question: one that withholds it comes first.

    `state` is all that was frozen when it was looked for.
    """

    candidates: Candidates
    state: FreezeState
    frozen: tuple[Freeze, ...] = ()


def find(session: Session, held: InService, query: Query, *, now: datetime) -> Found:
    """The candidates for a question, as far as nothing that they are about is frozen.

    What the question is about is what its best answer is about. Where that is frozen, an agent is offered the
    holding statement alone and the assistant nothing: it hands over, and the service says the statement.
    """
    state = freezes.in_force(session)
    everything = state.everything(channel=query.channel)
    found = nothing(held, Abstention.TOPIC_FROZEN)
    if everything is None:
        found = candidates(session, held, query, now=now)
    topic = about(found)
    frozen = everything or (state.on(topic, channel=query.channel) if topic else None)
    drills = tuple(f for f in state.drills if f.covers(topic, channel=query.channel))
    if frozen is None:
        return Found(candidates=found, state=state, frozen=drills)
    withheld = nothing(held, Abstention.TOPIC_FROZEN)
    statement = _holding(session, held, query, state, topic, now=now)
    if statement is not None and query.use is Use.AGENT:
        withheld = replace(withheld, candidates=(statement,), reason=None)
    return Found(candidates=withheld, state=state, frozen=(frozen, *drills))


def topic_asked(desk: Desk, conversation: Conversation, *texts: str) -> str:
    """What a customer's words, oldest first, are about; '' if nothing answers, or nothing is there to tell."""
    held = desk.generations.in_service
    if held is None:
        return ""
    query = Query(
        texts=texts,
        channel=conversation.channel,
        locale=conversation.locale,
        use=Use.AGENT,
        limit=1,
    )
    with unit_of_work.read(desk.engine) as session:
        return about(candidates(session, held, query, now=desk.clock()))


def about(found: Candidates) -> str:
    """The topic of the best answer; '' where none is sure enough."""
    if found.reason is not None or not found.candidates:
        return ""
    return found.candidates[0].revision.content.topic


def _holding(
    session: Session,
    held: InService,
    query: Query,
    state: FreezeState,
    topic: str,
    *,
    now: datetime,
) -> Candidate | None:
    """The holding statement as a candidate that nothing ranked; None if there is none that may be offered."""
    found = state.holding(topic, channel=query.channel)
    if found is None:
        return None
    key = found[1]
    live = held.live.get(session, [key]).get(key)
    if live is None or not eligible(live, query, now=now):
        return None
    return Candidate(revision=live, score=0.0, confidence=0.0, matched_example="")
