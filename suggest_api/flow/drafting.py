"""From a customer's words to drafts that may be sent, with their proofs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from sqlalchemy.orm import Session

from knowledge_base.policy import Verdict
from knowledge_base.store import recalls
from knowledge_base.wording import Length, clean_customer_text, measure
from suggest_api.compliance import service as compliance
from suggest_api.compliance.model import Circumstances, findings
from suggest_api.compliance.service import LOCALE as DEFAULT_LOCALE
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import Offer
from suggest_api.errors import Unprocessable
from suggest_api.flow import circumstances, withholding
from suggest_api.flow.coverage import keep_unanswered
from suggest_api.flow.desk import Desk
from suggest_api.flow.sifting import Chosen, sift, why
from suggest_api.freezes import service as freezes
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work
from suggest_api.suggestions.holder import InService
from suggest_api.suggestions.model import Candidates, Query
from suggest_api.values import (
    Abstention,
    Author,
    Facts,
    Freeze,
    OfferedDraft,
    SuggestionRequest,
    SuggestionResponse,
    Use,
    new_id,
)

# The assistant sends what it gets: the best answer or none.
ASSISTANT_LIMIT = 1
# Rankings for one request: a second one when a publication or a recall came between ranking and storing, a
# third so that two in a row are seen through. After that what still stands is offered.
MOST_RANKINGS = 3
# Drafts whose lengths are kept: most are an approved text that was offered before.
MOST_MEASURED = 4096
log = get_logger(__name__)


def suggest(desk: Desk, request: SuggestionRequest) -> SuggestionResponse:
    """Store and return up to `limit` drafts, best first, each with its proof; or abstain with a reason.

    Two transactions of its own: ranking, filling and judging read one snapshot and hold no lock; the write
    only stores the drafts. (As one write, 4 askers on SQLite waited for each other through 76 % of the time.)
    What is stored is a proposal: the gate and the database are asked again before anything is sent.
    Raises NotFound for a conversation that does not exist and Unprocessable for one on another channel; never
    raises for want of an index, a policy, a match or a fact.
    """
    rankings = 1
    while (answer := _suggest(desk, request, last=rankings == MOST_RANKINGS)) is None:
        rankings += 1
    return answer


def _suggest(desk: Desk, request: SuggestionRequest, *, last: bool) -> SuggestionResponse | None:
    """One ranking and its answer; None, with nothing stored, when what it chose was replaced meanwhile."""
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
        facts = _facts(request, conversation)
        query = Query(
            texts=texts,
            channel=request.channel,
            locale=locale,
            use=request.use,
            limit=limit,
            # What the assistant sends alone rests on the words alone, as the calibration measured it.
            facts=facts.values() if request.use is Use.AGENT else None,
            topic="" if conversation is None else conversation.topic,
        )
        # Asked here, so that a policy that was approved this moment judges what is offered.
        shut = desk.policies.at(session) is None
        silence = (
            Abstention.POLICY_UNAVAILABLE
            if shut
            else _silence(desk, session, request, conversation, texts)
        )
        if silence is None:
            within = withholding.find(session, held, query, now=desk.clock())
            found = within.candidates
            around = circumstances.offered(
                desk,
                session,
                [candidate.revision for candidate in found.candidates],
                use=request.use,
                channel=request.channel,
                locale=locale,
                frozen=within.state,
                now=desk.clock(),
            )
    if silence is not None:
        return _abstain(desk, request, held.build_id, silence)
    for stage, seconds in found.timings:
        desk.metrics.stage_seconds.labels(stage).observe(seconds)
    silent = found.reason
    if silent is None:
        sieve = sift(desk, found, request, facts, around, limit=limit)
        if not sieve.chosen:
            silent = sieve.dropped[0] if sieve.dropped else Abstention.NO_CONFIDENT_MATCH
    if silent is not None:
        keep_unanswered(desk, request, conversation, texts[-1], found, silent, locale=locale)
        return _abstain(desk, request, found.build_id, silent, frozen=within.frozen)
    language = locale or DEFAULT_LOCALE
    return _offer(desk, request, held, within, sieve.chosen, locale=language, last=last)


def judge(desk: Desk, text: str, *, channel: str) -> Verdict:
    """The verdict on any text, while somebody types it. Raises PolicyUnavailable."""
    return compliance.judge(desk.policy, text, channel=channel)


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


def _silence(
    desk: Desk,
    session: Session,
    request: SuggestionRequest,
    conversation: Conversation | None,
    texts: tuple[str, ...],
) -> Abstention | None:
    """Why nothing at all is suggested to this customer now; None if something may be."""
    if conversation is None:
        return Abstention.NEEDS_PERSON if circumstances.care_in(desk, texts) else None
    known = circumstances.facts_of(desk, session, conversation, told=texts)
    if known.care:
        return Abstention.NEEDS_PERSON
    here = Circumstances(
        use=request.use,
        channel=request.channel,
        locale=None,
        now=desk.clock(),
        conversation=known,
    )
    rules = [finding.rule_id for finding in findings(here)]
    return why(rules) if rules else None


def _offer(
    desk: Desk,
    request: SuggestionRequest,
    held: InService,
    within: withholding.Found,
    chosen: list[Chosen],
    *,
    locale: str,
    last: bool,
) -> SuggestionResponse | None:
    """Store what is still live and not frozen in the transaction that stores it: a recall that comes first
    takes it out here, and one that comes after finds the stored draft and withdraws it. None, and nothing
    stored, where something fell out and another ranking may look for what is live instead.
    """
    found, now = within.candidates, desk.clock()
    offers: list[Offer] = []
    fallen = False

    def store(session: Session) -> None:
        nonlocal fallen
        offers.clear()
        standing = [one for one, stands in _standing(session, request, held, chosen) if stands]
        fallen = len(standing) < len(chosen)
        if fallen and not last:
            return
        offers.extend(
            _offer_of(request, found, one, rank=rank, locale=locale)
            for rank, one in enumerate(standing, start=1)
        )
        drafts.propose(session, offers, now=now)

    desk.together(store)
    if fallen and not last:
        return None
    if not offers:
        reason = Abstention.NOT_CURRENT
        return _abstain(desk, request, found.build_id, reason, frozen=within.frozen)
    desk.metrics.suggestions.labels(request.use.value).inc(len(offers))
    return SuggestionResponse(
        request_id=request.request_id,
        build_id=found.build_id,
        abstained=False,
        reason=None,
        suggestions=tuple(_offered(offer) for offer in offers),
        frozen=within.frozen,
    )


def _standing(
    session: Session, request: SuggestionRequest, held: InService, chosen: list[Chosen]
) -> Iterator[tuple[Chosen, bool]]:
    """What was chosen, each with whether it may be offered as this transaction sees it."""
    keys = [one.approved.snippet_key for one in chosen]
    recalls.hold(session, keys)
    live = held.live.get(session, keys)
    frozen = freezes.in_force(session).of(request.channel)
    holding = frozen.holding_keys(channel=request.channel)
    for one in chosen:
        now_live, topic = live.get(one.approved.snippet_key), one.candidate.revision.content.topic
        said = (
            frozen.on(topic, channel=request.channel) is None
            or one.approved.snippet_key in holding
        )
        yield one, said and now_live is not None and now_live.id == one.approved.revision_id


def _offer_of(
    request: SuggestionRequest, found: Candidates, chosen: Chosen, *, rank: int, locale: str
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
        length=_length(chosen.checked.text),
        build_id=found.build_id,
        encoder_fingerprint=found.encoder_fingerprint,
        score=chosen.candidate.score,
        confidence=chosen.candidate.confidence,
        matched_example=chosen.candidate.matched_example,
        locale=locale,
    )


@lru_cache(maxsize=MOST_MEASURED)
def _length(text: str) -> Length:
    return measure(text)


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
    desk: Desk,
    request: SuggestionRequest,
    build_id: str | None,
    reason: Abstention,
    *,
    frozen: tuple[Freeze, ...] = (),
) -> SuggestionResponse:
    desk.metrics.abstentions.labels(request.use.value, reason.value).inc()
    return SuggestionResponse(
        request_id=request.request_id,
        build_id=build_id,
        abstained=True,
        reason=reason,
        frozen=frozen,
    )
