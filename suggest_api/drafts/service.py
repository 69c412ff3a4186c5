"""Storing what is offered, and recording what became of it together with its audit entry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.store import audit
from suggest_api.drafts import model, repository, trail
from suggest_api.drafts.model import Draft, DraftState, Offer
from suggest_api.values import CheckedText, sha256

# Of one entry, which is about 100 bytes for each.
OFFERS_AT_ONCE = 500
RECORDER = "firstline"  # nobody decided anything


def propose(session: Session, offers: Sequence[Offer], *, now: datetime) -> tuple[Draft, ...]:
    """Store the drafts of one request with their proofs, in the caller's transaction."""
    drafts = tuple(model.draft_of(offer, now=now) for offer in offers)
    repository.add(session, drafts)
    return drafts


def record_offers(session: Session, *, now: datetime) -> int:
    """Record the proofs of drafts that the chain does not have yet, in one entry; returns how many.

    Beside the requests, so that none of them waits for the chain. The entry keeps each draft's id with the hash of
    its proof, and with it score, confidence and build id.
    """
    taken = repository.take_unrecorded(session, most=OFFERS_AT_ONCE)
    if taken:
        entry = audit.Entry(
            actor=RECORDER, action="draft.offered", subject=trail.OFFERS, detail={"proofs": taken}
        )
        audit.append_all(session, [entry], now=now)
    return len(taken)


def offers_to_record(session: Session) -> bool:
    """Whether there is something for `record_offers`."""
    return repository.unrecorded(session)


def get(session: Session, draft_id: str) -> Draft:
    """The draft. Raises NotFound."""
    return _found(repository.get(session, draft_id), draft_id)


def snippet_key_of(session: Session, draft_id: str) -> str:
    """The key of the snippet that a draft was made from; '' if there is no such draft."""
    draft = repository.get(session, draft_id)
    return "" if draft is None else draft.snippet_key


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


def lock_open(session: Session, snippet_key: str, *, also: Collection[str]) -> tuple[Draft, ...]:
    """The drafts of a snippet that nobody decided about, and those of the ids `also`, held until the transaction
    ends."""
    return repository.lock_open(session, snippet_key, also=also)


def withdraw(
    session: Session,
    held: Sequence[Draft],
    *,
    recall_id: int,
    by: str,
    reason: str,
    now: datetime,
) -> int:
    """Take back drafts of a recalled snippet, which are held, each with its audit entry; returns how many."""
    pairs = [
        (draft, model.withdraw(draft, recall_id=recall_id, by=by, at=now, reason=reason))
        for draft in held
    ]
    ids = [draft.id for draft in held]
    repository.withdraw(session, ids, recall_id=recall_id, by=by, reason=reason, now=now)
    entries = [_entry(before, after, by=by) for before, after in pairs]
    audit.append_all(session, entries, now=now)
    return len(pairs)


def withdraw_one(
    session: Session, draft_id: str, *, recall_id: int, by: str, reason: str, now: datetime
) -> Draft:
    """Take back a draft whose reply was stopped at the last moment. Raises DraftDecided if it was sent."""
    return _step(
        session,
        draft_id,
        lambda draft: model.withdraw(draft, recall_id=recall_id, by=by, at=now, reason=reason),
        by=by,
        now=now,
    )


def withdrawn_in(session: Session, conversation_id: str) -> int:
    """How many drafts of a conversation were taken back: a page that shows one asks for new ones when it grows."""
    return repository.withdrawn_in(session, conversation_id)


def sent_of(session: Session, snippet_key: str) -> tuple[Draft, ...]:
    """The drafts of a snippet that went out, newest first; those that another desk sent are among them."""
    return repository.of_snippet(session, snippet_key, states=(DraftState.SENT,))


def count_of(session: Session, snippet_key: str) -> tuple[int, int]:
    """How often a snippet was offered, and how many of those drafts recalls took back."""
    return repository.count(session, snippet_key)


def count_about(
    session: Session, topic: str, *, channel: str, since: datetime | None = None
) -> int:
    """Drafts about a topic ('' is any) on a channel ('' is all): open ones, or all offered since then."""
    return repository.count_about(session, topic, channel=channel, since=since)


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
    audit.append_all(session, [_entry(before, after, by=by)], now=now)
    return after


def _entry(before: Draft, after: Draft, *, by: str) -> audit.Entry:
    """What the chain keeps of a step: hashes, no words."""
    return audit.Entry(
        actor=by,
        action=f"draft.{after.state.value}",
        subject=f"draft:{after.id}",
        detail={
            "from": before.state.value,
            "snippet_key": after.snippet_key,
            "revision_id": after.revision_id,
            "proof_sha256": after.proof_sha256,
            "before_sha256": sha256(before.outgoing_text),
            "text_sha256": sha256(after.outgoing_text),
            "edited": after.final_text is not None,
            **trail.recorded_hashes(after),
        },
    )


def _found(draft: Draft | None, draft_id: str) -> Draft:
    if draft is None:
        msg = f"there is no draft {draft_id[:64]!r}"
        raise NotFound(msg)
    return draft
