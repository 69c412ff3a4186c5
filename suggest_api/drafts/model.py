"""What a draft is, which steps it may take, and the proof that it carries (pure).

proposed ──> edited ──> accepted ──> sent
    │           │           ┊          ^
    └───────────┴──> dismissed ┈┈┈┈┈┈┈┈┘

An accepted draft is queued already: it can only be sent, unless its snippet is recalled (┈), which withdraws it
with the reply that it became. What was withdrawn counts as sent if the network proves that it had left before.
A step that was taken already, with the same text, may be repeated; one that contradicts it is refused.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from knowledge_base.wording import Length, Span
from suggest_api.errors import DraftDecided
from suggest_api.values import ApprovedText, CheckedText, Use, canonical_json

PROOF_FORMAT = 1
DECIMALS = 6  # of score and confidence; a float32 holds no more


class DraftState(StrEnum):
    """Where a draft stands."""

    PROPOSED = "proposed"
    EDITED = "edited"
    ACCEPTED = "accepted"
    SENT = "sent"
    DISMISSED = "dismissed"


# What nobody has decided about yet.
OPEN = (DraftState.PROPOSED, DraftState.EDITED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What was offered and what became of it. `decided_by` and `decided_at` come together.

    `final_text` is what a person made of it (None while it stands as offered), `final_verdict` the gate's
    verdict on exactly that.
    """

    id: str
    request_id: str
    conversation_id: str | None
    channel: str
    use: Use
    rank: int
    snippet_key: str
    revision_id: int
    text: str
    text_sha256: str
    proof: Mapping[str, Any]
    proof_sha256: str
    created_at: datetime
    state: DraftState = DraftState.PROPOSED
    final_text: str | None = None
    final_verdict: Mapping[str, Any] | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    recall_id: int | None = None  # withdrawn, because its snippet was recalled

    @property
    def withdrawn(self) -> bool:
        """Whether a recall dismissed it."""
        return self.state is DraftState.DISMISSED and self.recall_id is not None

    @property
    def outgoing_text(self) -> str:
        """What would be sent now: the final text, or the text as offered."""
        return self.text if self.final_text is None else self.final_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Everything that a draft is made of, before it is stored. `rank` counts from 1."""

    draft_id: str
    request_id: str
    conversation_id: str | None
    channel: str
    use: Use
    rank: int
    approved: ApprovedText
    checked: CheckedText
    length: Length
    build_id: str
    encoder_fingerprint: str
    score: float
    confidence: float
    matched_example: str = field(default="")
    locale: str = "en"  # of the conversation: some rules judge by it


def draft_of(offer: Offer, *, now: datetime) -> Draft:
    """The proposed draft with its proof."""
    proof = _proof(offer, now=now)
    return Draft(
        id=offer.draft_id,
        request_id=offer.request_id,
        conversation_id=offer.conversation_id,
        channel=offer.channel,
        use=offer.use,
        rank=offer.rank,
        snippet_key=offer.approved.snippet_key,
        revision_id=offer.approved.revision_id,
        text=offer.checked.text,
        text_sha256=offer.checked.sha256,
        proof=proof,
        proof_sha256=proof_hash(proof),
        created_at=now,
    )


def proof_hash(proof: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the canonical JSON of a proof."""
    return hashlib.sha256(canonical_json(dict(proof)).encode()).hexdigest()


def spans_json(spans: tuple[Span, ...]) -> list[list[Any]]:
    """Spans as JSON: [start, end, "approved" or "slot", slot name or null], in code points."""
    return [[span.start, span.end, span.kind, span.slot] for span in spans]


def length_json(length: Length) -> dict[str, int]:
    """Both lengths and the limit."""
    return {
        "code_points": length.code_points,
        "weighted": length.weighted,
        "limit": length.limit,
    }


def difference(before: str, after: str) -> list[dict[str, Any]]:
    """What an edit changed: opcodes of `difflib` that are not `equal`, positions in code points."""
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    return [
        {
            "op": op,
            "approved": [i1, i2],
            "final": [j1, j2],
            "was": before[i1:i2],
            "is": after[j1:j2],
        }
        for op, i1, i2, j1, j2 in matcher.get_opcodes()
        if op != "equal"
    ]


def edit(
    draft: Draft, *, final: CheckedText, by: str, at: datetime, reason: str | None = None
) -> Draft:
    """A person changed the text, which may happen again until it is accepted."""
    if draft.state in {DraftState.EDITED, DraftState.ACCEPTED, DraftState.SENT}:
        if draft.outgoing_text == final.text:
            return draft
        if draft.state is not DraftState.EDITED:
            raise _decided(draft, "edited")
    _refuse_from(draft, {DraftState.DISMISSED}, "edited")
    return _decide(draft, DraftState.EDITED, final=final, by=by, at=at, reason=reason)


def accept(
    draft: Draft, *, final: CheckedText, by: str, at: datetime, reason: str | None = None
) -> Draft:
    """A person takes it, with this final text."""
    if draft.state in {DraftState.ACCEPTED, DraftState.SENT}:
        if draft.outgoing_text == final.text:
            return draft
        raise _decided(draft, "accepted with another text")
    _refuse_from(draft, {DraftState.DISMISSED}, "accepted")
    return _decide(draft, DraftState.ACCEPTED, final=final, by=by, at=at, reason=reason)


def mark_sent(draft: Draft) -> Draft:
    """The network has it; who accepted it, and when, stays the decision."""
    if draft.state is DraftState.SENT:
        return draft
    if draft.state is not DraftState.ACCEPTED and not draft.withdrawn:
        raise _decided(draft, "sent before it is accepted")
    return replace(draft, state=DraftState.SENT)


def dismiss(draft: Draft, *, by: str, at: datetime, reason: str | None = None) -> Draft:
    """Nobody will send it."""
    if draft.state is DraftState.DISMISSED:
        return draft
    _refuse_from(draft, {DraftState.ACCEPTED, DraftState.SENT}, "dismissed")
    return replace(draft, state=DraftState.DISMISSED, decided_by=by, decided_at=at, reason=reason)


def withdraw(draft: Draft, *, recall_id: int, by: str, at: datetime, reason: str) -> Draft:
    """Its snippet was recalled: nobody may send it, though somebody accepted it and it waits to go out."""
    if draft.withdrawn:
        return draft
    _refuse_from(draft, {DraftState.SENT, DraftState.DISMISSED}, "withdrawn")
    return replace(
        draft,
        state=DraftState.DISMISSED,
        decided_by=by,
        decided_at=at,
        reason=reason,
        recall_id=recall_id,
    )


def _proof(offer: Offer, *, now: datetime) -> dict[str, Any]:
    approved, verdict = offer.approved, offer.checked.verdict
    return {
        "format": PROOF_FORMAT,
        "draft_id": offer.draft_id,
        "request_id": offer.request_id,
        "conversation_id": offer.conversation_id,
        "created_at": now.isoformat(),
        "channel": offer.channel,
        "use": offer.use.value,
        "rank": offer.rank,
        "snippet_key": approved.snippet_key,
        "revision_id": approved.revision_id,
        "revision": approved.revision,
        "content_hash": approved.content_hash,
        "author": approved.author,
        "approved_by": approved.approved_by,
        "approved_at": approved.approved_at.isoformat(),
        "locale": offer.locale,
        "policy_version": verdict.policy_version,
        "verdict": verdict.to_json(),
        "build_id": offer.build_id,
        "encoder_fingerprint": offer.encoder_fingerprint,
        "score": round(offer.score, DECIMALS),
        "confidence": round(offer.confidence, DECIMALS),
        "matched_example": offer.matched_example,
        "spans": spans_json(approved.spans),
        "slot_values": dict(approved.slot_values),
        "length": length_json(offer.length),
        "text_sha256": offer.checked.sha256,
    }


def _decide(
    draft: Draft,
    state: DraftState,
    *,
    final: CheckedText,
    by: str,
    at: datetime,
    reason: str | None,
) -> Draft:
    changed = final.text != draft.text
    return replace(
        draft,
        state=state,
        final_text=final.text if changed else None,
        final_verdict=final.verdict_json() if changed else None,
        decided_by=by,
        decided_at=at,
        reason=reason if reason is not None else draft.reason,
    )


def _refuse_from(draft: Draft, states: set[DraftState], step: str) -> None:
    if draft.state in states:
        raise _decided(draft, step)


def _decided(draft: Draft, step: str) -> DraftDecided:
    if draft.withdrawn:
        why = f"draft {draft.id} was withdrawn by {draft.decided_by}, who recalled its snippet"
        return DraftDecided(f"{why} ({draft.reason}): ask for drafts again")
    return DraftDecided(f"draft {draft.id} is {draft.state.value} and cannot be {step}")
