"""What every page of the knowledge base shares: the notice on top, what waits, and what is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path
from sqlalchemy.orm import Session
from starlette.responses import Response

from knowledge_base.curation.queue import review_queue
from knowledge_base.snippet import KEY_PATTERN, MAX_KEY
from suggest_api.access.model import Identity
from suggest_api.console.render import page
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import freezing

Key = Annotated[str, Path(pattern=f"^(?:{KEY_PATTERN.pattern})$", max_length=MAX_KEY)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is said on top of a page; `kind` is good, warn or bad."""

    kind: str
    lines: tuple[str, ...]


def told(message: str, *, kind: str = "good") -> Notice:
    """One sentence."""
    return Notice(kind=kind, lines=(message,))


def draw(
    session: Session,
    who: Identity,
    template: str,
    *,
    section: str,
    values: Mapping[str, Any],
    notice: Notice | None = None,
    status: int = 200,
) -> Response:
    """A whole page with its sections."""
    shared = {
        "page": "knowledge",
        "section": section,
        "notice": notice,
        "badges": badges(session, who),
        "frozen": freezing.in_force(session).freezes,
    }
    return page(f"curation/{template}", who=who, values={**shared, **values}, status=status)


def snippet_address(key: str) -> str:
    """The page of a snippet."""
    return f"{KNOWLEDGE}/snippets/{key}"


def badges(session: Session, who: Identity) -> dict[str, int]:
    """How much waits in each section for this person."""
    queue = review_queue(session, by=who.name, teams=who.teams) if who.teams else []
    return {"review": sum(one.mine for one in queue)}
