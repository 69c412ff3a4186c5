"""Hands the conversation to a person, with what was asked and what was collected."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActiveLoop, EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.actions import items
from bot.actions.request import (
    ASKED,
    Request,
    close_request,
    collected,
    latest_request,
    open_request,
)

VULNERABLE_INTENT = "complaints.vulnerable"


def hand_over(
    dispatcher: CollectingDispatcher,
    tracker: Tracker,
    *,
    reason: items.Reason,
    request: Request | None = None,
) -> list[EventType]:
    """Emit the hand-over of `request`, by default the open one, and end the turn.

    The form is left: nothing may ask on once a person has the conversation.
    """
    request = request or open_request(tracker)
    dispatcher.utter_message(
        json_message=items.hand_over(
            reason,
            asked=request.asked,
            intent=request.intent,
            topic=request.topic,
            collected=collected(tracker),
        )
    )
    return [*close_request(), *end_turn()]


def end_turn() -> list[EventType]:
    """Leave the form, if one is open, and wait for the customer."""
    return [ActiveLoop(None), SlotSet("requested_slot", None), FollowupAction("action_listen")]


class ActionTalkToPerson(Action):
    """The customer asked for a person."""

    def name(self) -> str:
        return "action_talk_to_person"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        return hand_over(dispatcher, tracker, reason=items.Reason.ASKED_FOR_PERSON)


class ActionSorry(Action):
    """A complaint, a legal threat or somebody in distress: a word of sympathy, then a person."""

    def name(self) -> str:
        return "action_sorry"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        request = latest_request(tracker)
        vulnerable = request.intent == VULNERABLE_INTENT
        dispatcher.utter_message(json_message=items.say("assistant.sorry_hear"))
        reason = items.Reason.VULNERABLE if vulnerable else items.Reason.COMPLAINT
        return hand_over(dispatcher, tracker, reason=reason, request=request)


class ActionUnsure(Action):
    """No rule knows what to do next: a person does."""

    def name(self) -> str:
        return "action_unsure"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        return hand_over(dispatcher, tracker, reason=items.Reason.NOT_CONFIDENT)


class ActionDeny(Action):
    """Reads "no": to an answer it means that a person is needed, otherwise that nothing more is."""

    def name(self) -> str:
        return "action_deny"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[EventType]:
        if tracker.get_slot(ASKED):
            return hand_over(dispatcher, tracker, reason=items.Reason.NOT_CONFIDENT)
        dispatcher.utter_message(json_message=items.say("assistant.goodbye"))
        return []
