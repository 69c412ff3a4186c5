"""Opting out of automated messages, and in again."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from bot.actions import items
from bot.actions.handing_over import end_turn, hand_over
from bot.actions.request import close_request, latest_confidence, latest_request

# A wish about messages has lasting consequences: below this a person reads it.
# The plain words ("stop", "unsubscribe", "start") score 0.9 and more.
MIN_CONFIDENCE = 0.5


class ActionOptOut(Action):
    """Confirms first, then opts out: nothing automated may follow."""

    def name(self) -> str:
        return "action_opt_out"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        if latest_confidence(tracker) < MIN_CONFIDENCE:
            return _ask_a_person(dispatcher, tracker)
        dispatcher.utter_message(json_message=items.say("assistant.opted_out"))
        dispatcher.utter_message(json_message=items.opt_out())
        return [*close_request(), *end_turn()]


class ActionOptIn(Action):
    """Opts in first, then confirms: only then may the assistant speak."""

    def name(self) -> str:
        return "action_opt_in"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        if latest_confidence(tracker) < MIN_CONFIDENCE:
            return _ask_a_person(dispatcher, tracker)
        dispatcher.utter_message(json_message=items.opt_in())
        dispatcher.utter_message(json_message=items.say("assistant.opted_in"))
        return []


def _ask_a_person(dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
    reason = items.Reason.NOT_CONFIDENT
    return hand_over(dispatcher, tracker, reason=reason, request=latest_request(tracker))
