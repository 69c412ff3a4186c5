"""Who may see a page: the session cookie, what the roles allow, and the proof that a form is our own page's."""

from __future__ import annotations

import hmac
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Form, Header
from starlette.requests import Request

from suggest_api.access import permissions
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.access.service import resume
from suggest_api.errors import NotAllowed, NotAuthenticated
from suggest_api.flow import Desk
from suggest_api.storage import unit_of_work


def desk_of(request: Request) -> Desk:
    """The parts that the composition root built for this application."""
    return cast(Desk, request.app.state.desk)


def cookie_name(desk: Desk) -> str:
    """`__Host-` binds the cookie to this host and to https; browsers refuse the prefix without https."""
    return "__Host-firstline" if desk.settings.secure_cookies else "firstline"


class Require:
    """A dependency that lets a signed-in person through who may take the action, and hands on who it is.

    Without an action it is for everybody who is signed in. Only requests that a person causes count as
    activity: the parts of a page that refresh themselves (htmx, events) do not keep a forgotten browser signed
    in, and take no write lock.
    """

    def __init__(self, action: Action | None) -> None:
        self.guards = action or "signed-in"  # what the route test looks for
        self.action = action

    def __call__(self, request: Request) -> Identity:
        """Raise NotAuthenticated or NotAllowed, or return the identity."""
        desk = desk_of(request)
        token = request.cookies.get(cookie_name(desk), "")
        active = not _asked_by_itself(request)
        transaction = unit_of_work.write if active else unit_of_work.read
        with transaction(desk.engine) as session:
            identity = resume(session, token, now=desk.clock(), active=active) if token else None
        if identity is None:
            msg = "your session has ended: sign in again"
            raise NotAuthenticated(msg)
        if self.action is not None:
            permissions.require(identity, self.action)
        return identity


def require(action: Action) -> Require:
    """The guard of a page: who is signed in and may do this."""
    return Require(action)


def require_signed_in() -> Require:
    """The guard of a page that everybody may see who is signed in."""
    return Require(None)


class SameOrigin:
    """A dependency for the one form without a session, signing in: it must come from our own page."""

    guards = "same-origin"  # what the route test looks for

    def __call__(self, request: Request) -> None:
        """Raise NotAllowed for a form of another site."""
        require_same_origin(request)


class OwnForm(Require):
    """The guard of every unsafe method: what it does is allowed, our own origin, the session's CSRF token.

    The token comes in the field `csrf` or, from htmx, in the header X-CSRF-Token.
    """

    def __call__(
        self,
        request: Request,
        csrf: Annotated[str, Form()] = "",
        x_csrf_token: Annotated[str, Header()] = "",
    ) -> Identity:
        """Raise NotAuthenticated or NotAllowed, or return the identity."""
        require_same_origin(request)
        identity = super().__call__(request)
        given = (x_csrf_token or csrf).encode()
        if not hmac.compare_digest(given, identity.csrf.encode()):
            msg = "this form is out of date: load the page again and repeat the step"
            raise NotAllowed(msg)
        return identity


def require_same_origin(request: Request) -> None:
    """Raise NotAllowed unless the browser says that the request comes from our own pages.

    Every browser of today sends Sec-Fetch-Site (fetch metadata, W3C) or Origin with a POST.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site in {"same-origin", "none"}
    else:
        origin = request.headers.get("origin")
        ours = origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    if not ours:
        msg = "this form was sent by another site"
        raise NotAllowed(msg)


def _asked_by_itself(request: Request) -> bool:
    """Whether the page refreshes a part of itself or listens, and no person did anything."""
    part = request.method == "GET" and "hx-request" in request.headers
    return part or request.headers.get("accept", "") == "text/event-stream"
