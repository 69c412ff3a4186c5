"""The golden questions: what customers ask, and the snippet that every publication has to answer it with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.errors import ContentError, NotFound
from knowledge_base.store import golden
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation import frame
from suggest_api.console.curation.frame import Notice, told
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.render import see_other
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{KNOWLEDGE}/golden")

HERE = f"{KNOWLEDGE}/golden"
Sees = Annotated[Identity, Depends(require(Action.VIEW_KNOWLEDGE))]
Edits = Annotated[Identity, Depends(OwnForm(Action.EDIT_GOLDEN))]
Question = Annotated[str, Form(max_length=4 * golden.MAX_QUESTION)]


@router.get("")
def show(request: Request, who: Sees) -> Response:
    """Every question in use."""
    return _draw(desk_of(request), who)


@router.post("")
def add(
    request: Request,
    who: Edits,
    question: Question = "",
    expected_key: Annotated[str, Form(max_length=200)] = "",
    must_pass: Annotated[bool, Form()] = False,
) -> Response:
    """Add a question, or change what is expected of it."""
    desk = desk_of(request)
    key = expected_key.strip() or None
    try:
        with unit_of_work.write(desk.engine) as session:
            golden.add(
                session,
                question,
                expected_key=key,
                must_pass=must_pass,
                by=who.name,
                now=desk.clock(),
            )
    except (ContentError, NotFound) as error:
        kept = {"question": question, "expected_key": expected_key, "must_pass": must_pass}
        notice = told(str(error), kind="bad")
        return _draw(desk, who, notice=notice, status=problem_of(error).status, kept=kept)
    return see_other(HERE)


@router.post("/remove")
def remove(request: Request, who: Edits, number: Annotated[int, Form(ge=1, lt=2**63)]) -> Response:
    """Take a question out of use."""
    desk = desk_of(request)
    try:
        with unit_of_work.write(desk.engine) as session:
            golden.remove(session, number, by=who.name, now=desk.clock())
    except NotFound as error:
        return _draw(desk, who, notice=told(str(error), kind="bad"), status=404)
    return see_other(HERE)


def _draw(
    desk: Desk,
    who: Identity,
    *,
    notice: Notice | None = None,
    status: int = 200,
    kept: dict[str, object] | None = None,
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        values = {
            "questions": golden.in_use(session),
            "kept": kept or {"question": "", "expected_key": "", "must_pass": False},
        }
        return frame.draw(
            session,
            who,
            "golden.html",
            section="publish",
            values=values,
            notice=notice,
            status=status,
        )
