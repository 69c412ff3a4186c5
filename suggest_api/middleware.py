"""What every request passes through first: its id and log line, security headers, and the cap on its body."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suggest_api import problems
from suggest_api.errors import TooLarge, UnsupportedEncoding
from suggest_api.logs import get_logger
from suggest_api.metrics import Metrics
from suggest_api.values import new_id

# Ids of callers are logged, so they are short and of harmless characters; anything else gets a new id.
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
CONSOLE_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none';"
    " form-action 'self'"
)
HSTS = "max-age=31536000; includeSubDomains"  # a year: what ASVS 5.0 V3.4.1 asks for at least

log = get_logger(__name__)


class RequestContext:
    """Give each request an id, one log line, its metrics and security headers; no error passes outwards."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, https: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        number = asked if SANE_REQUEST_ID.fullmatch(asked) else new_id()
        scope.setdefault("state", {})["request_id"] = number
        status = 0  # until the answer starts

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(scope["path"], number, MutableHeaders(scope=message))
            await send(message)

        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=number):
            try:
                await self._app(scope, receive, send_with_headers)
            except Exception as error:
                # Nothing of ours raises past the handlers: this is a bug, told by id and never in words.
                log.error("request.crashed", exc_info=error)
                if status:
                    raise  # half an answer is out: closing the connection is all that is left
                request = Request(scope, receive)
                answer = problems.respond(request, problems.problem_of(error))
                await answer(scope, receive, send_with_headers)
            finally:
                self._account(scope, status, time.perf_counter() - started)

    def _add_headers(self, path: str, number: str, headers: MutableHeaders) -> None:
        console = path.startswith("/console")
        headers.setdefault("X-Request-Id", number)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Content-Security-Policy", CONSOLE_POLICY if console else API_POLICY)
        if self._https:
            headers.setdefault("Strict-Transport-Security", HSTS)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        # The template, not the address: an address holds ids, and metrics would grow without end.
        # Static files have no route of their own, only the folder they are mounted on.
        route = getattr(scope.get("route"), "path", "") or scope.get("root_path") or "unmatched"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        level = "warning" if status >= HTTPStatus.INTERNAL_SERVER_ERROR or not status else "info"
        getattr(log, level)(
            "request", method=method, route=route, status=status, ms=round(seconds * 1000, 1)
        )


class BodyGate:
    """Read each body up to its cap before anything else runs; refuse compressed and larger ones.

    Bytes are counted as they come, so a body without a length or with a wrong one is cut as well.
    """

    def __init__(self, app: ASGIApp, *, cap: int, caps: Mapping[str, int]) -> None:
        """`caps` are those of addresses that begin with their key, in bytes; `cap` is for all others."""
        self._app = app
        self._cap = cap
        self._caps = caps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await self._read(request, receive)
        except (TooLarge, UnsupportedEncoding) as error:
            answer = problems.respond(request, problems.problem_of(error))
            answer.headers["Connection"] = "close"  # the rest of the body is not read
            await answer(scope, receive, send)
            return
        if body is None:
            return  # the caller went away before the body was whole
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, request: Request, receive: Receive) -> bytes | None:
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            msg = "send the body uncompressed: Content-Encoding is not taken"
            raise UnsupportedEncoding(msg)
        path = request.url.path
        cap = next((n for start, n in self._caps.items() if path.startswith(start)), self._cap)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:12]) > cap:
            raise TooLarge(_too_large(cap))
        chunks, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > cap:
                raise TooLarge(_too_large(cap))
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _too_large(cap: int) -> str:
    return f"the body is larger than {cap} bytes, the most that this address takes"


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, and then what the server has to say (that the caller left)."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
