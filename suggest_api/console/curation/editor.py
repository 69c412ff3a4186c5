"""Writing a snippet: the form with live help, saving and submitting it, and what happens when two people edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.curation import authoring
from knowledge_base.errors import (
    ContentError,
    EditConflict,
    NotFound,
    PolicyBlocked,
    PolicyUnavailable,
    WorkflowError,
)
from knowledge_base.snippet import Revision, SnippetContent
from knowledge_base.store import repository
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.access.permissions import require as require_action
from suggest_api.console.curation import compare, form, frame
from suggest_api.console.curation.form import Typed
from suggest_api.console.curation.frame import Key, Notice, snippet_address, told
from suggest_api.console.curation.help import help_with
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.render import page, see_other
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.flow import Desk
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=KNOWLEDGE)

Sees = Annotated[Identity, Depends(require(Action.WRITE))]
Writes = Annotated[Identity, Depends(OwnForm(Action.WRITE))]
Values = Annotated[dict[str, str], Depends(form.typed)]
# The number of the newest revision when the form was opened; 0 for a snippet that did not exist.
Base = Annotated[int, Form(ge=0, lt=2**31)]


@router.get("/new")
def begin(
    request: Request, who: Sees, key: Annotated[str, Query(max_length=120)] = ""
) -> Response:
    """An empty form."""
    values = form.empty(key=key, owner=who.name)
    return _draw(desk_of(request), who, Typed(values=values), key=None, base=0)


def begin_with(
    desk: Desk, who: Identity, values: Mapping[str, str], *, neighbours: tuple[str, ...]
) -> Response:
    """A form that something else filled in; `neighbours` are snippets that may only lack a phrasing."""
    notice: Notice | None = None
    if neighbours:
        near = ", ".join(neighbours[:3])
        notice = told(
            f"the nearest snippets are {near}: perhaps one only lacks a phrasing", kind=""
        )
    return _draw(desk, who, Typed(values=values), key=None, base=0, notice=notice)


@router.get("/snippets/{key}/edit")
def edit(request: Request, key: Key, who: Sees) -> Response:
    """The form with the newest words."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        newest = repository.snippet(session, key).revisions[-1]
    values = Typed(values=form.of_content(newest.content))
    return _draw(desk, who, values, key=key, base=newest.number)


@router.post("/help")
def help_part(request: Request, who: Writes, values: Values) -> Response:
    """What there is to say about the words so far; nothing is stored."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        shown = _help(desk, session, values)
    return page("curation/_help.html", who=who, values=shown)


@router.post("/save")
def save_new(
    request: Request,
    who: Writes,
    values: Values,
    base: Base = 0,
    then: Annotated[str, Form()] = "",
) -> Response:
    """A snippet that is new."""
    return _save(desk_of(request), who, form.read(values), key=None, base=base, then=then)


@router.post("/snippets/{key}/save")
def save(
    request: Request,
    key: Key,
    who: Writes,
    values: Values,
    base: Base = 0,
    then: Annotated[str, Form()] = "",
) -> Response:
    """A new revision of a snippet that there is."""
    read = form.read(values, key=key)
    return _save(desk_of(request), who, read, key=key, base=base, then=then)


def _save(
    desk: Desk, who: Identity, typed: Typed, *, key: str | None, base: int, then: str
) -> Response:
    if typed.content is None:
        notice = told("nothing was saved yet: mend the marked fields", kind="bad")
        return _draw(desk, who, typed, key=key, base=base, notice=notice, status=422)
    try:
        with unit_of_work.write(desk.engine) as session:
            _store(desk, session, typed.content, who=who, base=base, submit=then == "submit")
    except EditConflict as error:
        return _conflict(desk, who, typed, error.theirs)
    except PolicyBlocked:
        msg = "the text breaks the policy: mend what is marked, then submit it; nothing was saved yet"
        return _draw(
            desk, who, typed, key=key, base=base, notice=told(msg, kind="bad"), status=422
        )
    except (ContentError, WorkflowError, NotFound, PolicyUnavailable) as error:
        notice = told(str(error), kind="bad")
        status = problem_of(error).status
        return _draw(desk, who, typed, key=key, base=base, notice=notice, status=status)
    return see_other(snippet_address(typed.content.key))


def _store(
    desk: Desk,
    session: Session,
    content: SnippetContent,
    *,
    who: Identity,
    base: int,
    submit: bool,
) -> None:
    now = desk.clock()
    draft = authoring.save_draft(session, content, author=who.name, based_on=base, now=now)
    if submit:
        require_action(who, Action.SUBMIT)
        policy = frame.policy_of(desk, without="nothing can be submitted: save it as a draft")
        authoring.submit(session, draft.id, by=who.name, now=now, policy=policy)


def _conflict(desk: Desk, who: Identity, typed: Typed, theirs: Revision) -> Response:
    """Both versions; saving again puts one's own after theirs."""
    return _draw(desk, who, typed, key=theirs.key, base=theirs.number, theirs=theirs, status=409)


def _help(desk: Desk, session: Session, values: Mapping[str, str]) -> dict[str, Any]:
    """The help for what is typed so far; fields that cannot be used yet count as empty."""
    text = " ".join(values["text"].split())
    plain = form.read({**values, "text": "x"}).problems
    usable = {name: "" if name in plain else value for name, value in values.items()}
    key = values["key"] if "key" not in plain else "new.snippet"
    content = form.read({**usable, "key": key or "new.snippet", "text": "x"}).content
    content = content or SnippetContent(key="new.snippet", text="")
    return help_with(desk, session, replace(content, text=text))


def _draw(
    desk: Desk,
    who: Identity,
    typed: Typed,
    *,
    key: str | None,
    base: int,
    theirs: Revision | None = None,
    notice: Notice | None = None,
    status: int = 200,
) -> Response:
    mine = typed.content
    with unit_of_work.read(desk.engine) as session:
        values = {
            "key": key,
            "base": base,
            "form": typed.values,
            "problems": typed.problems,
            "theirs": theirs,
            "fields": ()
            if theirs is None or mine is None
            else compare.compare(theirs.content, mine),
            "channels": tuple(desk.channels),
            **_help(desk, session, typed.values),
        }
        return frame.draw(
            session, who, "edit.html", section="board", values=values, notice=notice, status=status
        )
