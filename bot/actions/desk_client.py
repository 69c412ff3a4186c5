"""The assistant's only outgoing HTTP: asks the desk for an approved answer it may send by itself."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.settings import BotSettings

TIMEOUT = 3.0  # seconds in all; the service waits 5 for the whole turn
MAX_ANSWER = 256 * 1024  # bytes; an answer with one suggestion is about 1 KiB


class DeskError(Exception):
    """The desk gave no usable answer. Messages never quote the customer.

    DeskError
    |- DeskNotConfigured   no key in FIRSTLINE_DESK_KEY
    |- DeskUnreachable     no connection, or no answer in time
    |- DeskRefused         the desk said no (4xx): wrong key, or a request it cannot read
    `- DeskFailed          the desk broke (5xx), redirected, or answered something else than agreed
    """


class DeskNotConfigured(DeskError):
    """There is no key to ask with."""


class DeskUnreachable(DeskError):
    """No connection, or no answer in time."""


class DeskRefused(DeskError):
    """The desk refused the request (4xx)."""


class DeskFailed(DeskError):
    """The desk broke, or its answer is not of the agreed shape."""


@dataclass(frozen=True)
class Question:
    """What the desk needs to know to look for an answer."""

    text: str
    conversation_id: str
    channel: str
    facts: dict[str, str]


@dataclass(frozen=True)
class Proposal:
    """A draft the desk has checked and stored, fit to be sent without a person."""

    draft_id: str


@dataclass(frozen=True)
class Abstained:
    """The desk has no answer it is sure enough of."""

    reason: str


class DeskClient:
    """Asks `POST /v1/suggestions` with `use: assistant`."""

    def __init__(self, *, url: str, key: str, timeout: float = TIMEOUT) -> None:
        self._endpoint = f"{url.rstrip('/')}/v1/suggestions"
        self._key = key
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    @classmethod
    def from_settings(cls, settings: BotSettings) -> DeskClient:
        """Return a client for the desk the settings name."""
        return cls(url=settings.desk_url, key=settings.desk_key)

    async def ask(self, question: Question) -> Proposal | Abstained:
        """Return the desk's proposal, or that it abstained.

        Raises:
            DeskError: see its tree.
        """
        if not self._key:
            raise DeskNotConfigured("FIRSTLINE_DESK_KEY is not set")
        try:
            status, body = await self._post(_request_body(question))
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise DeskUnreachable(type(error).__name__) from error
        if 400 <= status < 500:
            raise DeskRefused(f"status {status}")
        if status != 200:
            raise DeskFailed(f"status {status}")
        return _read_answer(body)

    async def _post(self, body: dict[str, Any]) -> tuple[int, bytes]:
        async with aiohttp.ClientSession(timeout=self._timeout) as session:
            try:
                return await self._send(session, body)
            except aiohttp.ClientConnectorError:
                # Once more: nothing was sent, and a service that restarts is back within moments.
                return await self._send(session, body)

    async def _send(
        self, session: aiohttp.ClientSession, body: dict[str, Any]
    ) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._key}"}
        async with session.post(
            self._endpoint, json=body, headers=headers, allow_redirects=False
        ) as answer:
            content = bytearray()
            async for chunk in answer.content.iter_chunked(8192):
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise DeskFailed(f"more than {MAX_ANSWER} bytes")
            return answer.status, bytes(content)


def _request_body(question: Question) -> dict[str, Any]:
    """Return the body of the contract, tests/contract/suggestions_request.json."""
    return {
        "channel": question.channel,
        "conversation_id": question.conversation_id,
        "messages": [{"author": "customer", "text": question.text}],
        "customer": {},
        "facts": question.facts,
        "limit": 1,
        "use": "assistant",
    }


def _read_answer(body: bytes) -> Proposal | Abstained:
    try:
        answer = json.loads(body)
        if answer["abstained"] is True:
            return Abstained(reason=str(answer.get("reason") or ""))
        draft_id = answer["suggestions"][0]["draft_id"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise DeskFailed(f"not the agreed answer ({type(error).__name__})") from None
    if answer["abstained"] is not False or not isinstance(draft_id, str) or not draft_id:
        raise DeskFailed("not the agreed answer")
    return Proposal(draft_id=draft_id)
