"""The live stream: tells a page that something changed, never what, so it carries no customer text."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from anyio import sleep, to_thread
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action, may
from suggest_api.access.service import resume
from suggest_api.console.guards import cookie_name, desk_of, require
from suggest_api.console.render import CONSOLE
from suggest_api.conversations import service as conversations
from suggest_api.delivery import service as deliveries
from suggest_api.drafts import service as drafts
from suggest_api.flow import Desk, freezing
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=CONSOLE)

POLL_SECONDS = (
    0.5  # what an agent feels as "at once"; two small queries a second for each open page
)
SESSION_CHECK_SECONDS = 2.0  # a revoked session stops listening this soon
KEEP_ALIVE_SECONDS = 15.0  # below the 60 s after which common proxies cut an idle connection


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page was last told about: it is told again when one of these differs."""

    inbox: object = None
    conversation: object = None
    delivery: object = None
    drafts: object = (
        None  # those of the open conversation: a recall or a freeze took some of them back
    )
    frozen: object = None


class Watch:
    """The state that every page shares, read once per interval however many pages are open."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._shared: tuple[object, object, object] = (None, None, None)

    def look(self, conversation_id: str | None) -> Seen:
        """The state now, at most one interval old."""
        with self._lock:
            if time.monotonic() - self._read_at >= POLL_SECONDS:
                self._shared = self._read()
                self._read_at = time.monotonic()
            inbox, delivery, frozen = self._shared
        conversation, withdrawn = self._conversation(conversation_id)
        return Seen(inbox, conversation, delivery, (withdrawn, frozen), frozen)

    def alive(self, token: str) -> bool:
        """Whether the session behind the cookie still stands, and may still listen."""
        with unit_of_work.read(self._desk.engine) as session:
            identity = resume(session, token, now=self._desk.clock(), active=False)
        return identity is not None and may(identity, Action.READ_INBOX)

    def _read(self) -> tuple[object, object, object]:
        with unit_of_work.read(self._desk.engine) as session:
            items = (*conversations.waiting(session), *conversations.others(session))
            inbox = tuple((item.id, item.version) for item in items)
            delivery = tuple(row.id for row in deliveries.attention(session))
            frozen = tuple(freeze.id for freeze in freezing.in_force(session).freezes)
        return inbox, delivery, frozen

    def _conversation(self, conversation_id: str | None) -> tuple[object, object]:
        """What there is of it, and how many of its drafts were withdrawn."""
        if conversation_id is None:
            return None, None
        with unit_of_work.read(self._desk.engine) as session:
            version = conversations.get(session, conversation_id).version
            shown = deliveries.of_conversation(session, conversation_id)
            withdrawn = drafts.withdrawn_in(session, conversation_id)
            return (version, tuple((row.id, row.shown) for row in shown)), withdrawn


@router.get("/events")
def events(
    request: Request,
    who: Annotated[Identity, Depends(require(Action.READ_INBOX))],
    conversation: Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")] = None,
) -> Response:
    """Server-sent events `inbox`, `conversation`, `delivery`, `drafts`, `frozen` and `signed-out` (WHATWG HTML,
    section 9.2). `drafts` tells that a draft which the page shows may have been taken back."""
    watch = _watch(request)
    token = request.cookies.get(cookie_name(desk_of(request)), "")
    seen = watch.look(conversation)  # an unknown conversation is a 404, not half a stream
    stream = _stream(request, watch, token, conversation, seen)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(
    request: Request, watch: Watch, token: str, conversation_id: str | None, seen: Seen
) -> AsyncIterator[str]:
    checked = told = time.monotonic()
    yield "retry: 2000\n\n"
    while not await request.is_disconnected():
        await sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - checked >= SESSION_CHECK_SECONDS:
            checked = now
            if not await to_thread.run_sync(watch.alive, token):
                yield _event("signed-out")
                return
        current = await to_thread.run_sync(watch.look, conversation_id)
        for name in ("inbox", "conversation", "delivery", "drafts", "frozen"):
            if getattr(current, name) != getattr(seen, name):
                told = now
                yield _event(name)
        seen = current
        if now - told >= KEEP_ALIVE_SECONDS:
            told = now
            yield ": still here\n\n"


def _event(name: str) -> str:
    return f"event: {name}\ndata: changed\n\n"


def _watch(request: Request) -> Watch:
    state = request.app.state
    if not hasattr(state, "watch"):
        state.watch = Watch(desk_of(request))
    watch: Watch = state.watch
    return watch
