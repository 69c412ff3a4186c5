"""The routes of the console, gathered in one router, and its static files."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles

from suggest_api.console import delivery_pages, events, pages, replies, sign_in
from suggest_api.console.render import STATIC, STATIC_URL

PREFIX = "/console"

# Pages are for people: they are not part of the published API.
router = APIRouter(prefix=PREFIX, include_in_schema=False)
for part in (sign_in, pages, replies, delivery_pages, events):
    router.include_router(part.router)


def mount(app: FastAPI) -> None:
    """Add the pages and the static files to the application."""
    app.include_router(router)
    app.mount(STATIC_URL, StaticFiles(directory=STATIC), name="console-static")
