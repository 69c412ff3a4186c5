"""A draft and its revision against what the audit chain recorded when they were written, approved and decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knowledge_base.snippet import Revision
from knowledge_base.store.trail import Recorded
from suggest_api.drafts.check import Check, failed, same
from suggest_api.drafts.model import Draft, DraftState, proof_hash
from suggest_api.values import canonical_json, sha256

# The subject of every entry that records what was offered.
OFFERS = "drafts"
_NOT_KEPT = "it was recorded before the audit chain kept this hash"
_DECIDING = ("draft.edited", "draft.accepted", "draft.dismissed")
_SIGNED = ("revision.sign_off", "revision.approve")
# What the last of these entries says of a revision's place in the workflow; others do not move it.
_STATUS = {
    "revision.add": "draft",
    "revision.reopen": "draft",
    "revision.submit": "in_review",
    "revision.sign_off": "in_review",
    "revision.withdraw": "draft",
    "revision.return": "draft",
    "revision.approve": "approved",
    "revision.retire": "retired",
    "revision.recall": "retired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A reply that was queued from a draft, as the outbox has it."""

    outbox_id: str
    text: str
    text_sha256: str
    judged_sha256: str
    revision_id: int | None
    verdict: Mapping[str, Any]
    verdict_outcome: str


def of_revision(
    revision: Revision, entries: Sequence[Recorded], *, approved_hash: str | None
) -> Iterator[Check]:
    """Who wrote, submitted, approved and retired it and when, as it was recorded then."""
    yield from _whole("audit of the revision", entries)
    last = {entry.action: entry for entry in entries}
    first = entries[0] if entries else None
    yield same("author (audit)", revision.author, first and first.actor)
    yield same("created_at (audit)", _time(revision.created_at), first and _time(first.at))
    yield same(
        "written (audit)", revision.content_hash, first and first.detail.get("content_hash")
    )
    submitted = last.get("revision.submit")
    yield same("submitted_at", _time(revision.submitted_at), submitted and _time(submitted.at))
    approval = last.get("revision.approve")
    detail = approval.detail if approval else {}
    yield same("approved_by (audit)", revision.approved_by, approval and approval.actor)
    yield same("approved_at (audit)", _time(revision.approved_at), approval and _time(approval.at))
    yield same("approved_hash", approved_hash, revision.content.content_hash)
    yield same("approved content (audit)", revision.content_hash, detail.get("content_hash"))
    yield same("approval's policy_version", revision.policy_version, detail.get("policy_version"))
    retirement = last.get("revision.recall") or last.get("revision.retire")
    yield same("retired_by", revision.retired_by, retirement and retirement.actor)
    yield same("retired_at", _time(revision.retired_at), retirement and _time(retirement.at))
    moves = [_STATUS[entry.action] for entry in entries if entry.action in _STATUS]
    yield same("status", revision.status.value, moves[-1] if moves else None)


def of_decisions(
    revision: Revision, entries: Sequence[Recorded], decisions: Sequence[Mapping[str, Any]]
) -> Iterator[Check]:
    """Every sign-off on the way to the approval, by whom, when, for which team and why.

    An approval in one go (an import by two people) has no sign-offs, and its entry names no step.
    """
    submitted = max((e.seq for e in entries if e.action == "revision.submit"), default=0)
    signed = [
        e for e in entries if e.seq > submitted and e.action in _SIGNED and "step" in e.detail
    ]
    yield same("sign-offs", len(signed), len(decisions))
    for number, (entry, decision) in enumerate(zip(signed, decisions, strict=False), start=1):
        part = f"sign-off {number}"
        recorded = (entry.actor, _time(entry.at), entry.detail["step"], entry.detail.get("team"))
        kept = (decision["by"], _time(decision["at"]), decision["step"], decision["team"])
        yield same(part, kept, recorded)
        bound = (decision["author"], decision["content_hash"])
        yield same(f"{part}, what was signed", bound, (revision.author, revision.content_hash))
        if "reason_sha256" in entry.detail:
            digest = sha256(decision["reason"])
            yield same(f"{part}, reason", entry.detail["reason_sha256"], digest)
        else:
            yield Check(part=f"{part}, reason", holds=None, detail=_NOT_KEPT)


def of_draft(draft: Draft, entries: Sequence[Recorded]) -> Iterator[Check]:
    """What became of it: who decided what, when and why, on which text and under which verdict."""
    yield from _whole("audit of the draft", entries)
    if not entries:
        yield _undecided(draft)
        return
    last = entries[-1]
    yield same("state", draft.state.value, last.action.removeprefix("draft."))
    for entry in entries:
        for name, value in (
            ("snippet_key", draft.snippet_key),
            ("revision_id", draft.revision_id),
            ("proof_sha256", draft.proof_sha256),
        ):
            if entry.detail.get(name) != value:
                yield failed(
                    f"{name} (audit)", f"entry {entry.seq} says {entry.detail.get(name)!r}"
                )
    yield from _decision(draft, entries)
    yield same("final text (audit)", sha256(draft.outgoing_text), last.detail.get("text_sha256"))
    yield same("edited (audit)", draft.final_text is not None, last.detail.get("edited"))
    for name, found in recorded_hashes(draft).items():
        if name in last.detail:
            yield same(f"{name} (audit)", last.detail[name], found)
        else:
            yield Check(part=f"{name} (audit)", holds=None, detail=_NOT_KEPT)
    yield _unbroken(draft, entries)


def of_offer(draft: Draft, entries: Sequence[Recorded], *, waits: bool) -> Iterator[Check]:
    """The proof as the chain recorded it when it was offered: in one entry, or wherever it is named again."""
    part = "proof (audit)"
    if not entries:
        detail = "the chain records it with the next offers, within seconds while a worker runs"
        yield (
            Check(part=part, holds=None, detail=detail)
            if waits
            else failed(part, "no entry of the audit chain says that it was offered")
        )
        return
    yield from _whole("audit of the offer", entries)
    for entry in entries:
        proofs = entry.detail.get("proofs")
        recorded = proofs.get(draft.id) if isinstance(proofs, dict) else None
        if recorded != draft.proof_sha256:
            yield failed(part, f"entry {entry.seq} recorded another proof when it was offered")
            return
    yield Check(part=part, holds=True)


def of_reply(draft: Draft, sent: Sequence[Sent], entries: Sequence[Recorded]) -> Iterator[Check]:
    """The reply that was queued from the draft, where this desk sent it itself."""
    queued = [entry for entry in entries if entry.detail.get("draft_id") == draft.id]
    by_id = {entry.detail.get("outbox_id"): entry for entry in queued}
    for reply in sent:
        entry = by_id.pop(reply.outbox_id, None)
        if entry is None:
            yield failed("reply (audit)", f"no entry says that reply {reply.outbox_id} was queued")
            continue
        if entry.fault:
            yield failed("reply (audit)", entry.fault)
        digest = sha256(draft.outgoing_text)
        yield same("reply's text", digest, sha256(reply.text))
        yield same("reply's text_sha256", digest, reply.text_sha256)
        yield same("reply's judged text", digest, reply.judged_sha256)
        yield same("reply's text (audit)", digest, entry.detail.get("text_sha256"))
        yield same("reply's revision", draft.revision_id, reply.revision_id)
        yield same("reply's outcome", entry.detail.get("verdict"), reply.verdict_outcome)
        yield same("reply's drift", entry.detail.get("drift"), reply.verdict.get("drift"))
        if "verdict_sha256" in entry.detail:
            digest = sha256(canonical_json(dict(reply.verdict)))
            yield same("reply's verdict", entry.detail["verdict_sha256"], digest)
        else:
            yield Check(part="reply's verdict", holds=None, detail=_NOT_KEPT)
    for entry in by_id.values():
        reason = f"entry {entry.seq} says that it was queued, and it is not in the outbox"
        yield failed("reply", reason)


def recorded_hashes(draft: Draft) -> dict[str, str | None]:
    """What the audit entry of a decision keeps of the words and the verdict: only their hashes."""
    verdict = draft.final_verdict
    return {
        "reason_sha256": None if draft.reason is None else sha256(draft.reason),
        "verdict_sha256": None if verdict is None else proof_hash(verdict),
    }


def _undecided(draft: Draft) -> Check:
    columns = ("final_text", "final_verdict", "decided_by", "decided_at", "reason")
    written = [name for name in columns if getattr(draft, name) is not None]
    if draft.state is DraftState.PROPOSED and not written:
        return Check(part="decision", holds=True, detail="nobody decided about it yet")
    what = ", ".join(written) or f"the state {draft.state.value}"
    return failed(
        "decision", f"no audit entry says that anybody decided, but the draft has {what}"
    )


def _decision(draft: Draft, entries: Sequence[Recorded]) -> Iterator[Check]:
    decided = [entry for entry in entries if entry.action in _DECIDING]
    entry = decided[-1] if decided else None
    yield same("decided_by", draft.decided_by, entry and entry.actor)
    yield same("decided_at", _time(draft.decided_at), entry and _time(entry.at))


def _unbroken(draft: Draft, entries: Sequence[Recorded]) -> Check:
    """Each step starts from where the one before it ended, so that none was taken out in between."""
    state, digest = DraftState.PROPOSED.value, draft.proof.get("text_sha256")
    for entry in entries:
        before = entry.detail.get("before_sha256", digest)
        if entry.detail.get("from") != state or before != digest:
            return failed(
                "steps (audit)", f"entry {entry.seq} does not start where the last ended"
            )
        state, digest = entry.action.removeprefix("draft."), entry.detail.get("text_sha256")
    return Check(part="steps (audit)", holds=True)


def _whole(part: str, entries: Sequence[Recorded]) -> Iterator[Check]:
    faults = [entry.fault for entry in entries if entry.fault]
    yield failed(part, faults[0]) if faults else Check(part=part, holds=True)


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
