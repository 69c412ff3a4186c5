"""Customers' words whose suggestion an agent sent as it was: proposed as phrasings, accepted by people only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from knowledge_base.masking import Masker, without_marks
from knowledge_base.similarity import space
from knowledge_base.snippet import Revision, folded
from knowledge_base.store import repository as knowledge
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import TurnKind
from suggest_api.coverage import service as coverage
from suggest_api.coverage.model import PhrasingProposal, ProposalState
from suggest_api.drafts.model import Draft
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.suggestions.holder import InService
from suggest_api.values import Author, Use

MOST_PHRASING = 200  # code points; what is longer tells a story and is nobody else's question
NEAR_DUPLICATE = (
    0.92  # cosine in the index's space from which a phrasing adds nothing to one that is there
)
READ_BACK = 40  # entries of the conversation that are looked at for the question

log = get_logger(__name__)


def propose_phrasing(desk: Desk, session: Session, draft: Draft, *, now: datetime) -> None:
    """Propose the customer's question as a phrasing of the draft's snippet, in the caller's transaction.

    For a draft that an agent sends unedited now, as the caller knows. Nothing is proposed that the snippet has
    already, nearly or word for word. Never raises: the reply goes on without.
    """
    if desk.policy is None or draft.use is not Use.AGENT or draft.conversation_id is None:
        return
    if not desk.settings.keep_questions_days:
        return
    try:
        with session.begin_nested():
            phrasing = _phrasing(desk, session, draft, draft.conversation_id)
            if phrasing and not _known(desk, session, draft.snippet_key, phrasing):
                coverage.propose(
                    session, snippet_key=draft.snippet_key, phrasing=phrasing, now=now
                )
    except Exception as error:  # the reply matters more than what we learn from it
        log.error("phrasing.not_proposed", error_class=type(error).__name__)


def list_phrasings(
    session: Session,
    *,
    state: ProposalState | None = ProposalState.PROPOSED,
    snippet_key: str | None = None,
    limit: int = coverage.MOST_LISTED,
) -> tuple[PhrasingProposal, ...]:
    """Proposed phrasings, the most often seen first; `state` None lists the decided ones as well."""
    return coverage.proposals(session, state=state, snippet_key=snippet_key, limit=limit)


def accept_phrasings(desk: Desk, session: Session, ids: Sequence[int], *, by: str) -> Revision:
    """Put proposals of one snippet into a new draft revision by `by`, which somebody else approves as always.

    Raises NotFound, WorkflowError (decided already, several snippets, open in somebody else's revision).
    """
    return coverage.accept(session, ids, by=by, now=desk.clock())


def decline_phrasings(
    desk: Desk, session: Session, ids: Sequence[int], *, by: str
) -> tuple[PhrasingProposal, ...]:
    """Leave proposals out for good: the same words are not proposed again. Raises NotFound, WorkflowError."""
    return coverage.decline(session, ids, by=by, now=desk.clock())


def _phrasing(desk: Desk, session: Session, draft: Draft, conversation_id: str) -> str:
    """The customer's last words before the draft, without anything personal; empty where nothing is left."""
    conversation = conversations.get(session, conversation_id)
    said = [
        turn.text
        for turn in conversations.latest(session, conversation_id, limit=READ_BACK)
        if turn.author is Author.CUSTOMER
        and turn.kind is TurnKind.SAID
        and turn.created_at <= draft.created_at
    ]
    policy = desk.policy
    if not said or policy is None or len(said[-1]) > MOST_PHRASING:
        return ""
    masked = Masker(policy).mask(
        said[-1],
        names=[name for name in (conversation.first_name, conversation.display_name) if name],
        known=[conversation.peer],
        locale=conversation.locale,
    )
    return without_marks(masked) if coverage.has_words(masked) else ""


def _known(desk: Desk, session: Session, key: str, phrasing: str) -> bool:
    """Whether the snippet has this phrasing, or one so near that this one would teach nothing."""
    live = knowledge.live_revision(session, key)
    examples = () if live is None else live.content.examples
    if folded(phrasing) in {folded(example) for example in examples}:
        return True
    held = desk.generations.held
    return held is not None and _nearest(held, key, phrasing) >= NEAR_DUPLICATE


def _nearest(held: InService, key: str, phrasing: str) -> float:
    """The best cosine between the phrasing and a row of the snippet; -1 where the generation has none."""
    generation = held.ranker.generation
    place = bisect_left(generation.rows.snippets, key, key=lambda snippet: snippet.key)
    if place == len(generation.rows.snippets) or generation.rows.snippets[place].key != key:
        return -1.0
    first, end = np.searchsorted(generation.rows.snippet, [place, place + 1])
    rows = np.asarray(generation.vectors[first:end])
    return float((rows @ space.positions(held.ranker, [phrasing])[0]).max())
