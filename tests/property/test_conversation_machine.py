"""Whatever arrives, in whatever order, and wherever a process dies: nothing is lost, doubled or overtaken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from knowledge_base.store import audit, migrate
from knowledge_base.store.engine import open_engine
from suggest_api import flow
from suggest_api.bot_client.model import BotReply, HandOver, HandOverReason, NoAnswer, Say
from suggest_api.channels.generic import GenericChannel
from suggest_api.channels.port import (
    OutgoingMessage,
    RetryLater,
    SendOutcome,
    Sent,
    Unclear,
)
from suggest_api.conversations import events
from suggest_api.errors import ConversationError
from suggest_api.storage import unit_of_work
from tests.doubles.desk import START, Parts, Ticking, approve_assistant, build, message

PEERS = ("peer-a", "peer-b")
ANSWERS = ("hello", "thanks_reply", "anything_else", "hand over", "silent")


class Died(BaseException):
    """The process is gone: not an Exception, so nothing tidies up after it."""


class Wire:
    """The generic network with its far end in memory: the HTTP in between has tests of its own."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.seen: list[OutgoingMessage] = []
        self._real = GenericChannel()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send(self, message: OutgoingMessage, **_more: Any) -> SendOutcome:
        outcome = self.outcomes.pop(0) if self.outcomes else "sent"
        if outcome == "busy":
            return RetryLater("busy")
        if outcome == "died before":
            raise Died
        self.seen.append(message)
        if outcome == "died after":
            raise Died
        return Unclear("cut off") if outcome == "unclear" else Sent(f"p-{len(self.seen)}")


class Bot:
    """An assistant that answers as the machine decides, and may see the process die."""

    def __init__(self) -> None:
        self.next: list[str] = []
        self.heard: list[tuple[str, str]] = []

    def turn(self, text: str, *, conversation_id: str, **_more: Any) -> BotReply | NoAnswer:
        self.heard.append((conversation_id, text))
        answer = self.next.pop(0) if self.next else "hello"
        if answer == "died":
            raise Died
        if answer == "silent":
            return NoAnswer(HandOverReason.BOT_SILENT, "nothing")
        if answer == "hand over":
            return BotReply((HandOver(reason=HandOverReason.ASKED_FOR_PERSON),))
        return BotReply((Say(snippet_key=f"assistant.{answer}"),))


class Inbox(RuleBasedStateMachine):
    """Customers write, networks repeat and mix up, agents answer, workers die at any statement."""

    template: Path

    @initialize()
    def start(self) -> None:
        self.folder = Path(mkdtemp(prefix="firstline-machine-"))
        shutil.copy(self.template, self.folder / "firstline.db")
        engine = open_engine(f"sqlite:///{self.folder / 'firstline.db'}")
        clock = Ticking()
        self.parts = build(engine, self.folder, clock=clock, retry_seconds=(1.0,) * 500)
        self.wire = Wire()
        self.bot = Bot()
        object.__setattr__(self.parts.desk, "channels", {"generic": self.wire})
        object.__setattr__(self.parts.desk, "bot", self.bot)
        self.ledger: dict[str, bytes] = {}  # every event that was answered with 200
        self.written: dict[str, str] = {}  # message id -> peer
        self.replied: dict[str, list[str]] = {peer: [] for peer in PEERS}
        self.fuse = -1
        event.listen(engine, "before_cursor_execute", self._burn)
        event.listen(engine, "commit", self._burn)

    def _burn(self, *_args: Any) -> None:
        """Count down to the statement or commit at which the process dies."""
        if self.fuse > 0:
            self.fuse -= 1
            if self.fuse == 0:
                raise Died

    def _mortal(self, what: Callable[[], Any], fuse: int) -> Any:
        self.fuse = fuse
        try:
            return what()
        except Died:
            return None
        finally:
            self.fuse = -1

    fuses = st.one_of(st.just(0), st.integers(1, 40))

    @rule(peer=st.sampled_from(PEERS), fuse=fuses, back=st.integers(0, 120))
    def customer_writes(self, peer: str, fuse: int, back: int) -> None:
        number = uuid4().hex
        at = self.parts.clock().timestamp() - back
        event_ = message("hi there", peer=peer, message_id=number, at=START)
        event_["data"]["sent_at"] = START.fromtimestamp(at, tz=START.tzinfo).isoformat()
        if self._post(f"e-{number}", json.dumps(event_).encode(), fuse):
            self.written[number] = peer

    @rule(fuse=fuses, times=st.integers(1, 3), data=st.data())
    def network_repeats(self, fuse: int, times: int, data: st.DataObject) -> None:
        if not self.ledger:
            return
        event_id = data.draw(st.sampled_from(sorted(self.ledger)))
        for turn in range(times):
            # Once more under the same id, or as a new event about the same message.
            again = event_id if turn == 0 else f"{event_id}-{uuid4().hex[:6]}"
            self._post(again, self.ledger[event_id], fuse)

    @rule(body=st.sampled_from([b"{", b"\xff", b'{"type":"message.received"}', b'{"type":"x"}']))
    def network_sends_nonsense(self, body: bytes) -> None:
        self._post(f"n-{uuid4().hex}", body, 0)

    @rule(kind=st.sampled_from(["echo", "delivered", "read"]), fuse=fuses, data=st.data())
    def network_tells(self, kind: str, fuse: int, data: st.DataObject) -> None:
        if self.wire.seen:
            reference = data.draw(st.sampled_from(self.wire.seen)).reference
            body = {"type": f"message.{kind}", "data": {"client_reference": reference}}
            self._post(f"r-{uuid4().hex}", json.dumps(body).encode(), fuse)

    @rule(fuse=fuses)
    def worker_ingests(self, fuse: int) -> None:
        self._mortal(lambda: flow.ingest(self.parts.desk), fuse)

    @rule(fuse=fuses, answer=st.sampled_from([*ANSWERS, "died"]))
    def worker_converses(self, fuse: int, answer: str) -> None:
        self.bot.next = [answer]
        self._mortal(lambda: flow.converse(self.parts.desk), fuse)

    @rule(
        fuse=fuses,
        outcome=st.sampled_from(["sent", "busy", "unclear", "died before", "died after"]),
    )
    def worker_delivers(self, fuse: int, outcome: str) -> None:
        self.wire.outcomes[:] = [outcome]
        self._mortal(lambda: flow.deliver(self.parts.desk), fuse)

    @rule(
        peer=st.sampled_from(PEERS),
        outcomes=st.lists(st.sampled_from(["sent", "unclear", "died after", "busy"]), max_size=3),
    )
    def somebody_is_answered(self, peer: str, outcomes: list[str]) -> None:
        """A whole exchange with a shaky network, so that every run gets as far as the network."""
        self.customer_writes(peer, 0, 0)
        self.bot.next = []
        self.parts.ingest()
        self.parts.converse()
        for outcome in outcomes:
            self.wire.outcomes[:] = [outcome]
            self._mortal(lambda: flow.deliver(self.parts.desk), 0)
            self.parts.clock.forward(50)

    @rule(peer=st.sampled_from(PEERS), fuse=fuses)
    def agent_replies(self, peer: str, fuse: int) -> None:
        if not self._exists(peer):
            return
        words = f"Reply {uuid4().hex}"
        try:
            if self._mortal(lambda: self.parts.reply(words, peer=peer), fuse) is not None:
                self.replied[peer].append(words)
        except ConversationError:
            return

    @rule(peer=st.sampled_from(PEERS), fuse=fuses)
    def agent_gives_back(self, peer: str, fuse: int) -> None:
        if self._exists(peer) and self.parts.conversation(peer).assignee:
            self._mortal(lambda: self.parts.release(peer=peer), fuse)

    @rule(seconds=st.sampled_from([1, 50, 2000]))
    def time_passes(self, seconds: int) -> None:
        self.parts.clock.forward(seconds)

    @invariant()
    def acknowledged_events_are_on_disk(self) -> None:
        """I1, I2: a row for each 200, and every row in one of the four states."""
        if not hasattr(self, "parts"):
            return
        rows = self.parts.rows("SELECT external_id, raw FROM inbox_event")
        kept = {number: bytes(raw) for number, raw in rows}
        assert self.ledger.items() <= kept.items()
        with unit_of_work.read(self.parts.engine) as session:
            assert sum(events.counts(session).values()) == len(rows)

    @invariant()
    def nothing_overtakes(self) -> None:
        """I4: what a customer sees first comes in the order in which it was queued."""
        if not hasattr(self, "parts"):
            return
        position = {row.id: (row.conversation_id, row.seq) for row in self._outbox()}
        latest: dict[str, int] = {}
        for reference in dict.fromkeys(m.reference for m in self.wire.seen):
            conversation, seq = position[reference]
            assert seq > latest.get(conversation, 0)
            latest[conversation] = seq

    @invariant()
    def repeats_are_marked(self) -> None:
        """I5: a second arrival has an attempt that says it may be a repeat."""
        if not hasattr(self, "parts"):
            return
        arrivals: dict[str, int] = {}
        for sent in self.wire.seen:
            arrivals[sent.reference] = arrivals.get(sent.reference, 0) + 1
        for reference, times in arrivals.items():
            marked = self.parts.value(
                "SELECT count(*) FROM delivery_attempt WHERE outbox_id = :id AND possible_repeat",
                id=reference,
            )
            assert marked >= times - 1

    def teardown(self) -> None:
        """At the end workers live long enough, and then everything has come to its end."""
        if not hasattr(self, "parts"):
            return
        try:
            self._finish()
        finally:
            self.parts.engine.dispose()
            shutil.rmtree(self.folder)

    def _finish(self) -> None:
        self.bot.next, self.wire.outcomes[:] = [], []
        for _ in range(3):
            self.parts.clock.forward(50)
            self.parts.drain()
        for row in self._outbox():
            assert row.state in ("sent", "cancelled"), row.state  # I3
        for peer in PEERS:
            if self._exists(peer):
                self._check_conversation(peer)
        with unit_of_work.read(self.parts.engine) as session:
            assert audit.verify(session).intact
            assert events.counts(session)["pending"] == 0

    def _check_conversation(self, peer: str) -> None:
        """Each message once, each reply once, and nobody is left without somebody who owes an answer."""
        conversation = self.parts.conversation(peer)
        thread = self.parts.thread(peer)
        heard = [turn.external_id for turn in thread if turn.author.value == "customer"]
        assert sorted(map(str, heard)) == sorted(n for n, p in self.written.items() if p == peer)
        assert [t.text for t in thread if t.author.value == "person" and t.text] == self.replied[
            peer
        ]
        seen = list(dict.fromkeys(m.reference for m in self.wire.seen if m.to == peer))
        texts = {m.reference: m.text for m in self.wire.seen}
        assert [texts[r] for r in seen if texts[r].startswith("Reply ")] == self.replied[peer]
        last = max((t.seq for t in thread if t.author.value == "customer"), default=0)
        answered = any(t.seq > last and t.author.value in ("bot", "person") for t in thread)
        assert answered or conversation.waiting_since is not None

    def _post(self, event_id: str, body: bytes, fuse: int) -> bool:
        """True if the network got its 200: only then it may rely on us."""
        answer = self._mortal(lambda: self.parts.post(body, event_id=event_id), fuse)
        if answer is not None:
            self.ledger[event_id] = body
        else:
            self._mortal(lambda: self.parts.post(body, event_id=event_id), 0)  # networks retry
            self.ledger[event_id] = body
        return True

    def _exists(self, peer: str) -> bool:
        return bool(self.parts.rows("SELECT 1 FROM conversation WHERE peer = :p", p=peer))

    def _outbox(self) -> list[Any]:
        return self.parts.rows("SELECT id, conversation_id, seq, state FROM outbox")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with the assistant's snippets, copied for every run of the machine."""
    folder = tmp_path_factory.mktemp("template")
    engine = open_engine(f"sqlite:///{folder / 'firstline.db'}")
    migrate.upgrade(engine)
    parts: Parts = build(engine, folder)
    approve_assistant(parts)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    engine.dispose()  # the last connection folds the log back into the file
    return folder / "firstline.db"


def test_nothing_is_lost_doubled_or_overtaken(template: Path) -> None:
    Inbox.template = template
    run_state_machine_as_test(
        Inbox,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
