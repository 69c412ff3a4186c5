"""First contact: the assistant hears one turn at a time, and says approved snippets or hands over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from knowledge_base.store import repository as knowledge
from suggest_api.bot_client.model import (
    BotItem,
    BotReply,
    HandOver,
    HandOverReason,
    NoAnswer,
    OptIn,
    OptOut,
    Say,
    SayDraft,
    neutralise,
)
from suggest_api.conversations import bot_turns
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import (
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
    BotTurn,
    Conversation,
    TurnKind,
    is_word,
)
from suggest_api.drafts import service as drafts
from suggest_api.flow import circumstances, speaking, withholding
from suggest_api.flow.circumstances import NOTICES, OPTED_IN, OPTED_OUT
from suggest_api.flow.desk import Desk
from suggest_api.flow.handing_over import hand_over
from suggest_api.flow.speaking import Speech
from suggest_api.freezes import service as freezes
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work
from suggest_api.values import new_id

log = get_logger(__name__)

# These tell the customer themselves that a colleague takes over: the notice would say it twice in a row.
ANNOUNCING = frozenset({"assistant.sorry_hear", "assistant.checking_order"})
# Why the assistant hands over matters more to whoever reads it than that the topic is frozen.
KEPT_REASONS = frozenset(
    {
        HandOverReason.ASKED_FOR_PERSON,
        HandOverReason.COMPLAINT,
        HandOverReason.VULNERABLE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the assistant answered, and the session that heard the turn (None if it was not asked).

    `about` is the topic of the customer's words where it was asked for: while something is frozen.
    """

    items: tuple[BotItem, ...]
    heard_in: str | None = None
    about: str = ""


def converse(desk: Desk) -> bool:
    """Let the assistant answer the next turn that it owes an answer to; False if there is none.

    It is asked outside any transaction; then one transaction writes all of the answer, and only if the
    assistant still owns the conversation. Raises StorageError.
    """
    with unit_of_work.read(desk.engine) as session:
        if not bot_turns.anything_free(session, now=desk.clock()):
            return False
    with unit_of_work.write(desk.engine) as session:
        job = bot_turns.take(session, lease=_lease(desk), now=desk.clock())
    if job is None:
        return False
    answer = _ask(desk, job)
    if answer is None:
        log.warning("bot_turn.lost", bot_turn_id=job.id)
        return True
    with unit_of_work.write(desk.engine) as session:
        outcome = _conclude(desk, session, job, answer, now=desk.clock())
    log.info(
        "bot_turn.settled",
        bot_turn_id=job.id,
        conversation_id=job.conversation.id,
        outcome=outcome,
        attempt=job.attempts,
    )
    return True


def _ask(desk: Desk, job: BotTurn) -> Answer | None:
    """What the assistant answers; None if the lease was lost. No transaction is open here."""
    turn, conversation = job.turn, job.conversation
    text = neutralise(turn.text)
    if not conversation.bot_may_speak and not is_word(text, OPT_IN_WORDS):
        return Answer(items=())  # a person has it by now; the transaction that follows says so
    # These two words work even when the assistant is down.
    if is_word(text, OPT_OUT_WORDS):
        return Answer(items=(OptOut(),))
    if conversation.opted_out_at is not None:
        return Answer(items=(OptIn(),))
    if turn.kind is TurnKind.UNSUPPORTED or not text:
        return Answer(items=(HandOver(reason=HandOverReason.NOTHING_TO_READ),))
    with unit_of_work.read(desk.engine) as session:
        urgent = circumstances.hand_over_reason(desk, session, conversation)
        frozen = freezes.in_force(session).of(conversation.channel)
    if urgent is not None:  # no machine is asked what to say to this
        return Answer(items=(HandOver(reason=urgent, asked=turn.text),))
    about = ""
    if frozen.freezes:
        if frozen.everything(channel=conversation.channel) is None:
            about = withholding.topic_asked(desk, conversation, text)
        if frozen.on(about, channel=conversation.channel) is not None:
            item = HandOver(reason=HandOverReason.FROZEN, asked=turn.text, topic=about)
            return Answer(items=(item,))
    if desk.bot is None:
        return _failed(job, NoAnswer(HandOverReason.NO_ASSISTANT, "no assistant is configured"))
    session_id = job.session or new_id()
    answer: BotReply | NoAnswer | None = None
    # A fresh session is told what the lost one had heard, so that a form goes on where it was.
    for said in (*job.earlier, text):
        with unit_of_work.write(desk.engine) as session:
            if not bot_turns.renew(session, job, lease=_lease(desk), now=desk.clock()):
                return None
        answer = desk.bot.turn(
            said,
            session_id=session_id,
            conversation_id=conversation.id,
            channel=conversation.channel,
            locale=conversation.locale,
        )
        if isinstance(answer, NoAnswer) and answer.reason is not HandOverReason.BOT_SILENT:
            return _failed(job, answer)
    if isinstance(answer, BotReply):
        return Answer(items=answer.items, heard_in=session_id, about=about)
    return _failed(job, answer or NoAnswer(HandOverReason.BOT_SILENT, "nothing was asked"))


def _failed(job: BotTurn, failure: NoAnswer) -> Answer:
    log.warning(
        "assistant.failed",
        conversation_id=job.conversation.id,
        reason=failure.reason.value,
        detail=failure.detail,
    )
    return Answer(items=(HandOver(reason=failure.reason, asked=job.turn.text),))


def _conclude(desk: Desk, session: Session, job: BotTurn, answer: Answer, *, now: datetime) -> str:
    """Write all of the answer, or none of it; returns the outcome."""
    conversation = conversations.lock(session, job.conversation.id)
    if not bot_turns.holds(session, job):
        return "lost"
    opting_in = answer.items == (OptIn(),) and conversation.assignee is None
    if not (conversation.bot_may_speak or opting_in) or not answer.items:
        bot_turns.settle(session, job, state="skipped", outcome="not_ours", heard_in=None, now=now)
        return "not_ours"
    asked, items = job.turn.text, answer.items
    urgent = circumstances.hand_over_reason(desk, session, conversation)
    if urgent is not None and any(isinstance(item, Say | SayDraft) for item in items):
        items = (HandOver(reason=urgent, asked=asked),)  # the customer wrote it meanwhile
    items = _unfrozen(session, conversation, items, about=answer.about, asked=asked)
    steps = _resolve(desk, session, conversation, items, asked=asked, now=now)
    outcome = _outcome(steps)
    bot_turns.settle(
        session, job, state="done", outcome=outcome, heard_in=answer.heard_in, now=now
    )
    if answer.heard_in is not None:
        conversation = conversations.heard_in(session, conversation, answer.heard_in, now=now)
    told = any(isinstance(s, Speech) and s.snippet_key in ANNOUNCING for s in steps)
    for step in steps:
        conversation = _take(desk, session, conversation, step, told=told, now=now)
    return outcome


def _unfrozen(
    session: Session,
    conversation: Conversation,
    items: tuple[BotItem, ...],
    *,
    about: str,
    asked: str,
) -> tuple[BotItem, ...]:
    """The items, or one hand-over to the team in their place where something of them is frozen by now.

    The customer's own switch works whatever is frozen.
    """
    channel = conversation.channel
    frozen = freezes.in_force(session).of(channel)
    if not frozen.freezes or any(isinstance(item, OptOut | OptIn) for item in items):
        return items
    handed = next((item for item in items if isinstance(item, HandOver)), None)
    holding = frozen.holding_keys(channel=channel)
    topics = [about, *(_topic(session, item, holding=holding) for item in items)]
    stopped = [topic for topic in topics if frozen.on(topic, channel=channel) is not None]
    if not stopped:
        return items
    topic = next((topic for topic in stopped if topic), "")
    if handed is None:
        return (HandOver(reason=HandOverReason.FROZEN, asked=asked, topic=topic),)
    reason = handed.reason if handed.reason in KEPT_REASONS else HandOverReason.FROZEN
    return (replace(handed, reason=reason, topic=topic or handed.topic),)


def _topic(session: Session, item: BotItem, *, holding: Collection[str]) -> str:
    """What an item is about; '' for what cannot be told, and for a holding statement."""
    key = ""
    match item:
        case HandOver(topic=topic):
            return topic
        case Say(snippet_key=said):
            key = said
        case SayDraft(draft_id=draft_id):
            key = drafts.snippet_key_of(session, draft_id)
    revision = None if key in holding else knowledge.live_revision(session, key)
    return "" if revision is None else revision.content.topic


Step = Speech | HandOver | OptOut | OptIn


def _resolve(
    desk: Desk,
    session: Session,
    conversation: Conversation,
    items: tuple[BotItem, ...],
    *,
    asked: str,
    now: datetime,
) -> tuple[Step, ...]:
    """Each item as something that can be done; the first that cannot be becomes a hand-over."""
    steps: list[Step] = []
    for item in items:
        # The service says these itself when it happens, so that the customer is told even when the assistant
        # is down; said by the assistant too, they would come twice.
        if isinstance(item, Say) and item.snippet_key in NOTICES and len(items) > 1:
            continue
        step: Step | None
        if isinstance(item, Say):
            step = speaking.of_snippet(
                desk, session, conversation, item.snippet_key, facts=item.facts, now=now
            )
        elif isinstance(item, SayDraft):
            step = speaking.of_draft(desk, session, conversation, item.draft_id, now=now)
        else:
            step = item
        steps.append(step or HandOver(reason=HandOverReason.ANSWER_UNAVAILABLE, asked=asked))
        if isinstance(steps[-1], HandOver):
            break  # a person has the word now
    return tuple(steps)


def _outcome(steps: tuple[Step, ...]) -> str:
    match next((s for s in reversed(steps) if not isinstance(s, Speech)), steps[-1]):
        case HandOver():
            return "handed_over"
        case OptOut():
            return "opted_out"
        case OptIn():
            return "opted_in"
        case Speech():
            return "answered"


def _take(
    desk: Desk,
    session: Session,
    conversation: Conversation,
    step: Step,
    *,
    told: bool,
    now: datetime,
) -> Conversation:
    match step:
        case Speech():
            return speaking.speak(session, conversation, step, now=now)
        case HandOver():
            return hand_over(
                desk, session, conversation_id=conversation.id, item=step, now=now, told=told
            )
        case OptOut():
            after = conversations.opt_out(session, conversation.id, now=now)
            return speaking.tell(desk, session, after, OPTED_OUT, now=now) or after
        case OptIn():
            after = conversations.opt_in(session, conversation.id, now=now)
            return speaking.tell(desk, session, after, OPTED_IN, now=now) or after


def _lease(desk: Desk) -> timedelta:
    return timedelta(seconds=desk.settings.lease_seconds)
