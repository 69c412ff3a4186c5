"""The verdict on any text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request

from suggest_api import flow
from suggest_api.access.model import KeyIdentity
from suggest_api.api.body import StrictRoute
from suggest_api.api.guards import desk_of, require_scope
from suggest_api.api.wire import CheckIn, CheckOut

router = APIRouter(prefix="/v1/policy", tags=["policy"], route_class=StrictRoute)


@router.post("/check", summary="The verdict on a text")
def check(
    request: Request,
    body: CheckIn,
    _identity: Annotated[KeyIdentity, Depends(require_scope("check"))],
) -> CheckOut:
    """Judge a text as if it were to be sent on this channel; nothing is stored."""
    verdict = flow.judge(desk_of(request), body.text, channel=body.channel)
    return CheckOut.of(body.text, verdict)
