"""Runs every rule and the second reader over a text and gives the verdict; if anything fails, the answer is no."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Set
from dataclasses import replace

from knowledge_base.policy.model import Finding, Outcome, Policy, Rule, Severity, Verdict
from knowledge_base.policy.reading import Judged
from knowledge_base.policy.second_reader import SecondReader

ENGINE_ERROR = "ENGINE-ERROR"
NO_POLICY = "NO-POLICY"
_ENGINE_PACK = "engine"
_OF_WORDS = frozenset(["asks_for", "says"])  # detectors that words alone decide


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
        found = [finding for rule in rules for finding in _apply(rule, judged)]
        reader = None if policy is None else policy.second_reader
        opinion = frozenset() if policy is None else policy.switches.second_opinion
        findings = [_weighed(reader, opinion, judged, finding) for finding in found]
        # Nobody is asked about what only shows when a text is heard, as the reader does not hear it: there a
        # rule that was contradicted is tried again, elsewhere in the text.
        told = {finding.rule_id for finding in findings if finding in found}
        places = {(finding.rule_id, finding.span) for finding in found}
        heard = _listen(rules, judged, told)
        findings += [each for each in heard if (each.rule_id, each.span) not in places]
        findings += _read_again(reader, rules, judged, findings)
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


def _weighed(
    reader: SecondReader | None, opinion: Set[str], judged: Judged, finding: Finding
) -> Finding:
    """A block that the reader contradicts, as a warning, where the policy asks for its opinion."""
    is_asked = finding.severity is Severity.block and opinion & {finding.rule_id, finding.pack}
    if reader is None or not is_asked:
        return finding
    try:
        contradicted = reader.contradicts(judged, finding.rule_id)
    except Exception:
        return finding  # it stays a block; that the reader fails is said where it reads for itself
    if not contradicted:
        return finding
    reason = f"{finding.reason}, or only seems to: the second reader takes it to keep this rule"
    return replace(finding, severity=Severity.warn, reason=reason)


def _listen(rules: Iterable[Rule], judged: Judged, told: Collection[str]) -> list[Finding]:
    """What rules on words find in the text as it is heard, unless they have found something in it as it stands."""
    try:
        heard = judged.heard
    except Exception as error:
        return [_refusal(ENGINE_ERROR, f"the second look failed ({type(error).__name__})")]
    if heard is None:
        return []
    return [
        finding if finding.span is None else _as_heard(finding, finding.span, heard)
        for rule in rules
        if rule.detector in _OF_WORDS and rule.id not in told
        for finding in _apply(rule, heard)
    ]


def _as_heard(finding: Finding, span: tuple[int, int], heard: Judged) -> Finding:
    start, end = span
    said = " ".join(word.text for word in heard.words if start <= word.start < end)
    return replace(finding, reason=f"{finding.reason}; read as “{said}”")


def _read_again(
    reader: SecondReader | None, rules: Iterable[Rule], judged: Judged, findings: Iterable[Finding]
) -> list[Finding]:
    """What the second reader has to say, unless a rule has said it."""
    if reader is None:
        return []
    on = {rule.id: rule for rule in rules}
    told = {finding.rule_id for finding in findings}
    try:
        finding = reader.read(judged, on, told)
        if finding is None and judged.heard is not None:
            finding = reader.read(judged.heard, on, told)
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
