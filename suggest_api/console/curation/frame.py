"""What every page of the knowledge base shares: the notice on top, what waits, and what is frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path
from sqlalchemy.orm import Session
from starlette.responses import Response

from knowledge_base.curation.queue import review_queue
from knowledge_base.errors import PolicyUnavailable
from knowledge_base.policy import Policy
from knowledge_base.snippet import KEY_PATTERN, MAX_KEY
from suggest_api.access.model import Identity
from suggest_api.console.render import page, see_other
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk, freezing
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work

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


def take_step(
    desk: Desk,
    step: Callable[[Session, Desk], object],
    *,
    refusals: tuple[type[Exception], ...],
    to: str,
    again: Callable[[Notice, int], Response],
) -> Response:
    """Take a step in a transaction of its own and go on to the page `to`.

    Where it is refused nothing is written, and `again` draws the page with why and the problem's status.
    """

    def written() -> None:
        with unit_of_work.write(desk.engine) as session:
            step(session, desk)

    return take_own_step(written, refusals=refusals, to=to, again=again)


def take_own_step(
    step: Callable[[], object],
    *,
    refusals: tuple[type[Exception], ...],
    to: str,
    again: Callable[[Notice, int], Response],
) -> Response:
    """`take_step` for a step that sees to its transactions itself."""
    try:
        step()
    except refusals as error:
        return again(told(str(error), kind="bad"), problem_of(error).status)
    return see_other(to)


def policy_of(desk: Desk, *, without: str) -> Policy:
    """The policy; raises PolicyUnavailable with what goes not without one."""
    policy = desk.policy
    if policy is None:
        msg = f"no policy is loaded, so {without}"
        raise PolicyUnavailable(msg)
    return policy


def snippet_address(key: str) -> str:
    """The page of a snippet."""
    return f"{KNOWLEDGE}/snippets/{key}"


def badges(session: Session, who: Identity) -> dict[str, int]:
    """How much waits in each section for this person."""
    queue = review_queue(session, by=who.name, teams=who.teams) if who.teams else []
    return {"review": sum(one.mine for one in queue)}
