"""The inbox, the conversation, and the parts of both that refresh themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.store.tables import NAME
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action, may
from suggest_api.console import views
from suggest_api.console.guards import desk_of, require, require_signed_in
from suggest_api.console.home import home_of
from suggest_api.console.render import CONSOLE, page, see_other
from suggest_api.conversations import service as conversations
from suggest_api.delivery import service as deliveries
from suggest_api.flow import Desk, freezing
from suggest_api.storage import unit_of_work
from suggest_api.values import ID_BYTES

router = APIRouter(prefix=CONSOLE)

Who = Annotated[Identity, Depends(require(Action.READ_INBOX))]
Anyone = Annotated[Identity, Depends(require_signed_in())]
ID_PATTERN = rf"^([0-9a-f]{{{2 * ID_BYTES}}})?$"
# One team's conversations; None is everything, '' what no team has.
Team = Annotated[str | None, Query(max_length=NAME)]
ConversationId = Annotated[str, Path(pattern=ID_PATTERN)]


@router.get("")
def inbox(request: Request, who: Anyone, team: Team = None) -> Response:
    """Who waits for a person, and nothing opened; those who do other work here go to where they do it.

    `team` shows only what one team has.
    """
    if not may(who, Action.READ_INBOX):
        return see_other(home_of(who))
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        return page("inbox.html", who=who, values=_frame(desk, session, who, None, team=team))


@router.get("/conversations/{conversation_id}")
def conversation(
    request: Request,
    conversation_id: ConversationId,
    who: Who,
    drafts: Annotated[bool, Query()] = False,
    draft: Annotated[str, Query(pattern=ID_PATTERN)] = "",
) -> Response:
    """One conversation: thread, drafts, composer, the story so far.

    `drafts` and `draft` serve a browser without JavaScript: the drafts at once, and one of them inserted.
    """
    desk = desk_of(request)
    offered: dict[str, Any] = {}
    if drafts:
        offered = views.suggestions(desk, conversation_id, who=who, again=True)
    composed = views.Composed(draft_id=draft)
    return whole(desk, conversation_id, who=who, composed=composed, offered=offered)


@router.get("/inbox")
def inbox_part(
    request: Request, who: Who, open: Annotated[str, Query()] = "", team: Team = None
) -> Response:
    """Both lists of the inbox."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        return page("_inbox.html", who=who, values=_frame(desk, session, who, open, team=team))


@router.get("/conversations/{conversation_id}/thread")
def thread_part(request: Request, conversation_id: ConversationId, who: Who) -> Response:
    """The messages."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        found = conversations.get(session, conversation_id)
        values = {**views.thread(session, found), **views.ownership(found, who)}
        return page("_thread.html", who=who, values=values)


@router.get("/conversations/{conversation_id}/head")
def head_part(request: Request, conversation_id: ConversationId, who: Who) -> Response:
    """Who owns the conversation."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        found = conversations.get(session, conversation_id)
        values = {
            "conversation": found,
            "assistant": views.assistant_may(desk, found),
            "care": views.care(desk, session, found),
        }
        return page("_head.html", who=who, values=values)


@router.get("/conversations/{conversation_id}/story")
def story_part(request: Request, conversation_id: ConversationId, who: Who) -> Response:
    """What was asked and what is known, for both places where a page shows it."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        found = conversations.get(session, conversation_id)
        story = views.story(conversations.thread(session, conversation_id))
        values = {"conversation": found, "story": story}
        return page("_story_update.html", who=who, values=values)


@router.get("/conversations/{conversation_id}/drafts")
def drafts_part(
    request: Request,
    conversation_id: ConversationId,
    who: Who,
    again: Annotated[bool, Query()] = False,
) -> Response:
    """Up to three drafts for what the customer said last; each is stored with its proof."""
    values = views.suggestions(desk_of(request), conversation_id, who=who, again=again)
    return page("_drafts.html", who=who, values=values)


def whole(
    desk: Desk,
    conversation_id: str,
    *,
    who: Identity,
    composed: views.Composed,
    offered: Mapping[str, Any] | None = None,
    notice: str = "",
    status: int = 200,
) -> Response:
    """The page of a conversation with this in its composer; `notice` says what could not be done."""
    with unit_of_work.read(desk.engine) as session:
        found = conversations.get(session, conversation_id)
        shown = views.thread(session, found)
        values = {
            **_frame(desk, session, who, conversation_id),
            **shown,
            **views.composer(desk, session, found, who=who, composed=composed),
            "story": views.story(shown["turns"]),
            "assistant": views.assistant_may(desk, found),
            "care": views.care(desk, session, found),
            "notice": notice,
            "drafts": None,
            **(offered or {}),
        }
    return page("inbox.html", who=who, values=values, status=status)


def _frame(
    desk: Desk, session: Session, who: Identity, open_id: str | None, *, team: str | None = None
) -> dict[str, Any]:
    return {
        **views.inbox(session, open_id=open_id, teams=who.teams, team=team),
        "page": "inbox",
        "now": desk.clock(),
        "attention": len(deliveries.attention(session)),
        "frozen": freezing.in_force(session).freezes,
    }
