"""Keeping what was not answered, and deciding on proposed phrasings, each with its audit entry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, WorkflowError
from knowledge_base.masking import without_marks
from knowledge_base.snippet import Revision
from knowledge_base.store import audit
from knowledge_base.store.additions import add_phrasings
from knowledge_base.store.people import ensure_person
from suggest_api.coverage import repository
from suggest_api.coverage.model import (
    PhrasingProposal,
    ProposalState,
    Unanswered,
    phrasing_key,
)

# Questions that are looked at together; the newest count. 5,000 take some 10 s to read for the first time.
MOST_QUESTIONS = 5000
MOST_LISTED = 500
_LETTER = re.compile(r"[^\W\d_]")


def has_words(masked: str) -> bool:
    """Whether anything is left to read beside the marks."""
    return _LETTER.search(without_marks(masked)) is not None


def keep(session: Session, question: Unanswered) -> None:
    """Store a masked question in the caller's transaction."""
    repository.add(session, question)


def recent(
    session: Session, *, days: int, now: datetime, most: int = MOST_QUESTIONS
) -> tuple[Unanswered, ...]:
    """What was not answered in the last days, oldest first, each question of a conversation once."""
    return repository.recent(session, since=now - timedelta(days=days), most=most)


def sweep(session: Session, *, days: int, now: datetime) -> int:
    """Delete what is older than the days that it may be kept; returns how many rows went."""
    return repository.sweep(session, before=now - timedelta(days=days))


def propose(session: Session, *, snippet_key: str, phrasing: str, now: datetime) -> None:
    """Propose a masked question as a phrasing of a snippet, or count it once more."""
    repository.saw(
        session,
        snippet_key=snippet_key,
        phrasing=phrasing,
        phrasing_key=phrasing_key(phrasing),
        now=now,
    )


def proposals(
    session: Session,
    *,
    state: ProposalState | None = ProposalState.PROPOSED,
    snippet_key: str | None = None,
    limit: int = MOST_LISTED,
) -> tuple[PhrasingProposal, ...]:
    """Proposed phrasings, the most often seen first; `state` None lists all."""
    return repository.proposals(session, state=state, snippet_key=snippet_key, limit=limit)


def accept(session: Session, ids: Sequence[int], *, by: str, now: datetime) -> Revision:
    """Take proposals of one snippet into a new draft revision, which `by` wrote and somebody else approves.

    The draft says what the snippet says now (or what `by` has open), with the phrasings added. Raises NotFound,
    and WorkflowError when they were decided already, belong to several snippets, or the snippet is retired
    or open in somebody else's revision.
    """
    held = _undecided(session, ids)
    keys = {proposal.snippet_key for proposal in held}
    if len(keys) != 1:
        msg = f"these phrasings belong to {len(keys)} snippets: accept those of one at a time"
        raise WorkflowError(msg)
    person = ensure_person(session, by, now=now)
    phrasings = [proposal.phrasing for proposal in held]
    draft = add_phrasings(session, keys.pop(), phrasings, by=person, now=now)
    _decide(session, held, ProposalState.ACCEPTED, by=person, now=now, draft=draft)
    return draft


def decline(
    session: Session, ids: Sequence[int], *, by: str, now: datetime
) -> tuple[PhrasingProposal, ...]:
    """Leave phrasings out for good: they are not proposed again. Raises NotFound, WorkflowError."""
    held = _undecided(session, ids)
    person = ensure_person(session, by, now=now)
    return _decide(session, held, ProposalState.DECLINED, by=person, now=now, draft=None)


def _undecided(session: Session, ids: Sequence[int]) -> tuple[PhrasingProposal, ...]:
    wanted = sorted(set(ids))
    held = repository.locked(session, wanted)
    missing = set(wanted) - {proposal.id for proposal in held}
    if missing or not held:
        msg = f"there is no proposed phrasing {min(missing, default='')}".rstrip()
        raise NotFound(msg)
    for proposal in held:
        if proposal.state is not ProposalState.PROPOSED:
            msg = f"phrasing {proposal.id} was {proposal.state.value} by {proposal.decided_by} already"
            raise WorkflowError(msg)
    return held


def _decide(
    session: Session,
    held: Sequence[PhrasingProposal],
    state: ProposalState,
    *,
    by: str,
    now: datetime,
    draft: Revision | None,
) -> tuple[PhrasingProposal, ...]:
    ids = [proposal.id for proposal in held]
    revision_id = None if draft is None else draft.id
    repository.decide(session, ids, state=state, by=by, at=now, revision_id=revision_id)
    # Never the words: a customer wrote them, and the chain is for good.
    entries = [
        audit.Entry(
            actor=by,
            action="phrasing.accept" if state is ProposalState.ACCEPTED else "phrasing.decline",
            subject=f"phrasing:{p.id}",
            detail={
                "snippet_key": p.snippet_key,
                "phrasing_key": phrasing_key(p.phrasing),
                "count": p.count,
                "revision_id": revision_id,
            },
        )
        for p in held
    ]
    audit.append_all(session, entries, now=now)
    return tuple(
        replace(p, state=state, decided_by=by, decided_at=now, revision_id=revision_id)
        for p in held
    )
