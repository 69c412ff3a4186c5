"""Checking a draft's proof: everything is rebuilt from the stored revision and slot values, and compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.errors import FirstlineError, NotFound
from knowledge_base.policy import Policy, Verdict, judge
from knowledge_base.snippet import Revision
from knowledge_base.store import repository as revisions
from knowledge_base.wording import Filled, fill, measure
from suggest_api.drafts import service
from suggest_api.drafts.model import Draft, difference, length_json, proof_hash, spans_json
from suggest_api.values import CONTEXT_LAYER, METADATA_LAYER, sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part of a proof, recomputed. `holds` None means that it could not be recomputed; `detail` says why."""

    part: str
    holds: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofReport:
    """A draft, its stored proof, and what recomputing every part of it found.

    `rebuilt_text` is made of the stored revision and slot values only; None when that failed. `difference`
    is from the approved text to what was sent.
    """

    draft: Draft
    rebuilt_text: str | None
    checks: tuple[Check, ...]
    difference: tuple[dict[str, Any], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether no part differs."""
        return all(check.holds is not False for check in self.checks)

    @property
    def differing(self) -> tuple[str, ...]:
        """The parts that differ."""
        return tuple(check.part for check in self.checks if check.holds is False)

    def to_json(self) -> dict[str, Any]:
        """The report as API and CLI tell it."""
        draft = self.draft
        return {
            "draft_id": draft.id,
            "holds": self.holds,
            "differing": list(self.differing),
            "state": draft.state.value,
            "text": draft.text,
            "rebuilt_text": self.rebuilt_text,
            "proof": dict(draft.proof),
            "proof_sha256": draft.proof_sha256,
            "checks": [
                {"part": c.part, "holds": c.holds, "detail": c.detail} for c in self.checks
            ],
            "final": self._final_json(),
        }

    def _final_json(self) -> dict[str, Any] | None:
        draft = self.draft
        if draft.decided_at is None:
            return None
        return {
            "text": draft.outgoing_text,
            "sha256": sha256(draft.outgoing_text),
            "length": length_json(measure(draft.outgoing_text)),
            "verdict": draft.proof.get("verdict")
            if draft.final_verdict is None
            else dict(draft.final_verdict),
            "edited": draft.final_text is not None,
            "difference": list(self.difference),
            "decided_by": draft.decided_by,
            "decided_at": draft.decided_at.isoformat(),
            "reason": draft.reason,
        }


def verify(session: Session, draft_id: str, *, policy: Policy | None) -> ProofReport:
    """Rebuild a draft and recompute its proof. Raises NotFound; a part that differs is reported, not raised."""
    draft = service.get(session, draft_id)
    checks = [*_seal(draft), *_columns(draft)]
    revision = _revision(session, draft)
    filled: Filled | None = None
    if revision is None:
        detail = f"revision {draft.revision_id} is not in the database"
        checks.append(Check(part="revision", holds=False, detail=detail))
    else:
        checks.extend(_approval(draft, revision))
        filled, check = _rebuild(draft, revision)
        checks.append(check)
        if filled is not None:
            checks.extend(_text(draft, filled))
    checks.extend(_verdicts(draft, policy))
    changed = draft.final_text is not None
    return ProofReport(
        draft=draft,
        rebuilt_text=None if filled is None else filled.text,
        checks=tuple(checks),
        difference=tuple(difference(draft.text, draft.outgoing_text)) if changed else (),
    )


def _same(part: str, stored: Any, found: Any) -> Check:
    if stored == found:
        return Check(part=part, holds=True)
    return Check(part=part, holds=False, detail=f"the proof says {stored!r}, found {found!r}")


def _seal(draft: Draft) -> Iterator[Check]:
    """The proof against its own hash, and the text against its."""
    yield _same("proof_sha256", draft.proof_sha256, proof_hash(draft.proof))
    yield _same("text_sha256", draft.proof.get("text_sha256"), sha256(draft.text))
    yield _same("text_sha256 (stored)", draft.text_sha256, sha256(draft.text))
    yield _same("length", draft.proof.get("length"), length_json(measure(draft.text)))


def _columns(draft: Draft) -> Iterator[Check]:
    """What the draft's row says beside its proof."""
    row = {
        "draft_id": draft.id,
        "request_id": draft.request_id,
        "conversation_id": draft.conversation_id,
        "channel": draft.channel,
        "use": draft.use.value,
        "rank": draft.rank,
        "snippet_key": draft.snippet_key,
        "revision_id": draft.revision_id,
        "created_at": draft.created_at.isoformat(),
    }
    for part, found in row.items():
        yield _same(part, draft.proof.get(part), found)


def _revision(session: Session, draft: Draft) -> Revision | None:
    try:
        return revisions.get_revision(session, draft.revision_id)
    except NotFound:
        return None


def _approval(draft: Draft, revision: Revision) -> Iterator[Check]:
    """The revision that was approved, by whom and when; its content against its hash."""
    proof = draft.proof
    yield _same("revision", proof.get("revision"), revision.number)
    yield _same("snippet_key (revision)", proof.get("snippet_key"), revision.key)
    yield _same("content_hash", proof.get("content_hash"), revision.content.content_hash)
    yield _same("content_hash (stored)", revision.content_hash, revision.content.content_hash)
    yield _same("author", proof.get("author"), revision.author)
    yield _same("approved_by", proof.get("approved_by"), revision.approved_by)
    at = revision.approved_at
    yield _same("approved_at", proof.get("approved_at"), None if at is None else at.isoformat())


def _rebuild(draft: Draft, revision: Revision) -> tuple[Filled | None, Check]:
    values = draft.proof.get("slot_values")
    try:
        filled = fill(revision.content.text, values=values if isinstance(values, dict) else {})
    except FirstlineError as error:
        return None, Check(part="rebuilt text", holds=False, detail=str(error))
    if filled.text != draft.text:
        detail = "the stored revision and slot values give another text"
        return filled, Check(part="rebuilt text", holds=False, detail=detail)
    return filled, Check(part="rebuilt text", holds=True)


def _text(draft: Draft, filled: Filled) -> Iterator[Check]:
    yield _same("spans", draft.proof.get("spans"), spans_json(filled.spans))


def _verdicts(draft: Draft, policy: Policy | None) -> Iterator[Check]:
    stored = draft.proof.get("verdict")
    yield _verdict("verdict", stored, draft.text, draft, policy)
    version = stored.get("policy_version") if isinstance(stored, dict) else None
    yield _same("policy_version", draft.proof.get("policy_version"), version)
    if draft.final_text is not None:
        yield _verdict("final verdict", draft.final_verdict, draft.final_text, draft, policy)


def _verdict(part: str, stored: Any, text: str, draft: Draft, policy: Policy | None) -> Check:
    """The stored verdict: bound to these bytes, letting them out, and the same when judged again.

    Only the findings on the text can be recomputed: the circumstances were those of that moment.
    """
    try:
        verdict = Verdict.from_json(stored)
    except (KeyError, TypeError, ValueError, FirstlineError):
        return Check(part=part, holds=False, detail="it cannot be read")
    if verdict.judged_sha256 != sha256(text):
        return Check(part=part, holds=False, detail="it was given on another text")
    if verdict.outcome.value == "block":
        return Check(part=part, holds=False, detail="it blocks this text")
    if policy is None or policy.version != verdict.policy_version:
        now = (
            "no policy is loaded" if policy is None else f"the policy is now {policy.version[:12]}"
        )
        detail = f"given by policy {verdict.policy_version[:12]}, {now}: not judged again"
        return Check(part=part, holds=None, detail=detail)
    locale = str(draft.proof.get("locale", "en"))
    fresh = judge(policy, text, channel=draft.channel, locale=locale)
    on_text = [f for f in verdict.findings if f.pack not in (METADATA_LAYER, CONTEXT_LAYER)]
    if len(on_text) < len(verdict.findings):
        # Circumstances warned at most, or it would have blocked; the outcome is at least the text's.
        worst = "warn" if fresh.outcome.value == "pass" else fresh.outcome.value
        expected = {**fresh.to_json(), "outcome": worst}
        found = {**verdict.to_json(), "findings": [f.to_json() for f in on_text]}
        return _same(part, found, expected)
    return _same(part, verdict.to_json(), fresh.to_json())
