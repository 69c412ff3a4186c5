"""Placeholders of other desks to our slots; one that has none makes a row bad: nobody could fill it (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Chatwoot: {{contact.first_name}} (its guide, "Template variables"). Zendesk: {{ticket.requester.first_name}} (its
# placeholders reference). Both write Liquid tags as {% ... %}. Zammad: #{ticket.customer.firstname} (its admin
# documentation, "Variables").
_BRACES = re.compile(r"\{\{\s*([^{}]{1,200}?)\s*\}\}|(\{%[^{}]{0,200}%\})")
_HASH = re.compile(r"#\{\s*([^{}]{1,200}?)\s*\}()")

_FIRST_NAME = ("contact.first_name", "ticket.requester.first_name", "ticket.customer.firstname")
_AGENT = (
    *("agent.first_name", "agent.name", "current_user.first_name", "current_user.name"),
    *("ticket.assignee.first_name", "ticket.assignee.name", "user.firstname", "user.fullname"),
    *("ticket.owner.firstname", "ticket.owner.fullname"),
)
# The whole name there; ours is the first one only.
FULL_NAMES = ("contact.name", "ticket.requester.name", "ticket.customer.fullname")
SLOTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((*_FIRST_NAME, *FULL_NAMES), "{first_name}"),
        **dict.fromkeys(_AGENT, "{agent_name}"),
    }
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """The text with our slots; `unknown` are placeholders that have none, `remarks` what changed its meaning."""

    text: str
    unknown: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def to_slots(text: str, *, hashed: bool) -> Mapped:
    """Replace what we know. `hashed` is Zammad's way of writing them."""
    unknown: list[str] = []
    remarks: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        written, tag = match[0], match[2]
        name, _, fallback = (match[1] or "").partition("|")
        name = re.sub(r"\s", "", name).lower()
        slot = SLOTS.get(name)
        if tag or slot is None:
            unknown.append(written)
            return written
        if name in FULL_NAMES:
            remarks.append(f"{written} is the whole name there; {slot} is the first name only")
        if fallback.strip():
            remarks.append(
                f"{written} has words for when the name is not known, which cannot come along: such a customer is"
                " not offered the snippet"
            )
        return slot

    done = (_HASH if hashed else _BRACES).sub(replaced, text)
    return Mapped(done, tuple(dict.fromkeys(unknown)), tuple(dict.fromkeys(remarks)))
