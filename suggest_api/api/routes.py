"""The routes of the JSON API, gathered in one router."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from suggest_api.api import health, policy, suggestions
from suggest_api.api.wire import ProblemOut
from suggest_api.problems import MEDIA_TYPE

# Documented once for every route; which ones apply is in the description of each.
_PROBLEM: dict[str, Any] = {
    "description": "A problem (RFC 9457)",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemOut, **_PROBLEM},
    "5XX": {"model": ProblemOut, **_PROBLEM},
}


router = APIRouter()
router.include_router(suggestions.router, responses=PROBLEMS)
router.include_router(policy.router, responses=PROBLEMS)
router.include_router(health.router, responses=PROBLEMS)
