"""Opting out of automated messages, and in again."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from bot.actions import items
from bot.actions.handing_over import end_turn
from bot.actions.request import close_request


class ActionOptOut(Action):
    """Confirms first, then opts out: nothing automated may follow."""

    def name(self) -> str:
        return "action_opt_out"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
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
        dispatcher.utter_message(json_message=items.opt_in())
        dispatcher.utter_message(json_message=items.say("assistant.opted_in"))
        return []
