"""Run the application under uvicorn: the port is taken first, so that one in use is one clear line."""

from __future__ import annotations

import errno
import gc
import socket
import sys

import uvicorn

from knowledge_base.errors import ConfigurationError
from suggest_api import workers
from suggest_api.main import create_app
from suggest_api.settings import Settings

# Seconds for requests in flight when the service is asked to end; live pages reconnect by themselves.
DRAIN_SECONDS = 5
BACKLOG = 2048  # connections that wait to be accepted: a network's burst, uvicorn's own default


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight. Raises ConfigurationError."""
    listening = workers.inherited() or bind(settings.host, settings.port)
    if settings.workers > 1:
        code = workers.run(settings, listening)
        listening.close()
        if code:
            sys.exit(code)
        return
    try:
        server = _Server(
            uvicorn.Config(
                create_app(settings),
                log_config=None,  # logs.py decides the form of every line
                access_log=False,  # the middleware writes one line per request
                server_header=False,
                proxy_headers=False,  # an address from a header would be the caller's to choose
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        server.run(sockets=[listening])
    finally:
        listening.close()


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        # What has been loaded by now stays as long as the process. Looking through it again and again held
        # every request up for 225 ms at a time (280,000 objects), which was p99 (docs/performance.md).
        gc.collect()
        gc.freeze()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigurationError that names the setting to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named. With it on, an answer of two
    # writes waits for the client's delayed acknowledgement: 40 ms on Linux, more than the answer takes.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A restart must not wait for the old connections of this port to be forgotten.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigurationError(_explain(error, host, port)) from None
    return listening


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or set FIRSTLINE_PORT"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights: set FIRSTLINE_PORT to one above 1023"
    return f"cannot listen on {host!r}: set FIRSTLINE_HOST to an address of this machine ({error.strerror})"
