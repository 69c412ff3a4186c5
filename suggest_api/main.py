"""The composition root: the parts of one process and the application around them; nothing runs at import."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import FastAPI
from sqlalchemy import Engine

from knowledge_base.store.engine import open_engine
from suggest_api import problems, webhooks
from suggest_api.api import routes as api
from suggest_api.bot_client import BotClient
from suggest_api.channels import all_channels
from suggest_api.compliance.holder import PolicyHolder
from suggest_api.console import routes as console
from suggest_api.console.render import problem_page
from suggest_api.console.sections import IMPORT
from suggest_api.flow import Desk
from suggest_api.logs import configure, get_logger
from suggest_api.metrics import Metrics
from suggest_api.middleware import BodyGate, RequestContext
from suggest_api.settings import NO_BOT, Settings
from suggest_api.suggestions.service import GenerationHolder

log = get_logger(__name__)


def create_desk(settings: Settings, *, engine: Engine | None = None) -> Desk:
    """Build every part once: engine, policy, generation, channels, the way to the assistant.

    A policy that cannot be loaded leaves the gate shut: the desk stands, and refuses every text.
    """
    opened = engine or open_engine(settings.place.database_url)
    return Desk(
        settings=settings,
        engine=opened,
        clock=lambda: datetime.now(UTC),
        policies=PolicyHolder(opened),
        generations=GenerationHolder(settings.place),
        metrics=Metrics(),
        channels=all_channels(),
        bot=None if settings.bot_url == NO_BOT else BotClient(settings.bot_url),
    )


def create_app(settings: Settings, *, desk: Desk | None = None) -> FastAPI:
    """The application; `desk` only where somebody else built the parts (tests, the demo)."""
    configure(level=settings.log_level, form=settings.log_format)
    built = desk or create_desk(settings)
    app = FastAPI(
        title="Firstline",
        version=version("firstline"),
        summary="Reply drafts from approved snippets, each under 140 characters and cleared by policy.",
        lifespan=_lifespan,
        docs_url=None,  # the pages would load their scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # docs/openapi.json is the published one
        # Nobody is told anything unless somebody decides so: the framework's own tracing stays off.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.desk = built
    problems.install(app, page=problem_page)
    app.include_router(api.router)
    app.include_router(webhooks.router)
    console.mount(app)
    # The last one added is the outermost.
    app.add_middleware(
        BodyGate,
        cap=settings.max_body_bytes,
        caps={
            "/webhooks/": settings.max_webhook_bytes,
            IMPORT: settings.max_import_bytes,
        },
    )
    app.add_middleware(RequestContext, metrics=built.metrics, https=settings.secure_cookies)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    desk: Desk = app.state.desk
    desk.generations.refresh(force=True)
    desk.policies.start()
    ended = threading.Event()
    for name, watch in (
        ("generations", desk.generations.watch),
        ("policy", desk.policies.watch),
    ):
        threading.Thread(target=watch, args=(ended,), name=name, daemon=True).start()
    log.info("service.started", build_id=desk.generations.build_id)
    yield
    ended.set()
    desk.engine.dispose()
    log.info("service.stopped")
