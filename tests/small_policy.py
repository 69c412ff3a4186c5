"""A policy of two plain rules, so that tests of the knowledge base do not move when a pack does."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from knowledge_base.policy import Finding, Judged, Policy, Rule, Severity


def small_policy(version: str = "small-1") -> Policy:
    """Blocks asking for a password, warns about shouting."""
    return Policy(
        version=version,
        rules=(
            _rule(
                "test.password",
                Severity.block,
                "your password",
                "asks for a password",
                "take it out",
            ),
            _rule(
                "test.shouting", Severity.warn, "!!", "shouts", "one exclamation mark is enough"
            ),
        ),
    )


def _rule(rule_id: str, severity: Severity, words: str, reason: str, mend: str) -> Rule:
    return Rule(
        id=rule_id,
        pack="test",
        severity=severity,
        title=rule_id,
        reason=reason,
        mend=mend,
        source="tests",
        must_flag=(),
        must_pass=(),
        judge=_finder(rule_id, severity, words, reason, mend),
    )


def _finder(
    rule_id: str, severity: Severity, words: str, reason: str, mend: str
) -> Callable[[Judged], Iterable[Finding]]:
    def judge(judged: Judged) -> Iterable[Finding]:
        at = judged.text.find(words)
        if at >= 0:
            yield Finding(rule_id, severity, (at, at + len(words)), reason, mend, "test")

    return judge
