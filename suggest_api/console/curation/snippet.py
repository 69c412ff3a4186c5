"""The page of one snippet: what it says now, how it came to that, and what may be done with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.curation import authoring, verification
from knowledge_base.errors import ContentError, NotFound, PolicyUnavailable, WorkflowError
from knowledge_base.snippet import Revision, Snippet
from knowledge_base.store import repository, review
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation import compare, frame, history
from suggest_api.console.curation.frame import Key, Notice, snippet_address
from suggest_api.console.curation.standing import all_standing
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk, recalling, usage
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{KNOWLEDGE}/snippets")

Sees = Annotated[Identity, Depends(require(Action.VIEW_KNOWLEDGE))]
Reason = Annotated[str, Form(max_length=4 * review.MAX_WORDS)]
USAGE_OVER = timedelta(days=30)
MOST_USES = 200  # replies listed; the counts are of all
RevisionId = Annotated[int, Form(ge=1, lt=2**63)]


@router.get("/{key}")
def show(request: Request, key: Key, who: Sees) -> Response:
    """The whole page."""
    return _draw(desk_of(request), key, who)


@router.get("/{key}/compare")
def compared(
    request: Request,
    key: Key,
    who: Sees,
    before: Annotated[int, Query(ge=0)] = 0,
    after: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Two revisions side by side; without numbers, the newest and what is live or was before it."""
    with unit_of_work.read(desk_of(request).engine) as session:
        snippet = repository.snippet(session, key)
        right = _numbered(snippet, after) or snippet.revisions[-1]
        left = _numbered(snippet, before) or _before(snippet, right)
        values = {
            "key": key,
            "revisions": snippet.revisions,
            "left": left,
            "right": right,
            "fields": compare.compare(None if left is None else left.content, right.content),
        }
        return frame.draw(session, who, "compare.html", section="board", values=values)


@router.get("/{key}/used")
def used(request: Request, key: Key, who: Sees) -> Response:
    """Where it had been used: every reply made from it."""
    with unit_of_work.read(desk_of(request).engine) as session:
        report = recalling.usage_report(session, key)
        values = {"key": key, "report": report, "uses": report.uses[:MOST_USES], "most": MOST_USES}
        return frame.draw(session, who, "used.html", section="board", values=values)


@router.post("/{key}/recall")
def recall(
    request: Request,
    key: Key,
    who: Annotated[Identity, Depends(OwnForm(Action.RECALL))],
    reason: Reason = "",
) -> Response:
    """Pull what is live, at once and everywhere."""

    def step(session: Session, desk: Desk) -> None:
        recalling.recall(desk, session, key, by=who.name, reason=reason, now=desk.clock())

    return _step(desk_of(request), key, who, step, kept={"recall_reason": reason})


@router.post("/{key}/retire")
def retire(
    request: Request,
    key: Key,
    who: Annotated[Identity, Depends(OwnForm(Action.RETIRE))],
    revision: RevisionId,
) -> Response:
    """Take a revision out of use for good."""

    def step(session: Session, desk: Desk) -> None:
        _of(session, key, revision)
        repository.retire(session, revision, by=who.name, now=desk.clock())

    return _step(desk_of(request), key, who, step)


@router.post("/{key}/reopen")
def reopen(
    request: Request, key: Key, who: Annotated[Identity, Depends(OwnForm(Action.REOPEN))]
) -> Response:
    """Begin a new draft of a snippet that is out of use."""

    def step(session: Session, desk: Desk) -> None:
        repository.reopen(session, key, by=who.name, now=desk.clock())

    return _step(desk_of(request), key, who, step)


@router.post("/{key}/submit")
def submit(
    request: Request,
    key: Key,
    who: Annotated[Identity, Depends(OwnForm(Action.SUBMIT))],
    revision: RevisionId,
) -> Response:
    """Hand a draft as it stands to the approvers."""

    def step(session: Session, desk: Desk) -> None:
        _of(session, key, revision)
        policy = frame.policy_of(desk, without="nothing can be submitted")
        authoring.submit(session, revision, by=who.name, now=desk.clock(), policy=policy)

    return _step(desk_of(request), key, who, step)


@router.post("/{key}/discard")
def discard(
    request: Request,
    key: Key,
    who: Annotated[Identity, Depends(OwnForm(Action.DISCARD))],
    revision: RevisionId,
) -> Response:
    """Drop a draft of one's own."""

    def step(session: Session, desk: Desk) -> None:
        _of(session, key, revision)
        authoring.discard(session, revision, by=who.name, now=desk.clock())

    return _step(desk_of(request), key, who, step)


@router.post("/{key}/verify")
def verify(
    request: Request,
    key: Key,
    who: Annotated[Identity, Depends(OwnForm(Action.REVERIFY))],
    revision: RevisionId,
) -> Response:
    """Stand by what is live for another quarter."""

    def step(session: Session, desk: Desk) -> None:
        _of(session, key, revision)
        now = desk.clock()
        verification.reverify(session, revision, by=who.name, now=now, teams=who.teams)

    return _step(desk_of(request), key, who, step)


@router.post("/{key}/comment")
def comment(
    request: Request,
    key: Key,
    who: Annotated[Identity, Depends(OwnForm(Action.COMMENT))],
    revision: RevisionId,
    text: Reason = "",
) -> Response:
    """Say something about a revision."""

    def step(session: Session, desk: Desk) -> None:
        found = _of(session, key, revision)
        review.comment(session, found, text, by=who.name, now=desk.clock())

    return _step(desk_of(request), key, who, step, kept={"comment": text})


def _step(
    desk: Desk, key: str, who: Identity, step: Any, *, kept: dict[str, str] | None = None
) -> Response:
    """Take one step; where it is refused, the page says why and keeps what was typed."""
    return frame.take_step(
        desk,
        step,
        refusals=(ContentError, WorkflowError, NotFound, PolicyUnavailable),
        to=snippet_address(key),
        again=lambda notice, status: _draw(
            desk, key, who, notice=notice, status=status, kept=kept
        ),
    )


def _draw(
    desk: Desk,
    key: str,
    who: Identity,
    *,
    notice: Notice | None = None,
    status: int = 200,
    kept: dict[str, str] | None = None,
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        snippet = repository.snippet(session, key)
        ids = [revision.id for revision in snippet.revisions]
        recalls = history.recalls(session, key)
        values = {
            "key": key,
            "snippet": snippet,
            "shown": snippet.live or snippet.revisions[-1],
            "newest": snippet.revisions[-1],
            "standings": all_standing(snippet, recalled={r.revision_id for r in recalls}),
            "comments": review.comments(session, ids),
            "events": history.events(session, snippet, recalls),
            "due": history.due(session, snippet.live),
            "now": desk.clock(),
            "pulled": recalls[-1] if recalls and snippet.live is None else None,
            "usage": usage.usage(session, [key], since=desk.clock() - USAGE_OVER)[key],
            "variants": history.variants(session, key),
            "recall_reason": "",
            "comment": "",
            **(kept or {}),
        }
        return frame.draw(
            session,
            who,
            "snippet.html",
            section="board",
            values=values,
            notice=notice,
            status=status,
        )


def _numbered(snippet: Snippet, number: int) -> Revision | None:
    return next((r for r in snippet.revisions if r.number == number), None)


def _before(snippet: Snippet, right: Revision) -> Revision | None:
    """What a revision is held against unless somebody chose: the live one, else the one before it."""
    live = snippet.live
    if live is not None and live.number != right.number:
        return live
    older = [r for r in snippet.revisions if r.number < right.number]
    return older[-1] if older else None


def _of(session: Session, key: str, revision_id: int) -> Revision:
    found = repository.get_revision(session, revision_id)
    if found.key != key:
        msg = f"there is no such revision of {key}"
        raise NotFound(msg)
    return found
