"""What an agent does in a conversation: take it, give it back, check a text while writing, send it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.errors import PolicyUnavailable, WordingError
from suggest_api import flow
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console import views
from suggest_api.console.guards import OwnForm, desk_of
from suggest_api.console.pages import ID_PATTERN, ConversationId, whole
from suggest_api.console.render import CONSOLE, page, see_other
from suggest_api.console.words import sentence
from suggest_api.conversations import service as conversations
from suggest_api.errors import ConversationError, DraftError, Refused, Unprocessable
from suggest_api.flow import Desk
from suggest_api.problems import problem_of
from suggest_api.storage import unit_of_work
from suggest_api.values import Owner

router = APIRouter(prefix=CONSOLE)

Who = Annotated[Identity, Depends(OwnForm(Action.REPLY))]
# The gate limits a reply to 139; this only bounds the work on what somebody pastes.
Text = Annotated[str, Form(max_length=1000)]
DraftId = Annotated[str, Form(pattern=ID_PATTERN)]
# What the agent saw; a 64-bit column holds it.
Version = Annotated[int, Form(ge=0, lt=2**63)]


@router.post("/conversations/{conversation_id}/claim")
def claim(
    request: Request, conversation_id: ConversationId, who: Who, version: Version
) -> Response:
    """The conversation is this person's now; the assistant is silent from here on."""
    desk = desk_of(request)
    try:
        with unit_of_work.write(desk.engine) as session:
            flow.claim(desk, session, conversation_id, by=who.name, version=version)
    except ConversationError as error:
        return _conflict(desk, conversation_id, who, error)
    return see_other(f"/console/conversations/{conversation_id}")


@router.post("/conversations/{conversation_id}/release")
def release(
    request: Request,
    conversation_id: ConversationId,
    who: Who,
    version: Version,
    to: Annotated[Owner, Form()] = Owner.PERSON,
) -> Response:
    """Somebody else, or the assistant, may have it."""
    desk = desk_of(request)
    try:
        with unit_of_work.write(desk.engine) as session:
            flow.release(desk, session, conversation_id, by=who.name, version=version, to=to)
    except ConversationError as error:
        return _conflict(desk, conversation_id, who, error)
    return see_other("/console")


@router.post("/conversations/{conversation_id}/check")
def check(
    request: Request,
    conversation_id: ConversationId,
    who: Who,
    text: Text = "",
    draft_id: DraftId = "",
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Both counts and the verdict on what stands in the composer; nothing is stored."""
    composed = views.Composed(text=_one_line(text), draft_id=draft_id, reason=reason)
    return _draw(desk_of(request), conversation_id, who, composed, template="_verdict.html")


@router.post("/conversations/{conversation_id}/reply")
def reply(
    request: Request,
    conversation_id: ConversationId,
    who: Who,
    version: Version,
    text: Text = "",
    draft_id: DraftId = "",
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Send: the final text is judged again, then queued. A refusal keeps what was written."""
    desk = desk_of(request)
    final = _one_line(text)
    htmx = "hx-request" in request.headers
    try:
        with unit_of_work.write(desk.engine) as session:
            flow.reply(
                desk,
                session,
                conversation_id=conversation_id,
                draft_id=draft_id or None,
                text=final,
                by=who.name,
                reason=reason or None,
                version=version,
            )
    except (
        Refused,
        ConversationError,
        DraftError,
        Unprocessable,
        WordingError,
        PolicyUnavailable,
    ) as error:
        composed = views.Composed(
            text=final, draft_id=draft_id, reason=reason, problem=sentence(str(error))
        )
        if htmx:
            return _draw(desk, conversation_id, who, composed, template="_composer.html")
        return whole(
            desk,
            conversation_id,
            who=who,
            composed=composed,
            status=problem_of(error).status,
        )
    if not htmx:
        return see_other(f"/console/conversations/{conversation_id}")
    return _draw(
        desk,
        conversation_id,
        who,
        views.Composed(),
        template="_composer.html",
        headers={"HX-Trigger": "conversation-changed, answered-or-asked"},
    )


def _draw(
    desk: Desk,
    conversation_id: str,
    who: Identity,
    composed: views.Composed,
    *,
    template: str,
    headers: dict[str, str] | None = None,
) -> Response:
    with unit_of_work.read(desk.engine) as session:
        found = conversations.get(session, conversation_id)
        values = views.composer(desk, session, found, who=who, composed=composed)
    return page(template, who=who, values=values, headers=headers)


def _one_line(text: str) -> str:
    """A reply is one line: a break that somebody typed becomes a space."""
    return " ".join(text.splitlines()).strip()


def _conflict(
    desk: Desk, conversation_id: str, who: Identity, error: ConversationError
) -> Response:
    """The conversation as it is now, with what came in between; the browser keeps what was typed."""
    return whole(
        desk,
        conversation_id,
        who=who,
        composed=views.Composed(),
        notice=sentence(str(error)),
        status=problem_of(error).status,
    )
