"""The pages to sign in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import Response

from suggest_api.access import service as access
from suggest_api.access.model import Identity
from suggest_api.access.throttle import Throttle
from suggest_api.console.guards import OwnForm, SameOrigin, cookie_name, desk_of
from suggest_api.console.render import CONSOLE, own_path, page, see_other
from suggest_api.errors import NotAuthenticated, TooManyAttempts
from suggest_api.storage import unit_of_work

router = APIRouter(prefix=CONSOLE)


@router.get("/sign-in")
def show(next: Annotated[str, Query()] = "") -> Response:
    """The form."""
    return page("sign_in.html", who=None, values=_form(next=next))


@router.post("/sign-in", dependencies=[Depends(SameOrigin())])
def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=120)],
    password: Annotated[str, Form(max_length=256)],
    next: Annotated[str, Form()] = "",
) -> Response:
    """Start a session, or say that name or password is wrong and no more than that."""
    desk, throttle = desk_of(request), _throttle(request)
    address = request.client.host if request.client else ""
    now = desk.clock()
    try:
        throttle.check(name=name, address=address, now=now)
        with unit_of_work.write(desk.engine) as session:
            started = access.sign_in(session, name, password, now=now)
    except NotAuthenticated:
        throttle.failed(name=name, address=address, now=now)
        values = _form(next=next, name=name, problem="That name and password do not fit together.")
        return page("sign_in.html", who=None, values=values, status=401)
    except TooManyAttempts as error:
        values = _form(next=next, name=name, problem=f"{error}.".capitalize())
        headers = {"Retry-After": str(error.retry_after)}
        return page("sign_in.html", who=None, values=values, status=429, headers=headers)
    throttle.succeeded(name=name)
    response = see_other(own_path(next))
    response.set_cookie(
        cookie_name(desk),
        started.token,
        max_age=int((started.expires_at - now).total_seconds()),
        secure=desk.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return response


@router.post("/sign-out")
def sign_out(request: Request, who: Annotated[Identity, Depends(OwnForm(None))]) -> Response:
    """End the session on the server, so that a copied cookie is worth nothing."""
    desk = desk_of(request)
    with unit_of_work.write(desk.engine) as session:
        token = request.cookies.get(cookie_name(desk), "")
        access.sign_out(session, token, now=desk.clock())
    response = see_other("/console/sign-in")
    response.delete_cookie(cookie_name(desk), secure=desk.settings.secure_cookies, httponly=True)
    return response


def _form(*, next: str, name: str = "", problem: str = "") -> dict[str, str]:
    return {"next": own_path(next), "name": name, "problem": problem}


def _throttle(request: Request) -> Throttle:
    # One for each application, so that tests and processes do not share failures.
    state = request.app.state
    if not hasattr(state, "throttle"):
        state.throttle = Throttle()
    throttle: Throttle = state.throttle
    return throttle
