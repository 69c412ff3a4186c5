"""The pages that each person may open, for the bar and the row of sections below it."""

from __future__ import annotations

from dataclasses import dataclass

from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action, may

CONSOLE = "/console"
KNOWLEDGE = f"{CONSOLE}/knowledge"
IMPORT = f"{KNOWLEDGE}/import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One entry of the navigation; `key` is pressed after `g`."""

    name: str
    title: str
    address: str
    key: str
    action: Action

    def open_to(self, who: Identity) -> bool:
        """Whether this person finds it."""
        return may(who, self.action)


BAR = tuple(
    Section(name=name, title=title, address=address, key=key, action=action)
    for name, title, address, key, action in (
        ("inbox", "Inbox", CONSOLE, "i", Action.READ_INBOX),
        ("knowledge", "Knowledge", KNOWLEDGE, "k", Action.VIEW_KNOWLEDGE),
        ("policy", "Policy", f"{CONSOLE}/policy", "l", Action.READ_POLICY),
        ("delivery", "Delivery", f"{CONSOLE}/delivery", "d", Action.SETTLE_DELIVERY),
    )
)
INSIDE = tuple(
    Section(name=name, title=title, address=KNOWLEDGE + path, key=key, action=action)
    for name, title, path, key, action in (
        ("board", "Board", "", "b", Action.VIEW_KNOWLEDGE),
        ("review", "Review", "/review", "r", Action.VIEW_KNOWLEDGE),
        ("publish", "Publish", "/publish", "p", Action.VIEW_KNOWLEDGE),
        ("coverage", "Coverage", "/coverage", "c", Action.VIEW_COVERAGE),
        ("import", "Import", "/import", "m", Action.EXPORT),
        ("crisis", "Crisis", "/crisis", "z", Action.VIEW_KNOWLEDGE),
        ("audit", "Audit", "/audit", "a", Action.READ_AUDIT),
        ("people", "People", "/people", "e", Action.MANAGE_PEOPLE),
    )
)


def bar(who: Identity) -> tuple[Section, ...]:
    """The entries of the bar that this person may open."""
    return tuple(section for section in BAR if section.open_to(who))


def inside(who: Identity) -> tuple[Section, ...]:
    """The sections of the knowledge base that this person may open."""
    return tuple(section for section in INSIDE if section.open_to(who))
