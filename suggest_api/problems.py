"""How an error becomes an answer: one table from error class to status, and one wire shape (RFC 9457).

JSON callers get `application/problem+json`; a browser under /console gets the same problem as a page.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from knowledge_base import errors as kb
from suggest_api import errors
from suggest_api.logs import get_logger

TYPE_PREFIX = "urn:firstline:problem:"
MEDIA_TYPE = "application/problem+json"
BUSY_RETRY_SECONDS = 1  # a writer holds SQLite for milliseconds

# (error class, status, slug, title). A class without a row is answered like the nearest one above it.
TABLE: tuple[tuple[type[Exception], int, str, str], ...] = (
    (kb.FirstlineError, 500, "internal", "Something went wrong on our side"),
    (kb.WordingError, 422, "unusable-text", "The text cannot be used"),
    (kb.ContentError, 422, "content", "The content breaks a rule"),
    (kb.WorkflowError, 409, "workflow", "The workflow does not allow this step"),
    (kb.SamePerson, 403, "two-people", "Two people are needed"),
    (kb.PolicyBlocked, 422, "policy-blocked", "A policy rule blocks this text"),
    (kb.StaleRevision, 409, "changed-meanwhile", "It changed in the meantime"),
    (kb.EditConflict, 409, "edit-conflict", "Somebody else saved it while you were writing"),
    (kb.PolicyConflict, 409, "policy-conflict", "Another policy came into force meanwhile"),
    (kb.PolicyRefused, 422, "policy-refused", "This policy cannot be used as it is"),
    (kb.NotFound, 404, "not-found", "There is no such thing"),
    (kb.GenerationError, 503, "no-generation", "No index generation is usable"),
    (kb.EncoderError, 503, "no-encoder", "No encoder is usable"),
    (kb.PolicyError, 503, "no-policy", "No policy is loaded, so nothing is let through"),
    (kb.AuditBroken, 409, "audit-broken", "The audit chain does not hold"),
    (kb.ProofFailed, 409, "proof-failed", "The draft cannot be rebuilt from what is stored"),
    (kb.ConfigurationError, 500, "configuration", "A setting is wrong"),
    (errors.RequestError, 400, "bad-request", "The request cannot be served"),
    (errors.Malformed, 400, "malformed", "The body cannot be read"),
    (errors.Unprocessable, 422, "unprocessable", "The content cannot be used"),
    (errors.TooLarge, 413, "too-large", "The body is too large"),
    (errors.UnsupportedEncoding, 415, "unsupported-encoding", "The body's encoding is not taken"),
    (errors.AccessError, 403, "not-allowed", "This is not allowed"),
    (errors.NotAuthenticated, 401, "not-authenticated", "A valid credential is needed"),
    (errors.NotAllowed, 403, "not-allowed", "This is not allowed"),
    (errors.TooManyAttempts, 429, "too-many-attempts", "Too many attempts"),
    (errors.AccountExists, 409, "account-exists", "Somebody of that name can sign in already"),
    (errors.Refused, 422, "policy-blocked", "A policy rule blocks this text"),
    (errors.ReasonNeeded, 422, "reason-needed", "The gate warns: a reason is needed to send this"),
    (errors.DraftError, 409, "draft", "The draft does not allow this step"),
    (errors.DraftDecided, 409, "draft-decided", "The draft was decided otherwise"),
    (errors.DraftDiffers, 409, "draft-differs", "Draft and request do not belong together"),
    (errors.ConversationError, 409, "conversation", "The conversation does not allow this step"),
    (errors.OwnershipLost, 409, "ownership-lost", "Somebody else has the conversation"),
    (errors.CustomerOptedOut, 409, "opted-out", "The customer opted out"),
    (errors.ChannelError, 400, "channel", "The channel refuses this"),
    (errors.UnknownAccount, 404, "unknown-account", "There is no such channel account"),
    (errors.SignatureWrong, 401, "signature", "The signature is not valid"),
    (errors.MalformedEvent, 400, "malformed-event", "The event cannot be read"),
    (errors.DeliveryError, 409, "delivery", "The delivery does not allow this step"),
    (errors.FreezeError, 409, "freeze", "The freeze does not allow this step"),
    (errors.BotError, 502, "assistant", "The assistant gave no usable answer"),
    (errors.StorageError, 503, "storage", "The database cannot be used"),
    (errors.StorageBusy, 503, "storage-busy", "The database is busy"),
)
_BY_CLASS = {error: (status, slug, title) for error, status, slug, title in TABLE}

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem, ready for the wire. `detail` says what, where and how to mend it."""

    status: int
    slug: str
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self, *, instance: str, request_id: str) -> dict[str, Any]:
        """The members of RFC 9457, the request id, and our own beside them."""
        return {
            "type": TYPE_PREFIX + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
            **self.members,
        }


Page = Callable[[Request, Problem], Response]


def problem_of(error: Exception) -> Problem:
    """The problem that an error of either tree, of the framework, or of nobody's making becomes."""
    if isinstance(error, RequestValidationError):
        return _validation_problem(error)
    if isinstance(error, HTTPException):
        # Reading a body, the framework wraps what our own reader raised.
        cause = error.__cause__
        return problem_of(cause) if isinstance(cause, kb.FirstlineError) else _http_problem(error)
    if not isinstance(error, kb.FirstlineError):
        return _unforeseen()
    row = next(_BY_CLASS[cls] for cls in type(error).__mro__ if cls in _BY_CLASS)
    status, slug, title = row
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unforeseen()
    return Problem(
        status=status,
        slug=slug,
        title=title,
        detail=str(error),
        headers=_headers(error),
        members=_members(error),
    )


def respond(request: Request, problem: Problem, *, page: Page | None = None) -> Response:
    """The answer: a page for a browser in the console, problem+json for everyone else."""
    if request.url.path.startswith("/console") and "text/html" in request.headers.get(
        "accept", ""
    ):
        return (page or _plain_page)(request, problem)
    return JSONResponse(
        problem.to_json(instance=request.url.path, request_id=request_id(request)),
        status_code=problem.status,
        headers=dict(problem.headers),
        media_type=MEDIA_TYPE,
    )


def request_id(request: Request) -> str:
    """The id that the middleware gave this request."""
    return str(getattr(request.state, "request_id", ""))


def install(app: FastAPI, *, page: Page | None = None) -> None:
    """Answer every error of `app` through the table; `page` draws it for the console."""

    def handle(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request.failed", status=problem.status, exc_info=error)
        return respond(request, problem, page=page)

    for kind in (kb.FirstlineError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle)


def _unforeseen() -> Problem:
    return Problem(
        status=500,
        slug="internal",
        title="Something went wrong on our side",
        detail="The request was not carried out. Give the request id to whoever runs this service.",
    )


def _http_problem(error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    details = {
        404: "There is nothing at this address.",
        405: "This address does not take this method.",
        413: "The body is too large.",
    }
    return Problem(
        status=status.value,
        slug=status.phrase.lower().replace(" ", "-").replace("'", ""),
        title=status.phrase,
        detail=details.get(status.value, status.description or status.phrase),
        headers=dict(error.headers or {}),
    )


def _validation_problem(error: RequestValidationError) -> Problem:
    """Which field and why; never what it held."""
    fields = []
    for item in error.errors():
        if item["type"] == "json_invalid":
            detail = "The body is not valid JSON."
            return Problem(
                status=400, slug="malformed", title="The body cannot be read", detail=detail
            )
        where = [str(part) for part in item["loc"] if part != "body"]
        fields.append({"field": ".".join(where) or "body", "reason": item["msg"]})
    named = ", ".join(sorted({entry["field"] for entry in fields}))
    return Problem(
        status=422,
        slug="validation",
        title="The request does not fit",
        detail=f"Mend these fields and send it again: {named}.",
        members={"errors": fields},
    )


def _headers(error: kb.FirstlineError) -> dict[str, str]:
    if isinstance(error, errors.TooManyAttempts):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.StorageBusy):
        return {"Retry-After": str(BUSY_RETRY_SECONDS)}
    if isinstance(error, errors.NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="firstline"'}
    return {}


def _members(error: kb.FirstlineError) -> dict[str, Any]:
    if isinstance(error, errors.Refused):
        return {"findings": [finding.to_json() for finding in error.findings]}
    if isinstance(error, kb.PolicyBlocked):
        return {"findings": [f.to_json() for f in getattr(error.verdict, "findings", ())]}
    return {}


def _plain_page(request: Request, problem: Problem) -> Response:
    """A page without any template: for the day when the templates are what is broken."""
    title, detail = html.escape(problem.title), html.escape(problem.detail)
    number = html.escape(request_id(request))
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<h1>{title}</h1><p>{detail}</p><p>Request {number}</p><p><a href="/console">Back</a></p></html>'
    )
    return HTMLResponse(body, status_code=problem.status, headers=dict(problem.headers))
