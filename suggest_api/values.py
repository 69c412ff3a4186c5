"""The frozen values that cross from one stage to the next, and the few words that all stages share."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from knowledge_base.policy import Verdict
    from knowledge_base.wording import Length, Span

Clock = Callable[[], datetime]  # returns an aware UTC time

ID_BYTES = 16  # 128 random bits: ids are never guessed and never collide

# The packs of findings that are not about the text itself: about its revision, and about the conversation.
METADATA_LAYER, CONTEXT_LAYER = "metadata", "context"


def new_id() -> str:
    """A random id: 32 hex digits."""
    return secrets.token_hex(ID_BYTES)


def sha256(text: str) -> str:
    """SHA-256 (hex) of the UTF-8 bytes of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """One spelling for one JSON value: sorted keys, no spaces, no NaN; what hashes are taken over."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


class Owner(StrEnum):
    """Who owes the next reply of a conversation."""

    BOT = "bot"
    PERSON = "person"


class Author(StrEnum):
    """Who said a turn, or caused it."""

    CUSTOMER = "customer"
    BOT = "bot"
    PERSON = "person"
    SYSTEM = "system"


class Use(StrEnum):
    """For whom suggestions are made: an agent who chooses, or the assistant that sends by itself."""

    AGENT = "agent"
    ASSISTANT = "assistant"


class Abstention(StrEnum):
    """Why nothing is suggested."""

    EMPTY_QUERY = "empty_query"  # no words of the customer to answer
    NO_GENERATION = "no_generation"  # nothing was built yet, or nothing loadable
    NOTHING_IN_SCOPE = "nothing_in_scope"  # no approved snippet for this channel, locale and time
    NO_CONFIDENT_MATCH = "no_confident_match"  # the best match is below the threshold
    FACTS_MISSING = "facts_missing"  # every match needs a slot that nobody filled
    POLICY_BLOCKED = "policy_blocked"  # every match was refused by the gate
    POLICY_UNAVAILABLE = "policy_unavailable"  # no policy is loaded: the gate says no
    RANKING_FAILED = "ranking_failed"  # the index or the encoder failed; the log says how
    NEEDS_PERSON = (
        "needs_person"  # the customer's words need a person's care: no ready answer is offered
    )
    OPTED_OUT = "opted_out"  # the customer switched automated replies off
    WINDOW_CLOSED = "window_closed"  # the network does not let us answer any more
    TOPIC_FROZEN = "topic_frozen"  # nothing is said about this topic, or at all, at the moment
    NOT_CURRENT = (
        "not_current"  # every match was withdrawn, expired, used up or meant for elsewhere
    )


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation as the caller tells it."""

    author: Author
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The typed facts that may fill slots; every field is named like its slot in `knowledge_base.wording`."""

    first_name: str | None = None
    order_number: str | None = None
    product: str | None = None
    agent_name: str | None = None

    def values(self) -> dict[str, str]:
        """What is known, by slot name: what `wording.fill` takes."""
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in pairs if value}

    def over(self, other: Facts) -> Facts:
        """These facts, completed by `other` where they say nothing."""
        return Facts(**{**other.values(), **self.values()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedText:
    """A text made of approved spans and filled slots, with what proves where it comes from."""

    text: str
    snippet_key: str
    revision_id: int
    revision: int
    content_hash: str
    author: str
    approved_by: str
    approved_at: datetime
    spans: tuple[Span, ...] = ()
    slot_values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedText:
    """A text that the gate let through, bound to its verdict by hash: the only thing the outbox takes.

    `drift` is how far it is from the approved text that it was made from, as JSON; None where there is none.
    """

    text: str
    sha256: str
    verdict: Verdict
    drift: Mapping[str, Any] | None = None

    def verdict_json(self) -> dict[str, Any]:
        """The verdict as it is stored, with the drift where there is one."""
        verdict = self.verdict.to_json()
        return verdict if self.drift is None else {**verdict, "drift": dict(self.drift)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A topic, or everything, that is not answered for the time being, and who decided so.

    `topic` '' is everything and `channel` '' every channel. `holding_key` is the one snippet that may still be
    said, `team` gets the conversations. A `drill` is shown and counted, and withholds nothing.
    """

    id: int
    topic: str
    channel: str
    holding_key: str | None
    team: str
    drill: bool
    by: str
    at: datetime
    reason: str
    thawed_by: str | None = None
    thawed_at: datetime | None = None
    thaw_reason: str | None = None

    @property
    def subject(self) -> str:
        """What is frozen, in words: `delivery`, or `everything`."""
        return self.topic.replace("_", " ") or "everything"

    def covers(self, topic: str, *, channel: str) -> bool:
        """Whether this topic ('' is an unknown one) is frozen on this channel by it, drill or not."""
        return self.channel in ("", channel) and self.topic in ("", topic)

    def to_json(self) -> dict[str, Any]:
        """All of it, times in ISO 8601."""
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {n: v.isoformat() if isinstance(v, datetime) else v for n, v in pairs}


@dataclass(frozen=True, slots=True)
class FreezeState:
    """Every freeze in force, drills among them, the most particular first: a topic before everything, one
    channel before all, then the newest. Where several cover the same thing, the first one says which team it is
    and the first with a holding statement says which; it is answered again when all of them are thawed.
    """

    freezes: tuple[Freeze, ...] = ()

    @property
    def drills(self) -> tuple[Freeze, ...]:
        """Those that withhold nothing."""
        return tuple(freeze for freeze in self.freezes if freeze.drill)

    def of(self, channel: str) -> FreezeState:
        """Those that withhold something on this channel: no drills."""
        mine = (f for f in self.freezes if not f.drill and f.channel in ("", channel))
        return FreezeState(tuple(mine))

    def on(self, topic: str, *, channel: str) -> Freeze | None:
        """What keeps us from answering about this topic here; None if nothing does."""
        mine = self.of(channel).freezes
        return next((freeze for freeze in mine if freeze.covers(topic, channel=channel)), None)

    def everything(self, *, channel: str) -> Freeze | None:
        """What keeps us from answering anything here; None if nothing does."""
        return self.on("", channel=channel)

    def holding(self, topic: str, *, channel: str) -> tuple[Freeze, str] | None:
        """The key of the holding statement for this topic, and the freeze that names it; None without one."""
        for freeze in self.of(channel).freezes:
            if freeze.holding_key is not None and freeze.covers(topic, channel=channel):
                return freeze, freeze.holding_key
        return None

    def holding_keys(self, *, channel: str) -> frozenset[str]:
        """Every statement that may be said here whatever is frozen."""
        mine = self.of(channel).freezes
        return frozenset(f.holding_key for f in mine if f.holding_key is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestionRequest:
    """What is asked of the suggestions stage.

    `messages` oldest first. `facts` are typed; those of a known conversation complete them.
    `locale` None asks for the conversation's, or none. `limit` is 1 to 10.
    """

    channel: str
    messages: tuple[Message, ...]
    conversation_id: str | None = None
    facts: Facts = field(default_factory=Facts)
    locale: str | None = None
    limit: int = 3
    use: Use = Use.AGENT
    request_id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedDraft:
    """One draft as it is shown to the one who may send it."""

    draft_id: str
    snippet_key: str
    revision: int
    text: str
    length: Length
    confidence: float
    matched_example: str
    approved_by: str
    approved_at: datetime
    verdict: Verdict
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestionResponse:
    """What may be sent, best first; or why there is nothing."""

    request_id: str
    build_id: str | None
    abstained: bool
    reason: Abstention | None
    suggestions: tuple[OfferedDraft, ...] = ()
    # What is frozen and bears on this question, drills among it: for whoever shows the answer.
    frozen: tuple[Freeze, ...] = ()
