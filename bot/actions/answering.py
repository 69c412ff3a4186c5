"""Answers a question with an approved snippet from the desk, or hands over."""

from __future__ import annotations

import logging

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from bot.actions import items
from bot.actions.desk_client import Abstained, DeskClient, DeskError, Question
from bot.actions.handing_over import hand_over
from bot.actions.request import (
    channel,
    collected,
    conversation_id,
    in_order_form,
    keep_request,
    latest_request,
    latest_text,
    open_request,
)
from bot.settings import read_settings

log = logging.getLogger("bot.answering")

FACTS = ("order_number", "product")  # the slots the knowledge base fills from a conversation


class ActionAnswer(Action):
    """A general question, or one nobody understood: the desk's own confidence decides."""

    def name(self) -> str:
        return "action_answer"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        # Inside the form the open request stays the one to hand over: the question only interrupted it.
        request = open_request(tracker) if in_order_form(tracker) else latest_request(tracker)
        try:
            answer = await DeskClient.from_settings(read_settings()).ask(_question(tracker))
        except DeskError as error:
            log.error("the desk gave no answer: %s: %s", type(error).__name__, error)
            reason = items.Reason.DESK_UNAVAILABLE
            return hand_over(dispatcher, tracker, reason=reason, request=request)
        if isinstance(answer, Abstained):
            reason = items.Reason.NOT_CONFIDENT
            return hand_over(dispatcher, tracker, reason=reason, request=request)
        dispatcher.utter_message(json_message=items.draft(answer.draft_id))
        return [] if in_order_form(tracker) else keep_request(request)


def _question(tracker: Tracker) -> Question:
    facts = collected(tracker)
    return Question(
        text=latest_text(tracker),
        conversation_id=conversation_id(tracker),
        channel=channel(tracker),
        facts={name: facts[name] for name in FACTS if name in facts},
    )
