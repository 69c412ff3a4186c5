"""Drawing pages: one template environment, escaping always on, problems as pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from suggest_api.access.model import Identity
from suggest_api.console.words import FILTERS
from suggest_api.problems import Problem, request_id

HERE = Path(__file__).parent
STATIC = HERE / "static"
STATIC_URL = "/console/static"


def page(
    template: str,
    *,
    who: Identity | None,
    values: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A page or a part of one. What customers wrote reaches it as values only, and is escaped there."""
    context = {"static": STATIC_URL, "who": who, "page": "", "conversation": None, "attention": 0}
    text = _environment().get_template(template).render({**context, **values})
    return HTMLResponse(
        text, status_code=status, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def problem_page(request: Request, problem: Problem) -> Response:
    """The problem as a page; who is not signed in is asked to sign in and comes back here."""
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return to_sign_in(request)
    values = {
        "title": problem.title,
        "detail": problem.detail,
        "request_id": request_id(request),
    }
    return page("problem.html", who=None, values=values, status=problem.status)


def to_sign_in(request: Request) -> Response:
    """Off to the sign-in page; an htmx part of a page takes the whole page there."""
    wanted = request.url.path if request.method == "GET" else "/console"
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": "/console/sign-in"})
    return see_other(f"/console/sign-in?next={quote(wanted)}")


def see_other(url: str) -> RedirectResponse:
    """Go there with GET."""
    return RedirectResponse(url, status_code=HTTPStatus.SEE_OTHER)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment
