"""What happens in a conversation: turns are recorded, the reply changes hands, people see who waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.store.tables import NAME
from knowledge_base.wording import clean_customer_text
from suggest_api.conversations import bot_turns, repository
from suggest_api.conversations.model import (
    OPT_OUT_WORDS,
    Conversation,
    InboxItem,
    NewTurn,
    Turn,
    TurnKind,
    first_name_in,
    is_word,
)
from suggest_api.values import Author, Owner

MAX_NAME = 120  # characters of a display name that are kept
MAX_LOCALE = 35  # characters of a language tag (BCP 47 section 4.4.1)
DEFAULT_LOCALE = "en"
# A network's clock may run ahead of ours; a message from further in the future is dated now, because it
# would stay at the end of the thread for ever.
CLOCK_LEAD = timedelta(minutes=5)
LIST_LIMIT = 200  # conversations on one page


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a customer's message is recorded from; texts and names as they came.

    `said_at` is the network's time, `received_at` ours.
    """

    channel: str
    account: str
    peer: str
    external_id: str
    display_name: str
    locale: str | None
    text: str
    supported: bool
    said_at: datetime | None
    received_at: datetime
    inbox_event_id: int | None


def record_customer_turn(session: Session, heard: Heard, *, now: datetime) -> Turn | None:
    """Write down what the customer said, and say who owes the reply; None if we know the message.

    The same message changes nothing the second time. The assistant gets a job if it owns the reply.
    """
    name = _one_line(heard.display_name)
    before = repository.find_or_create(
        session,
        channel=heard.channel,
        account=heard.account,
        peer=heard.peer,
        display_name=name,
        first_name=first_name_in(name),
        locale=_locale(heard.locale),
        now=now,
    )
    if repository.knows_message(session, before.id, heard.external_id):
        return None
    said_at = heard.said_at or heard.received_at
    if said_at > heard.received_at + CLOCK_LEAD:
        said_at = heard.received_at
    cleaned = clean_customer_text(heard.text)
    said = NewTurn(
        kind=TurnKind.SAID if heard.supported else TurnKind.UNSUPPORTED,
        author=Author.CUSTOMER,
        said_at=said_at,
        text=cleaned.text.strip(),
        detail={"changed": True, "truncated": cleaned.truncated} if cleaned.was_changed else {},
        external_id=heard.external_id,
        inbox_event_id=heard.inbox_event_id,
    )
    current, turn = repository.append(session, before, said, now=now)
    current = _renamed(current, name).hear(turn.text, said_at=said_at, now=now)
    current = _switched(session, before, current, turn, now=now)
    if current.bot_may_speak or current.asks_for_assistant(turn.text):
        bot_turns.add(session, turn, now=now)
    repository.save(session, before, current, now=now)
    return turn


def get(session: Session, conversation_id: str) -> Conversation:
    """The conversation; raises NotFound."""
    return repository.get(session, conversation_id)


def thread(session: Session, conversation_id: str) -> tuple[Turn, ...]:
    """Everything said and done, oldest first by the network's time."""
    return repository.thread(session, conversation_id)


def latest(session: Session, conversation_id: str, *, limit: int) -> tuple[Turn, ...]:
    """The newest entries of the log, in the order in which we learned them."""
    return repository.latest(session, conversation_id, limit=limit)


def waiting(
    session: Session, *, teams: Collection[str] = (), team: str | None = None
) -> tuple[InboxItem, ...]:
    """Who waits for a person, longest first; those of `teams` before all others, or of one `team` only."""
    return repository.items(session, waiting=True, limit=LIST_LIMIT, teams=teams, team=team)


def others(
    session: Session, *, teams: Collection[str] = (), team: str | None = None
) -> tuple[InboxItem, ...]:
    """Who waits for nobody: with the assistant, or answered; newest change first. `teams` as for `waiting`."""
    return repository.items(session, waiting=False, limit=LIST_LIMIT, teams=teams, team=team)


def teams(session: Session) -> tuple[str, ...]:
    """The teams for which somebody waits."""
    return repository.teams(session)


def on_topic(session: Session, *, topic: str, channel: str) -> tuple[Conversation, ...]:
    """Who waits for a person about this topic ('' is any) on this channel ('' is all)."""
    return repository.on_topic(session, topic=topic, channel=channel)


def of_team(session: Session, team: str) -> tuple[Conversation, ...]:
    """What a team has and nobody has taken."""
    return repository.of_team(session, team)


def give_to_team(session: Session, ids: Collection[str], *, team: str, now: datetime) -> int:
    """Let a team have these conversations ('' is everybody); returns how many changed hands.

    Who has taken one keeps it.
    """
    return repository.give_to_team(session, ids, team=team, now=now)


def inbox_state(session: Session) -> tuple[tuple[str, int], ...]:
    """Ids and versions of what people see in the inbox: it changed when this did."""
    return repository.versions(session)


def lock(session: Session, conversation_id: str) -> Conversation:
    """The conversation, held until the transaction ends; raises NotFound."""
    return repository.lock(session, conversation_id)


def claim(
    session: Session, conversation_id: str, *, by: str, version: int, now: datetime
) -> Conversation:
    """`by` owns the reply: compare-and-set on the version; raises OwnershipLost, NotFound.

    Whatever the assistant still had to answer here is left to the person.
    """
    before = repository.lock(session, conversation_id)
    after = before.claimed(by=by, version=version)
    left = bot_turns.skip_open(session, before.id, outcome="claimed", now=now)
    if left:
        after = replace(after, waiting_since=after.waiting_since or now)
    if before.assignee != by:
        after, _ = _note(session, after, TurnKind.CLAIM, by=by, detail={}, now=now)
    return repository.save(session, before, after, now=now)


def release(
    session: Session, conversation_id: str, *, by: str, version: int, to: Owner, now: datetime
) -> Conversation:
    """`by` gives it back to the assistant or to the waiting list; raises OwnershipLost, NotFound."""
    before = repository.lock(session, conversation_id)
    after = before.released(by=by, version=version, to=to, now=now)
    after, _ = _note(session, after, TurnKind.RELEASE, by=by, detail={"to": to.value}, now=now)
    return repository.save(session, before, after, now=now)


def hand_over(
    session: Session,
    conversation_id: str,
    *,
    reason: str,
    summary: Mapping[str, Any],
    facts: Mapping[str, str],
    now: datetime,
    team: str = "",
) -> Conversation:
    """A person owes the reply from now on; `summary` (asked, intent, topic, collected) goes into the log.

    `team` gets it where the topic is frozen.
    """
    before = repository.lock(session, conversation_id)
    topic = str(summary.get("topic") or "")[:NAME]
    after = before.handed_over(facts=facts, topic=topic, team=team, now=now)
    bot_turns.skip_open(session, before.id, outcome="handed_over", now=now)
    detail = {"reason": reason, **summary}
    after, _ = _note(session, after, TurnKind.HAND_OVER, by="", detail=detail, now=now)
    return repository.save(session, before, after, now=now)


def reply_stopped(
    session: Session, conversation_id: str, *, detail: Mapping[str, Any], team: str, now: datetime
) -> Conversation:
    """A reply here was stopped on its way, as `detail` tells: the customer waits again, for a person.

    Who has the conversation keeps it; `team` ('' leaves it as it is) gets it otherwise.
    """
    before = repository.lock(session, conversation_id)
    bot_turns.skip_open(session, before.id, outcome="reply_stopped", now=now)
    after = replace(before.unanswered(now=now), team=team or before.team)
    after, _ = _note(session, after, TurnKind.NOTE, by="", detail=detail, now=now)
    return repository.save(session, before, after, now=now)


def opt_out(session: Session, conversation_id: str, *, now: datetime) -> Conversation:
    """The customer wants no automated replies."""
    before = repository.lock(session, conversation_id)
    after = before.opted_out(now=now)
    after, _ = _note(session, after, TurnKind.OPT_OUT, by="", detail={}, now=now)
    return repository.save(session, before, after, now=now)


def opt_in(session: Session, conversation_id: str, *, now: datetime) -> Conversation:
    """The customer wants automated replies again."""
    before = repository.lock(session, conversation_id)
    after = before.opted_in()
    after, _ = _note(session, after, TurnKind.OPT_IN, by="", detail={}, now=now)
    return repository.save(session, before, after, now=now)


def said(
    session: Session,
    conversation: Conversation,
    text: str,
    *,
    author: Author,
    author_name: str = "",
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> tuple[Conversation, Turn]:
    """We say something: the next entry of the log. `conversation` is locked; what it becomes is saved."""
    after = conversation.answered(by=author_name) if author is Author.PERSON else conversation
    turn = NewTurn(
        kind=TurnKind.SAID,
        author=author,
        author_name=author_name,
        text=text,
        detail=detail or {},
        said_at=now,
    )
    after, written = repository.append(session, after, turn, now=now)
    return repository.save(session, conversation, after, now=now), written


def heard_in(
    session: Session, conversation: Conversation, session_id: str, *, now: datetime
) -> Conversation:
    """The assistant heard the customer in this session, which goes on."""
    if conversation.bot_session != session_id:
        bot_turns.move_session(session, conversation, to=session_id)
    return repository.save(
        session, conversation, conversation.in_session(session_id, now=now), now=now
    )


def _switched(
    session: Session,
    before: Conversation,
    current: Conversation,
    turn: Turn,
    *,
    now: datetime,
) -> Conversation:
    """STOP to a person still switches the assistant off for later."""
    if (
        before.owner is Owner.PERSON
        and before.opted_out_at is None
        and is_word(turn.text, OPT_OUT_WORDS)
    ):
        current, _ = _note(session, current, TurnKind.OPT_OUT, by="", detail={}, now=now)
        return current.opted_out(now=now)
    return current


def _note(
    session: Session,
    conversation: Conversation,
    kind: TurnKind,
    *,
    by: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> tuple[Conversation, Turn]:
    author = Author.PERSON if by else Author.SYSTEM
    turn = NewTurn(kind=kind, author=author, author_name=by, detail=detail, said_at=now)
    return repository.append(session, conversation, turn, now=now)


def _renamed(conversation: Conversation, name: str) -> Conversation:
    if not name or name == conversation.display_name:
        return conversation
    return replace(conversation, display_name=name, first_name=first_name_in(name))


def _one_line(name: str) -> str:
    return " ".join(clean_customer_text(name, cap=MAX_NAME).text.split())


def _locale(given: str | None) -> str:
    if given and len(given) <= MAX_LOCALE and given.isascii() and given.replace("-", "").isalnum():
        return given
    return DEFAULT_LOCALE
