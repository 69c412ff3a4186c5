"""One conversation from message to delivered reply on the real parts: every step timed, the draft proven."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import httpx

from knowledge_base.errors import FirstlineError
from knowledge_base.wording import LIMIT, measure
from suggest_api.demo.parts import Addresses
from suggest_api.demo.people import Agent, Customer, OfferedDraft
from suggest_api.demo.secrets_file import DemoSecrets
from suggest_api.demo.seed import SCRIPT_AGENT

GENERAL_QUESTION = "how long does delivery take?"
ORDER_QUESTION = "where is my order? it should have come on monday"
ORDER_NUMBER = "QH-1048213"
DRAFT_TO_SEND = 2  # counted from 1, as the keys in the console
EDITS = (
    " Thank you for waiting.",
    " Thanks.",
    " 🙂",
)  # the first that keeps the text under the limit

STEP_SECONDS = 30.0  # a message through inbox, assistant, outbox and network takes one or two
LOOK_SECONDS = 0.25

Found = TypeVar("Found")


class StepMissing(FirstlineError):
    """A step of the script did not happen in time; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the transcript; `at` is seconds since the script began."""

    at: float
    who: str
    text: str
    note: str = ""


@dataclass(slots=True, kw_only=True)
class Report:
    """What was played."""

    customer: str
    transcript: list[Line] = field(default_factory=list)
    story: dict[str, str] = field(default_factory=dict)
    drafts: list[dict[str, str]] = field(default_factory=list)
    sent: str = ""
    proof: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """All of it, for --json."""
        return asdict(self)


class Script:
    """Plays the conversation; `tell` hears each line of the transcript as it happens."""

    def __init__(
        self,
        at: Addresses,
        kept: DemoSecrets,
        *,
        tell: Callable[[Line], None],
        limit: float = STEP_SECONDS,
    ) -> None:
        self._at = at
        self._kept = kept
        self._tell = tell
        self._limit = limit
        self._began = time.monotonic()
        # A new customer each time: an earlier conversation may still be with a person.
        self._customer = Customer(f"Sam Carter {secrets.token_hex(2)}", network=at.network)
        self._agent = Agent(service=at.service)
        self.report = Report(customer=self._customer.name)

    def play(self) -> Report:
        """All steps in order. Raises StepMissing with the name of the first that did not happen."""
        try:
            self._first_contact()
            conversation_id = self._hand_over()
            draft = self._choose(conversation_id)
            self._send(conversation_id, draft)
            self._prove(draft.draft_id)
        except httpx.HTTPError as error:
            msg = f"a part did not answer as it should: {error}"
            raise StepMissing(msg) from error
        finally:
            self._customer.close()
            self._agent.close()
        self.report.seconds = time.monotonic() - self._began
        return self.report

    def _first_contact(self) -> None:
        self._write(GENERAL_QUESTION)
        said = self._replies(0, step="the assistant answers a general question")
        self._hear("assistant", said)

    def _hand_over(self) -> str:
        before = len(self._customer.replies())
        self._write(ORDER_QUESTION)
        self._hear(
            "assistant", self._replies(before, step="the assistant asks for the order number")
        )
        before = len(self._customer.replies())
        self._write(ORDER_NUMBER)
        self._hear(
            "assistant", self._replies(before, step="the assistant says that it hands over")
        )
        if not self._agent.sign_in(SCRIPT_AGENT, self._kept.script_password):
            msg = "the agent could not sign in to the console"
            raise StepMissing(msg)
        conversation_id = self._wait(
            lambda: self._agent.waiting().get(self._customer.name),
            step="the conversation waits for a person in the console",
        )
        self.report.story = self._agent.story(conversation_id)
        self._line(
            "console",
            "handed over",
            note="; ".join(f"{k}: {v}" for k, v in self.report.story.items()),
        )
        return conversation_id

    def _choose(self, conversation_id: str) -> OfferedDraft:
        self._agent.take(conversation_id)
        drafts = self._wait(
            lambda: (
                found
                if len(found := self._agent.drafts(conversation_id)) >= DRAFT_TO_SEND
                else None
            ),
            step=f"at least {DRAFT_TO_SEND} drafts are offered",
        )
        self.report.drafts = [asdict(draft) for draft in drafts]
        for number, draft in enumerate(drafts, start=1):
            self._line("draft", draft.text, note=f"{number}, {draft.title}")
        return drafts[DRAFT_TO_SEND - 1]

    def _send(self, conversation_id: str, draft: OfferedDraft) -> None:
        final = next((draft.text + edit for edit in EDITS if _fits(draft.text + edit)), draft.text)
        verdict = self._agent.verdict(conversation_id, final, draft_id=draft.draft_id)
        before = len(self._customer.replies())
        if not self._agent.reply(conversation_id, final, draft_id=draft.draft_id):
            msg = f"the console did not accept the reply; it said: {verdict}"
            raise StepMissing(msg)
        said = self._replies(before, step="the agent's reply reaches the customer")
        if said[0]["text"] != final:
            msg = f"the customer got another text than the agent sent: {said[0]['text']!r}"
            raise StepMissing(msg)
        self.report.sent = final
        self._hear("agent", said)
        self._customer.look()
        self._wait(
            lambda: any(
                final in entry and "read" in entry.lower()
                for entry in self._agent.thread(conversation_id)
            ),
            step="the console shows that the customer has read the reply",
        )
        self._line("console", "read by the customer")

    def _prove(self, draft_id: str) -> None:
        headers = {"authorization": f"Bearer {self._kept.script_key}"}
        with httpx.Client(base_url=self._at.service, headers=headers, trust_env=False) as client:
            answer = client.get(f"/v1/drafts/{draft_id}/proof").raise_for_status()
        self.report.proof = answer.json()
        if self.report.proof.get("holds") is not True:
            msg = f"the proof of draft {draft_id} does not hold: {self.report.proof}"
            raise StepMissing(msg)

    def _write(self, text: str) -> None:
        self._line("customer", text)
        self._customer.write(text)

    def _replies(self, before: int, *, step: str) -> list[dict[str, Any]]:
        """The replies after the first `before`, once there is one and no other follows at once."""
        count = self._wait(
            lambda: found if (found := len(self._customer.replies())) > before else None, step=step
        )
        while True:
            time.sleep(2 * LOOK_SECONDS)
            replies = self._customer.replies()
            if len(replies) == count:
                return replies[before:]
            count = len(replies)

    def _hear(self, who: str, replies: list[dict[str, Any]]) -> None:
        for reply in replies:
            self._line(who, reply["text"])

    def _line(self, who: str, text: str, *, note: str = "") -> None:
        line = Line(at=time.monotonic() - self._began, who=who, text=text, note=note)
        self.report.transcript.append(line)
        self._tell(line)

    def _wait(self, look: Callable[[], Found | None], *, step: str) -> Found:
        """What `look` finds, once it finds something. Raises StepMissing after the limit."""
        end = time.monotonic() + self._limit
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > end:
                msg = f"this did not happen within {self._limit:.0f} s: {step}"
                raise StepMissing(msg)
            time.sleep(LOOK_SECONDS)


def _fits(text: str) -> bool:
    length = measure(text)
    return max(length.code_points, length.weighted) <= LIMIT
