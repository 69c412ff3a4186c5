"""Runs every rule and the second reader over a text and gives the verdict; if anything fails, the answer is no."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from knowledge_base.policy.model import Finding, Outcome, Policy, Rule, Severity, Verdict
from knowledge_base.policy.reading import Judged
from knowledge_base.policy.second_reader import SecondReader

ENGINE_ERROR = "ENGINE-ERROR"
NO_POLICY = "NO-POLICY"
_ENGINE_PACK = "engine"


def judge(
    policy: Policy | None, text: str, *, channel: str, template: bool = False, locale: str = "en"
) -> Verdict:
    """The verdict on `text` for a channel; `template` allows well-formed slots and judges their worst case.

    Only packs that are on for the channel and the locale judge.

    Never raises: a rule that fails, and a policy that is missing or empty, give a blocking finding.
    """
    rules = () if policy is None else policy.rules_for(channel=channel, locale=locale)
    if not rules:
        findings: list[Finding] = [_refusal(NO_POLICY, "no policy rules are loaded")]
    else:
        judged = Judged(text, channel, template, locale)
        findings = [finding for rule in rules for finding in _apply(rule, judged)]
        if policy is not None and policy.second_reader is not None:
            findings += _read_again(policy.second_reader, rules, judged, findings)
    return Verdict(
        outcome=_outcome(findings),
        policy_version="" if policy is None else policy.version,
        findings=tuple(findings),
        # Lone surrogates cannot be encoded strictly; such a text is blocked, but its hash must still exist.
        judged_sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _apply(rule: Rule, judged: Judged) -> Iterable[Finding]:
    try:
        return list(rule.judge(judged))
    except Exception as error:
        return [_refusal(ENGINE_ERROR, f"rule {rule.id} failed ({type(error).__name__})")]


def _read_again(
    reader: SecondReader, rules: Iterable[Rule], judged: Judged, findings: Iterable[Finding]
) -> list[Finding]:
    """What the second reader has to say, unless a rule has said it."""
    try:
        finding = reader.read(
            judged, {rule.id: rule for rule in rules}, {finding.rule_id for finding in findings}
        )
    except Exception as error:
        return [_refusal(ENGINE_ERROR, f"the second reader failed ({type(error).__name__})")]
    return [] if finding is None else [finding]


def _refusal(rule_id: str, reason: str) -> Finding:
    return Finding(
        rule_id=rule_id,
        severity=Severity.block,
        span=None,
        reason=f"{reason}; without a complete judgement nothing may be sent",
        mend="tell whoever looks after the policy packs",
        pack=_ENGINE_PACK,
    )


def _outcome(findings: Iterable[Finding]) -> Outcome:
    severities = {finding.severity for finding in findings}
    if Severity.block in severities:
        return Outcome.block
    return Outcome.warn if Severity.warn in severities else Outcome.pass_
