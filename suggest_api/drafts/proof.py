"""Checking a draft's proof: everything is rebuilt from the stored revision and slot values, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.errors import FirstlineError, NotFound, PolicyError, ProofFailed
from knowledge_base.policy import Policy, Verdict, judge
from knowledge_base.snippet import Revision
from knowledge_base.store import repository as revisions
from knowledge_base.store import review
from knowledge_base.store.revisions import subject
from knowledge_base.store.trail import entries_about
from knowledge_base.wording import Filled, fill, measure
from suggest_api.drafts import repository, service, trail
from suggest_api.drafts.check import Check, failed, same
from suggest_api.drafts.model import Draft, difference, length_json, proof_hash, spans_json
from suggest_api.values import CONTEXT_LAYER, METADATA_LAYER, canonical_json, sha256

# (approved text, final text) -> the drift as it is stored with a verdict
Drift = Callable[[str, str], Mapping[str, Any]]
# (session, version) -> the policy that gives verdicts under it, or why it cannot be had
PolicyOf = Callable[[Session, str], Policy | str]
# (session, draft id) -> what was queued from it
Replies = Callable[[Session, str], Sequence[trail.Sent]]


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


def verify(
    session: Session,
    draft_id: str,
    *,
    policy: PolicyOf,
    drift: Drift,
    replies: Replies,
) -> ProofReport:
    """Rebuild a draft and recompute its proof; a part that differs is reported, not raised.

    Everything is compared: the stored row with its proof, the proof with the revision, both with what the audit
    chain recorded, the verdicts with those of the policy that gave them (where it can be had: `policy` finds it by
    its version), the drift, and the reply that was queued. `drift` measures how far a final text is from an
    approved one; `replies` gives what was queued from the draft. Raises NotFound, and ProofFailed when the row
    itself cannot be read any more.
    """
    draft = _readable(session, draft_id)
    checks = [*_seal(draft), *_spelling(session, draft), *_columns(draft)]
    revision = _revision(session, draft)
    filled: Filled | None = None
    if revision is None:
        detail = f"revision {draft.revision_id} is not in the database, or cannot be read"
        checks.append(Check(part="revision", holds=False, detail=detail))
    else:
        checks.extend(_approval(draft, revision))
        checks.extend(_recorded_revision(session, revision))
        filled, check = _rebuild(draft, revision)
        checks.append(check)
        if filled is not None:
            checks.extend(_text(draft, filled))
    checks.extend(_verdicts(draft, lambda version: policy(session, version), drift))
    checks.extend(_recall(session, draft))
    offered = entries_about(session, [trail.OFFERS], naming=draft.id)
    waits = repository.unrecorded(session, draft.id)
    checks.extend(trail.of_offer(draft, offered, waits=waits))
    checks.extend(trail.of_draft(draft, entries_about(session, [f"draft:{draft.id}"])))
    checks.extend(_replies(session, draft, replies(session, draft.id)))
    changed = draft.final_text is not None
    return ProofReport(
        draft=draft,
        rebuilt_text=None if filled is None else filled.text,
        checks=tuple(checks),
        difference=tuple(difference(draft.text, draft.outgoing_text)) if changed else (),
    )


def _readable(session: Session, draft_id: str) -> Draft:
    try:
        draft = service.get(session, draft_id)
    except (ValueError, TypeError) as error:
        msg = f"draft {draft_id}: a stored column cannot be read: {error}"
        raise ProofFailed(msg) from error
    for part, value in (("proof", draft.proof), ("final_verdict", draft.final_verdict)):
        if not isinstance(value, dict) and (part == "proof" or value is not None):
            msg = f"draft {draft_id}: {part} is not what was written: a JSON object"
            raise ProofFailed(msg)
    return draft


def _seal(draft: Draft) -> Iterator[Check]:
    """The proof against its own hash, and the text against its."""
    yield same("proof_sha256", draft.proof_sha256, proof_hash(draft.proof))
    yield same("text_sha256", draft.proof.get("text_sha256"), sha256(draft.text))
    yield same("text_sha256 (stored)", draft.text_sha256, sha256(draft.text))
    yield same("length", draft.proof.get("length"), length_json(measure(draft.text)))


def _spelling(session: Session, draft: Draft) -> Iterator[Check]:
    """The stored JSON, byte for byte."""
    stored = repository.as_stored(session, draft.id)
    for part, value in (("proof", dict(draft.proof)), ("final_verdict", draft.final_verdict)):
        written = None if value is None else canonical_json(value)
        if stored[part] != written:
            yield failed(f"{part} (stored)", "it is not spelled as it was written")


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
        yield same(part, draft.proof.get(part), found)


def _revision(session: Session, draft: Draft) -> Revision | None:
    try:
        return revisions.get_revision(session, draft.revision_id)
    except (NotFound, ValueError, TypeError):
        return None


def _approval(draft: Draft, revision: Revision) -> Iterator[Check]:
    """The revision that was approved, by whom and when; its content against its hash."""
    proof = draft.proof
    yield same("revision", proof.get("revision"), revision.number)
    yield same("snippet_key (revision)", proof.get("snippet_key"), revision.key)
    yield same("content_hash", proof.get("content_hash"), revision.content.content_hash)
    yield same("content_hash (stored)", revision.content_hash, revision.content.content_hash)
    yield same("author", proof.get("author"), revision.author)
    yield same("approved_by", proof.get("approved_by"), revision.approved_by)
    at = revision.approved_at
    yield same("approved_at", proof.get("approved_at"), None if at is None else at.isoformat())


def _recorded_revision(session: Session, revision: Revision) -> Iterator[Check]:
    entries = entries_about(session, [subject(revision.key, revision.number)])
    approved = repository.approved_hash(session, revision.id)
    yield from trail.of_revision(revision, entries, approved_hash=approved)
    yield from trail.of_decisions(revision, entries, review.signed_rows(session, revision))


def _recall(session: Session, draft: Draft) -> Iterator[Check]:
    """A draft is withdrawn by the recall of the snippet that it was made from, and by no other."""
    if draft.recall_id is None:
        return
    recalled = repository.recalled_snippet(session, draft.recall_id)
    if recalled is None or recalled[0] != draft.snippet_key or recalled[1] < draft.created_at:
        yield failed("recall_id", f"recall {draft.recall_id} did not pull what this draft says")
    else:
        yield Check(part="recall_id", holds=True)


def _replies(session: Session, draft: Draft, sent: Sequence[trail.Sent]) -> Iterator[Check]:
    if draft.conversation_id is None:
        if sent:
            yield failed("conversation_id", "it was queued in a conversation, and names none")
        return
    entries = entries_about(session, [f"conversation:{draft.conversation_id}"])
    queued = [entry for entry in entries if entry.action == "reply.queue"]
    yield from trail.of_reply(draft, sent, queued)


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
    yield same("spans", draft.proof.get("spans"), spans_json(filled.spans))


_Found = Callable[[str], Policy | str]  # the policy of a version, or why it cannot be had


def _verdicts(draft: Draft, policy: _Found, drift: Drift) -> Iterator[Check]:
    stored = draft.proof.get("verdict")
    yield _verdict("verdict", stored, draft.text, draft, policy)
    version = stored.get("policy_version") if isinstance(stored, dict) else None
    yield same("policy_version", draft.proof.get("policy_version"), version)
    if draft.final_text is None:
        if draft.final_verdict is not None:
            yield failed("final verdict", "there is one, and no final text")
        return
    yield _verdict("final verdict", draft.final_verdict, draft.final_text, draft, policy)
    if draft.final_verdict is None or "drift" not in draft.final_verdict:
        detail = "it was not stored with this verdict"
        yield Check(part="drift", holds=None, detail=detail)
    else:
        measured = dict(drift(draft.text, draft.final_text))
        yield same("drift", draft.final_verdict["drift"], measured)


def _verdict(part: str, stored: Any, text: str, draft: Draft, policy: _Found) -> Check:
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
    try:
        judging = policy(verdict.policy_version)
    except PolicyError as error:
        return Check(part=part, holds=False, detail=str(error))
    if isinstance(judging, str):
        detail = (
            f"given by policy {verdict.policy_version[:12]}, {judging}: not judged again; that it was given on"
            " this text, lets it out and is sealed was checked"
        )
        return Check(part=part, holds=None, detail=detail)
    locale = str(draft.proof.get("locale", "en"))
    fresh = judge(judging, text, channel=draft.channel, locale=locale)
    on_text = [f for f in verdict.findings if f.pack not in (METADATA_LAYER, CONTEXT_LAYER)]
    if len(on_text) < len(verdict.findings):
        # Circumstances warned at most, or it would have blocked; the outcome is at least the text's.
        worst = "warn" if fresh.outcome.value == "pass" else fresh.outcome.value
        expected = {**fresh.to_json(), "outcome": worst}
        found = {**verdict.to_json(), "findings": [f.to_json() for f in on_text]}
        return same(part, found, expected)
    return same(part, verdict.to_json(), fresh.to_json())
