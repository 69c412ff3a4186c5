"""The routes of the JSON API, gathered in one router."""

from __future__ import annotations

from fastapi import APIRouter

from suggest_api.api import health

router = APIRouter()
router.include_router(health.router)
