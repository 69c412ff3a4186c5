"""Plays conversations without pause while service, worker and assistant are killed, and keeps its own ledger."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import httpx
from sqlalchemy import create_engine, text

from knowledge_base.store.engine import open_engine
from suggest_api.demo import parts, seed
from suggest_api.demo.people import Agent, Customer
from suggest_api.demo.script import GENERAL_QUESTION, ORDER_NUMBER, ORDER_QUESTION
from suggest_api.demo.supervisor import Supervisor
from suggest_api.settings import Settings
from tests.crash.home import LEASE_SECONDS

PLAYERS = 2  # conversations at a time
PATIENCE_SECONDS = (
    150.0  # for one answer: an assistant that was killed needs half a minute to come back
)
RETRY_SECONDS = 0.3
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 2.5  # seconds between two kills: all phases of a turn are hit
Found = TypeVar("Found")
# The assistant takes half a minute to come back, the others a second or two.
WEIGHTS = {"service": 2, "worker": 2, "assistant": 1}
CALM_SHARE = (
    0.5  # of the assistant's kills are followed by peace until it is back; the others are not
)

# What must be empty once everything has settled.
LEFT = {
    "events not worked off": "SELECT COUNT(*) FROM inbox_event WHERE state = 'pending'",
    "turns that the assistant owes": "SELECT COUNT(*) FROM bot_turn WHERE state IN ('ready','leased')",
    "replies not sent": "SELECT COUNT(*) FROM outbox WHERE state NOT IN ('sent','cancelled')",
}


@dataclass(slots=True, kw_only=True)
class Written:
    """A message that the network took from a customer."""

    customer: str
    message_id: str
    text: str


@dataclass(slots=True, kw_only=True)
class Replied:
    """A reply that the console accepted from the agent."""

    customer: str
    text: str


@dataclass(slots=True)
class Ledger:
    """What happened, as we saw it from outside."""

    written: list[Written] = field(default_factory=list)
    replied: list[Replied] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class TooLong(Exception):
    """Something did not happen within PATIENCE_SECONDS; the message says what."""


class Player(threading.Thread):
    """One customer after another, and the agent who answers each."""

    def __init__(self, number: int, *, at: parts.Addresses, password: str, ledger: Ledger) -> None:
        super().__init__(name=f"player-{number}", daemon=True)
        self._number = number
        self._at = at
        self._password = password
        self._ledger = ledger
        self.over = threading.Event()

    def run(self) -> None:
        """Conversations until it is over; what goes wrong is kept, not raised in a thread that nobody watches."""
        count = 0
        while not self.over.is_set():
            count += 1
            name = f"Customer {self._number}-{count}"
            try:
                self._conversation(name)
                self._ledger.finished.append(name)
            except Exception as error:  # the verdict reports every one
                self._ledger.failures.append(f"{name}: {type(error).__name__}: {error}")
                return

    def _conversation(self, name: str) -> None:
        customer, agent = Customer(name, network=self._at.network), Agent(service=self._at.service)
        try:
            for text in (GENERAL_QUESTION, ORDER_QUESTION, ORDER_NUMBER):
                before = len(customer.replies())
                self._write(customer, text)
                if self._answered_or_waiting(customer, agent, before) == "waiting":
                    break
            self._answer(customer, agent)
        finally:
            customer.close()
            agent.close()

    def _write(self, customer: Customer, text: str) -> None:
        message_id = customer.write(text)
        self._ledger.written.append(
            Written(customer=customer.name, message_id=message_id, text=text)
        )

    def _answered_or_waiting(self, customer: Customer, agent: Agent, before: int) -> str:
        def look() -> str | None:
            if customer.name in self._in_console(agent, agent.waiting):
                return "waiting"
            return "answered" if len(customer.replies()) > before else None

        return self._until(look, what=f"{customer.name} is answered or waits for a person")

    def _answer(self, customer: Customer, agent: Agent) -> None:
        """The agent takes the conversation and replies once, however often the service dies meanwhile."""
        conversation_id = self._until(
            lambda: self._in_console(agent, agent.conversations).get(customer.name),
            what=f"{customer.name} is in the console",
        )
        text = f"Thank you, we are looking into this for you. Case {customer.name[-3:]}."
        self._until(
            lambda: self._reply(agent, conversation_id, text), what="the console takes the reply"
        )
        self._ledger.replied.append(Replied(customer=customer.name, text=text))
        self._until(
            lambda: any(message["text"] == text for message in customer.replies()),
            what=f"the agent's reply reaches {customer.name}",
        )

    def _reply(self, agent: Agent, conversation_id: str, text: str) -> bool:
        """Whether the reply is in the thread; sent only when it is not, as an agent would who looks first."""
        if not self._signed_in(agent):
            return False
        if any(text in entry for entry in agent.thread(conversation_id)):
            return True
        agent.take(conversation_id)
        return agent.reply(conversation_id, text, draft_id="")

    def _in_console(self, agent: Agent, look: Callable[[], dict[str, str]]) -> dict[str, str]:
        return look() if self._signed_in(agent) else {}

    def _signed_in(self, agent: Agent) -> bool:
        return agent.is_signed_in() or agent.sign_in(seed.SCRIPT_AGENT, self._password)

    def _until(self, look: Callable[[], Found | None], *, what: str) -> Found:
        """What `look` finds; a part that is down just now counts as nothing found."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                found = look()
            except httpx.HTTPError:
                found = None
            if found:
                return found
            time.sleep(RETRY_SECONDS)
        raise TooLong(what)


def play(
    settings: Settings,
    *,
    kills: int,
    seed_number: int,
    logs: Path,
    tell: Callable[[str], None],
) -> Ledger:
    """Start everything, kill `kills` times while conversations go on, let them finish, and stop.

    The random numbers that choose victims and moments come from `seed_number`.
    """
    ledger, chance = Ledger(), random.Random(seed_number)  # noqa: S311  # repeatable, not secret
    engine = open_engine(settings.place.database_url)
    seeded = seed.seed(engine, settings.place, now=datetime.now(UTC))
    engine.dispose()
    plan = [_patient(part) for part in parts.plan(settings, seeded.secrets)]
    with Supervisor(plan, logs=logs) as supervisor:
        supervisor.start_all()
        supervisor.wait_ready(tell=lambda each: tell(f"{each.part.title} ready"))
        at = parts.Addresses.of(settings)
        password = seeded.secrets.script_password
        players = [
            Player(number, at=at, password=password, ledger=ledger) for number in range(PLAYERS)
        ]
        for player in players:
            player.start()
        _kill(supervisor, at, kills, chance, ledger, tell)
        for player in players:
            player.over.set()
        for player in players:
            player.join(timeout=4 * PATIENCE_SECONDS)
            if player.is_alive():
                ledger.failures.append(f"{player.name} never came to an end")
        _settle(settings, at)
        supervisor.check()
    return ledger


def _kill(
    supervisor: Supervisor,
    at: parts.Addresses,
    kills: int,
    chance: random.Random,
    ledger: Ledger,
    tell: Callable[[str], None],
) -> None:
    for number in range(1, kills + 1):
        time.sleep(chance.uniform(SHORTEST_PAUSE, LONGEST_PAUSE))
        # An assistant that is still starting is left alone, or it would never answer at all.
        up = [name for name in WEIGHTS if name != "assistant" or _answers(at.bot)]
        victim = chance.choices(up, [WEIGHTS[name] for name in up])[0]
        supervisor.kill(victim)
        ledger.kills[victim] += 1
        tell(f"kill {number} of {kills}: {victim}")
        supervisor.start(victim)
        if chance.random() < CALM_SHARE:
            supervisor.wait_ready([victim], tell=lambda _: None)


def _settle(settings: Settings, at: parts.Addresses) -> None:
    """Wait until receipts and the last replies are worked off; what is left after that is for the verdict."""
    end = time.monotonic() + PATIENCE_SECONDS
    engine = create_engine(settings.place.database_url)
    while time.monotonic() < end:
        waiting = httpx.get(f"{at.network}/api/weather", trust_env=False).json()["events_waiting"]
        with engine.connect() as db:
            left = sum(db.execute(text(query)).scalar_one() for query in LEFT.values())
        if not waiting and not left:
            break
        time.sleep(RETRY_SECONDS)
    engine.dispose()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _patient(part: parts.Part) -> parts.Part:
    environment = {**part.environment, "FIRSTLINE_LEASE_SECONDS": LEASE_SECONDS}
    return parts.Part(
        name=part.name,
        title=part.title,
        command=part.command,
        environment=environment,
        ready_url=part.ready_url,
        ready_line=part.ready_line,
        patience=part.patience,
    )
