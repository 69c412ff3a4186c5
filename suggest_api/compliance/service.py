"""The one way to a checked text: every stage that lets a text go on asks here, and no verdict means no."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from knowledge_base.errors import PolicyError, PolicyUnavailable
from knowledge_base.policy import Outcome, Policy, Severity, Verdict
from knowledge_base.policy import judge as judge_text
from knowledge_base.wording import normalise
from suggest_api.compliance.model import Circumstances, findings, merge
from suggest_api.errors import Refused
from suggest_api.values import CONTEXT_LAYER, METADATA_LAYER, CheckedText, sha256

LOCALE = "en"  # of a text that belongs to no conversation

# Verdicts kept, about 2 KB each. A verdict on a text follows from policy, text, channel and locale
# alone, and the same approved texts are offered over and over.
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


def judge(
    policy: Policy | None,
    text: str,
    *,
    channel: str,
    locale: str = LOCALE,
    here: Circumstances | None = None,
) -> Verdict:
    """The verdict on exactly this text, and on its circumstances where they are known.

    Raises PolicyUnavailable when no policy is loaded.
    """
    if policy is None:
        msg = "no policy is loaded, so no text is let through: the log says why"
        raise PolicyUnavailable(msg)
    verdict = _judge(_Same(policy), text, channel, locale)
    return verdict if here is None else merge(verdict, findings(here))


def check(
    policy: Policy | None,
    text: str,
    *,
    channel: str,
    locale: str = LOCALE,
    here: Circumstances | None = None,
) -> CheckedText:
    """The text that may be sent, normalised, with the verdict on exactly its bytes.

    Raises Refused with the findings when a rule of any layer blocks, UnusableText for a character that no rule
    named, and PolicyUnavailable. A verdict that is bound to other bytes counts as none.
    """
    verdict = judge(policy, text, channel=channel, locale=locale, here=here)
    if verdict.outcome is not Outcome.block:
        final = normalise(text)
        if final != text:
            verdict = judge(policy, final, channel=channel, locale=locale, here=here)
        if verdict.outcome is not Outcome.block and verdict.judged_sha256 == sha256(final):
            drift = None if here is None or here.drift is None else here.drift.to_json()
            return CheckedText(
                text=final, sha256=verdict.judged_sha256, verdict=verdict, drift=drift
            )
    raise Refused(_refusal(verdict), findings=tuple(verdict.findings))


def on_record(text: str, stored: Mapping[str, Any]) -> CheckedText:
    """A text with the verdict that was stored with it: for the record of what was sent elsewhere, and never for
    the outbox, which takes a fresh verdict only.

    Raises Refused if the stored verdict is not one, is about other bytes, or blocks.
    """
    try:
        verdict = Verdict.from_json(stored)
    except PolicyError as error:
        raise Refused(str(error)) from error
    if verdict.outcome is Outcome.block or verdict.judged_sha256 != sha256(text):
        msg = "the stored verdict does not let this text out: have it judged again"
        raise Refused(msg, findings=tuple(verdict.findings))
    return CheckedText(
        text=text, sha256=verdict.judged_sha256, verdict=verdict, drift=stored.get("drift")
    )


def _refusal(verdict: Verdict) -> str:
    blocking = [f for f in verdict.findings if f.severity is Severity.block]
    if blocking and all(f.pack in (METADATA_LAYER, CONTEXT_LAYER) for f in blocking):
        return f"{blocking[0].reason}: {blocking[0].mend}"
    rules = ", ".join(sorted({f.rule_id for f in blocking or verdict.findings})) or "the gate"
    return f"the text is blocked by {rules}: change it as the findings say"


@lru_cache(maxsize=MOST_KEPT)
def _judge(same: _Same, text: str, channel: str, locale: str) -> Verdict:
    return judge_text(same.policy, text, channel=channel, locale=locale)
