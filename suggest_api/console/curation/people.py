"""People and what they may do, and the teams that sign off each topic; for admins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.errors import ContentError, NotFound
from knowledge_base.store import review
from suggest_api.access import roles as access
from suggest_api.access.model import ALL_TEAMS, Identity, Role
from suggest_api.access.permissions import PERMISSIONS, Action
from suggest_api.console.curation import frame
from suggest_api.console.curation.frame import Notice
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.errors import NotAllowed, Unprocessable
from suggest_api.flow import Desk, freezing
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{KNOWLEDGE}/people")

HERE = f"{KNOWLEDGE}/people"
Sees = Annotated[Identity, Depends(require(Action.MANAGE_PEOPLE))]
Manages = Annotated[Identity, Depends(OwnForm(Action.MANAGE_PEOPLE))]
Name = Annotated[str, Form(max_length=200)]
Teams = Annotated[str, Form(max_length=1000)]


@router.get("")
def show(request: Request, who: Sees) -> Response:
    """Everybody who can sign in, and the review paths."""
    return _draw(desk_of(request), who)


@router.post("/grant")
def grant(
    request: Request, who: Manages, name: Name, role: Annotated[Role, Form()], teams: Teams = ""
) -> Response:
    """Give somebody a role, an approver for these teams."""

    def step(session: Session, desk: Desk) -> None:
        access.grant(session, name, [role], teams=_listed(teams), by=who.name, now=desk.clock())

    return _step(desk_of(request), who, step)


@router.post("/revoke")
def revoke(
    request: Request, who: Manages, name: Name, role: Annotated[Role, Form()], team: Name = ""
) -> Response:
    """Take a role away, of an approver one team or all."""

    def step(session: Session, desk: Desk) -> None:
        access.revoke(session, name, role, team=team or None, by=who.name, now=desk.clock())

    return _step(desk_of(request), who, step)


@router.post("/path")
def set_path(
    request: Request,
    who: Annotated[Identity, Depends(OwnForm(Action.SET_REVIEW_PATH))],
    topic: Name = "",
    teams: Teams = "",
) -> Response:
    """Set the teams that sign off a topic, in their order; none removes its path."""

    def step(session: Session, desk: Desk) -> None:
        review.set_path(session, topic.strip(), _listed(teams), by=who.name, now=desk.clock())

    return _step(desk_of(request), who, step, path_topic=topic, path_teams=teams)


def _listed(teams: str) -> list[str]:
    return [name for part in teams.split(",") if (name := " ".join(part.split()))]


def _step(
    desk: Desk, who: Identity, step: Callable[[Session, Desk], Any], **kept: str
) -> Response:
    return frame.take_step(
        desk,
        step,
        refusals=(ContentError, NotFound, NotAllowed, Unprocessable),
        to=HERE,
        again=lambda notice, status: _draw(desk, who, notice=notice, status=status, kept=kept),
    )


def _draw(
    desk: Desk,
    who: Identity,
    *,
    notice: Notice | None = None,
    status: int = 200,
    kept: dict[str, str] | None = None,
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        paths = review.paths(session)
        values = {
            "people": access.people(session),
            "paths": sorted(paths.items()),
            "roles": list(Role),
            "all_teams": ALL_TEAMS,
            "topics": freezing.topics(session),
            "may_do": {
                role: [action.value for action in Action if role in PERMISSIONS[action]]
                for role in Role
            },
            "path_topic": "",
            "path_teams": "",
            **(kept or {}),
        }
        return frame.draw(
            session,
            who,
            "people.html",
            section="people",
            values=values,
            notice=notice,
            status=status,
        )
