"""What the assistant may say: approved words, filled, judged here and now, and queued; or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, PolicyError, WordingError
from knowledge_base.snippet import Revision
from knowledge_base.store import repository as knowledge
from knowledge_base.wording import fill
from suggest_api.compliance import service as compliance
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation, sound_facts
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import DraftState
from suggest_api.errors import Refused
from suggest_api.flow import circumstances
from suggest_api.flow.conversation import queue
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.values import Author, CheckedText, Use

log = get_logger(__name__)

ASSISTANT = "assistant"  # who decides about a draft that no person sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One thing that the assistant may say: approved, filled, and let through by the gate."""

    checked: CheckedText
    snippet_key: str
    revision_id: int
    draft_id: str | None = None


def tell(
    desk: Desk, session: Session, conversation: Conversation, key: str, *, now: datetime
) -> Conversation | None:
    """Say what happened; None if that cannot be said."""
    speech = of_snippet(desk, session, conversation, key, facts={}, now=now)
    return None if speech is None else speak(session, conversation, speech, now=now)


def speak(
    session: Session, conversation: Conversation, speech: Speech, *, now: datetime
) -> Conversation:
    """Queue it, and accept the draft that it was. `conversation` is locked."""
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


def of_snippet(
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


def of_draft(
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
        policy = desk.policies.at(session)
        checked = compliance.check(policy, text, channel=channel, locale=locale, here=here)
    except (Refused, PolicyError, WordingError) as error:
        log.error("assistant.refused", snippet_key=revision.key, error_class=type(error).__name__)
        return None
    return checked if checked.verdict.outcome.value == "pass" else None
