"""What is live changes here: the candidate beside it, the questions that it gains and loses, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base import publish
from knowledge_base.curation import board as boards
from knowledge_base.curation.board import BoardFilter, Column
from knowledge_base.errors import (
    ContentError,
    EncoderError,
    GenerationError,
    NotFound,
    WorkflowError,
)
from knowledge_base.publish import GateReport, Publication, State
from knowledge_base.store import publications, review
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation import frame
from suggest_api.console.curation.frame import Notice
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.render import page, see_other
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{KNOWLEDGE}/publish")

HERE = f"{KNOWLEDGE}/publish"
Sees = Annotated[Identity, Depends(require(Action.VIEW_KNOWLEDGE))]
Publishes = Annotated[Identity, Depends(OwnForm(Action.PUBLISH))]
PublicationId = Annotated[int, Path(ge=1, lt=2**63)]
Words = Annotated[str, Form(max_length=4 * review.MAX_WORDS)]
MOST_SHOWN = 100  # questions of each kind; the counts are of all
HISTORY = 20  # publications listed
# What became of a question, in the order of what to look at first.
GROUPS = (
    ("lost", "Lost", "answered as expected by what is live, and no longer"),
    ("still_wrong", "Must pass, and does not", "not answered as expected, before and after"),
    ("gained", "Gained", "answered as expected now"),
    ("moved", "Moved", "another first suggestion, as right or wrong as before"),
    ("given_up", "Given up", "their snippet was retired or recalled on purpose"),
)
_REFUSALS = (WorkflowError, NotFound, ContentError, GenerationError, EncoderError)
Step = Callable[[Desk], Any]


@router.get("")
def show(request: Request, who: Sees) -> Response:
    """The candidate, what waits for it, and what was published before."""
    return _draw(desk_of(request), who)


@router.get("/candidate")
def candidate_part(request: Request, who: Sees) -> Response:
    """The candidate alone, for a page that waits for it."""
    with unit_of_work.read(desk_of(request).engine) as session:
        return page("curation/_candidate.html", who=who, values=_candidate(session))


@router.get("/{publication_id}")
def one(request: Request, publication_id: PublicationId, who: Sees) -> Response:
    """One publication of now or before, with its questions."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        found = publications.get(session, publication_id)
        was_live = found.state is State.PUBLISHED and found.build_id is not None
        values = {
            **_told(found),
            "not_back": publish.not_back(desk.settings.place, session, found.build_id or "")
            if was_live
            else (),
        }
        return frame.draw(session, who, "publication.html", section="publish", values=values)


@router.post("")
def ask(request: Request, who: Publishes) -> Response:
    """Ask for a candidate of everything that is approved."""

    def step(desk: Desk) -> None:
        with unit_of_work.write(desk.engine) as session:
            publications.request(session, by=who.name, now=desk.clock())

    return _step(desk_of(request), who, step)


@router.post("/{publication_id}/publish")
def go(request: Request, publication_id: PublicationId, who: Publishes) -> Response:
    """Make the candidate live."""

    def step(desk: Desk) -> None:
        publish.publish_ready(
            desk.settings.place, desk.engine, publication_id, by=who.name, now=desk.clock()
        )
        desk.generations.refresh(force=True)

    return _step(desk_of(request), who, step)


@router.post("/{publication_id}/override")
def override(
    request: Request,
    publication_id: PublicationId,
    who: Annotated[Identity, Depends(OwnForm(Action.ASK_OVERRIDE))],
    reason: Words = "",
) -> Response:
    """Ask to publish in spite of what is lost."""

    def step(desk: Desk) -> None:
        with unit_of_work.write(desk.engine) as session:
            publications.ask_override(
                session, publication_id, by=who.name, reason=reason, now=desk.clock()
            )

    return _step(desk_of(request), who, step, override_reason=reason)


@router.post("/{publication_id}/confirm")
def confirm(
    request: Request,
    publication_id: PublicationId,
    who: Annotated[Identity, Depends(OwnForm(Action.CONFIRM_OVERRIDE))],
) -> Response:
    """The second person agrees."""

    def step(desk: Desk) -> None:
        with unit_of_work.write(desk.engine) as session:
            publications.confirm_override(session, publication_id, by=who.name, now=desk.clock())

    return _step(desk_of(request), who, step)


@router.post("/{publication_id}/back")
def back(
    request: Request,
    publication_id: PublicationId,
    who: Annotated[Identity, Depends(OwnForm(Action.ROLL_BACK))],
) -> Response:
    """Go back to what this publication made live, and see what stays gone all the same."""
    desk = desk_of(request)
    made: list[int] = []

    def step() -> None:
        with unit_of_work.read(desk.engine) as session:
            found = publications.get(session, publication_id)
        if found.state is not State.PUBLISHED or found.build_id is None:
            msg = f"publication {publication_id} was never live: there is nothing to go back to"
            raise WorkflowError(msg)
        place = desk.settings.place
        publish.rollback(place, desk.engine, found.build_id, now=desk.clock(), by=who.name)
        desk.generations.refresh(force=True)
        with unit_of_work.read(desk.engine) as session:
            last = publications.last_published(session)
            if last is not None and publish.not_back(place, session, found.build_id):
                made.append(last.id)

    def again(notice: Notice, status: int) -> Response:
        return _draw(desk, who, notice=notice, status=status)

    answer = frame.take_own_step(step, refusals=_REFUSALS, to=HERE, again=again)
    return see_other(f"{HERE}/{made[0]}") if made else answer


def _step(desk: Desk, who: Identity, step: Step, **kept: str) -> Response:
    return frame.take_own_step(
        lambda: step(desk),
        refusals=_REFUSALS,
        to=HERE,
        again=lambda notice, status: _draw(desk, who, notice=notice, status=status, kept=kept),
    )


def _told(publication: Publication | None) -> dict[str, Any]:
    """A publication with its report, in the words of the template."""
    report = None if publication is None else publish.report_of(publication)
    return {
        "publication": publication,
        "report": report,
        "groups": () if report is None else _groups(report),
        "most": MOST_SHOWN,
        "override_reason": "",
    }


def _groups(report: GateReport) -> list[tuple[str, str, str, tuple[publish.Judged, ...]]]:
    found = {
        "lost": report.lost,
        "still_wrong": report.of(publish.Change.STILL_WRONG),
        "gained": report.gained,
        "moved": report.moved,
        "given_up": report.given_up,
    }
    return [(name, title, words, found[name]) for name, title, words in GROUPS]


def _candidate(session: Session) -> dict[str, Any]:
    return _told(next(iter(publications.open_ones(session)), None))


def _draw(
    desk: Desk,
    who: Identity,
    *,
    notice: Notice | None = None,
    status: int = 200,
    kept: dict[str, str] | None = None,
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        waiting = boards.board(session, BoardFilter(column=Column.WAITING), now=desk.clock())
        last = publications.last_published(session)
        values = {
            **_candidate(session),
            "waiting": waiting.cards,
            "waiting_count": waiting.counts[Column.WAITING],
            "history": [
                one
                for one in publications.recent(session, limit=HISTORY)
                if one.state in (State.PUBLISHED, State.FAILED, State.SUPERSEDED)
            ],
            "live_build": None if last is None else last.build_id,
            **(kept or {}),
        }
        return frame.draw(
            session,
            who,
            "publish.html",
            section="publish",
            values=values,
            notice=notice,
            status=status,
        )
