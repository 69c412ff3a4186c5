"""The policy as governed content: proposed, tried and put in force by two people, and every version kept."""

from knowledge_base.governance.checks import Fault, Miss, Weakening, misses
from knowledge_base.governance.current import (
    SHIPPED,
    InForce,
    Shipped,
    files_in_force,
    files_of,
    hash_in_force,
    in_force,
    policy_here,
    policy_of,
    readable,
    remember,
    shipped,
)
from knowledge_base.governance.effect import Effect, Stopped
from knowledge_base.governance.examining import Examination, differ, examine, examine_revision
from knowledge_base.governance.model import PolicyRevision, State
from knowledge_base.governance.service import (
    approve,
    propose,
    return_to_author,
    save,
    submit,
    take_up,
    withdraw,
)

__all__ = [
    "SHIPPED",
    "Effect",
    "Examination",
    "Fault",
    "InForce",
    "Miss",
    "PolicyRevision",
    "Shipped",
    "State",
    "Stopped",
    "Weakening",
    "approve",
    "differ",
    "examine",
    "examine_revision",
    "files_in_force",
    "files_of",
    "hash_in_force",
    "in_force",
    "misses",
    "policy_here",
    "policy_of",
    "propose",
    "readable",
    "remember",
    "return_to_author",
    "save",
    "shipped",
    "submit",
    "take_up",
    "withdraw",
]
