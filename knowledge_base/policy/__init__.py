"""The policy gate: rules that read a text, and the verdict that decides whether it may be approved, offered or
sent.
"""

from knowledge_base.policy.engine import judge
from knowledge_base.policy.loader import load_policy
from knowledge_base.policy.model import Finding, Outcome, Policy, Rule, Severity, Switches, Verdict
from knowledge_base.policy.reading import Judged

__all__ = [
    "Finding",
    "Judged",
    "Outcome",
    "Policy",
    "Rule",
    "Severity",
    "Switches",
    "Verdict",
    "judge",
    "load_policy",
]
