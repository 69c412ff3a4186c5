"""The one way to a checked text: every stage that lets a text go on asks here, and no verdict means no."""

from __future__ import annotations

from functools import lru_cache

from knowledge_base.errors import PolicyUnavailable
from knowledge_base.policy import Outcome, Policy, Verdict
from knowledge_base.policy import judge as judge_text
from knowledge_base.wording import normalise
from suggest_api.errors import Refused
from suggest_api.values import CheckedText, sha256

# Verdicts kept, about 2 KB each. A verdict follows from policy, text and channel alone, and the same approved
# texts are offered over and over.
MOST_KEPT = 4096


class _Same:
    """A policy that is equal to itself only: comparing all its rules would cost more than judging."""

    __slots__ = ("policy",)

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.policy is self.policy

    def __hash__(self) -> int:
        return id(self.policy)


def judge(policy: Policy | None, text: str, *, channel: str) -> Verdict:
    """The verdict on exactly this text. Raises PolicyUnavailable when no policy is loaded."""
    if policy is None:
        msg = "no policy is loaded, so no text is let through: the log says why"
        raise PolicyUnavailable(msg)
    return _judge(_Same(policy), text, channel)


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


@lru_cache(maxsize=MOST_KEPT)
def _judge(same: _Same, text: str, channel: str) -> Verdict:
    return judge_text(same.policy, text, channel=channel)
