"""Reading a JSON body strictly: UTF-8 only, no duplicate keys, no NaN, no halves of surrogate pairs."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from suggest_api.errors import Malformed, Unprocessable, UnsupportedEncoding

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def parse(raw: bytes) -> Any:
    """The value of a JSON body.

    Raises Malformed for bytes that are not UTF-8, are not JSON, nest too deeply, hold a number of thousands of
    digits, NaN, or one key twice (readers disagree on which one counts); Unprocessable for text with half of a
    surrogate pair, which no database can store.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"the body is not UTF-8: byte {error.start} cannot be decoded"
        raise Malformed(msg) from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        msg = (
            f"the body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}"
        )
        raise Malformed(msg) from None
    except RecursionError:
        msg = "the body nests too deeply"
        raise Malformed(msg) from None
    except ValueError:  # Python's limit on digits of an integer
        msg = "the body holds a number with too many digits"
        raise Malformed(msg) from None
    # Only an escape can bring half a pair into valid UTF-8.
    if "\\u" in text:
        _refuse_half_pairs(value)
    return value


class StrictRoute(APIRoute):
    """A route that takes `application/json` only and reads it with `parse`."""

    def get_route_handler(self) -> Handler:
        """The framework's handler, given a request whose body was read already."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            if self.body_field is None:
                return await handle(request)
            _require_json(request)
            return await handle(_Read(request, parse(await request.body())))

        return strict


class _Read(Request):
    """A request with its JSON at hand."""

    def __init__(self, request: Request, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body = b"read"  # not empty: the framework asks for JSON only then
        self._value = value

    async def json(self) -> Any:
        """The value that was parsed strictly."""
        return self._value


def _require_json(request: Request) -> None:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    charset = message.get_content_charset() or "utf-8"
    if message.get_content_type() != "application/json" or charset not in {"utf-8", "us-ascii"}:
        msg = "send the body as JSON: Content-Type: application/json (UTF-8)"
        raise UnsupportedEncoding(msg)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        msg = "the body has an object with one key twice"
        raise Malformed(msg)
    return value


def _no_constant(name: str) -> Any:
    msg = f"the body holds {name}, which is not JSON"
    raise Malformed(msg)


def _refuse_half_pairs(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        msg = "a text holds half of a surrogate pair: it was cut or badly encoded"
        raise Unprocessable(msg) from None
