"""Freezes begin and end here, each with its audit entry; what follows from one is the flow's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.store import audit
from knowledge_base.store.people import ensure_person
from knowledge_base.store.review import words
from knowledge_base.store.tables import NAME
from suggest_api.errors import FreezeError, Unprocessable
from suggest_api.freezes import repository
from suggest_api.values import Freeze, FreezeState

LIST_LIMIT = 200  # freezes on one page; a desk has a few in a year


def in_force(session: Session) -> FreezeState:
    """What is frozen as this transaction sees it: one indexed query, so it is asked and never remembered."""
    return FreezeState(tuple(sorted(repository.in_force(session), key=_most_particular_first)))


def every(session: Session, *, limit: int = LIST_LIMIT) -> tuple[Freeze, ...]:
    """Freezes of now and before, newest first."""
    return repository.newest(session, limit=limit)


def get(session: Session, freeze_id: int) -> Freeze:
    """The freeze, in force or thawed. Raises NotFound."""
    return _found(repository.get(session, freeze_id), freeze_id)


def topics(session: Session) -> tuple[str, ...]:
    """What can be frozen by name: the topics of published snippets and of review paths."""
    return repository.topics(session)


def count_live(session: Session, freeze: Freeze) -> int:
    """How many published snippets a freeze withholds."""
    scopes = repository.live_scopes(session, topic=freeze.topic, but=freeze.holding_key)
    here = freeze.channel
    return sum(not here or not channels or here in channels for channels in scopes)


def begin(
    session: Session,
    *,
    topic: str,
    channel: str,
    holding_key: str | None,
    team: str,
    drill: bool,
    by: str,
    reason: str,
    now: datetime,
) -> Freeze:
    """Write a freeze down; it is in force for every process with the commit. The flow checks what it names.

    Raises Unprocessable without a team or a reason and for a topic that nothing is about, FreezeError where
    exactly this is frozen already.
    """
    kept = " ".join(team.split())
    why = words(reason)
    if not kept or len(kept) > NAME or not kept.isprintable():
        msg = f"name the team that gets the conversations: 1 to {NAME} visible characters"
        raise Unprocessable(msg)
    if not why:
        msg = "say why: everybody whose answers are withheld will read it"
        raise Unprocessable(msg)
    known = repository.topics(session)
    if topic and topic not in known:
        msg = f"nothing is about the topic {topic!r}: the topics are {', '.join(known) or 'none'}"
        raise Unprocessable(msg)
    for other in repository.in_force(session):
        if (other.topic, other.channel, other.drill) == (topic, channel, drill):
            msg = f"{_named(other)} already, by {other.by} ({other.reason}): thaw {other.id} first"
            raise FreezeError(msg)
    values = {
        "topic": topic,
        "channel": channel,
        "holding_key": holding_key,
        "team": kept,
        "drill": drill,
        "by": ensure_person(session, by, now=now),
        "at": now,
        "reason": why,
    }
    try:
        return repository.add(session, values)
    except IntegrityError as error:  # somebody did the same at the same moment
        msg = "exactly this was frozen by somebody else a moment ago: look at `firstline freezes`"
        raise FreezeError(msg) from error


def end(session: Session, freeze_id: int, *, by: str, reason: str, now: datetime) -> Freeze:
    """Write down who thawed it. Raises NotFound, FreezeError if it is thawed, Unprocessable without a reason."""
    before = _found(repository.get(session, freeze_id, lock=True), freeze_id)
    if before.thawed_at is not None:
        at = before.thawed_at.isoformat(timespec="minutes")
        msg = f"freeze {freeze_id} was thawed by {before.thawed_by} at {at} already"
        raise FreezeError(msg)
    why = words(reason)
    if not why:
        msg = "say why it may be answered again"
        raise Unprocessable(msg)
    person = ensure_person(session, by, now=now)
    repository.thaw(session, freeze_id, by=person, reason=why, now=now)
    return get(session, freeze_id)


def record(session: Session, freeze: Freeze, *, detail: dict[str, object], now: datetime) -> None:
    """The audit entry of a freeze that began or ended, with what followed from it."""
    thawed = freeze.thawed_by is not None
    audit.append(
        session,
        actor=freeze.thawed_by or freeze.by,
        action="freeze.end" if thawed else "freeze.begin",
        subject=f"freeze:{freeze.id}",
        detail={
            "topic": freeze.topic,
            "channel": freeze.channel,
            "holding_key": freeze.holding_key,
            "team": freeze.team,
            "drill": freeze.drill,
            "reason": freeze.thaw_reason if thawed else freeze.reason,
            **detail,
        },
        now=now,
    )


def _most_particular_first(freeze: Freeze) -> tuple[bool, bool, int]:
    return (not freeze.topic, not freeze.channel, -freeze.id)


def _named(freeze: Freeze) -> str:
    where = f" on {freeze.channel}" if freeze.channel else ""
    return f"{'a drill freezes' if freeze.drill else 'frozen is'} {freeze.subject}{where}"


def _found(freeze: Freeze | None, freeze_id: int) -> Freeze:
    if freeze is None:
        msg = f"there is no freeze {freeze_id}: `firstline freezes` shows them"
        raise NotFound(msg)
    return freeze
