"""Storing what is offered, and recording what became of it together with its audit entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.store import audit
from suggest_api.drafts import model, repository, trail
from suggest_api.drafts.model import Draft, Offer
from suggest_api.values import CheckedText, sha256


def propose(session: Session, offers: Sequence[Offer], *, now: datetime) -> tuple[Draft, ...]:
    """Store the drafts of one request with their proofs, in the caller's transaction."""
    drafts = tuple(model.draft_of(offer, now=now) for offer in offers)
    repository.add(session, drafts)
    return drafts


def get(session: Session, draft_id: str) -> Draft:
    """The draft. Raises NotFound."""
    return _found(repository.get(session, draft_id), draft_id)


def edit(
    session: Session,
    draft_id: str,
    *,
    final: CheckedText,
    by: str,
    reason: str | None = None,
    now: datetime,
) -> Draft:
    """A person changed the text to one that the gate let through. Raises NotFound, DraftDecided."""
    return _step(
        session,
        draft_id,
        lambda draft: model.edit(draft, final=final, by=by, at=now, reason=reason),
        by=by,
        now=now,
    )


def accept(
    session: Session,
    draft_id: str,
    *,
    final: CheckedText,
    by: str,
    reason: str | None = None,
    now: datetime,
) -> Draft:
    """A person takes the draft with this final text. Raises NotFound, DraftDecided."""
    return _step(
        session,
        draft_id,
        lambda draft: model.accept(draft, final=final, by=by, at=now, reason=reason),
        by=by,
        now=now,
    )


def mark_sent(session: Session, draft_id: str, *, by: str, now: datetime) -> Draft:
    """The network has it; `by` is who tells. Raises NotFound, DraftDecided unless it was accepted."""
    return _step(session, draft_id, model.mark_sent, by=by, now=now)


def dismiss(
    session: Session, draft_id: str, *, by: str, reason: str | None = None, now: datetime
) -> Draft:
    """Nobody will send it. Raises NotFound, DraftDecided."""
    return _step(
        session,
        draft_id,
        lambda draft: model.dismiss(draft, by=by, at=now, reason=reason),
        by=by,
        now=now,
    )


def _step(
    session: Session,
    draft_id: str,
    take: Callable[[Draft], Draft],
    *,
    by: str,
    now: datetime,
) -> Draft:
    before = _found(repository.get(session, draft_id, lock=True), draft_id)
    after = take(before)
    if after is before:
        return after  # taken already: nothing changes, nothing is recorded twice
    repository.save(session, after)
    detail = {
        "from": before.state.value,
        "snippet_key": after.snippet_key,
        "revision_id": after.revision_id,
        "proof_sha256": after.proof_sha256,
        "before_sha256": sha256(before.outgoing_text),
        "text_sha256": sha256(after.outgoing_text),
        "edited": after.final_text is not None,
        **trail.recorded_hashes(after),
    }
    audit.append(
        session,
        actor=by,
        action=f"draft.{after.state.value}",
        subject=f"draft:{draft_id}",
        detail=detail,
        now=now,
    )
    return after


def _found(draft: Draft | None, draft_id: str) -> Draft:
    if draft is None:
        msg = f"there is no draft {draft_id[:64]!r}"
        raise NotFound(msg)
    return draft
