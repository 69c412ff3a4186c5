"""Drawing pages: one template environment, escaping always on, problems as pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from suggest_api.access import permissions
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console import sections
from suggest_api.console.words import FILTERS, sentence
from suggest_api.problems import Problem, request_id

HERE = Path(__file__).parent
STATIC = HERE / "static"
CONSOLE = sections.CONSOLE
STATIC_URL = f"{CONSOLE}/static"
SIGN_IN = f"{CONSOLE}/sign-in"
# One segment after the other, none of them empty and none beginning with a dot: nothing that a browser could
# read as another host or another page.
OWN_PATH = re.compile(r"/console(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*")


def page(
    template: str,
    *,
    who: Identity | None,
    values: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A page or a part of one. What customers wrote reaches it as values only, and is escaped there.

    Templates ask `may("READ_INBOX")`, with the name of an `Action`, before they show a way to it.
    """
    context = {
        "static": STATIC_URL,
        "who": who,
        "may": lambda name: who is not None and permissions.may(who, Action[name]),
        "page": "",
        "section": "",
        "conversation": None,
        "attention": 0,
        "frozen": (),
    }
    text = _environment().get_template(template).render({**context, **values})
    return HTMLResponse(
        text, status_code=status, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def problem_page(request: Request, problem: Problem) -> Response:
    """The problem as a page; who is not signed in is asked to sign in and comes back here.

    A part of a page is not replaced by a whole one: htmx gets the sentence alone, and the page shows it.
    """
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return to_sign_in(request)
    if "hx-request" in request.headers:
        return PlainTextResponse(
            sentence(problem.detail), status_code=problem.status, headers=dict(problem.headers)
        )
    values = {
        "title": problem.title,
        "detail": problem.detail,
        "request_id": request_id(request),
        "status": problem.status,
    }
    return page("problem.html", who=None, values=values, status=problem.status)


def to_sign_in(request: Request) -> Response:
    """Off to the sign-in page; an htmx part of a page takes the whole page there."""
    if "hx-request" in request.headers:
        shown = urlsplit(request.headers.get("hx-current-url", "")).path
        return Response(status_code=401, headers={"HX-Redirect": _sign_in_url(shown)})
    return see_other(_sign_in_url(request.url.path if request.method == "GET" else ""))


def see_other(url: str) -> RedirectResponse:
    """Go there with GET."""
    return RedirectResponse(url, status_code=HTTPStatus.SEE_OTHER)


def own_path(path: str) -> str:
    """A path of the console, whatever was asked for: a sign-in must not lead to another site."""
    return path if OWN_PATH.fullmatch(path) and path != SIGN_IN else CONSOLE


def _sign_in_url(wanted: str) -> str:
    return f"{SIGN_IN}?next={quote(own_path(wanted))}"


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
    environment.filters.update(bar=sections.bar, inside=sections.inside)
    return environment
