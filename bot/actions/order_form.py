"""Asks for the order number, and hands the order to a person once it is known or cannot be got."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from bot.actions import items
from bot.actions.handing_over import hand_over
from bot.actions.order_number import find_order_number, find_order_numbers
from bot.actions.request import (
    UNCLEAR_ANSWERS,
    collected,
    in_order_form,
    keep_request,
    latest_request,
    latest_text,
)

MAX_UNCLEAR = 2  # answers; asking a third time would only annoy


class ActionNoteRequest(Action):
    """Remembers what the customer asked before the form asks back."""

    def name(self) -> str:
        return "action_note_request"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        return keep_request(latest_request(tracker))


class ActionAskOrderNumber(Action):
    """Asks for the order number, in other words after an answer without one."""

    def name(self) -> str:
        return "action_ask_order_number"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        unclear = _unclear_answers(tracker) > 0
        key = "assistant.order_number_unclear" if unclear else "assistant.ask_order_number"
        dispatcher.utter_message(json_message=items.say(key))
        return []


class ValidateOrderForm(FormValidationAction):
    """Takes an order number however it is written; gives up after two answers without one."""

    def name(self) -> str:
        return "validate_order_form"

    def validate_order_number(
        self,
        slot_value: Any,
        dispatcher: CollectingDispatcher,
        tracker: Tracker,
        domain: dict[str, object],
    ) -> dict[str, Any]:
        """Return the slots to set: the number as `QH-` and seven digits, or one more unclear answer."""
        written = find_order_numbers(latest_text(tracker))
        # Without one in this message the value is from an earlier one; with two, the customer must choose.
        number = find_order_number(latest_text(tracker) if written else slot_value)
        if number:
            return {"order_number": number}
        if not _was_asked(tracker):
            return {"order_number": None}
        unclear = _unclear_answers(tracker) + 1
        slots: dict[str, Any] = {"order_number": None, UNCLEAR_ANSWERS: unclear}
        if unclear >= MAX_UNCLEAR:
            slots["requested_slot"] = (
                None  # ends the form; the submit action sees that there is no number
            )
        return slots


class ActionSubmitOrder(Action):
    """The form has ended: a person looks at the order, or at what the customer wanted."""

    def name(self) -> str:
        return "action_submit_order"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        number = collected(tracker).get("order_number")
        if number is None:
            return hand_over(dispatcher, tracker, reason=items.Reason.FORM_ABANDONED)
        facts = {"order_number": number}
        dispatcher.utter_message(json_message=items.say("assistant.checking_order", facts=facts))
        return hand_over(dispatcher, tracker, reason=items.Reason.ORDER_NEEDED_PERSON)


def _was_asked(tracker: Tracker) -> bool:
    return in_order_form(tracker) and tracker.get_slot("requested_slot") == "order_number"


def _unclear_answers(tracker: Tracker) -> int:
    return int(tracker.get_slot(UNCLEAR_ANSWERS) or 0)
