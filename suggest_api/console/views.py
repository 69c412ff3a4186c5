"""What the pages show of a conversation: read from the stages, put into the words of the templates."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, PolicyUnavailable, WordingError
from knowledge_base.policy import Finding
from knowledge_base.wording import clean_customer_text, measure
from suggest_api import flow
from suggest_api.access.model import Identity
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation, Turn, TurnKind
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import Draft, difference
from suggest_api.errors import DraftError, Refused
from suggest_api.flow import Desk
from suggest_api.storage import unit_of_work
from suggest_api.values import (
    Abstention,
    Author,
    Facts,
    Message,
    Owner,
    SuggestionRequest,
    SuggestionResponse,
)

DRAFTS = 3  # keys 1 to 3
CONTEXT = 6  # turns that a question may lean on; older ones belong to another question

SILENCE = {
    Abstention.EMPTY_QUERY: "The customer has not written anything yet.",
    Abstention.NO_GENERATION: "No approved answers are loaded. Ask an admin to run the build.",
    Abstention.NOTHING_IN_SCOPE: "No approved answer is valid for this channel at the moment.",
    Abstention.NO_CONFIDENT_MATCH: "No approved answer fits well enough. Please write your own.",
    Abstention.FACTS_MISSING: "The approved answers that fit need facts that are not known yet.",
    Abstention.POLICY_BLOCKED: "The approved answers that fit are held back by policy.",
    Abstention.POLICY_UNAVAILABLE: "No policy is loaded, so nothing may be suggested or sent.",
    Abstention.RANKING_FAILED: "The search failed. Please write your own reply.",
    Abstention.NEEDS_PERSON: "This customer needs care, so no ready answer is offered. Please write your own.",
    Abstention.OPTED_OUT: "The customer asked for no more messages and has not written since.",
    Abstention.WINDOW_CLOSED: "The network does not let us answer until the customer writes again.",
    Abstention.TOPIC_FROZEN: "Nothing is said about this at the moment.",
    Abstention.NOT_CURRENT: "The approved answers that fit may not be used here any more.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFinding:
    """A finding with the words it is about."""

    severity: str
    reason: str
    mend: str
    quoted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A piece of the final text beside the approved one: `op` is equal, insert or delete."""

    op: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What stands in the composer, as it was last submitted."""

    text: str = ""
    draft_id: str = ""
    reason: str = ""
    problem: str = ""


def inbox(
    session: Session,
    *,
    open_id: str | None,
    teams: Collection[str] = (),
    team: str | None = None,
) -> dict[str, Any]:
    """Both lists of the inbox: everything, with what somebody's `teams` have first, or what one `team` has."""
    return {
        "waiting": conversations.waiting(session, teams=teams, team=team),
        "others": conversations.others(session, team=team),
        "teams": conversations.teams(session),
        "team": team,
        "open_id": open_id,
    }


def thread(session: Session, conversation: Conversation) -> dict[str, Any]:
    """Everything said and done, each reply with what became of it."""
    turns = flow.thread(session, conversation.id)
    newest = max((turn.seq for turn in turns if turn.author is Author.CUSTOMER), default=0)
    return {"conversation": conversation, "turns": turns, "last_customer_turn": newest}


def story(turns: Iterable[Turn]) -> dict[str, Any] | None:
    """What the newest hand-over told: asked, reason, topic; None before the first."""
    for turn in reversed(tuple(turns)):
        if turn.kind is TurnKind.HAND_OVER:
            # The assistant repeats what the customer wrote, and it goes through the same cleaning.
            asked = clean_customer_text(str(turn.detail.get("asked") or "")).text.strip()
            return {
                "asked": asked,
                "reason": turn.detail.get("reason", ""),
                "topic": turn.detail.get("topic"),
            }
    return None


def ownership(conversation: Conversation, who: Identity) -> dict[str, Any]:
    """Whether this person may answer, and if not, why."""
    if conversation.owner is Owner.BOT:
        return {"mine": False, "why_not_mine": "Take over to answer."}
    mine = conversation.assignee in (None, who.name)
    return {"mine": mine, "why_not_mine": "" if mine else f"{conversation.assignee} has this one."}


def assistant_may(desk: Desk, conversation: Conversation) -> bool:
    """Whether there is an assistant to give this conversation to."""
    return desk.bot is not None and conversation.opted_out_at is None


def composer(
    desk: Desk,
    session: Session,
    conversation: Conversation,
    *,
    who: Identity,
    composed: Composed,
) -> dict[str, Any]:
    """The composer with counts, verdict and the difference from the approved text."""
    composed = _inserted(session, composed, conversation)
    outcome, findings, drift = _verdict(desk, session, composed, conversation)
    return {
        **ownership(conversation, who),
        "conversation": conversation,
        "text": composed.text,
        "draft_id": composed.draft_id,
        "reason": composed.reason,
        "problem": composed.problem,
        "length": measure(composed.text),
        "outcome": outcome,
        "findings": findings,
        "drift": drift,
        "change": _change(session, composed, conversation),
    }


def suggestions(
    desk: Desk, conversation_id: str, *, who: Identity, again: bool = False
) -> dict[str, Any]:
    """The conversation with up to three drafts for what the customer said last, or why there is none.

    Once a person has answered there are none until the customer writes, unless somebody asks `again`.
    """
    with unit_of_work.read(desk.engine) as session:
        conversation = conversations.get(session, conversation_id)
        turns = conversations.thread(session, conversation_id)
    said = [turn for turn in turns if turn.kind is TurnKind.SAID and turn.text]
    shown: dict[str, Any] = {"conversation": conversation}
    spoke = next((turn.author for turn in reversed(said) if turn.author is not Author.BOT), None)
    # Somebody whose answer was stopped on its way waits again, though we spoke last.
    if spoke is Author.PERSON and conversation.waiting_since is None and not again:
        silence = "Answered. New drafts come when the customer writes."
        return {**shown, "drafts": (), "silence": silence, "again": True}
    request = SuggestionRequest(
        channel=conversation.channel,
        messages=tuple(Message(turn.author, turn.text) for turn in said[-CONTEXT:]),
        conversation_id=conversation.id,
        facts=Facts(agent_name=who.name.split()[0]),
        limit=DRAFTS,
    )
    response: SuggestionResponse = flow.suggest(desk, request)
    silence = _silence(response)
    return {**shown, "drafts": response.suggestions, "silence": silence, "again": False}


def _silence(response: SuggestionResponse) -> str:
    """Why there is nothing to choose from; what is frozen is told with who froze it and why."""
    if response.reason is None:
        return ""
    freeze = next((freeze for freeze in response.frozen if not freeze.drill), None)
    if response.reason is not Abstention.TOPIC_FROZEN or freeze is None:
        return SILENCE[response.reason]
    what = f"{freeze.subject} is frozen by {freeze.by}: {freeze.reason}"
    return f"{what[:1].upper()}{what[1:]} Leave it to {freeze.team}."


def _verdict(
    desk: Desk, session: Session, composed: Composed, conversation: Conversation
) -> tuple[str, tuple[ShownFinding, ...], int | None]:
    """The outcome, the findings, and how many per cent differ from the approved text (None without one)."""
    text = composed.text
    if not text:
        return "", (), None
    draft_id = composed.draft_id or None
    if draft_id is not None and _draft(session, draft_id, conversation) is None:
        draft_id = None
    try:
        told = flow.judge_reply(desk, session, conversation, text, draft_id=draft_id)
    except (PolicyUnavailable, WordingError, DraftError) as error:
        blocked = ShownFinding(severity="block", reason=str(error), mend="", quoted="")
        return "block", (blocked,), None
    if isinstance(told, Refused):
        return "block", shown(told.findings, text), None
    drift = None if told.drift is None else round(100 * told.drift["share"])
    verdict = told.verdict
    return verdict.outcome.value, shown(verdict.findings, text), drift


def shown(findings: Iterable[Finding], text: str) -> tuple[ShownFinding, ...]:
    """Findings with the words of the text that they are about."""
    return tuple(
        ShownFinding(
            severity=finding.severity.value,
            reason=finding.reason,
            mend=finding.mend,
            quoted="" if finding.span is None else text[slice(*finding.span)],
        )
        for finding in findings
    )


def care(desk: Desk, session: Session, conversation: Conversation) -> tuple[str, ...]:
    """What in the customer's words needs a person."""
    return flow.needs_care(desk, session, conversation)


def _inserted(session: Session, composed: Composed, conversation: Conversation) -> Composed:
    """A draft that was chosen and nothing written yet: its text, as it was approved."""
    if composed.text or not composed.draft_id:
        return composed
    draft = _draft(session, composed.draft_id, conversation)
    return composed if draft is None else replace(composed, text=draft.text)


def _draft(session: Session, draft_id: str, conversation: Conversation) -> Draft | None:
    """The draft, if it was offered in this conversation."""
    try:
        draft = drafts.get(session, draft_id)
    except NotFound:
        return None
    return draft if draft.conversation_id == conversation.id else None


def _change(
    session: Session, composed: Composed, conversation: Conversation
) -> tuple[Change, ...]:
    """The approved text and the present one, piece by piece; empty when they are the same."""
    if not composed.draft_id or not composed.text:
        return ()
    draft = _draft(session, composed.draft_id, conversation)
    if draft is None or draft.text == composed.text:
        return ()
    pieces, done = [], 0
    for step in difference(draft.text, composed.text):
        start, end = step["approved"]
        pieces.append(Change(op="equal", text=draft.text[done:start]))
        pieces.append(Change(op="delete", text=step["was"]))
        pieces.append(Change(op="insert", text=step["is"]))
        done = end
    pieces.append(Change(op="equal", text=draft.text[done:]))
    return tuple(piece for piece in pieces if piece.text)
