"""What a conversation is and which transitions it allows: frozen values, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from knowledge_base.wording import BadSlotValue, fill
from suggest_api.errors import OwnershipLost
from suggest_api.values import Author, Owner

# After this much silence the assistant starts afresh: what was said belongs to another visit, and Rasa
# slows down with every turn that it remembers.
SESSION_IDLE = timedelta(minutes=30)

# Single words that work even when the assistant is down; in any case and with any full stop behind them.
OPT_OUT_WORDS = frozenset({"stop", "unsubscribe"})
OPT_IN_WORDS = frozenset({"start"})


class TurnKind(StrEnum):
    """What an entry of the log is."""

    SAID = "said"
    UNSUPPORTED = (
        "unsupported"  # a picture, sticker or the like, to be opened in the network's app
    )
    HAND_OVER = "hand_over"
    CLAIM = "claim"
    RELEASE = "release"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    NOTE = "note"


class EventState(StrEnum):
    """Where a stored webhook event stands."""

    PENDING = "pending"
    DONE = "done"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """One webhook body exactly as it came."""

    id: int
    channel: str
    account: str
    external_id: str
    raw: bytes
    received_at: datetime
    state: EventState
    attempts: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One customer on one account of one channel. `version` counts every change."""

    id: str
    channel: str
    account: str
    peer: str
    display_name: str
    first_name: str | None
    locale: str
    owner: Owner
    assignee: str | None
    version: int
    waiting_since: datetime | None
    facts: Mapping[str, str]
    bot_session: str | None
    bot_session_seen_at: datetime | None
    last_customer_at: datetime | None
    opted_out_at: datetime | None
    last_seq: int
    created_at: datetime
    changed_at: datetime
    topic: str = ""  # as the newest hand-over says
    team: str = ""  # that a freeze of the topic gave it to

    @property
    def name(self) -> str:
        """What to call the customer on a page; never empty."""
        return self.display_name or "Customer"

    @property
    def bot_may_speak(self) -> bool:
        """Whether the assistant owns the reply and was not switched off."""
        return self.owner is Owner.BOT and self.opted_out_at is None

    def asks_for_assistant(self, text: str) -> bool:
        """START after an opt-out: the one message that the assistant may hear then."""
        return (
            self.opted_out_at is not None and self.assignee is None and is_word(text, OPT_IN_WORDS)
        )

    def hear(self, text: str, *, said_at: datetime, now: datetime) -> Conversation:
        """The customer wrote: a person owes the reply now if the assistant must stay silent."""
        latest = max(self.last_customer_at or said_at, said_at)
        heard = replace(self, last_customer_at=latest)
        if self.bot_may_speak or self.asks_for_assistant(text):
            return heard
        # After an opt-out the assistant stays silent, so the message waits for a person.
        return replace(heard, owner=Owner.PERSON, waiting_since=self.waiting_since or now)

    def handed_over(
        self, *, facts: Mapping[str, str], now: datetime, topic: str = "", team: str = ""
    ) -> Conversation:
        """A person owes the reply; what the assistant collected is kept if it fits its slot."""
        return replace(
            self,
            owner=Owner.PERSON,
            waiting_since=self.waiting_since or now,
            topic=topic,
            team=team,
            facts={**self.facts, **sound_facts(facts)},
            bot_session=None,
            bot_session_seen_at=None,
        )

    def claimed(self, *, by: str, version: int) -> Conversation:
        """`by` owns the reply from now on. Raises OwnershipLost if it changed since `version`."""
        self._require(version)
        if self.assignee not in (None, by):
            msg = f"{self.assignee} has this conversation: ask them to release it"
            raise OwnershipLost(msg)
        return replace(
            self,
            owner=Owner.PERSON,
            assignee=by,
            bot_session=None,
            bot_session_seen_at=None,
        )

    def released(self, *, by: str, version: int, to: Owner, now: datetime) -> Conversation:
        """`by` gives it back to the assistant, or to the people who wait for work.

        Raises OwnershipLost if it changed since `version` or somebody else has it.
        """
        self._require(version)
        if self.assignee not in (None, by):
            msg = f"{self.assignee} has this conversation, so you cannot release it"
            raise OwnershipLost(msg)
        waiting = None if to is Owner.BOT else self.waiting_since or now
        return replace(
            self,
            owner=to,
            assignee=None,
            waiting_since=waiting,
            # Given back to the assistant, the matter is closed.
            topic=self.topic if to is Owner.PERSON else "",
            team=self.team if to is Owner.PERSON else "",
            bot_session=None,
            bot_session_seen_at=None,
        )

    def unanswered(self, *, now: datetime) -> Conversation:
        """A reply was stopped on its way: the customer waits for whoever has the conversation, or for anybody."""
        return replace(self, owner=Owner.PERSON, waiting_since=self.waiting_since or now)

    def answered(self, *, by: str) -> Conversation:
        """`by` wrote to the customer, who waits no more."""
        if self.assignee != by:
            msg = "claim the conversation before you answer"
            raise OwnershipLost(msg)
        return replace(self, waiting_since=None)

    def opted_out(self, *, now: datetime) -> Conversation:
        """No automated replies from now on, except the one that says so."""
        return replace(
            self,
            opted_out_at=self.opted_out_at or now,
            bot_session=None,
            bot_session_seen_at=None,
        )

    def opted_in(self) -> Conversation:
        """Automated replies again; the assistant takes over unless somebody waits for a person."""
        if self.assignee is not None or self.waiting_since is not None:
            return replace(self, opted_out_at=None)
        return replace(self, opted_out_at=None, owner=Owner.BOT)

    def in_session(self, session_id: str, *, now: datetime) -> Conversation:
        """The assistant heard the customer in this session."""
        return replace(self, bot_session=session_id, bot_session_seen_at=now)

    def open_session(self, *, now: datetime) -> str | None:
        """The assistant's session that still goes on, if one does."""
        seen = self.bot_session_seen_at
        return self.bot_session if seen is not None and now - seen < SESSION_IDLE else None

    def _require(self, version: int) -> None:
        if version != self.version:
            msg = "the conversation changed in between: look at it again"
            raise OwnershipLost(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One entry of the log. `delivery` is the state of a reply on its way out, where one was asked for."""

    id: int
    conversation_id: str
    seq: int
    kind: TurnKind
    author: Author
    author_name: str
    text: str
    detail: Mapping[str, Any]
    external_id: str | None
    said_at: datetime
    created_at: datetime
    delivery: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    """An entry to be written; its number comes from the conversation."""

    kind: TurnKind
    author: Author
    said_at: datetime
    author_name: str = ""
    text: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    inbox_event_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """A conversation in a list. `last_text` is what the customer said last; `waiting_since` None if answered."""

    id: str
    name: str
    channel: str
    owner: Owner
    assignee: str | None
    version: int
    waiting_since: datetime | None
    changed_at: datetime
    last_text: str
    topic: str = ""
    team: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotTurn:
    """A customer's turn that the assistant has to answer, leased to one worker.

    `token` proves the lease. `session` is the assistant's session that goes on, None for a fresh one;
    `earlier` are the texts that a fresh session has to be told first, oldest first.
    """

    id: int
    token: str
    conversation: Conversation
    turn: Turn
    attempts: int
    session: str | None
    earlier: tuple[str, ...]


def sound_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """The facts that fit the slot of their name, in the slot's spelling; anything else is left out."""
    sound: dict[str, str] = {}
    for name, value in facts.items():
        if name not in CONVERSATION_SLOTS:
            continue
        try:
            sound[name] = fill(f"{{{name}}}", values={name: value}).text
        except BadSlotValue:
            continue
    return sound


# What a conversation may teach us; the customer's name comes from the network, the agent's from the sign-in.
CONVERSATION_SLOTS = ("order_number", "product")


def first_name_in(display_name: str) -> str | None:
    """The first word of the name that the network shows, if it can stand in the slot `first_name`."""
    words = display_name.split()
    if not words:
        return None
    try:
        return fill("{first_name}", values={"first_name": words[0]}).text
    except BadSlotValue:
        return None


def is_word(text: str, words: frozenset[str]) -> bool:
    """Whether the whole text is one of these words, whatever its case and punctuation."""
    return text.strip(" \t\n.!\"'").casefold() in words
