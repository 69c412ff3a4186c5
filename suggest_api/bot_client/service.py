"""One turn with Rasa over HTTP: sends what the customer wrote, reads typed items and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from suggest_api.bot_client.breaker import FAILURES, OPEN_SECONDS, Breaker
from suggest_api.bot_client.model import (
    BotItem,
    BotReply,
    HandOver,
    HandOverReason,
    NoAnswer,
    OptIn,
    OptOut,
    Say,
    SayDraft,
    neutralise,
)
from suggest_api.errors import BotError
from suggest_api.logs import get_logger

DEADLINE_SECONDS = 5.0  # a customer waits no longer for a machine
MAX_ANSWER = 256 * 1024  # bytes; a reply is a handful of short items
MAX_ITEMS = 10
MAX_FIELD = 1000  # characters of any string in an item, as much as a customer may write
MAX_FACTS = 20

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BotClient:
    """Rasa's REST channel at `url`, which must be private: it has no authentication."""

    url: str
    deadline: float = DEADLINE_SECONDS
    breaker: Breaker = field(default_factory=Breaker, compare=False)

    def turn(
        self, text: str, *, session_id: str, conversation_id: str, channel: str, locale: str
    ) -> BotReply | NoAnswer:
        """What the assistant says to `text`; every failure is a `NoAnswer`, never an exception.

        Takes at most `deadline` seconds, and no time at all while the assistant is known to be down. One turn
        at a time per session: Rasa keeps no order.
        """
        if not self.breaker.allows():
            return NoAnswer(HandOverReason.BOT_FAILED, f"not asked: {FAILURES} failures in a row")
        message = {
            "sender": session_id,
            "message": neutralise(text),
            "metadata": {
                "conversation_id": conversation_id,
                "channel": channel,
                "locale": locale,
            },
        }
        answer = self._ask(json.dumps(message).encode())
        if isinstance(answer, bytes):
            # Silence or an odd item may be due to this one message; it came at once, so nobody waited for it.
            self.breaker.succeeded()
            return read_answer(answer)
        if self.breaker.failed():
            log.error("assistant.paused", seconds=OPEN_SECONDS, detail=answer.detail)
        return answer

    def _ask(self, body: bytes) -> bytes | NoAnswer:
        try:
            status, answer = asyncio.run(self._post(body))
        except (TimeoutError, httpx.TimeoutException) as error:
            return NoAnswer(HandOverReason.BOT_SLOW, type(error).__name__)
        except httpx.HTTPError as error:
            return NoAnswer(HandOverReason.BOT_FAILED, type(error).__name__)
        if status != HTTPStatus.OK:
            return NoAnswer(HandOverReason.BOT_FAILED, f"status {status}")
        return answer

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        """One POST with one deadline over all of it, slow drips included."""
        address = self.url.rstrip("/") + "/webhooks/rest/webhook"
        # Rasa is on loopback or a private network without TLS, and loading certificates for each turn
        # would cost more than the turn: they are loaded for an https address only.
        async with (
            asyncio.timeout(self.deadline),
            httpx.AsyncClient(
                timeout=self.deadline, trust_env=False, verify=_needs_tls(address)
            ) as client,
            client.stream(
                "POST", address, content=body, headers={"content-type": "application/json"}
            ) as response,
        ):
            answer = b""
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > MAX_ANSWER:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b""
            return response.status_code, answer


def _needs_tls(address: str) -> bool:
    return address.startswith("https://")


def read_answer(answer: bytes) -> BotReply | NoAnswer:
    """Rasa's JSON list as typed items. One unreadable item spoils the reply: half of it may mislead."""
    try:
        listed: Any = json.loads(answer.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return NoAnswer(HandOverReason.BOT_FAILED, type(error).__name__)
    if listed == []:
        return NoAnswer(HandOverReason.BOT_SILENT, "an empty list")
    if not isinstance(listed, list) or len(listed) > MAX_ITEMS:
        return NoAnswer(HandOverReason.BOT_FAILED, "not a short list")
    try:
        return BotReply(tuple(_item(entry) for entry in listed))
    except BotError as error:
        return NoAnswer(HandOverReason.BOT_FAILED, str(error))


def _item(entry: Any) -> BotItem:
    if not isinstance(entry, dict) or not isinstance(entry.get("custom"), dict):
        msg = "an item without `custom`"
        raise BotError(msg)
    if entry.get("text"):
        # Only approved snippets leave this house; the assistant has no words of its own.
        msg = "an item with free text"
        raise BotError(msg)
    custom: dict[str, Any] = entry["custom"]
    match custom.get("type"):
        case "say":
            return Say(snippet_key=_string(custom, "snippet_key"), facts=_facts(custom, "facts"))
        case "draft":
            return SayDraft(draft_id=_string(custom, "draft_id"))
        case "hand_over":
            return _hand_over(custom)
        case "opt_out":
            return OptOut()
        case "opt_in":
            return OptIn()
        case _:
            msg = "an item of an unknown type"
            raise BotError(msg)


def _hand_over(custom: dict[str, Any]) -> HandOver:
    given = _string(custom, "reason")
    if given not in set(HandOverReason):
        msg = "a hand-over for an unknown reason"
        raise BotError(msg)
    return HandOver(
        reason=HandOverReason(given),
        asked=_string(custom, "asked", needed=False),
        intent=_string(custom, "intent", needed=False),
        topic=_string(custom, "topic", needed=False),
        collected=_facts(custom, "collected"),
    )


def _string(custom: dict[str, Any], name: str, *, needed: bool = True) -> str:
    value = custom.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or len(value) > MAX_FIELD or (needed and not value):
        msg = f"`{name}` is not a string of at most {MAX_FIELD} characters"
        raise BotError(msg)
    return _printable(value)


def _facts(custom: dict[str, Any], name: str) -> Mapping[str, str]:
    value = custom.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_FACTS:
        msg = f"`{name}` is not a small object"
        raise BotError(msg)
    # Rasa sends null for a slot that nothing filled.
    return {_printable(key): _string(value, key) for key, given in value.items() if given}


def _printable(value: str) -> str:
    """Without control characters and lone surrogates: it comes from the customer and gets stored."""
    return "".join(c if c.isprintable() else " " for c in value)
