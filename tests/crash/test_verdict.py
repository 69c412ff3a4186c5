"""The crash test's own judge: it must find what was lost, doubled, left or unmarked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from suggest_api.demo.network_double import ledger as network
from tests.crash.ordeal import Ledger, Replied, Written
from tests.crash.verdict import Verdict, judge

NOW = 1_772_000_000.0
TABLES = """
CREATE TABLE turn (author TEXT, external_id TEXT);
CREATE TABLE inbox_event (state TEXT);
CREATE TABLE bot_turn (state TEXT);
CREATE TABLE outbox (state TEXT);
CREATE TABLE delivery_attempt (outbox_id TEXT, possible_repeat BOOLEAN);
"""


class World:
    """One customer who wrote once and was answered once; each test breaks one thing."""

    def __init__(self, folder: Path) -> None:
        self.network_path = folder / "network.db"
        self.database = sqlite3.connect(folder / "service.db", isolation_level=None)
        self.database.executescript(TABLES)
        self.url = f"sqlite:///{folder / 'service.db'}"
        self.network = network.Ledger(self.network_path)
        self.peer = self.network.customer("Ana", now=NOW)["peer"]
        self.message_id = self.network.write("Ana", "hello", weather=network.Weather(), now=NOW)
        self.deliver()
        self.database.execute("INSERT INTO turn VALUES ('customer', ?)", (self.message_id,))
        self.answer("Hello, Ana.", reference="out-1")
        self.ledger = Ledger(
            written=[Written(customer="Ana", message_id=self.message_id, text="hello")],
            finished=["Ana"],
        )

    def deliver(self) -> None:
        """The service acknowledges every event; one at a time for each customer."""
        while due := self.network.due(now=NOW + 10, limit=5):
            for event in due:
                self.network.settle(event, answer="200 OK", state="delivered", now=NOW + 10)

    def answer(self, text: str, *, reference: str) -> None:
        self.network.take(self.peer, text, client_reference=reference, now=NOW + 2)

    def judged(self) -> Verdict:
        return judge(self.ledger, database_url=self.url, network=self.network_path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_whole_world_has_no_problems(world: World) -> None:
    found = world.judged()
    assert found.problems == []
    assert (found.messages, found.replies, found.conversations) == (1, 1, 1)


def test_a_lost_message_is_found(world: World) -> None:
    world.database.execute("DELETE FROM turn")
    assert "stored 0 times" in world.judged().problems[0]


def test_a_message_stored_twice_is_found(world: World) -> None:
    world.database.execute("INSERT INTO turn VALUES ('customer', ?)", (world.message_id,))
    assert "stored 2 times" in world.judged().problems[0]


def test_a_message_that_was_never_acknowledged_is_found(world: World) -> None:
    message_id = world.network.write("Ana", "again", weather=network.Weather(), now=NOW + 1)
    world.database.execute("INSERT INTO turn VALUES ('customer', ?)", (message_id,))
    world.ledger.written.append(Written(customer="Ana", message_id=message_id, text="again"))
    assert any("never acknowledged" in problem for problem in world.judged().problems)


def test_a_customer_without_an_answer_is_found(world: World) -> None:
    message_id = world.network.write("Ana", "again", weather=network.Weather(), now=NOW + 3)
    world.deliver()
    world.database.execute("INSERT INTO turn VALUES ('customer', ?)", (message_id,))
    world.ledger.written.append(Written(customer="Ana", message_id=message_id, text="again"))
    assert world.judged().problems == ["Ana was left without an answer"]


def test_a_text_that_came_twice_under_two_references_is_found(world: World) -> None:
    world.answer("Hello, Ana.", reference="out-2")
    assert "was told twice" in world.judged().problems[0]


def test_a_repeat_must_be_marked(world: World) -> None:
    world.answer("Hello, Ana.", reference="out-1")
    assert "without being marked" in world.judged().problems[0]
    world.database.execute("INSERT INTO delivery_attempt VALUES ('out-1', 1)")
    found = world.judged()
    assert found.problems == []
    assert found.marked_repeats == 1


def test_an_agents_reply_that_did_not_arrive_is_found(world: World) -> None:
    world.ledger.replied.append(Replied(customer="Ana", text="We are on it."))
    assert "came 0 times" in world.judged().problems[0]


@pytest.mark.parametrize(
    ("table", "state", "problem"),
    [
        ("inbox_event", "pending", "1 events not worked off"),
        ("inbox_event", "quarantined", "1 events in quarantine"),
        ("bot_turn", "leased", "1 turns that the assistant owes"),
        ("outbox", "unknown", "1 replies not sent"),
    ],
)
def test_what_is_left_is_counted(world: World, table: str, state: str, problem: str) -> None:
    world.database.execute(f"INSERT INTO {table} VALUES (?)", (state,))  # noqa: S608  # names of this list
    assert world.judged().problems == [problem]


def test_a_player_that_failed_is_a_problem(world: World) -> None:
    world.ledger.failures.append("Ana: TooLong: the console takes the reply")
    assert world.judged().problems == ["Ana: TooLong: the console takes the reply"]
