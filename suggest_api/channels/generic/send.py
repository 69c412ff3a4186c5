"""Hands one message to the generic network over HTTP and says plainly what is known about it afterwards."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx

from suggest_api.channels.generic.verify import sign
from suggest_api.channels.port import (
    OutgoingMessage,
    Rejected,
    RetryLater,
    SendOutcome,
    Sent,
    Unclear,
)
from suggest_api.settings import Account

# Standard Webhooks advises 15 to 30 seconds for a delivery.
DEADLINE_SECONDS = 15.0
MAX_ANSWER = 64 * 1024  # bytes; an answer holds one id
MAX_ID = 255
MAX_REASON = 200  # characters of a network's explanation that are kept
# Refusals that time can mend. 409 is not here: it means "I have it".
TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
}
# The receiver broke while it worked on the request, or something between us gave up waiting.
AMBIGUOUS = {
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.GATEWAY_TIMEOUT,
}
TAKEN = {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.CONFLICT}


def send(
    message: OutgoingMessage, *, account: Account, deadline: float, now: datetime
) -> SendOutcome:
    """POST the message, signed, within `deadline` seconds in all; never raises for what the network does.

    A connection that was never made is `RetryLater`; anything that broke later is `Unclear`.
    """
    body = _body(message, now=now)
    headers = sign(body, message_id=message.reference, account=account, now=now)
    headers["content-type"] = "application/json"
    try:
        status, answer_headers, answer = asyncio.run(
            _post(account.send_url, body.encode(), headers, deadline=deadline)
        )
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
        return RetryLater(f"no connection: {_named(error)}")
    except (httpx.HTTPError, TimeoutError) as error:
        return Unclear(f"no answer: {_named(error)}")
    return _judge(status, answer_headers, answer, now=now)


def _body(message: OutgoingMessage, *, now: datetime) -> str:
    event = {
        "type": "message.send",
        "timestamp": now.astimezone(UTC).isoformat(),
        "data": {
            "to": message.to,
            "text": message.text,
            "client_reference": message.reference,
        },
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


async def _post(
    url: str, body: bytes, headers: dict[str, str], *, deadline: float
) -> tuple[int, httpx.Headers, bytes]:
    """One POST with one deadline over all of it: a per-read time-out lets a slow drip last for ever."""
    # trust_env off: a proxy variable of the shell must not see customers' messages.
    async with (
        asyncio.timeout(deadline),
        httpx.AsyncClient(
            timeout=deadline, verify=_tls(), trust_env=False, follow_redirects=False
        ) as client,
        client.stream("POST", url, content=body, headers=headers) as response,
    ):
        answer = b""
        async for chunk in response.aiter_bytes():
            answer += chunk
            if len(answer) > MAX_ANSWER:
                break
        return response.status_code, response.headers, answer


def _judge(status: int, headers: httpx.Headers, answer: bytes, *, now: datetime) -> SendOutcome:
    if status in TAKEN:
        platform_id = _message_id(answer)
        if platform_id is None:
            return Unclear(f"status {status} without a message_id")
        return Sent(platform_id)
    reason = f"status {status}: {_excerpt(answer)}"
    if status in TRANSIENT:
        return RetryLater(reason, _retry_after(headers.get("retry-after"), now=now))
    if status in AMBIGUOUS or status < HTTPStatus.OK:
        return Unclear(reason)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RetryLater(reason, _retry_after(headers.get("retry-after"), now=now))
    return Rejected(reason)  # 3xx too: a signed message is never sent on to another address


def _message_id(answer: bytes) -> str | None:
    try:
        value: Any = json.loads(answer.decode("utf-8"))
        found = value.get("message_id") if isinstance(value, dict) else None
        # "\x00" and lone surrogates are not printable.
        good = isinstance(found, str) and 0 < len(found) <= MAX_ID and found.isprintable()
    except (ValueError, RecursionError):
        return None
    return found if good else None


def _excerpt(answer: bytes) -> str:
    text = answer[: MAX_REASON * 4].decode("utf-8", "replace")[:MAX_REASON]
    return "".join(c if c.isprintable() else " " for c in text).strip() or "no explanation"


def _retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds, from a number or an HTTP date (RFC 9110 section 10.2.3); None if it says nothing."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])  # nine digits are 31 years; delivery caps it much lower
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _named(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".strip()[:MAX_REASON]


@cache
def _tls() -> ssl.SSLContext:
    """Made once: loading the certificates takes longer than a whole send."""
    return ssl.create_default_context()
