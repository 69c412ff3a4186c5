"""From a customer's words to drafts that may be sent, with their proofs, and what became of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from knowledge_base.errors import WordingError
from knowledge_base.policy import Verdict
from knowledge_base.snippet import Revision
from knowledge_base.wording import clean_customer_text, fill, measure
from suggest_api.compliance import service as compliance
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation
from suggest_api.drafts import proof
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import Draft, DraftState, Offer
from suggest_api.errors import Refused, Unprocessable
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work
from suggest_api.suggestions.model import Candidate, Candidates, Query, near_identical
from suggest_api.suggestions.service import candidates
from suggest_api.values import (
    Abstention,
    ApprovedText,
    Author,
    CheckedText,
    Facts,
    OfferedDraft,
    SuggestionRequest,
    SuggestionResponse,
    Use,
    new_id,
    sha256,
)

# The assistant sends what it gets: the best answer or none.
ASSISTANT_LIMIT = 1

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """A candidate with its slots filled and its verdict."""

    candidate: Candidate
    approved: ApprovedText
    checked: CheckedText


@dataclass(slots=True)
class _Sieve:
    """What is left of the candidates, and why the others fell out."""

    chosen: list[_Chosen] = field(default_factory=list)
    dropped: list[Abstention] = field(default_factory=list)


def suggest(desk: Desk, request: SuggestionRequest) -> SuggestionResponse:
    """Store and return up to `limit` drafts, best first, each with its proof; or abstain with a reason.

    Two transactions of its own: ranking, filling and judging read one snapshot and hold no lock; the write
    only stores the drafts. (As one write, 4 askers on SQLite waited for each other through 76 % of the time.)
    What is stored is a proposal: the gate and the database are asked again before anything is sent.
    Raises NotFound for a conversation that does not exist and Unprocessable for one on another channel; never
    raises for want of an index, a policy, a match or a fact.
    """
    held = desk.generations.in_service
    texts = tuple(
        cleaned
        for message in request.messages
        if message.author is Author.CUSTOMER
        and (cleaned := clean_customer_text(message.text).text.strip())
    )
    if not texts or held is None or desk.policy is None:
        reason = Abstention.EMPTY_QUERY if not texts else Abstention.NO_GENERATION
        reason = reason if not texts or held is None else Abstention.POLICY_UNAVAILABLE
        return _abstain(desk, request, None if held is None else held.build_id, reason)
    limit = ASSISTANT_LIMIT if request.use is Use.ASSISTANT else request.limit
    with unit_of_work.read(desk.engine) as session:
        conversation = _conversation(session, request)
        locale = request.locale or (None if conversation is None else conversation.locale)
        query = Query(
            texts=texts, channel=request.channel, locale=locale, use=request.use, limit=limit
        )
        found = candidates(session, held, query, now=desk.clock())
    for stage, seconds in found.timings:
        desk.metrics.stage_seconds.labels(stage).observe(seconds)
    if found.reason is not None:
        return _abstain(desk, request, found.build_id, found.reason)
    sieve = _sift(desk, found, request, _facts(request, conversation), limit=limit)
    if not sieve.chosen:
        reason = sieve.dropped[0] if sieve.dropped else Abstention.NO_CONFIDENT_MATCH
        return _abstain(desk, request, found.build_id, reason)
    return _offer(desk, request, found, sieve.chosen)


def judge(desk: Desk, text: str, *, channel: str) -> Verdict:
    """The verdict on any text, while somebody types it. Raises PolicyUnavailable."""
    return compliance.judge(desk.policy, text, channel=channel)


def feedback(
    desk: Desk,
    session: Session,
    draft_id: str,
    *,
    action: DraftState,
    final_text: str | None,
    reason: str | None,
    by: str,
) -> Draft:
    """Record what became of a draft that somebody else shows and sends: edited, sent or dismissed.

    A changed text is judged now. Raises NotFound, Refused (the draft is left as it was), DraftDecided when it
    contradicts what was told before, and Unprocessable when `edited` comes without a text.
    """
    now = desk.clock()
    draft = drafts.get(session, draft_id)
    if action is DraftState.DISMISSED:
        return drafts.dismiss(session, draft_id, by=by, reason=reason, now=now)
    if action is DraftState.EDITED and final_text is None:
        msg = "final_text is missing: `edited` tells what the text is now"
        raise Unprocessable(msg)
    final = _final(desk, draft, final_text)
    if action is DraftState.EDITED:
        return drafts.edit(session, draft_id, final=final, by=by, reason=reason, now=now)
    drafts.accept(session, draft_id, final=final, by=by, reason=reason, now=now)
    return drafts.mark_sent(session, draft_id, by=by, now=now)


def prove(desk: Desk, session: Session, draft_id: str) -> proof.ProofReport:
    """Rebuild a draft from the stored revision and slot values, and recompute its proof. Raises NotFound."""
    return proof.verify(session, draft_id, policy=desk.policy)


def _conversation(session: Session, request: SuggestionRequest) -> Conversation | None:
    if request.conversation_id is None:
        return None
    conversation = conversations.get(session, request.conversation_id)
    if conversation.channel != request.channel:
        msg = (
            f"the conversation is on the channel {conversation.channel!r}, not {request.channel!r}"
        )
        raise Unprocessable(msg)
    return conversation


def _facts(request: SuggestionRequest, conversation: Conversation | None) -> Facts:
    """The facts of the request, completed by those of the conversation."""
    if conversation is None:
        return request.facts
    known = conversation.facts
    return request.facts.over(
        Facts(
            first_name=conversation.first_name,
            order_number=known.get("order_number"),
            product=known.get("product"),
        )
    )


def _sift(
    desk: Desk, found: Candidates, request: SuggestionRequest, facts: Facts, *, limit: int
) -> _Sieve:
    """Fill, judge and compare, best first, until there are enough."""
    sieve = _Sieve()
    started = time.perf_counter()
    for candidate in found.candidates:
        # The ranker was sure of its first candidate. An agent may choose among the ones beside it, also when
        # the first falls out for a missing fact; the assistant sends alone, so each has to be sure by itself.
        if request.use is Use.ASSISTANT and candidate.confidence < found.threshold:
            break
        approved = _fill(candidate.revision, facts)
        if approved is None:
            sieve.dropped.append(Abstention.FACTS_MISSING)
            continue
        if any(near_identical(_wording(approved), _wording(c.approved)) for c in sieve.chosen):
            continue
        checked = _checked(desk, approved, request.channel)
        if checked is None:
            sieve.dropped.append(Abstention.POLICY_BLOCKED)
            continue
        sieve.chosen.append(_Chosen(candidate=candidate, approved=approved, checked=checked))
        if len(sieve.chosen) == limit:
            break
    desk.metrics.stage_seconds.labels("policy").observe(time.perf_counter() - started)
    return sieve


def _fill(revision: Revision, facts: Facts) -> ApprovedText | None:
    """The approved text with its slots filled; None when a fact is missing or does not fit its slot."""
    if revision.approved_by is None or revision.approved_at is None:
        return None  # the database forbids it; without an approver there is nothing to prove
    try:
        filled = fill(revision.content.text, values=facts.values())
    except WordingError:
        return None
    # As they stand in the text: a value may have been brought into its slot's form.
    used = {(s.slot, filled.text[s.start : s.end]) for s in filled.spans if s.slot is not None}
    return ApprovedText(
        text=filled.text,
        snippet_key=revision.key,
        revision_id=revision.id,
        revision=revision.number,
        content_hash=revision.content_hash,
        author=revision.author,
        approved_by=revision.approved_by,
        approved_at=revision.approved_at,
        spans=filled.spans,
        slot_values=tuple(sorted(used)),
    )


def _checked(desk: Desk, approved: ApprovedText, channel: str) -> CheckedText | None:
    """The text with its verdict; None when the gate refuses it, or would change a byte of what was approved."""
    try:
        checked = compliance.check(desk.policy, approved.text, channel=channel)
    except (Refused, WordingError) as error:
        rules = [f.rule_id for f in error.findings] if isinstance(error, Refused) else []
        log.warning("draft.refused", snippet_key=approved.snippet_key, rules=rules)
        return None
    return checked if checked.text == approved.text else None


def _wording(approved: ApprovedText) -> str:
    """The approved words alone, without what fills the slots."""
    return " ".join(
        approved.text[span.start : span.end] for span in approved.spans if span.kind == "approved"
    )


def _offer(
    desk: Desk,
    request: SuggestionRequest,
    found: Candidates,
    chosen: list[_Chosen],
) -> SuggestionResponse:
    offers = [
        _offer_of(request, found, one, rank=rank) for rank, one in enumerate(chosen, start=1)
    ]
    now = desk.clock()

    def store(session: Session) -> None:
        drafts.propose(session, offers, now=now)

    desk.together(store)
    desk.metrics.suggestions.labels(request.use.value).inc(len(offers))
    return SuggestionResponse(
        request_id=request.request_id,
        build_id=found.build_id,
        abstained=False,
        reason=None,
        suggestions=tuple(_offered(offer) for offer in offers),
    )


def _offer_of(
    request: SuggestionRequest, found: Candidates, chosen: _Chosen, *, rank: int
) -> Offer:
    return Offer(
        draft_id=new_id(),
        request_id=request.request_id,
        conversation_id=request.conversation_id,
        channel=request.channel,
        use=request.use,
        rank=rank,
        approved=chosen.approved,
        checked=chosen.checked,
        length=measure(chosen.checked.text),
        build_id=found.build_id,
        encoder_fingerprint=found.encoder_fingerprint,
        score=chosen.candidate.score,
        confidence=chosen.candidate.confidence,
        matched_example=chosen.candidate.matched_example,
    )


def _offered(offer: Offer) -> OfferedDraft:
    return OfferedDraft(
        draft_id=offer.draft_id,
        snippet_key=offer.approved.snippet_key,
        revision=offer.approved.revision,
        text=offer.checked.text,
        length=offer.length,
        confidence=offer.confidence,
        matched_example=offer.matched_example,
        approved_by=offer.approved.approved_by,
        approved_at=offer.approved.approved_at,
        verdict=offer.checked.verdict,
        spans=offer.approved.spans,
    )


def _abstain(
    desk: Desk, request: SuggestionRequest, build_id: str | None, reason: Abstention
) -> SuggestionResponse:
    desk.metrics.abstentions.labels(request.use.value, reason.value).inc()
    return SuggestionResponse(
        request_id=request.request_id, build_id=build_id, abstained=True, reason=reason
    )


def _final(desk: Desk, draft: Draft, final_text: str | None) -> CheckedText:
    """The final text with a verdict on exactly it: a fresh one where the text is new."""
    if final_text is not None and final_text != draft.outgoing_text:
        return compliance.check(desk.policy, final_text, channel=draft.channel)
    stored = draft.proof["verdict"] if draft.final_verdict is None else draft.final_verdict
    text = draft.outgoing_text
    return CheckedText(text=text, sha256=sha256(text), verdict=Verdict.from_json(stored))
