"""Where a person lands: the first page of this list that they may see."""

from __future__ import annotations

from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action, may
from suggest_api.console.sections import CONSOLE, KNOWLEDGE

POLICY = f"{CONSOLE}/policy"

# Whoever answers customers is needed there first.
HOMES = (
    (Action.READ_INBOX, CONSOLE),
    (Action.VIEW_KNOWLEDGE, KNOWLEDGE),
    (Action.READ_POLICY, POLICY),
)


def home_of(identity: Identity) -> str:
    """The path of the page to start from; it tells those without any role whom to ask."""
    return next((path for action, path in HOMES if may(identity, action)), POLICY)
