"""What the customers' words say about the knowledge base: what nothing answered, and which phrasings it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.masking import Masker
from knowledge_base.progress import Progress, silent
from knowledge_base.similarity import estimate, gaps
from knowledge_base.similarity.estimate import Gain
from knowledge_base.similarity.gaps import Asked, Gap, GapReport
from knowledge_base.similarity.prefill import Prefill, prefill
from knowledge_base.store import repository as knowledge
from suggest_api.conversations.model import Conversation
from suggest_api.coverage import service as coverage
from suggest_api.coverage.model import KEPT, Unanswered, asked_key
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work
from suggest_api.suggestions.holder import InService
from suggest_api.suggestions.model import Candidates
from suggest_api.values import Abstention, SuggestionRequest, Use

log = get_logger(__name__)


def keep_unanswered(
    desk: Desk,
    request: SuggestionRequest,
    conversation: Conversation | None,
    last: str,
    found: Candidates,
    reason: Abstention,
    *,
    locale: str | None,
) -> None:
    """Keep the customer's last words, masked, where a snippet could have answered them.

    Never raises: the request goes on without. What cannot be masked is not kept. It is stored as drafts are,
    together with the other requests of the moment.
    """
    policy = desk.policy
    if reason not in KEPT or policy is None or not desk.settings.keep_questions_days:
        return
    try:
        question = Masker(policy).mask(
            last,
            names=_names(request, conversation),
            known=_known(request, conversation),
            locale=locale or "en",
        )
        if not coverage.has_words(question):
            return
        kept = Unanswered(
            asked_key=asked_key(question, within=request.conversation_id or request.request_id),
            question=question,
            channel=request.channel,
            locale=locale,
            use=request.use,
            build_id=found.build_id,
            reason=reason,
            confidence=found.candidates[0].confidence if found.candidates else None,
            asked_at=desk.clock(),
        )
        desk.together(lambda session: coverage.keep(session, kept))
    except Exception as error:  # the agent waits for an answer, not for our statistics
        log.error("question.not_kept", error_class=type(error).__name__)


def sweep_questions(desk: Desk) -> int:
    """Delete questions and undecided phrasings that were kept long enough; returns how many rows went."""
    with unit_of_work.write(desk.engine) as session:
        return coverage.sweep(session, days=desk.settings.keep_questions_days, now=desk.clock())


def find_gaps(
    desk: Desk, session: Session, *, days: int = 30, progress: Progress = silent
) -> GapReport:
    """What customers asked in the last days and no snippet answers, in groups, largest first.

    Each question is read once (some milliseconds) and remembered while the generation is in
    service. Raises NotFound while nothing is in service.
    """
    held = _in_service(desk)
    now = desk.clock()
    questions = [
        Asked(
            text=one.question,
            at=one.asked_at,
            agent=one.use is Use.AGENT,
            channel=one.channel,
            locale=one.locale,
        )
        for one in coverage.recent(session, days=days, now=now)
    ]
    return gaps.find_gaps(
        held.ranker,
        questions,
        since=now - timedelta(days=days),
        until=now,
        eligible=lambda keys: held.live.get(session, keys),
        readings=held.readings,
        progress=progress,
    )


def estimate_gain(desk: Desk, session: Session, gap_id: str, *, days: int = 30) -> Gain:
    """What a snippet with the phrasings of a gap would bring, before it is written; a few seconds.

    Raises NotFound when the gap is gone.
    """
    held = _in_service(desk)
    report = find_gaps(desk, session, days=days)
    gap = _gap(report, gap_id, days=days)
    others = [other for other in report.gaps if other is not gap]
    return estimate.estimate_gain(held.ranker, gap, others, readings=held.readings)


def begin_snippet(desk: Desk, session: Session, gap_id: str, *, days: int = 30) -> Prefill:
    """What the page of a new snippet starts with for a gap of `find_gaps`: everything but the text.

    Raises NotFound when the gap is gone (its questions expired, or a snippet answers them now).
    """
    held = _in_service(desk)
    gap = _gap(find_gaps(desk, session, days=days), gap_id, days=days)
    everything = knowledge.snippets(session)
    topics = {one.key: one.live.content.topic for one in everything if one.live is not None}
    taken = {one.key for one in everything}
    return prefill(held.ranker, gap, topics=topics, taken=taken)


def _in_service(desk: Desk) -> InService:
    held = desk.generations.in_service
    if held is None:
        msg = "nothing is in service yet: run `firstline kb build`"
        raise NotFound(msg)
    return held


def _gap(report: GapReport, gap_id: str, *, days: int) -> Gap:
    gap = report.gap(gap_id)
    if gap is None:
        msg = f"there is no gap {gap_id[:16]!r} in the last {days} days: its questions may be answered now"
        raise NotFound(msg)
    return gap


def _names(request: SuggestionRequest, conversation: Conversation | None) -> Iterator[str]:
    """Names of people that the words may hold."""
    told = [request.facts.first_name, request.facts.agent_name]
    if conversation is not None:
        told += [conversation.first_name, conversation.display_name]
    return (name for name in told if name)


def _known(request: SuggestionRequest, conversation: Conversation | None) -> Iterator[str]:
    """Other values of this customer that must not be kept."""
    told = [request.facts.order_number]
    if conversation is not None:
        told += [str(conversation.facts.get("order_number") or ""), conversation.peer]
    return (value for value in told if value)
