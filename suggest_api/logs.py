"""Structured logs on standard error: one JSON object a line, a request id in each, and never a customer's words.

What is logged is named by us: ids, counts, states, durations, error classes and where they were raised.
The text of an exception is left out, since drivers and parsers quote in it what they were given.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Literal

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

# Names that an event may not carry, whatever the caller had in mind; the value is replaced, the name stays.
NEVER_LOGGED = frozenset(
    {
        "text",
        "message",
        "messages",
        "final_text",
        "body",
        "raw",
        "name",
        "password",
        "token",
        "key",
    }
)
MAX_FRAMES = 12  # the innermost ones: where it was raised, and how we came there

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(*, level: str = "info", form: Literal["auto", "json", "console"] = "auto") -> None:
    """Send structlog's and the standard library's records to standard error, in one form.

    `auto` is coloured lines on a terminal and JSON anywhere else.
    """
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_the_exception,
        withhold,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # tests configure more than once
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _quieten()


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log.info("draft.sent", draft_id=...)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def name_the_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put an exception's class and frames in place of its text."""
    given = event.pop("exc_info", None)
    info = sys.exc_info() if given is True else given
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if not info or info[0] is None:
        return event
    frames = traceback.extract_tb(info[2])[-MAX_FRAMES:]
    event["error"] = f"{info[0].__module__}.{info[0].__qualname__}"
    event["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def withhold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the value of every name in NEVER_LOGGED by its size."""
    for name in NEVER_LOGGED & event.keys():
        value = event[name]
        event[name] = f"withheld ({len(value) if isinstance(value, str | bytes) else 1})"
    return event


def _quieten() -> None:
    # One line per request is ours; httpx and uvicorn would add theirs with the full address, and Alembic and
    # FAISS tell about every look at the schema and at the processor.
    for name in ("uvicorn.access", "httpx", "httpx2", "httpcore", "alembic", "faiss"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
