"""What is kept of a question that nothing answered, and what is proposed as a phrasing (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from knowledge_base.snippet import folded
from suggest_api.values import Abstention, Use, sha256

# Why a question was left without an answer that a new snippet could have given. A failure of a part, a
# missing fact, or a customer who needs a person's care says nothing about what the snippets lack.
KEPT = frozenset(
    {Abstention.NO_CONFIDENT_MATCH, Abstention.NOTHING_IN_SCOPE, Abstention.NOT_CURRENT}
)
KEY = 32  # hex digits: 128 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A customer's last words, masked, and why they got no suggestion. `confidence` is the best candidate's.

    `asked_key` is the same for the same words in one conversation and tells nothing else.
    """

    asked_key: str
    question: str
    channel: str
    locale: str | None
    use: Use
    build_id: str
    reason: Abstention
    confidence: float | None
    asked_at: datetime


class ProposalState(StrEnum):
    """Where a proposed phrasing stands."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhrasingProposal:
    """Words of customers, masked, whose suggestion agents sent unedited, `count` times.

    `decided_by` and `decided_at` come together; `revision_id` is the draft that carries an accepted one.
    """

    id: int
    snippet_key: str
    phrasing: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    state: ProposalState = ProposalState.PROPOSED
    decided_by: str | None = None
    decided_at: datetime | None = None
    revision_id: int | None = None


def asked_key(question: str, *, within: str) -> str:
    """What tells a repeated question: the words, masked, within one conversation (or one request)."""
    return sha256(f"{within}\n{folded(question)}")[:KEY]


def phrasing_key(phrasing: str) -> str:
    """SHA-256 (hex) of the words without case and punctuation: the same phrasing however it is typed."""
    return sha256(folded(phrasing))
