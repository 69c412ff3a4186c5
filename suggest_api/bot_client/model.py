"""What the assistant may answer: frozen values, never a word of its own, and the guard on what it hears."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# Rasa takes a message that starts with a slash, after `strip()`, for an intent (RegexMessageHandler).
# U+FF0F is here because compatibility normalisation turns it into a slash.
SLASHES = "/\uff0f"


class HandOverReason(StrEnum):
    """Why a person is needed; the first seven are the assistant's own words."""

    ASKED_FOR_PERSON = "asked_for_person"
    NOT_CONFIDENT = "not_confident"
    ORDER_NEEDED_PERSON = "order_needed_person"
    COMPLAINT = "complaint"
    FORM_ABANDONED = "form_abandoned"
    DESK_UNAVAILABLE = "desk_unavailable"
    VULNERABLE = "vulnerable"
    # Ours, when the assistant could not be used:
    BOT_SLOW = "bot_slow"
    BOT_FAILED = "bot_failed"
    BOT_SILENT = "bot_silent"
    ANSWER_UNAVAILABLE = "answer_unavailable"
    NOTHING_TO_READ = "nothing_to_read"
    NO_ASSISTANT = "no_assistant"
    FROZEN = "frozen"  # nothing is said about it at the moment
    RECALLED = "recalled"  # the answer was pulled before it had left


OUTAGES = frozenset(
    {
        HandOverReason.BOT_SLOW,
        HandOverReason.BOT_FAILED,
        HandOverReason.BOT_SILENT,
        HandOverReason.DESK_UNAVAILABLE,
        HandOverReason.NO_ASSISTANT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Say the approved snippet of this key; `facts` are slot values, still to be checked."""

    snippet_key: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SayDraft:
    """Say the draft that the desk offered the assistant."""

    draft_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """A person is needed; `asked` is the customer's question, `collected` what a form gathered."""

    reason: HandOverReason
    asked: str = ""
    intent: str = ""
    topic: str = ""
    collected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OptOut:
    """The customer wants no automated replies."""


@dataclass(frozen=True, slots=True)
class OptIn:
    """The customer wants automated replies again."""


BotItem = Say | SayDraft | HandOver | OptOut | OptIn


@dataclass(frozen=True, slots=True)
class BotReply:
    """What the assistant answered to one turn, in order; at least one item."""

    items: tuple[BotItem, ...]


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The assistant gave nothing that can be used; `detail` is for the log and names no customer."""

    reason: HandOverReason
    detail: str


def neutralise(text: str) -> str:
    """The text without leading slashes and spaces, so that no customer can drive the dialogue."""
    rest = text.strip()
    while rest.startswith(tuple(SLASHES)):
        rest = rest.lstrip(SLASHES).strip()
    return rest
