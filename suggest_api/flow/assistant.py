"""First contact: the assistant hears one turn at a time, and says approved snippets or hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, PolicyError, WordingError
from knowledge_base.snippet import Revision
from knowledge_base.store import repository as knowledge
from knowledge_base.wording import fill
from suggest_api.bot_client.model import (
    OUTAGES,
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
from suggest_api.compliance import service as compliance
from suggest_api.conversations import bot_turns
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import (
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
    BotTurn,
    Conversation,
    TurnKind,
    is_word,
    sound_facts,
)
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import DraftState
from suggest_api.errors import Refused
from suggest_api.flow import circumstances
from suggest_api.flow.circumstances import HANDED_OVER, NOTICES, OPTED_IN, OPTED_OUT, OUTAGE
from suggest_api.flow.conversation import queue
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work
from suggest_api.values import Author, CheckedText, Use, new_id

log = get_logger(__name__)

ASSISTANT = "assistant"  # who decides about a draft that no person sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the assistant answered, and the session that heard the turn (None if it was not asked)."""

    items: tuple[BotItem, ...]
    heard_in: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One thing that the assistant may say: approved, filled, and let through by the gate."""

    checked: CheckedText
    snippet_key: str
    revision_id: int
    draft_id: str | None = None


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


def hand_over(
    desk: Desk,
    session: Session,
    *,
    conversation_id: str,
    item: HandOver,
    now: datetime,
) -> Conversation:
    """A person owes the reply: the summary goes into the log, and the customer is told.

    When nothing approved can be said, nothing is said: the gate fails closed.
    """
    summary = {
        "asked": item.asked,
        "intent": item.intent,
        "topic": item.topic,
        "collected": sound_facts(item.collected),
    }
    after = conversations.hand_over(
        session,
        conversation_id,
        reason=item.reason.value,
        summary=summary,
        facts=item.collected,
        now=now,
    )
    key = OUTAGE if item.reason in OUTAGES else HANDED_OVER
    return _tell(desk, session, after, key, now=now)


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
    if urgent is not None:  # no machine is asked what to say to this
        return Answer(items=(HandOver(reason=urgent, asked=turn.text),))
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
        return Answer(items=answer.items, heard_in=session_id)
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
    steps = _resolve(desk, session, conversation, items, asked=asked, now=now)
    outcome = _outcome(steps)
    bot_turns.settle(
        session, job, state="done", outcome=outcome, heard_in=answer.heard_in, now=now
    )
    if answer.heard_in is not None:
        conversation = conversations.heard_in(session, conversation, answer.heard_in, now=now)
    for step in steps:
        conversation = _take(desk, session, conversation, step, now=now)
    return outcome


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
            step = _snippet(
                desk, session, conversation, item.snippet_key, facts=item.facts, now=now
            )
        elif isinstance(item, SayDraft):
            step = _draft(desk, session, conversation, item.draft_id, now=now)
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
    desk: Desk, session: Session, conversation: Conversation, step: Step, *, now: datetime
) -> Conversation:
    match step:
        case Speech():
            return _speak(session, conversation, step, now=now)
        case HandOver():
            return hand_over(desk, session, conversation_id=conversation.id, item=step, now=now)
        case OptOut():
            after = conversations.opt_out(session, conversation.id, now=now)
            return _tell(desk, session, after, OPTED_OUT, now=now)
        case OptIn():
            after = conversations.opt_in(session, conversation.id, now=now)
            return _tell(desk, session, after, OPTED_IN, now=now)


def _tell(
    desk: Desk, session: Session, conversation: Conversation, key: str, *, now: datetime
) -> Conversation:
    """Say what happened, if that can be said."""
    speech = _snippet(desk, session, conversation, key, facts={}, now=now)
    return conversation if speech is None else _speak(session, conversation, speech, now=now)


def _speak(
    session: Session, conversation: Conversation, speech: Speech, *, now: datetime
) -> Conversation:
    if speech.draft_id is not None:
        drafts.accept(session, speech.draft_id, final=speech.checked, by=ASSISTANT, now=now)
    queue(
        session,
        conversation,
        speech.checked,
        author=Author.BOT,
        author_name=ASSISTANT,
        draft_id=speech.draft_id,
        snippet_key=speech.snippet_key,
        revision_id=speech.revision_id,
        now=now,
    )
    return conversations.get(session, conversation.id)


def _snippet(
    desk: Desk,
    session: Session,
    conversation: Conversation,
    key: str,
    *,
    facts: Mapping[str, str],
    now: datetime,
) -> Speech | None:
    """The live snippet of this key, filled and judged; None if it may not be said."""
    revision = _may_say(session, conversation, key, now=now)
    if revision is None:
        return None
    values = {**conversation.facts, **sound_facts(facts)}
    if conversation.first_name:
        values["first_name"] = conversation.first_name
    try:
        text = fill(revision.content.text, values=values).text
    except WordingError as error:
        log.error("assistant.unfilled", snippet_key=key, error_class=type(error).__name__)
        return None
    checked = _checked(desk, session, conversation, text, revision, now=now)
    if checked is None:
        return None
    return Speech(checked=checked, snippet_key=key, revision_id=revision.id)


def _draft(
    desk: Desk, session: Session, conversation: Conversation, draft_id: str, *, now: datetime
) -> Speech | None:
    """The draft that the assistant was offered; None unless all of it still stands."""
    try:
        draft = drafts.get(session, draft_id)
    except NotFound:
        log.error("assistant.draft_missing", conversation_id=conversation.id)
        return None
    stands = (
        draft.use is Use.ASSISTANT
        and draft.conversation_id == conversation.id
        and draft.state is DraftState.PROPOSED
    )
    revision = _may_say(session, conversation, draft.snippet_key, now=now)
    if not stands or revision is None or revision.id != draft.revision_id:
        log.error("assistant.draft_stale", draft_id=draft.id, conversation_id=conversation.id)
        return None
    checked = _checked(desk, session, conversation, draft.text, revision, now=now)
    if checked is None or checked.text != draft.text:
        return None
    return Speech(
        checked=checked,
        snippet_key=draft.snippet_key,
        revision_id=draft.revision_id,
        draft_id=draft.id,
    )


def _may_say(
    session: Session, conversation: Conversation, key: str, *, now: datetime
) -> Revision | None:
    """The live revision, if it may be sent without a person. A key has one language: none is asked for."""
    revision = knowledge.live_revision(session, key)
    if (
        revision is None
        or not revision.content.auto_send
        or not revision.in_scope(channel=conversation.channel, locale=None, now=now)
    ):
        log.error("assistant.snippet_unavailable", snippet_key=key)
        return None
    return revision


def _checked(
    desk: Desk,
    session: Session,
    conversation: Conversation,
    text: str,
    revision: Revision,
    *,
    now: datetime,
) -> CheckedText | None:
    """The text with a verdict that lets it out; a warning is for people to weigh, so it is a no here."""
    here = circumstances.around(
        desk, session, conversation, use=Use.ASSISTANT, revision=revision, now=now
    )
    channel, locale = conversation.channel, conversation.locale
    try:
        checked = compliance.check(desk.policy, text, channel=channel, locale=locale, here=here)
    except (Refused, PolicyError, WordingError) as error:
        log.error("assistant.refused", snippet_key=revision.key, error_class=type(error).__name__)
        return None
    return checked if checked.verdict.outcome.value == "pass" else None


def _lease(desk: Desk) -> timedelta:
    return timedelta(seconds=desk.settings.lease_seconds)
