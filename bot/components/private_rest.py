"""Rasa's REST channel, hardened: no customer text is a command, sender ids are checked, text has a cap."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.core.channels.rest import RestInput
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.quiet import log

MAX_CHARACTERS = 4000  # the networks send at most 4,096; Rasa needs 0.4 s for 100,000
SENDER = re.compile(
    r"[A-Za-z0-9_-]{1,64}"
)  # Rasa does not URL-decode ids, so nothing else is safe
COMMAND = re.compile(r"\A[\s/]+")


def plain_text(text: str) -> str:
    """Return the text as Rasa may see it: it takes a leading "/" for an intent, so that is cut off."""
    return COMMAND.sub("", text)[:MAX_CHARACTERS].strip()


class PrivateRest(RestInput):
    """`POST /webhooks/rest/webhook` for the service on the same machine, and nothing else.

    Answers 400 to a body that is not of the agreed shape. A text with nothing to read gets `[]`, and so does a
    turn that failed: the service hands both over to a person.
    """

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """Return the routes: GET / for readiness and POST /webhook for a turn."""
        routes = Blueprint("private_rest", "private_rest")

        @routes.route("/", methods=["GET"])
        async def health(request: Request) -> HTTPResponse:
            return response.json({"status": "ok"})

        @routes.route("/webhook", methods=["POST"])
        async def receive(request: Request) -> HTTPResponse:
            turn = _read_turn(request.body, load=lambda: request.json)
            if turn is None:
                return response.json(
                    {"error": "sender, message and metadata expected"}, status=400
                )
            sender, text, metadata = turn
            collector = CollectingOutputChannel()
            message = UserMessage(
                text, collector, sender, input_channel=self.name(), metadata=metadata
            )
            if text:
                try:
                    await on_new_message(message)
                except Exception as error:
                    # The class alone: a message may quote the customer.
                    log.error("a turn failed: %s", type(error).__name__)
                    return response.json([])
            return response.json(collector.messages)

        return routes


def _read_turn(body: bytes, *, load: Callable[[], Any]) -> tuple[str, str, dict[str, Any]] | None:
    try:
        content = load() if body else None
    except (
        Exception
    ):  # sanic's InvalidUsage, RecursionError, UnicodeDecodeError: all "not our JSON"
        return None
    if not isinstance(content, dict):
        return None
    sender, text = content.get("sender"), content.get("message")
    metadata = content.get("metadata", {})
    if not (isinstance(sender, str) and SENDER.fullmatch(sender)):
        return None
    if not isinstance(text, str) or not isinstance(metadata, dict):
        return None
    return sender, plain_text(text), metadata
