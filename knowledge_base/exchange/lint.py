"""Looks over what is live: does it still fit, still pass the policy of today, and is it about to run out?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.errors import WordingError
from knowledge_base.exchange.plan import finding_text
from knowledge_base.policy import Policy
from knowledge_base.snippet import Revision
from knowledge_base.store.approval import verdict_on
from knowledge_base.store.repository import approved_revisions
from knowledge_base.wording import LIMIT, worst_case

EXPIRES_SOON = timedelta(days=14)  # two weeks leave time to write and approve a successor


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One thing to look at. `kind`: policy, length, wording, expired or expiring."""

    key: str
    revision: int
    kind: str
    severity: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """How many live snippets were looked at, under which policy, and what was found."""

    snippets: int
    policy_version: str
    findings: tuple[LintFinding, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


def lint(session: Session, *, policy: Policy, now: datetime) -> LintReport:
    """Judge every live snippet afresh: policy, worst-case length, validity at `now`."""
    live = approved_revisions(session)
    findings = tuple(finding for revision in live for finding in _look(revision, policy, now))
    return LintReport(snippets=len(live), policy_version=policy.version, findings=findings)


def _look(revision: Revision, policy: Policy, now: datetime) -> list[LintFinding]:
    def found(kind: str, severity: str, reason: str) -> LintFinding:
        return LintFinding(
            key=revision.key, revision=revision.number, kind=kind, severity=severity, reason=reason
        )

    findings = [
        found("policy", str(finding.severity), finding_text(finding))
        for finding in verdict_on(policy, revision.content).findings
    ]
    try:
        length = worst_case(revision.content.text)
    except WordingError as error:
        findings.append(found("wording", "block", str(error)))
    else:
        if not length.fits:
            reason = f"can become {length.code_points} characters ({length.weighted} as X counts): at most {LIMIT}"
            findings.append(found("length", "block", reason))
    until = revision.content.valid_until
    if until is not None and until <= now:
        findings.append(
            found("expired", "warn", f"ran out on {until:%Y-%m-%d}: renew or retire it")
        )
    elif until is not None and until <= now + EXPIRES_SOON:
        findings.append(found("expiring", "warn", f"runs out on {until:%Y-%m-%d %H:%M} UTC"))
    return findings
