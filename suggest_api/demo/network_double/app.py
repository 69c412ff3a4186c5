"""The network's pages and JSON API: chat as a customer, change the weather, take the brand's sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware

from .ledger import Ledger, UnknownCustomer, Weather
from .postman import Destination, Postman

STATIC = Path(__file__).resolve().parent.parent / "static"
LONGEST_TEXT = (
    20_000  # characters; longer than any network takes, so that the service can be shown too much
)
LONGEST_NAME = 80
MOST_COPIES = 20
LONGEST_DELAY = 3600.0  # seconds

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=r"\S")]


class Body(BaseModel):
    """A JSON body with no unknown fields."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class NewEvent(Body):
    """A customer writes; the other fields are the weather for this one message."""

    who: Name = Field(alias="as")
    text: str = Field(max_length=LONGEST_TEXT)
    duplicate: int = Field(default=1, ge=1, le=MOST_COPIES)
    delay_seconds: float = Field(default=0.0, ge=0, le=LONGEST_DELAY)
    out_of_order: bool = False
    fresh_ids: bool = False


class Seen(Body):
    """A customer looks at the chat."""

    who: Name = Field(alias="as")


class SendsWeather(Body):
    """How the next `times` sends are treated; 0 means all of them until told otherwise."""

    sends: Literal["normal", "busy", "down", "lost_answer"]
    times: int = Field(default=0, ge=0, le=1000)
    hold_seconds: float = Field(default=30.0, ge=0, le=120)


def create_app(ledger: Ledger, *, destination: Destination) -> FastAPI:
    """The network on `ledger`, which delivers its events to `destination` while it runs."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        postman = Postman(ledger, destination)
        postman.start()
        try:
            yield
        finally:
            await run_in_threadpool(postman.stop)

    app = FastAPI(
        title="Network double", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    # Only this machine, and no page of another site by a name that it points here.
    app.add_middleware(
        TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "testserver"]
    )

    @app.middleware("http")
    async def headers(
        request: Request, call: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call(request)
        for name, value in HEADERS.items():
            response.headers[name] = value
        return response

    _add_pages(app)
    _add_customer_side(app, ledger)
    _add_weather(app, ledger)
    _add_brand_side(app, ledger, Webhook(destination.secret))
    return app


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def chat() -> FileResponse:
        return FileResponse(STATIC / "chat.html", media_type="text/html; charset=utf-8")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.mount("/static", StaticFiles(directory=STATIC))


def _add_customer_side(app: FastAPI, ledger: Ledger) -> None:
    @app.get("/api/customers")
    def customers() -> dict[str, Any]:
        return {"customers": ledger.customers()}

    @app.post("/api/events", status_code=202)
    def write(event: NewEvent) -> dict[str, Any]:
        weather = Weather(
            copies=event.duplicate,
            delay_seconds=event.delay_seconds,
            out_of_order=event.out_of_order,
            fresh_ids=event.fresh_ids,
        )
        message_id = ledger.write(event.who, event.text, weather=weather, now=time.time())
        return {"message_id": message_id, "deliveries": event.duplicate}

    @app.get("/api/messages")
    def messages(
        who: Annotated[Name, Query(alias="as")], after: Annotated[int, Query(ge=0)] = 0
    ) -> dict[str, Any]:
        now = time.time()
        return {
            "customer": ledger.customer(who, now=now),
            "messages": ledger.messages(who, after=after, now=now),
            "network": {**ledger.counts(), **ledger.sends_weather()},
        }

    @app.post("/api/seen")
    def seen(body: Seen) -> dict[str, int]:
        return {"newly_read": ledger.seen(body.who, now=time.time())}


def _add_weather(app: FastAPI, ledger: Ledger) -> None:
    @app.get("/api/weather")
    def weather() -> dict[str, Any]:
        return {**ledger.counts(), **ledger.sends_weather()}

    @app.post("/api/weather")
    def change(body: SendsWeather) -> dict[str, Any]:
        ledger.set_sends_weather(body.sends, times=body.times, hold_seconds=body.hold_seconds)
        return {**ledger.counts(), **ledger.sends_weather()}


def _add_brand_side(app: FastAPI, ledger: Ledger, verifier: Webhook) -> None:
    @app.post("/api/send")
    async def take(request: Request) -> JSONResponse:
        raw = await request.body()
        try:
            data = _verified(verifier, raw, request)
        except (WebhookVerificationError, ValueError):
            return JSONResponse({"error": "the signature does not fit"}, status_code=401)
        outgoing = _outgoing(data)
        if outgoing is None:
            return JSONResponse(
                {"error": "expected message.send with to, text and client_reference"}, 422
            )
        return await _accept(ledger, *outgoing)


def _verified(verifier: Webhook, raw: bytes, request: Request) -> Any:
    """The JSON of a send whose signature is right; raises ValueError for headers that are no base64."""
    return verifier.verify(raw, dict(request.headers))


def _outgoing(body: Any) -> tuple[str, str, str] | None:
    """(to, text, client_reference) of a well-formed send."""
    data = (
        body.get("data") if isinstance(body, dict) and body.get("type") == "message.send" else None
    )
    if not isinstance(data, dict):
        return None
    to, text, reference = (data.get(name) for name in ("to", "text", "client_reference"))
    if not (isinstance(to, str) and isinstance(text, str) and isinstance(reference, str)):
        return None
    return (to, text, reference) if to and text and reference else None


async def _accept(ledger: Ledger, to: str, text: str, reference: str) -> JSONResponse:
    weather = await run_in_threadpool(ledger.meet_send)
    if weather["sends"] == "busy":
        return JSONResponse({"error": "too many sends"}, 429, headers={"retry-after": "1"})
    if weather["sends"] == "down":
        return JSONResponse({"error": "out of order"}, 503, headers={"retry-after": "1"})
    try:
        taken = await run_in_threadpool(
            lambda: ledger.take(to, text, client_reference=reference, now=time.time())
        )
    except UnknownCustomer:
        return JSONResponse({"error": "nobody of that id is on this network"}, 404)
    if weather["sends"] == "lost_answer":
        # The message arrived, but the sender never learns it from this answer.
        await asyncio.sleep(weather["hold_seconds"])
        return JSONResponse({"error": "the answer was lost"}, 504)
    return JSONResponse({"message_id": taken.message_id}, 409 if taken.repeat else 201)
