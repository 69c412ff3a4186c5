"""Whether the service is alive, whether it can serve, and its metrics."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.requests import Request

from suggest_api import flow
from suggest_api.api.guards import desk_of, require_scope

router = APIRouter(tags=["operation"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Part(BaseModel):
    """One thing that the service needs to serve."""

    name: str
    ready: bool
    detail: str = Field(description="What is in use, or what is missing and how to mend it.")


class Readiness(BaseModel):
    """All parts; the service can serve when every one is ready."""

    ready: bool
    parts: list[Part]


@router.get("/healthz", summary="The process answers")
def healthz() -> Alive:
    """Open: for whoever restarts a process that hangs."""
    return Alive()


@router.get(
    "/readyz",
    summary="Every part is ready",
    responses={503: {"model": Readiness, "description": "A part is not ready; it is named"}},
)
def readyz(request: Request, response: Response) -> Readiness:
    """Open: tells names and versions of parts, nothing of content or customers."""
    states = flow.readiness(desk_of(request))
    parts = [Part(name=state.name, ready=state.ready, detail=state.detail) for state in states]
    ready = all(part.ready for part in parts)
    if not ready:
        response.status_code = 503
    return Readiness(ready=ready, parts=parts)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    dependencies=[Depends(require_scope("metrics"))],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format"}},
)
def metrics(request: Request) -> Response:
    """Counts, timings, and the queues as the database has them now."""
    desk = desk_of(request)
    flow.count_backlog(desk)
    return Response(desk.metrics.text(), media_type=CONTENT_TYPE_LATEST)
