"""From ranked candidates to the few that may be offered: slots filled, judged, each said once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from knowledge_base.errors import WordingError
from knowledge_base.snippet import Revision
from knowledge_base.wording import fill
from suggest_api.compliance import service as compliance
from suggest_api.compliance.model import Circumstances
from suggest_api.compliance.service import LOCALE as DEFAULT_LOCALE
from suggest_api.errors import Refused
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.suggestions.model import Candidate, Candidates, near_identical
from suggest_api.values import Abstention, ApprovedText, CheckedText, Facts, SuggestionRequest, Use

SILENCED_BY: Mapping[str, Abstention] = MappingProxyType(
    {
        "CTX-CARE": Abstention.NEEDS_PERSON,
        "CTX-OPTED-OUT": Abstention.OPTED_OUT,
        "CTX-WINDOW-CLOSED": Abstention.WINDOW_CLOSED,
        "CTX-FROZEN-TOPIC": Abstention.TOPIC_FROZEN,
        "CTX-FROZEN": Abstention.TOPIC_FROZEN,
    }
)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A candidate with its slots filled and its verdict."""

    candidate: Candidate
    approved: ApprovedText
    checked: CheckedText


@dataclass(slots=True)
class Sieve:
    """What is left of the candidates, and why the others fell out."""

    chosen: list[Chosen] = field(default_factory=list)
    dropped: list[Abstention] = field(default_factory=list)


def sift(
    desk: Desk,
    found: Candidates,
    request: SuggestionRequest,
    facts: Facts,
    around: Mapping[int, Circumstances],
    *,
    limit: int,
) -> Sieve:
    """Fill, judge and compare, best first, until there are enough."""
    sieve = Sieve()
    started = time.perf_counter()
    for candidate in found.candidates:
        # The ranker was sure of its first candidate. An agent may choose among the ones beside it, also when
        # the first falls out for a missing fact; the assistant sends alone, so each has to be sure by itself.
        if request.use is Use.ASSISTANT and candidate.confidence < found.threshold:
            break
        approved = _fill(candidate.revision, facts)
        if approved is None:
            sieve.dropped.append(Abstention.FACTS_MISSING)
            continue
        if any(near_identical(_wording(approved), _wording(c.approved)) for c in sieve.chosen):
            continue
        checked = _checked(desk, approved, request.channel, around[approved.revision_id])
        if isinstance(checked, Abstention):
            sieve.dropped.append(checked)
            continue
        sieve.chosen.append(Chosen(candidate=candidate, approved=approved, checked=checked))
        if len(sieve.chosen) == limit:
            break
    desk.metrics.stage_seconds.labels("policy").observe(time.perf_counter() - started)
    return sieve


def _fill(revision: Revision, facts: Facts) -> ApprovedText | None:
    """The approved text with its slots filled; None when a fact is missing or does not fit its slot."""
    if revision.approved_by is None or revision.approved_at is None:
        return None  # the database forbids it; without an approver there is nothing to prove
    try:
        filled = fill(revision.content.text, values=facts.values())
    except WordingError:
        return None
    # As they stand in the text: a value may have been brought into its slot's form.
    used = {(s.slot, filled.text[s.start : s.end]) for s in filled.spans if s.slot is not None}
    return ApprovedText(
        text=filled.text,
        snippet_key=revision.key,
        revision_id=revision.id,
        revision=revision.number,
        content_hash=revision.content_hash,
        author=revision.author,
        approved_by=revision.approved_by,
        approved_at=revision.approved_at,
        spans=filled.spans,
        slot_values=tuple(sorted(used)),
    )


def _checked(
    desk: Desk, approved: ApprovedText, channel: str, here: Circumstances
) -> CheckedText | Abstention:
    """The text with its verdict; or why not: the gate refuses it, or would change a byte of what was approved."""
    locale = here.locale or DEFAULT_LOCALE
    try:
        checked = compliance.check(
            desk.policy, approved.text, channel=channel, locale=locale, here=here
        )
    except (Refused, WordingError) as error:
        rules = [f.rule_id for f in error.findings] if isinstance(error, Refused) else []
        log.warning("draft.refused", snippet_key=approved.snippet_key, rules=rules)
        return why(rules)
    return checked if checked.text == approved.text else Abstention.POLICY_BLOCKED


def why(rules: Iterable[str]) -> Abstention:
    """What a refusal is called by the first of its rules that has a name of its own."""
    for rule in rules:
        if rule in SILENCED_BY:
            return SILENCED_BY[rule]
        if rule.startswith("META-"):
            return Abstention.NOT_CURRENT
    return Abstention.POLICY_BLOCKED


def _wording(approved: ApprovedText) -> str:
    """The approved words alone, without what fills the slots."""
    return " ".join(
        approved.text[span.start : span.end] for span in approved.spans if span.kind == "approved"
    )
