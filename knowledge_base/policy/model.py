"""Frozen values of the gate: rules, findings and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from knowledge_base.errors import PolicyError
from knowledge_base.policy.reading import Judged

if TYPE_CHECKING:
    from knowledge_base.policy.second_reader import SecondReader


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
    examples_channel: str = "generic"  # the channel that the examples are judged for
    detector: str = ""  # what `judge` was made of, with these settings
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Switches:
    """Which packs are on: for everybody, and differently for a channel or a locale; the locale wins.

    A pack that is not named is on: forgetting one must not open the gate.
    """

    brand: str = ""
    packs: Mapping[str, bool] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    locales: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    # Packs and rules whose block becomes a warning where the second reader is sure that the text keeps them.
    second_opinion: frozenset[str] = frozenset()

    def is_on(self, pack: str, *, channel: str, locale: str) -> bool:
        """Whether a pack judges texts for a channel and a locale such as "en" or "en-GB"."""
        language = locale.partition("-")[0]
        for chosen in (
            self.locales.get(locale),
            self.locales.get(language),
            self.channels.get(channel),
            self.packs,
        ):
            if chosen is not None and pack in chosen:
                return chosen[pack]
        return True


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of all packs, which packs are on, and the second reader, who warns about what no rule finds;
    `version` changes with any rule, pack, switch, line of rule code or weight of the reader.
    """

    version: str
    rules: tuple[Rule, ...]
    switches: Switches = field(default_factory=Switches)
    second_reader: SecondReader | None = None

    def rules_for(self, *, channel: str, locale: str = "en") -> tuple[Rule, ...]:
        """The rules that judge texts for a channel and a locale."""
        on = {
            pack
            for pack in {rule.pack for rule in self.rules}
            if self.switches.is_on(pack, channel=channel, locale=locale)
        }
        return tuple(rule for rule in self.rules if rule.pack in on)
