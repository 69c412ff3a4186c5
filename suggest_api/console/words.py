"""What codes and times are called on the pages: the console's filters, and nothing a customer wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds

WEAK = 0.05  # below this a percentage would only say "hardly"

DELIVERY_WORDS = {
    "ready": "waiting to go out",
    "leased": "being sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "refused by the network",
    "unknown": "may have been sent",
    "dead": "could not be sent",
    "cancelled": "withdrawn",
}

HAND_OVER_WORDS = {
    "asked_for_person": "The customer asked for a person.",
    "not_confident": "No approved answer fits well enough.",
    "order_needed_person": "It concerns an order that a person has to look up.",
    "complaint": "It is a complaint.",
    "form_abandoned": "The order number stayed unclear.",
    "desk_unavailable": "The assistant could not reach the approved answers.",
    "vulnerable": "The customer may need special care.",
    "opted_out": "The customer switched automated replies off.",
    "no_assistant": "There is no assistant here.",
    "answer_unavailable": "The approved answer could not be used.",
    "bot_slow": "The assistant took too long.",
    "bot_failed": "The assistant failed.",
    "bot_silent": "The assistant had no answer.",
    "frozen": "Nothing is said about it at the moment.",
    "recalled": "The answer was recalled before it had left.",
    "nothing_to_read": "There was nothing the assistant could read.",
}


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that is not zero."""
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "just now"


def clock(at: datetime) -> str:
    """The time of day in UTC; the script shows it in the zone of whoever looks."""
    return at.strftime("%H:%M UTC")


def delivery_words(state: str) -> str:
    """A delivery's state in words."""
    return DELIVERY_WORDS.get(state, state.replace("_", " "))


def hand_over_words(reason: str) -> str:
    """Why the assistant handed over, in words."""
    return HAND_OVER_WORDS.get(reason, reason.replace("_", " ").capitalize() + ".")


def event_words(turn: Any) -> str:
    """What happened at a turn at which nothing was said."""
    detail: Mapping[str, Any] = turn.detail or {}
    name = turn.author_name or "Somebody"
    match turn.kind:
        case "hand_over":
            return f"The assistant handed over. {hand_over_words(str(detail.get('reason', '')))}"
        case "claim":
            return f"{name} took this conversation."
        case "release":
            return _released(name, detail)
        case "opt_out":
            return "The customer switched automated replies off."
        case "opt_in":
            return "The customer switched automated replies on."
        case "note" if "why" in detail:
            return _stopped(detail)
    return turn.text or str(turn.kind).replace("_", " ")


def _stopped(detail: Mapping[str, Any]) -> str:
    """Why a reply did not leave."""
    what = (
        f"{detail.get('snippet_key', 'its snippet')} was recalled"
        if detail.get("reason") == "recalled"
        else f"{str(detail.get('topic', '')).replace('_', ' ') or 'everything'} is frozen"
    )
    return (
        f"A reply was stopped: {what} by {detail.get('by')} ({detail['why']}). Please answer anew."
    )


def _released(name: str, detail: Mapping[str, Any]) -> str:
    to = "to the assistant" if detail.get("to") == "bot" else "for somebody else to take"
    return f"{name} put it back {to}."


def match_words(confidence: float) -> str:
    """How sure the ranking is that this is the right answer."""
    return f"{confidence * 100:.0f} % match" if confidence >= WEAK else "weak match"


def sentence(text: str) -> str:
    """The text with a capital and a full stop, as the pages write whole sentences."""
    closed = not text or text.rstrip("\"'”’").endswith((".", "!", "?"))
    return text[:1].upper() + text[1:] + ("" if closed else ".")


def network_name(channel: str) -> str:
    """A network's name as it writes itself."""
    return NETWORK_NAMES.get(channel, channel.capitalize())


def day(at: datetime) -> str:
    """The day in UTC."""
    return at.strftime("%-d %b %Y")


def moment(at: datetime) -> str:
    """Day and time in UTC."""
    return at.strftime("%-d %b %Y, %H:%M UTC")


def freeze_words(freeze: Any) -> str:
    """What a freeze stops, as one sentence."""
    what = f"the topic {freeze.subject} is not answered" if freeze.topic else "nothing is answered"
    where = f" on {freeze.channel}" if freeze.channel else ""
    said = f", but for {freeze.holding_key}" if freeze.holding_key else ""
    return f"{what}{where}{said}."


def counted(number: int, noun: str, plural: str = "") -> str:
    """The number with its noun."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


NETWORK_NAMES = {"whatsapp": "WhatsApp", "sms": "SMS"}

FILTERS: dict[str, Callable[..., str]] = {
    "ago": ago,
    "clock": clock,
    "delivery_words": delivery_words,
    "hand_over_words": hand_over_words,
    "event_words": event_words,
    "match_words": match_words,
    "sentence": sentence,
    "day": day,
    "moment": moment,
    "freeze_words": freeze_words,
    "counted": counted,
    "network_name": network_name,
}
