"""Who owes the reply, and the reply of a person: claimed, judged on its final text, queued, recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.policy import Outcome
from knowledge_base.store import audit
from knowledge_base.wording import normalise
from suggest_api.compliance import service as compliance
from suggest_api.compliance.drift import Drift, measure_drift
from suggest_api.compliance.model import Circumstances
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation, Turn
from suggest_api.delivery import service as delivery
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import Draft, DraftState
from suggest_api.errors import (
    DraftDecided,
    DraftDiffers,
    OwnershipLost,
    ReasonNeeded,
    Refused,
    Unprocessable,
)
from suggest_api.flow import circumstances
from suggest_api.flow.desk import Desk
from suggest_api.flow.phrasings import propose_phrasing
from suggest_api.values import Author, CheckedText, Owner, Use, canonical_json, sha256

REWRITTEN = "rewritten"  # why a draft is dismissed when the text it became is another one


def claim(
    desk: Desk, session: Session, conversation_id: str, *, by: str, version: int
) -> Conversation:
    """`by` owns the reply, and the assistant is silent from here on: what it had queued is withdrawn.

    Raises OwnershipLost if the conversation changed since `version` or somebody else has it.
    """
    now = desk.clock()
    before = conversations.lock(session, conversation_id)
    after = conversations.claim(session, conversation_id, by=by, version=version, now=now)
    withdrawn = delivery.withdraw_bot_replies(session, conversation_id, now=now)
    if after.version != before.version:
        detail = {"from": before.owner.value, "withdrawn": withdrawn}
        _record(session, "conversation.claim", conversation_id, by=by, detail=detail, now=now)
    return after


def release(
    desk: Desk,
    session: Session,
    conversation_id: str,
    *,
    by: str,
    version: int,
    to: Owner = Owner.BOT,
) -> Conversation:
    """`by` gives the conversation back to the assistant, or to the people who wait for work.

    Raises OwnershipLost as `claim` does.
    """
    now = desk.clock()
    after = conversations.release(session, conversation_id, by=by, version=version, to=to, now=now)
    detail = {"to": to.value}
    _record(session, "conversation.release", conversation_id, by=by, detail=detail, now=now)
    return after


def reply(
    desk: Desk,
    session: Session,
    *,
    conversation_id: str,
    draft_id: str | None,
    text: str,
    by: str,
    reason: str | None = None,
    version: int | None = None,
) -> Turn:
    """Queue what an agent wrote, or made of a draft. The verdict is taken on the final text, here and now.

    `version`, where given, is the conversation that the agent saw. An unclaimed conversation is claimed.
    Raises UnusableText, Unprocessable (an empty text), Refused (a rule blocks), ReasonNeeded (a rule warns
    and `reason` is empty), OwnershipLost, DraftDecided, DraftDiffers, NotFound; nothing is written then.
    """
    final = normalise(text)
    if not final:
        msg = "the reply is empty: choose a draft or write something"
        raise Unprocessable(msg)
    seen = conversations.lock(session, conversation_id)
    if version is not None and version != seen.version:
        msg = "the conversation changed in between: look at it again before you answer"
        raise OwnershipLost(msg)
    draft = _offered(session, draft_id, seen)
    source = _source(desk, draft, final)
    here = _here(desk, session, seen, source)
    checked = compliance.check(
        desk.policies.at(session), final, channel=seen.channel, locale=seen.locale, here=here
    )
    require_reason(checked, reason)
    owned = claim(desk, session, conversation_id, by=by, version=seen.version)
    now = desk.clock()  # after the claim, which comes before the reply in the thread
    if source.draft is not None:
        drafts.accept(session, source.draft.id, final=checked, by=by, reason=reason, now=now)
        if checked.text == source.draft.text:
            propose_phrasing(desk, session, source.draft, now=now)
    elif draft is not None:
        drafts.dismiss(session, draft.id, by=by, reason=REWRITTEN, now=now)
    return queue(
        session,
        owned,
        checked,
        author=Author.PERSON,
        author_name=by,
        draft_id=source.draft.id if source.draft else None,
        snippet_key=source.draft.snippet_key if source.draft else None,
        revision_id=source.draft.revision_id if source.draft else None,
        left_draft=draft.id if draft and not source.draft else None,
        reason=reason,
        now=now,
    )


def judge_reply(
    desk: Desk, session: Session, conversation: Conversation, text: str, *, draft_id: str | None
) -> CheckedText | Refused:
    """What `reply` would say to this text now, for whoever is writing it; nothing is changed.

    Raises UnusableText, DraftDiffers, DraftDecided, NotFound and PolicyUnavailable as `reply` does.
    """
    final = normalise(text)
    source = _source(desk, _offered(session, draft_id, conversation), final)
    here = _here(desk, session, conversation, source)
    channel, locale = conversation.channel, conversation.locale
    try:
        policy = desk.policies.at(session)
        return compliance.check(policy, final, channel=channel, locale=locale, here=here)
    except Refused as error:
        return error


def require_reason(checked: CheckedText, reason: str | None) -> None:
    """Raise ReasonNeeded if the gate warns about a text and nobody says why to send it all the same."""
    if checked.verdict.outcome is Outcome.warn and not (reason or "").strip():
        msg = "the gate warns about this text: give a reason to send it all the same"
        raise ReasonNeeded(msg, findings=tuple(checked.verdict.findings))


def queue(
    session: Session,
    conversation: Conversation,
    checked: CheckedText,
    *,
    author: Author,
    author_name: str,
    draft_id: str | None,
    snippet_key: str | None,
    revision_id: int | None,
    left_draft: str | None = None,
    reason: str | None = None,
    now: datetime,
) -> Turn:
    """Write the turn, the outbox row and the audit entry of a reply, in one transaction.

    `conversation` is locked. The audit entry names the text by its hash only. `left_draft` is a draft that the
    text began as and has nothing to do with any more.
    """
    origin = {
        "draft_id": draft_id,
        "snippet_key": snippet_key,
        "revision_id": revision_id,
        "left_draft": left_draft,
        "written_freely": True if revision_id is None else None,
        "drift": None if checked.drift is None else dict(checked.drift),
    }
    _, turn = conversations.said(
        session,
        conversation,
        checked.text,
        author=author,
        author_name=author_name,
        detail={name: value for name, value in origin.items() if value is not None},
        now=now,
    )
    outbox_id = delivery.enqueue(
        session,
        checked,
        conversation_id=conversation.id,
        turn_id=turn.id,
        author=author,
        author_name=author_name,
        draft_id=draft_id,
        revision_id=revision_id,
        now=now,
    )
    detail = {
        **origin,
        "outbox_id": outbox_id,
        "text_sha256": checked.sha256,
        "policy_version": checked.verdict.policy_version,
        "verdict": checked.verdict.outcome.value,
        "verdict_sha256": sha256(canonical_json(checked.verdict_json())),
        "rules": sorted({finding.rule_id for finding in checked.verdict.findings}),
        "reason": reason,
    }
    actor = author_name or author.value
    _record(session, "reply.queue", conversation.id, by=actor, detail=detail, now=now)
    return turn


def thread(session: Session, conversation_id: str) -> tuple[Turn, ...]:
    """Everything said and done, oldest first, each reply with where its delivery stands."""
    states = {d.turn_id: d.shown for d in delivery.of_conversation(session, conversation_id)}
    return tuple(
        replace(turn, delivery=states.get(turn.id))
        for turn in conversations.thread(session, conversation_id)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What a final text is made from: the draft it still counts as, and how far it is from the one it began as."""

    draft: Draft | None = None
    drift: Drift | None = None
    left: Draft | None = (
        None  # the one that it began as, where it does not count as made from it any more
    )


def _source(desk: Desk, draft: Draft | None, final: str) -> _Source:
    if draft is None:
        return _Source()
    drift = measure_drift(draft.text, final)
    if drift.share > desk.settings.block_drift:
        return _Source(drift=drift, left=draft)
    return _Source(draft=draft, drift=drift)


def _here(
    desk: Desk, session: Session, conversation: Conversation, source: _Source
) -> Circumstances:
    revision = circumstances.revision_of(
        session, source.draft.revision_id if source.draft else None
    )
    left = circumstances.revision_of(session, source.left.revision_id if source.left else None)
    return circumstances.around(
        desk,
        session,
        conversation,
        use=Use.AGENT,
        revision=revision,
        drift=source.drift,
        begun_about="" if left is None else left.content.topic,
        now=desk.clock(),
    )


def _offered(session: Session, draft_id: str | None, conversation: Conversation) -> Draft | None:
    """The draft, if it was offered here and nobody sent it yet."""
    if draft_id is None:
        return None
    draft = drafts.get(session, draft_id)
    if draft.conversation_id != conversation.id:
        msg = "this draft was offered for another conversation: ask for drafts again"
        raise DraftDiffers(msg)
    if draft.state in (DraftState.ACCEPTED, DraftState.SENT):
        msg = "this draft was sent already: ask for drafts again"
        raise DraftDecided(msg)
    return draft


def _record(
    session: Session,
    action: str,
    conversation_id: str,
    *,
    by: str,
    detail: dict[str, Any],
    now: datetime,
) -> None:
    audit.append(
        session,
        actor=by,
        action=action,
        subject=f"conversation:{conversation_id}",
        detail=detail,
        now=now,
    )
