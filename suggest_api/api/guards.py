"""Who may call a route: every route declares its guard as a dependency, and a test finds those that do not."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from suggest_api.access.model import KeyIdentity, Scope
from suggest_api.access.service import identify_key, require
from suggest_api.errors import NotAuthenticated
from suggest_api.flow import Desk
from suggest_api.storage import unit_of_work

# Only declares the scheme in the OpenAPI document; what a key may do is decided below.
bearer = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", description="A key of `firstline key create`."
)


def desk_of(request: Request) -> Desk:
    """The parts that the composition root built for this application."""
    return cast(Desk, request.app.state.desk)


class RequireScope:
    """A dependency that lets through a live API key with one of some scopes, and hands on whose it is."""

    def __init__(self, *scopes: Scope) -> None:
        self.guards = scopes  # what the route test looks for

    def __call__(
        self,
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> KeyIdentity:
        """Raise NotAuthenticated or NotAllowed, or return the key's identity."""
        if credentials is None:
            msg = "send an API key: Authorization: Bearer fl_..."
            raise NotAuthenticated(msg)
        desk = desk_of(request)
        with unit_of_work.read(desk.engine) as session:
            identity = identify_key(session, credentials.credentials, now=desk.clock())
        require(identity, *self.guards)
        return identity


def require_scope(*scopes: str) -> RequireScope:
    """The guard for any one of these scopes: suggest, assist, check, drafts, metrics."""
    return RequireScope(*(Scope(scope) for scope in scopes))
