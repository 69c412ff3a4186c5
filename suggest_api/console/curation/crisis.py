"""The crisis switch as a page: what is frozen and what that bears on, freezing, drilling and thawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.errors import ContentError, NotFound
from knowledge_base.store import review
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action, may
from suggest_api.console.curation import frame
from suggest_api.console.curation.frame import Notice, told
from suggest_api.console.guards import OwnForm, desk_of, require, require_signed_in
from suggest_api.console.render import page, see_other
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.errors import FreezeError, Unprocessable
from suggest_api.flow import Desk, freezing
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{KNOWLEDGE}/crisis")

HERE = f"{KNOWLEDGE}/crisis"
Sees = Annotated[Identity, Depends(require(Action.VIEW_KNOWLEDGE))]
FreezeId = Annotated[int, Path(ge=1, lt=2**63)]
Words = Annotated[str, Form(max_length=4 * review.MAX_WORDS)]
Name = Annotated[str, Form(max_length=200)]


@router.get("")
def show(request: Request, who: Sees) -> Response:
    """What is frozen, the form, and what was frozen before."""
    return _draw(desk_of(request), who)


@router.get("/banner")
def banner(request: Request, who: Annotated[Identity, Depends(require_signed_in())]) -> Response:
    """What is frozen, for the top of every page."""
    with unit_of_work.read(desk_of(request).engine) as session:
        values = {"frozen": freezing.in_force(session).freezes}
    return page("_frozen.html", who=who, values=values)


@dataclass(frozen=True, slots=True)
class Typed:
    """The form of a freeze, as it was typed."""

    topic: Name = ""
    channel: Name = ""
    holding_key: Name = ""
    team: Name = ""
    reason: Words = ""


Filled = Annotated[Typed, Depends()]


@router.post("")
def freeze(
    request: Request, who: Annotated[Identity, Depends(OwnForm(Action.FREEZE))], typed: Filled
) -> Response:
    """Freeze, now."""
    return _freeze(desk_of(request), who, typed, drill=False)


@router.post("/drill")
def drill(
    request: Request, who: Annotated[Identity, Depends(OwnForm(Action.DRILL))], typed: Filled
) -> Response:
    """Show what a freeze would do, and do nothing of it."""
    return _freeze(desk_of(request), who, typed, drill=True)


@router.post("/{freeze_id}/thaw")
def thaw(
    request: Request,
    freeze_id: FreezeId,
    who: Annotated[Identity, Depends(OwnForm(Action.THAW))],
    reason: Words = "",
) -> Response:
    """Answer again."""
    return _thaw(desk_of(request), who, freeze_id, reason, drill=False)


@router.post("/{freeze_id}/end-drill")
def end_drill(
    request: Request,
    freeze_id: FreezeId,
    who: Annotated[Identity, Depends(OwnForm(Action.DRILL))],
    reason: Words = "",
) -> Response:
    """The drill is over."""
    return _thaw(desk_of(request), who, freeze_id, reason, drill=True)


def _freeze(desk: Desk, who: Identity, typed: Typed, *, drill: bool) -> Response:
    try:
        with unit_of_work.write(desk.engine) as session:
            freezing.freeze(
                desk,
                session,
                topic=typed.topic,
                channel=typed.channel,
                holding_key=typed.holding_key.strip() or None,
                team=typed.team,
                drill=drill,
                by=who.name,
                reason=typed.reason,
                now=desk.clock(),
            )
    except (Unprocessable, FreezeError, ContentError, NotFound) as error:
        notice = told(str(error), kind="bad")
        return _draw(desk, who, notice=notice, status=problem_of(error).status, typed=typed)
    return see_other(HERE)


def _thaw(desk: Desk, who: Identity, freeze_id: int, reason: str, *, drill: bool) -> Response:
    try:
        with unit_of_work.write(desk.engine) as session:
            found = next((one for one in freezing.every(session) if one.id == freeze_id), None)
            if found is None or found.drill is not drill:
                msg = f"there is no {'drill' if drill else 'freeze'} {freeze_id}"
                raise NotFound(msg)
            freezing.thaw(desk, session, freeze_id, by=who.name, reason=reason, now=desk.clock())
    except (Unprocessable, FreezeError, ContentError, NotFound) as error:
        notice = told(str(error), kind="bad")
        kept = {"thaw_id": freeze_id, "thaw_reason": reason}
        return _draw(desk, who, notice=notice, status=problem_of(error).status, kept=kept)
    return see_other(HERE)


def _draw(
    desk: Desk,
    who: Identity,
    *,
    notice: Notice | None = None,
    status: int = 200,
    typed: Typed | None = None,
    kept: Mapping[str, Any] | None = None,
) -> Response:
    now = desk.clock()
    with unit_of_work.read(desk.engine) as session:
        in_force = freezing.in_force(session).freezes
        values = {
            "in_force": [(one, freezing.impact(desk, session, one, now=now)) for one in in_force],
            "before": [one for one in freezing.every(session) if one.thawed_at is not None],
            "topics": freezing.topics(session),
            "channels": tuple(desk.channels),
            "may_thaw": {
                one.id: may(who, Action.DRILL if one.drill else Action.THAW) for one in in_force
            },
            "typed": typed or Typed(),
            "thaw_id": 0,
            "thaw_reason": "",
            **(kept or {}),
        }
        return frame.draw(
            session,
            who,
            "crisis.html",
            section="crisis",
            values=values,
            notice=notice,
            status=status,
        )
