"""What an agent does in a conversation: take it, give it back, check a text while writing, send it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.errors import PolicyUnavailable, WordingError
from suggest_api import flow
from suggest_api.access.model import Identity
from suggest_api.console import views
from suggest_api.console.guards import desk_of, own_form
from suggest_api.console.pages import ConversationId
from suggest_api.console.render import page, see_other
from suggest_api.conversations import service as conversations
from suggest_api.errors import ConversationError, DraftError, Refused, Unprocessable
from suggest_api.flow import Desk
from suggest_api.storage import unit_of_work
from suggest_api.values import Owner

router = APIRouter()

Who = Annotated[Identity, Depends(own_form("agent"))]
# The gate limits a reply to 139; this only bounds the work on what somebody pastes.
Text = Annotated[str, Form(max_length=1000)]


@router.post("/conversations/{conversation_id}/claim")
def claim(
    request: Request, conversation_id: ConversationId, who: Who, version: Annotated[int, Form()]
) -> Response:
    """The conversation is this person's now; the assistant is silent from here on."""
    desk = desk_of(request)
    with unit_of_work.write(desk.engine) as session:
        flow.claim(desk, session, conversation_id, by=who.name, version=version)
    return see_other(f"/console/conversations/{conversation_id}")


@router.post("/conversations/{conversation_id}/release")
def release(
    request: Request, conversation_id: ConversationId, who: Who, version: Annotated[int, Form()]
) -> Response:
    """The assistant has it again."""
    desk = desk_of(request)
    with unit_of_work.write(desk.engine) as session:
        flow.release(desk, session, conversation_id, by=who.name, version=version, to=Owner.BOT)
    return see_other("/console")


@router.post("/conversations/{conversation_id}/check")
def check(
    request: Request,
    conversation_id: ConversationId,
    who: Who,
    text: Text = "",
    draft_id: Annotated[str, Form()] = "",
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
    version: Annotated[int, Form()],
    text: Text = "",
    draft_id: Annotated[str, Form()] = "",
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Send: the final text is judged again, then queued. A refusal keeps what was written."""
    desk = desk_of(request)
    final = _one_line(text)
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
            text=final, draft_id=draft_id, reason=reason, problem=_sentence(str(error))
        )
        return _draw(desk, conversation_id, who, composed, template="_composer.html")
    if "hx-request" not in request.headers:
        return see_other(f"/console/conversations/{conversation_id}")
    return _draw(
        desk,
        conversation_id,
        who,
        views.Composed(),
        template="_composer.html",
        headers={"HX-Trigger": "conversation-changed"},
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


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
