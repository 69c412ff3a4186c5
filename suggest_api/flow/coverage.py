"""What the customers' words say about the knowledge base: what nothing answered, and which phrasings it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from knowledge_base.masking import Masker
from suggest_api.conversations.model import Conversation
from suggest_api.coverage import service as coverage
from suggest_api.coverage.model import KEPT, Unanswered, asked_key
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work
from suggest_api.suggestions.model import Candidates
from suggest_api.values import Abstention, SuggestionRequest

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
    if reason not in KEPT or desk.policy is None or not desk.settings.keep_questions_days:
        return
    try:
        question = Masker(desk.policy).mask(
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
