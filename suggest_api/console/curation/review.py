"""The review queue and the page of one submission: what changed, what the rules say, and the decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.curation.queue import review_queue
from knowledge_base.errors import ContentError, NotFound, PolicyUnavailable, WorkflowError
from knowledge_base.snippet import Status
from knowledge_base.store import repository, review
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation import compare, frame
from suggest_api.console.curation.frame import Notice
from suggest_api.console.curation.help import help_with
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk
from suggest_api.flow.publishing import after_approval
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{KNOWLEDGE}/review")

Sees = Annotated[Identity, Depends(require(Action.VIEW_KNOWLEDGE))]
RevisionId = Annotated[int, Path(ge=1, lt=2**63)]
Words = Annotated[str, Form(max_length=4 * review.MAX_WORDS)]
Step = Callable[[Session, Desk], object]


@router.get("")
def queue(request: Request, who: Sees) -> Response:
    """Everything that is in review: first what this person may decide, oldest first."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        found = review_queue(session, by=who.name, teams=who.teams)
        values = {
            "mine": [one for one in found if one.mine],
            "others": [one for one in found if not one.mine],
            "now": desk.clock(),
        }
        return frame.draw(session, who, "review.html", section="review", values=values)


@router.get("/{revision_id}")
def show(request: Request, revision_id: RevisionId, who: Sees) -> Response:
    """One submission."""
    return _draw(desk_of(request), revision_id, who)


@router.post("/{revision_id}/sign-off")
def sign_off(
    request: Request,
    revision_id: RevisionId,
    who: Annotated[Identity, Depends(OwnForm(Action.SIGN_OFF))],
    reason: Words = "",
) -> Response:
    """Take the next step of its path; the last one approves it."""

    def step(session: Session, desk: Desk) -> None:
        policy = frame.policy_of(desk, without="nothing can be approved")
        after = repository.approve(
            session,
            revision_id,
            by=who.name,
            now=desk.clock(),
            policy=policy,
            teams=who.teams,
            reason=reason,
        )
        if after.status is Status.APPROVED:
            after_approval(session, by=who.name, now=desk.clock())

    return _step(desk_of(request), revision_id, who, step, sign_reason=reason)


@router.post("/{revision_id}/return")
def give_back(
    request: Request,
    revision_id: RevisionId,
    who: Annotated[Identity, Depends(OwnForm(Action.RETURN))],
    reason: Words = "",
) -> Response:
    """Ask the author for changes, and say which."""

    def step(session: Session, desk: Desk) -> None:
        repository.return_to_author(
            session, revision_id, by=who.name, reason=reason, now=desk.clock()
        )

    return _step(desk_of(request), revision_id, who, step, return_reason=reason)


@router.post("/{revision_id}/withdraw")
def withdraw(
    request: Request,
    revision_id: RevisionId,
    who: Annotated[Identity, Depends(OwnForm(Action.WITHDRAW))],
) -> Response:
    """The author takes it back."""

    def step(session: Session, desk: Desk) -> None:
        repository.withdraw(session, revision_id, by=who.name, now=desk.clock())

    return _step(desk_of(request), revision_id, who, step)


@router.post("/{revision_id}/comment")
def comment(
    request: Request,
    revision_id: RevisionId,
    who: Annotated[Identity, Depends(OwnForm(Action.COMMENT))],
    text: Words = "",
) -> Response:
    """Say something without deciding."""

    def step(session: Session, desk: Desk) -> None:
        revision = repository.get_revision(session, revision_id)
        review.comment(session, revision, text, by=who.name, now=desk.clock())

    here = f"{KNOWLEDGE}/review/{revision_id}"
    return _step(desk_of(request), revision_id, who, step, to=here, comment=text)


def _step(
    desk: Desk, revision_id: int, who: Identity, step: Step, *, to: str = "", **kept: str
) -> Response:
    """Take a step; where it is refused, the page says why and keeps what was typed."""
    return frame.take_step(
        desk,
        step,
        refusals=(ContentError, WorkflowError, NotFound, PolicyUnavailable),
        to=to or f"{KNOWLEDGE}/review",
        again=lambda notice, status: _draw(
            desk, revision_id, who, notice=notice, status=status, kept=kept
        ),
    )


def _draw(
    desk: Desk,
    revision_id: int,
    who: Identity,
    *,
    notice: Notice | None = None,
    status: int = 200,
    kept: dict[str, str] | None = None,
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        revision = repository.get_revision(session, revision_id)
        snippet = repository.snippet(session, revision.key)
        live = snippet.live
        queue = review_queue(session, by=who.name, teams=who.teams)
        values = {
            "revision": revision,
            "one": next((one for one in queue if one.revision.id == revision_id), None),
            "path": review.path_of(review.paths(session), revision.content.topic),
            "live": live,
            "fields": compare.compare(None if live is None else live.content, revision.content),
            "comments": review.comments(session, [r.id for r in snippet.revisions]),
            "decisions": review.decisions(session, [revision.id]),
            "sign_reason": "",
            "return_reason": "",
            "comment": "",
            **help_with(desk, session, revision.content),
            **(kept or {}),
        }
        return frame.draw(
            session,
            who,
            "review_one.html",
            section="review",
            values=values,
            notice=notice,
            status=status,
        )
