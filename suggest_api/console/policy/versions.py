"""Every version of the policy with who, when and why; the start of a proposal, and two versions side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base import governance
from knowledge_base.governance import State, repository
from suggest_api.access.model import Identity
from suggest_api.console.curation.frame import Notice, told
from suggest_api.console.guards import desk_of
from suggest_api.console.policy import frame
from suggest_api.console.policy.frame import Edits, Reads, Words
from suggest_api.console.policy.sides import sides
from suggest_api.console.render import see_other
from suggest_api.flow import Desk, governing
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=frame.VERSIONS)

Which = Annotated[int, Query(ge=0, lt=2**63)]


@router.get("")
def show(request: Request, who: Reads) -> Response:
    """All of them, newest first."""
    return _draw(desk_of(request), who)


@router.post("")
def propose(
    request: Request,
    who: Edits,
    note: Words = "",
    start: Annotated[str, Form(pattern=r"^[0-9]{0,18}$")] = "",
) -> Response:
    """Begin a draft: on what is in force, or on an earlier version to go back to it."""
    desk = desk_of(request)
    number = int(start) if start else None
    try:
        made = governing.propose(desk, by=who.name, note=note, start=number)
    except frame.REFUSALS as error:
        notice = told(str(error), kind="bad")
        return _draw(desk, who, notice=notice, status=problem_of(error).status, note=note)
    return see_other(frame.address(made.id))


@router.get("/compare")
def compare(request: Request, who: Reads, before: Which = 0, after: Which = 0) -> Response:
    """Two versions side by side, file by file; 0 is the program's own packs."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        left, right = (_files(desk, session, number) for number in (before, after))
        values = {
            "before": before,
            "after": after,
            "numbers": [0, *sorted(each.id for each in repository.every(session))],
            "files": [
                (name, sides(left.get(name, ""), right.get(name, "")))
                for name in governance.differ(left, right)
            ],
        }
        return frame.draw(session, who, "compare.html", values)


def _files(desk: Desk, session: Session, number: int) -> dict[str, str]:
    return governance.files_of(session, number, packs=desk.policies.packs)


def _draw(
    desk: Desk,
    who: Identity,
    *,
    notice: Notice | None = None,
    status: int = 200,
    note: str = "",
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        every = repository.every(session)
        values = {
            "open": [each for each in every if each.state in _OPEN],
            "past": [each for each in every if each.state not in _OPEN],
            "live": next((each for each in every if each.state is State.LIVE), None),
            "policy": desk.policy,
            "failure": desk.policies.failure,
            "recorded": repository.recorded_versions(session),
            "now": desk.clock(),
            "note": note,
        }
        return frame.draw(session, who, "versions.html", values, notice=notice, status=status)


_OPEN = (State.DRAFT, State.IN_REVIEW, State.RETURNED)
