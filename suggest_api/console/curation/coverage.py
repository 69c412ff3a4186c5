"""What customers ask in vain, phrasings that choices of agents propose, and snippets that say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.errors import ContentError, NotFound, WorkflowError
from knowledge_base.similarity.duplicates import find_duplicates
from knowledge_base.similarity.gaps import GapReport
from knowledge_base.snippet import KEY_PATTERN
from knowledge_base.store import merges
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation import form, frame
from suggest_api.console.curation.editor import begin_with
from suggest_api.console.curation.frame import Notice, snippet_address, told
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.render import page, see_other
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk, phrasings, similar
from suggest_api.flow import coverage as flow
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{KNOWLEDGE}/coverage")

HERE = f"{KNOWLEDGE}/coverage"
Sees = Annotated[Identity, Depends(require(Action.VIEW_COVERAGE))]
Writes = Annotated[Identity, Depends(OwnForm(Action.WRITE))]
Days = Annotated[int, Query(ge=1, le=365)]
GapId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Number = Annotated[int, Form(ge=1, lt=2**63)]
KeyField = Annotated[str, Form(pattern=f"^(?:{KEY_PATTERN.pattern})$", max_length=120)]
MOST_GAPS = 40  # groups listed; the rest are of a question or two
SORTS = {
    "contradiction": "They contradict each other",
    "duplicate": "They say the same",
    "same_question": "They answer the same question",
}
Step = Callable[[Session, Desk], Any]


@router.get("")
def show(request: Request, who: Sees, days: Days = 30) -> Response:
    """Groups of questions that nothing answers, and the phrasings proposed."""
    return _draw(desk_of(request), who, days=days)


@router.get("/gaps/{gap_id}/gain")
def gain_part(request: Request, gap_id: GapId, who: Sees, days: Days = 30) -> Response:
    """What a snippet for this group would bring; it takes about a second, so it is asked for by itself."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        gain = flow.estimate_gain(desk, session, gap_id, days=days)
    return page("curation/_gain.html", who=who, values={"gain": gain})


@router.get("/gaps/{gap_id}/draft")
def draft(
    request: Request,
    gap_id: GapId,
    who: Annotated[Identity, Depends(require(Action.WRITE))],
    days: Days = 30,
) -> Response:
    """The editor with the phrasings of this group."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        begun = flow.begin_snippet(desk, session, gap_id, days=days)
    values = form.empty(
        key=begun.key,
        title=begun.title,
        topic=begun.topic,
        examples="\n".join(begun.examples),
        locale=begun.locale,
        owner=who.name,
    )
    return begin_with(desk, who, values, neighbours=tuple(one.key for one in begun.neighbours))


@router.post("/phrasings/accept")
def accept(request: Request, who: Writes, number: Number) -> Response:
    """Put a proposed phrasing into a new draft of its snippet."""

    def step(session: Session, desk: Desk) -> None:
        phrasings.accept_phrasings(desk, session, [number], by=who.name)

    return _step(desk_of(request), who, step)


@router.post("/phrasings/decline")
def decline(request: Request, who: Writes, number: Number) -> Response:
    """Leave a proposed phrasing out for good."""

    def step(session: Session, desk: Desk) -> None:
        phrasings.decline_phrasings(desk, session, [number], by=who.name)

    return _step(desk_of(request), who, step)


@router.get("/duplicates")
def duplicates(request: Request, who: Sees) -> Response:
    """Live snippets that contradict each other, say the same, or answer the same question."""
    return _draw_duplicates(desk_of(request), who)


@router.post("/merge")
def merge(request: Request, who: Writes, gone: KeyField, into: KeyField) -> Response:
    """Begin to merge one snippet into another: a draft with the phrasings of both."""
    desk = desk_of(request)
    try:
        with unit_of_work.write(desk.engine) as session:
            similar.begin_merge(desk, session, gone, into=into, by=who.name)
    except (ContentError, WorkflowError, NotFound) as error:
        notice = told(str(error), kind="bad")
        return _draw_duplicates(desk, who, notice=notice, status=problem_of(error).status)
    return see_other(snippet_address(into))


@router.post("/merge/withdraw")
def withdraw_merge(request: Request, who: Writes, number: Number) -> Response:
    """Give a merge up."""
    desk = desk_of(request)
    try:
        with unit_of_work.write(desk.engine) as session:
            similar.withdraw_merge(desk, session, number, by=who.name)
    except (ContentError, WorkflowError, NotFound) as error:
        notice = told(str(error), kind="bad")
        return _draw_duplicates(desk, who, notice=notice, status=problem_of(error).status)
    return see_other(f"{HERE}/duplicates")


def _step(desk: Desk, who: Identity, step: Step) -> Response:
    return frame.take_step(
        desk,
        step,
        refusals=(ContentError, WorkflowError, NotFound),
        to=f"{HERE}#phrasings",
        again=lambda notice, status: _draw(desk, who, notice=notice, status=status),
    )


def _draw(
    desk: Desk, who: Identity, *, days: int = 30, notice: Notice | None = None, status: int = 200
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        report: GapReport | None = None
        if desk.generations.in_service is not None:
            report = flow.find_gaps(desk, session, days=days)
        values = {
            "report": report,
            "gaps": () if report is None else report.gaps[:MOST_GAPS],
            "days": days,
            "proposals": phrasings.list_phrasings(session),
            "kept_days": desk.settings.keep_questions_days,
        }
        return frame.draw(
            session,
            who,
            "coverage.html",
            section="coverage",
            values=values,
            notice=notice,
            status=status,
        )


def _draw_duplicates(
    desk: Desk, who: Identity, *, notice: Notice | None = None, status: int = 200
) -> Response:
    held = desk.generations.in_service
    with unit_of_work.read(desk.engine) as session:
        values = {
            "report": None if held is None else find_duplicates(session, held.ranker),
            "sorts": SORTS,
            "open_merges": merges.merges(session, state="open"),
        }
        return frame.draw(
            session,
            who,
            "duplicates.html",
            section="coverage",
            values=values,
            notice=notice,
            status=status,
        )
