"""The routes of the console, gathered in one router, and its static files."""

from __future__ import annotations

import os

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from suggest_api.console import delivery_pages, events, pages, policy_pages, replies, sign_in
from suggest_api.console.curation import (
    audit,
    board,
    coverage,
    crisis,
    editor,
    golden,
    imports,
    people,
    publish,
    review,
    snippet,
)
from suggest_api.console.policy import files, proposal, versions
from suggest_api.console.render import STATIC, STATIC_URL

# Pages are for people: they are not part of the published API.
router = APIRouter(include_in_schema=False)
PARTS = (
    *(sign_in, pages, replies, delivery_pages, policy_pages, events),
    *(versions, proposal, files),
    *(board, editor, snippet, review, publish, golden, coverage, imports, crisis, audit, people),
)
for part in PARTS:
    router.include_router(part.router)


class _Files(StaticFiles):
    """Static files that a browser keeps, but asks about each time: a new release shows at once."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        answer = super().file_response(full_path, stat_result, scope, status_code)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def mount(app: FastAPI) -> None:
    """Add the pages and the static files to the application."""
    app.include_router(router)
    app.mount(STATIC_URL, _Files(directory=STATIC), name="console-static")
