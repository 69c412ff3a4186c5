"""Makes the items the assistant may answer with; the service turns them into words.

The contract is in bot/README.md and, by example, in tests/contract/bot_reply_*.json. No item holds wording.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

Item = dict[str, Any]

MAX_ASKED = 1000  # characters: the service reads no longer string in an item


class Reason(str, Enum):
    """Why a person has to take over."""

    ASKED_FOR_PERSON = "asked_for_person"
    NOT_CONFIDENT = "not_confident"
    ORDER_NEEDED_PERSON = "order_needed_person"
    COMPLAINT = "complaint"
    FORM_ABANDONED = "form_abandoned"
    DESK_UNAVAILABLE = "desk_unavailable"
    VULNERABLE = "vulnerable"


def say(snippet_key: str, *, facts: dict[str, str] | None = None) -> Item:
    """Ask the service to send the approved snippet of that key, its slots filled from `facts`."""
    return {"type": "say", "snippet_key": snippet_key, "facts": facts or {}}


def draft(draft_id: str) -> Item:
    """Ask the service to send a draft it has proposed itself."""
    return {"type": "draft", "draft_id": draft_id}


def hand_over(
    reason: Reason, *, asked: str, intent: str, topic: str, collected: dict[str, str]
) -> Item:
    """Ask the service to hand the conversation to a person, with what is known so far."""
    return {
        "type": "hand_over",
        "reason": reason.value,
        "asked": asked[:MAX_ASKED],
        "intent": intent,
        "topic": topic,
        "collected": collected,
    }


def opt_out() -> Item:
    """Tell the service that the customer wants no automated messages."""
    return {"type": "opt_out"}


def opt_in() -> Item:
    """Tell the service that automated messages are welcome again."""
    return {"type": "opt_in"}
