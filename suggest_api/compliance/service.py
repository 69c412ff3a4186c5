"""The one way to a checked text: every stage that lets a text go on asks here, and no verdict means no."""

from __future__ import annotations

from knowledge_base.errors import PolicyUnavailable
from knowledge_base.policy import Outcome, Policy, Verdict
from knowledge_base.policy import judge as judge_text
from knowledge_base.wording import normalise
from suggest_api.errors import Refused
from suggest_api.values import CheckedText, sha256


def judge(policy: Policy | None, text: str, *, channel: str) -> Verdict:
    """The verdict on exactly this text. Raises PolicyUnavailable when no policy is loaded."""
    if policy is None:
        msg = "no policy is loaded, so no text is let through: the log says why"
        raise PolicyUnavailable(msg)
    return judge_text(policy, text, channel=channel)


def check(policy: Policy | None, text: str, *, channel: str) -> CheckedText:
    """The text that may be sent, normalised, with the verdict on exactly its bytes.

    Raises Refused with the findings when a rule blocks, UnusableText for a character that no rule named, and
    PolicyUnavailable. A verdict that is bound to other bytes counts as none.
    """
    verdict = judge(policy, text, channel=channel)
    if verdict.outcome is not Outcome.block:
        final = normalise(text)
        verdict = verdict if final == text else judge(policy, final, channel=channel)
        if verdict.outcome is not Outcome.block and verdict.judged_sha256 == sha256(final):
            return CheckedText(text=final, sha256=verdict.judged_sha256, verdict=verdict)
    rules = ", ".join(sorted({finding.rule_id for finding in verdict.findings})) or "the gate"
    msg = f"the text is blocked by {rules}: change it as the findings say"
    raise Refused(msg, findings=tuple(verdict.findings))
