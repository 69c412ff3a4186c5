"""Replies that nobody can vouch for: shown, and decided by a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.render import CONSOLE, page, see_other
from suggest_api.delivery import service as deliveries
from suggest_api.delivery.model import Resolution
from suggest_api.errors import DeliveryError
from suggest_api.flow import freezing
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=f"{CONSOLE}/delivery")

Who = Annotated[Identity, Depends(require(Action.READ_INBOX))]
Decides = Annotated[Identity, Depends(OwnForm(Action.SETTLE_DELIVERY))]


@router.get("")
def show(request: Request, who: Who) -> Response:
    """The whole page."""
    return _draw(request, who, "delivery.html")


@router.get("/rows")
def rows(request: Request, who: Who) -> Response:
    """The list alone."""
    return _draw(request, who, "_delivery_rows.html")


@router.get("/count")
def count(request: Request, who: Who) -> Response:
    """How many wait for a decision."""
    return _draw(request, who, "_attention.html")


@router.post("/{outbox_id}/{action}")
def decide(request: Request, outbox_id: str, action: Resolution, who: Decides) -> Response:
    """Send it (again), or drop it; the decision and who took it are in the audit log."""
    desk = desk_of(request)
    try:
        with unit_of_work.write(desk.engine) as session:
            deliveries.resolve_unknown(
                session, outbox_id, action=action, by=who.name, now=desk.clock()
            )
    except DeliveryError as error:
        return _draw(request, who, "delivery.html", problem=str(error))
    return see_other("/console/delivery")


def _draw(request: Request, who: Identity, template: str, *, problem: str = "") -> Response:
    with unit_of_work.read(desk_of(request).engine) as session:
        waiting = deliveries.attention(session)
        frozen = freezing.in_force(session).freezes
    values = {
        "rows": waiting,
        "attention": len(waiting),
        "problem": problem,
        "page": "delivery",
        "frozen": frozen,
    }
    return page(template, who=who, values=values)
