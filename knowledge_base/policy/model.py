"""Frozen values of the gate: rules, findings and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from knowledge_base.errors import PolicyError
from knowledge_base.policy.reading import Judged


class Severity(StrEnum):
    """How much a finding weighs: a warning needs a reason to go on, a block cannot be overridden."""

    warn = "warn"
    block = "block"


class Outcome(StrEnum):
    """What a verdict says about the whole text."""

    pass_ = "pass"  # noqa: S105 - an outcome, no password
    warn = "warn"
    block = "block"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a text breaks a rule; `span` counts code points of the judged text, None means the whole."""

    rule_id: str
    severity: Severity
    span: tuple[int, int] | None
    reason: str
    mend: str
    pack: str

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON; the span is a list of two numbers or None."""
        return {
            "rule_id": self.rule_id,
            "severity": self.severity.value,
            "span": None if self.span is None else list(self.span),
            "reason": self.reason,
            "mend": self.mend,
            "pack": self.pack,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """The finding that `to_json` wrote; raises KeyError or ValueError on anything else."""
        span = data["span"]
        return cls(
            rule_id=data["rule_id"],
            severity=Severity(data["severity"]),
            span=None if span is None else (int(span[0]), int(span[1])),
            reason=data["reason"],
            mend=data["mend"],
            pack=data["pack"],
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says about one text under one policy version."""

    outcome: Outcome
    policy_version: str
    findings: tuple[Finding, ...]
    judged_sha256: str

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON and for storage in a proof."""
        return {
            "outcome": self.outcome.value,
            "policy_version": self.policy_version,
            "findings": [finding.to_json() for finding in self.findings],
            "judged_sha256": self.judged_sha256,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_json` wrote; raises PolicyError when it is not one."""
        try:
            return cls(
                outcome=Outcome(data["outcome"]),
                policy_version=data["policy_version"],
                findings=tuple(Finding.from_json(finding) for finding in data["findings"]),
                judged_sha256=data["judged_sha256"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise PolicyError(f"this is not a stored verdict: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: one function that returns findings, with the examples it must flag and must let pass."""

    id: str
    pack: str
    severity: Severity
    title: str
    reason: str
    mend: str
    source: str
    must_flag: tuple[str, ...]
    must_pass: tuple[str, ...]
    judge: Callable[[Judged], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force; `version` changes with any rule, pack or line of rule code."""

    version: str
    rules: tuple[Rule, ...]
