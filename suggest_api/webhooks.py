"""Where networks post their events: stored and committed before the answer, worked off by the worker."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request

from suggest_api.flow.desk import Desk
from suggest_api.flow.reception import receive
from suggest_api.logs import get_logger

router = APIRouter(prefix="/webhooks", tags=["webhooks"])
log = get_logger(__name__)


async def raw_body(request: Request) -> bytes:
    """The body's bytes as they came; the middleware has capped and buffered them."""
    return await request.body()


@router.post("/{channel}/{account}", summary="An event from a network, guarded by its signature")
def post_event(
    channel: str,
    account: str,
    request: Request,
    body: Annotated[bytes, Depends(raw_body)],
) -> dict[str, bool]:
    """200 means that the event is on disk: `stored` now, or a `duplicate` of one that already was."""
    desk: Desk = request.app.state.desk
    headers = {name.lower(): value for name, value in request.headers.items()}
    new = receive(desk, channel=channel, account=account, headers=headers, body=body)
    log.info("webhook.received", channel=channel, duplicate=not new, size=len(body))
    return {"stored": True} if new else {"duplicate": True}
