"""First words and last words: who the assistant is, greetings, thanks, goodbye."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActionExecuted, EventType, SessionStarted
from rasa_sdk.executor import CollectingDispatcher

from bot.actions import items
from bot.actions.handing_over import hand_over
from bot.actions.request import close_request, in_order_form, is_first_turn


class ActionSessionStart(Action):
    """Says on first contact that this is an automated assistant, once in a session."""

    def name(self) -> str:
        return "action_session_start"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        # A sender id is one session. A second start of it keeps the slots and stays silent.
        started = any(event.get("event") == "session_started" for event in tracker.events)
        if not started:
            dispatcher.utter_message(json_message=items.say("assistant.hello"))
        return [SessionStarted(), ActionExecuted("action_listen")]


class ActionGreet(Action):
    """Answers a greeting; the first one has been answered by the session's start."""

    def name(self) -> str:
        return "action_greet"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        if not is_first_turn(tracker):
            dispatcher.utter_message(json_message=items.say("assistant.still_here"))
        return []


class ActionThanks(Action):
    """Takes thanks as the end of the request."""

    def name(self) -> str:
        return "action_thanks"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        dispatcher.utter_message(json_message=items.say("assistant.thanks_reply"))
        return [] if in_order_form(tracker) else close_request()


class ActionGoodbye(Action):
    """Says goodbye; a request still waiting for its order number goes to a person."""

    def name(self) -> str:
        return "action_goodbye"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        if in_order_form(tracker):
            return hand_over(dispatcher, tracker, reason=items.Reason.FORM_ABANDONED)
        dispatcher.utter_message(json_message=items.say("assistant.goodbye"))
        return close_request()
