"""Reads the customer's open request from the tracker: what was asked, its topic, what was collected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import EventType, SlotSet

from bot.actions.order_number import find_order_number, find_order_numbers

ASKED = "asked"
ASKED_INTENT = "asked_intent"
UNCLEAR_ANSWERS = "unclear_answers"
NO_INTENT = "nlu_fallback"
NO_TOPIC = "other"  # for intents of the topic `assistant`, which are about the conversation itself

PRODUCT = re.compile(
    r"[A-Za-z0-9 '&-]{1,30}"
)  # what the slot {product} of the knowledge base allows
MAX_DATE = 30  # characters; the patterns find at most four short words


@dataclass(frozen=True)
class Request:
    """A customer's request: the first text that made it, and the intent of that text."""

    asked: str
    intent: str

    @property
    def topic(self) -> str:
        """The topic: what stands before the dot in the intent's name."""
        return topic_of(self.intent)


def topic_of(intent: str) -> str:
    """Return the topic of an intent, `other` for those without one."""
    topic, dot, _ = intent.partition(".")
    return topic if dot else NO_TOPIC


def latest_text(tracker: Tracker) -> str:
    """Return what the customer wrote last."""
    return str(_latest(tracker).get("text") or "")


def latest_intent(tracker: Tracker) -> str:
    """Return the intent of what the customer wrote last."""
    intent: Any = _latest(tracker).get("intent") or {}
    return str(intent.get("name") or NO_INTENT)


def latest_confidence(tracker: Tracker) -> float:
    """Return how sure the classifier is of that intent, 0 to 1."""
    intent: Any = _latest(tracker).get("intent") or {}
    return float(intent.get("confidence") or 0.0)


def conversation_id(tracker: Tracker) -> str:
    """Return the service's conversation id, sent along with each message; the session id if it is missing."""
    metadata: Any = _latest(tracker).get("metadata") or {}
    return str(metadata.get("conversation_id") or tracker.sender_id)


def channel(tracker: Tracker) -> str:
    """Return the channel the customer writes on."""
    metadata: Any = _latest(tracker).get("metadata") or {}
    return str(metadata.get("channel") or "generic")


def latest_request(tracker: Tracker) -> Request:
    """Return the customer's last message as a request."""
    return Request(asked=latest_text(tracker), intent=latest_intent(tracker))


def open_request(tracker: Tracker) -> Request:
    """Return the request still open, else the last message."""
    asked = tracker.get_slot(ASKED)
    if not asked:
        return latest_request(tracker)
    return Request(asked=str(asked), intent=str(tracker.get_slot(ASKED_INTENT) or NO_INTENT))


def keep_request(request: Request) -> list[EventType]:
    """Remember the request until it is closed."""
    return [
        SlotSet(ASKED, request.asked),
        SlotSet(ASKED_INTENT, request.intent),
        SlotSet(UNCLEAR_ANSWERS, 0),
    ]


def close_request() -> list[EventType]:
    """Forget the request: it is answered, or a person has it.

    The order number goes with it: the next request may be about another order, and is asked anew.
    """
    return [
        SlotSet(ASKED, None),
        SlotSet(ASKED_INTENT, None),
        SlotSet(UNCLEAR_ANSWERS, 0),
        SlotSet("order_number", None),
    ]


def in_order_form(tracker: Tracker) -> bool:
    """Say whether the assistant is waiting for an order number."""
    loop: Any = tracker.active_loop or {}
    return bool(loop.get("name") == "order_form")


def is_first_turn(tracker: Tracker) -> bool:
    """Say whether the customer has written one message so far."""
    return len([event for event in tracker.events if event.get("event") == "user"]) <= 1


def collected(tracker: Tracker) -> dict[str, str]:
    """Return what the customer told us, each value checked: order_number, product, date."""
    several = (
        len(find_order_numbers(latest_text(tracker))) > 1
    )  # the slot would hold any one of them
    found = {
        "order_number": None if several else find_order_number(tracker.get_slot("order_number")),
        "product": _checked(tracker.get_slot("product"), allowed=PRODUCT.fullmatch),
        "date": _checked(tracker.get_slot("date"), allowed=lambda text: len(text) <= MAX_DATE),
    }
    return {name: value for name, value in found.items() if value}


def _checked(value: object, *, allowed: Any) -> str | None:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if text and allowed(text) else None


def _latest(tracker: Tracker) -> dict[str, Any]:
    return dict(tracker.latest_message or {})
