"""Runs Rasa's server and its action server, each in its own process, on loopback only."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.retention import Retention
from bot.settings import BotSettings
from bot.training import BOT, ModelError, enter_bot_home, root_cause, verified_model

LOOPBACK = "127.0.0.1"
Announce = Callable[[str], None]


class PortInUse(Exception):
    """Another program listens on a port of ours. The message names the setting."""


def require_free_port(port: int, *, setting: str) -> None:
    """Refuse to start on a taken port before anything slow is loaded.

    Raises:
        PortInUse: as said.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise PortInUse(f"port {port} is in use: set {setting} to a free one") from None


def serve_assistant(settings: BotSettings, *, announce: Announce) -> None:
    """Serve the trained model until SIGTERM or SIGINT. Returns after a clean stop.

    Raises:
        PortInUse, ModelError, EncoderError: see there.
    """
    require_free_port(settings.bot_port, setting="FIRSTLINE_BOT_PORT")
    model = verified_model(settings)
    enter_bot_home(settings)
    failed: list[str] = []
    retention = Retention(settings.bot_home / "tracker.db")
    retention.start()
    try:
        _run(
            _assistant_app(model, failed),
            port=settings.bot_port,
            ready=lambda: announce(f"assistant ready on {LOOPBACK}:{settings.bot_port}"),
        )
    finally:
        retention.stop()
    if failed:
        raise ModelError(failed[0])


def serve_actions(settings: BotSettings, *, announce: Announce) -> None:
    """Serve the actions until SIGTERM or SIGINT. Returns after a clean stop.

    Raises:
        PortInUse: the port is taken.
    """
    require_free_port(settings.actions_port, setting="FIRSTLINE_ACTIONS_PORT")
    from rasa_sdk.endpoint import create_app

    app = create_app("bot.actions", cors_origins="")  # its default allows every origin
    _run(
        app,
        port=settings.actions_port,
        ready=lambda: announce(f"actions ready on {LOOPBACK}:{settings.actions_port}"),
    )


def _assistant_app(model: Path, failed: list[str]) -> Any:
    """Return Rasa's server without its API and without CORS, loading the model before it listens."""
    import rasa.core.run
    from rasa.core.agent import Agent
    from rasa.core.tracker_store import TrackerStore
    from rasa.core.utils import AvailableEndpoints

    endpoints = AvailableEndpoints.read_endpoints(str(BOT / "endpoints.yml"))
    channels = rasa.core.run.create_http_input_channels(None, str(BOT / "credentials.yml"))
    app = rasa.core.run.configure_app(channels, cors=None, enable_api=False, endpoints=endpoints)

    async def load(app: Any, loop: Any) -> None:
        # Not rasa's load_agent: it logs a model that fails to load and goes on serving nothing.
        app.ctx.agent = Agent(
            tracker_store=TrackerStore.create(endpoints.tracker_store),
            action_endpoint=endpoints.action,
        )
        try:
            app.ctx.agent.load_model(str(model))
        except Exception as error:
            failed.append(f"the model cannot be loaded: {root_cause(error)}")
            raise

    app.register_listener(load, "before_server_start")
    app.register_listener(rasa.core.run.close_resources, "after_server_stop")
    return app


def _run(app: Any, *, port: int, ready: Callable[[], None]) -> None:
    async def announce(app: Any, loop: Any) -> None:
        ready()

    app.register_listener(announce, "after_server_start")
    app.run(host=LOOPBACK, port=port, workers=1, access_log=False, debug=False)
