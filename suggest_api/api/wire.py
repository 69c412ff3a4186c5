"""The wire models of the JSON API: what is taken, what is answered, and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from knowledge_base.policy import Verdict
from knowledge_base.wording import Length, measure
from suggest_api.values import (
    Abstention,
    Author,
    Facts,
    Freeze,
    Message,
    OfferedDraft,
    SuggestionRequest,
    SuggestionResponse,
    Use,
)

# A text field takes more than is read of it (1,000 characters), so that a long message is cut and not refused.
MOST_TEXT = 10_000
MOST_MESSAGES = 20  # a conversation's recent part; the customer's last words weigh most
MOST_FACT = 200  # a value over its slot's own limit is simply not used
MOST_SUGGESTIONS = 10
MOST_REASON = 500

Channel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", examples=["generic"])]
Text = Annotated[str, Field(max_length=MOST_TEXT)]
Fact = Annotated[str, Field(max_length=MOST_FACT)]
ConversationId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MessageIn(_In):
    """One message of the conversation. Only the customer's are read for the question."""

    author: Author
    text: Text


class CustomerIn(_In):
    """What is known of the customer."""

    first_name: Fact | None = None


class FactsIn(_In):
    """Typed facts that may fill slots. A fact that does not fit its slot is not used."""

    order_number: Fact | None = None
    product: Fact | None = None
    agent_name: Fact | None = None


class SuggestionsIn(_In):
    """What to suggest replies for; `messages` oldest first."""

    channel: Channel
    conversation_id: ConversationId | None = None
    messages: list[MessageIn] = Field(max_length=MOST_MESSAGES)
    customer: CustomerIn = CustomerIn()
    facts: FactsIn = FactsIn()
    locale: Locale | None = None
    limit: int = Field(default=3, ge=1, le=MOST_SUGGESTIONS)
    use: Use = Field(
        default=Use.AGENT,
        description="`assistant` asks for one answer to be sent without a person: needs the scope `assist`.",
    )

    def to_request(self, *, request_id: str) -> SuggestionRequest:
        """The frozen value that the flow takes."""
        return SuggestionRequest(
            channel=self.channel,
            messages=tuple(Message(m.author, m.text) for m in self.messages),
            conversation_id=self.conversation_id,
            facts=Facts(
                first_name=self.customer.first_name,
                order_number=self.facts.order_number,
                product=self.facts.product,
                agent_name=self.facts.agent_name,
            ),
            locale=self.locale,
            limit=self.limit,
            use=self.use,
            request_id=request_id,
        )


class LengthOut(BaseModel):
    """Both lengths of a text: NFC code points and X's weighted length; both must be within `limit`."""

    code_points: int
    weighted: int
    limit: int

    @classmethod
    def of(cls, length: Length) -> LengthOut:
        """From the measure."""
        return cls(code_points=length.code_points, weighted=length.weighted, limit=length.limit)


class FindingOut(BaseModel):
    """One place where a text breaks a rule; `span` counts code points, null means the whole text."""

    rule_id: str
    severity: Literal["warn", "block"]
    span: tuple[int, int] | None
    reason: str
    mend: str
    pack: str


class VerdictOut(BaseModel):
    """What the gate says: `block` cannot be sent by anybody."""

    outcome: Literal["pass", "warn", "block"]
    policy_version: str
    findings: list[FindingOut]
    judged_sha256: str

    @classmethod
    def of(cls, verdict: Verdict) -> VerdictOut:
        """From the verdict."""
        return cls.model_validate(verdict.to_json())


class SuggestionOut(BaseModel):
    """One draft: approved wording with slots filled, the verdict on it, and who approved it when."""

    draft_id: str
    snippet_key: str
    revision: int
    text: str
    length: LengthOut
    confidence: float = Field(ge=0, le=1)
    matched_example: str
    approved_by: str
    approved_at: datetime
    verdict: VerdictOut

    @classmethod
    def of(cls, draft: OfferedDraft) -> SuggestionOut:
        """From the offered draft."""
        return cls(
            draft_id=draft.draft_id,
            snippet_key=draft.snippet_key,
            revision=draft.revision,
            text=draft.text,
            length=LengthOut.of(draft.length),
            confidence=draft.confidence,
            matched_example=draft.matched_example,
            approved_by=draft.approved_by,
            approved_at=draft.approved_at,
            verdict=VerdictOut.of(draft.verdict),
        )


class FreezeOut(BaseModel):
    """Something that is not answered for the time being. `topic` '' is everything, `channel` '' every channel."""

    id: int
    topic: str
    channel: str
    holding_key: str | None = Field(description="The one snippet that may be said.")
    team: str = Field(description="Who gets the conversations.")
    drill: bool = Field(description="A drill is shown and withholds nothing.")
    by: str
    at: datetime
    reason: str

    @classmethod
    def of(cls, freeze: Freeze) -> FreezeOut:
        """From the freeze."""
        return cls.model_validate(freeze, from_attributes=True)


class SuggestionsOut(BaseModel):
    """Drafts, best first; or none, with the reason."""

    request_id: str
    build_id: str | None
    abstained: bool
    reason: Abstention | None
    suggestions: list[SuggestionOut]
    frozen: list[FreezeOut] = Field(
        description="Freezes that bear on this question; the first that is no drill withholds the answer."
    )

    @classmethod
    def of(cls, response: SuggestionResponse) -> SuggestionsOut:
        """From the flow's answer."""
        return cls(
            request_id=response.request_id,
            build_id=response.build_id,
            abstained=response.abstained,
            reason=response.reason,
            suggestions=[SuggestionOut.of(draft) for draft in response.suggestions],
            frozen=[FreezeOut.of(freeze) for freeze in response.frozen],
        )


class CheckIn(_In):
    """A text to be judged for a channel."""

    text: Text
    channel: Channel


class CheckOut(BaseModel):
    """The verdict on exactly this text, and its lengths."""

    verdict: VerdictOut
    length: LengthOut

    @classmethod
    def of(cls, text: str, verdict: Verdict) -> CheckOut:
        """From the verdict."""
        return cls(verdict=VerdictOut.of(verdict), length=LengthOut.of(measure(text)))


class FeedbackIn(_In):
    """What became of a draft; `edited` needs the text as it is now, which is judged."""

    action: Literal["sent", "edited", "dismissed"]
    final_text: Text | None = None
    reason: Annotated[str, Field(max_length=MOST_REASON)] | None = None


class FeedbackOut(BaseModel):
    """The draft as it stands now."""

    draft_id: str
    state: Literal["proposed", "edited", "accepted", "sent", "dismissed"]
    text: str
    verdict: VerdictOut | None
    decided_by: str | None
    decided_at: datetime | None


class PartCheckOut(BaseModel):
    """One part of a proof, recomputed; null means that it could not be, and why."""

    part: str
    holds: bool | None
    detail: str


class ProofOut(BaseModel):
    """A draft's stored proof and what recomputing it found."""

    draft_id: str
    holds: bool
    differing: list[str]
    state: str
    text: str
    rebuilt_text: str | None
    proof: dict[str, Any]
    proof_sha256: str
    checks: list[PartCheckOut]
    final: dict[str, Any] | None = Field(
        description="The final text, its verdict, and the difference from the approved text."
    )


class ProblemOut(BaseModel):
    """An error as RFC 9457 has it; further members depend on the type (`findings`, `errors`)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
