"""Decides from our own ledger, the network's file and the database whether a crash lost or doubled anything."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.crash.ordeal import LEFT, Ledger


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was found; `problems` is empty when every promise was kept."""

    messages: int = 0
    replies: int = 0
    conversations: int = 0
    marked_repeats: int = 0
    problems: list[str] = field(default_factory=list)


def judge(ledger: Ledger, *, database_url: str, network: Path) -> Verdict:
    """Compare what we saw with what was kept."""
    found = Verdict(messages=len(ledger.written), conversations=len(ledger.finished))
    found.problems.extend(ledger.failures)
    engine = create_engine(database_url)
    with engine.connect() as db, sqlite3.connect(network) as net:
        net.row_factory = sqlite3.Row
        turns = Counter(
            row[0]
            for row in db.execute(text("SELECT external_id FROM turn WHERE author = 'customer'"))
        )
        _nothing_lost(ledger, turns, net, found)
        _everybody_answered(ledger, net, found)
        _nothing_left(
            {
                name: db.execute(text(query)).scalar_one()
                for name, query in {**LEFT, "events in quarantine": QUARANTINED}.items()
            },
            found,
        )
        marked = {
            row[0]
            for row in db.execute(
                text("SELECT outbox_id FROM delivery_attempt WHERE possible_repeat")
            )
        }
        _nothing_doubled(ledger, net, marked, found)
    engine.dispose()
    return found


QUARANTINED = "SELECT COUNT(*) FROM inbox_event WHERE state = 'quarantined'"


def _nothing_lost(
    ledger: Ledger, turns: Counter[str], net: sqlite3.Connection, found: Verdict
) -> None:
    """Every message that the service answered 2xx is a turn, once; and every one we wrote was answered 2xx."""
    states = dict(
        net.execute(
            "SELECT message_id, state FROM event WHERE kind = 'message.received'"
        ).fetchall()
    )
    for written in ledger.written:
        if states.get(written.message_id) != "delivered":
            found.problems.append(f"never acknowledged: {written}")
        if turns[written.message_id] != 1:
            found.problems.append(f"stored {turns[written.message_id]} times: {written}")


def _everybody_answered(ledger: Ledger, net: sqlite3.Connection, found: Verdict) -> None:
    """After the last message of each customer there is a reply: the agent answers every conversation."""
    for name in {written.customer for written in ledger.written}:
        rows = _chat(net, name)
        if not rows or rows[-1]["sender"] != "brand":
            found.problems.append(f"{name} was left without an answer")


def _nothing_left(counts: dict[str, int], found: Verdict) -> None:
    found.problems.extend(f"{count} {name}" for name, count in counts.items() if count)


def _nothing_doubled(
    ledger: Ledger, net: sqlite3.Connection, marked: set[str], found: Verdict
) -> None:
    """No text comes twice between two messages of a customer, and a send that was repeated is marked as one."""
    sends = net.execute("SELECT * FROM message WHERE sender = 'brand'").fetchall()
    found.replies = len(sends)
    for row in sends:
        if row["repeats"] and row["client_reference"] not in marked:
            found.problems.append(f"sent again without being marked: {row['text']!r}")
    found.marked_repeats = sum(1 for row in sends if row["repeats"])
    for name in {written.customer for written in ledger.written}:
        said: set[str] = set()
        for row in _chat(net, name):
            if row["sender"] == "customer":
                said = set()
            elif row["text"] in said:
                found.problems.append(f"{name} was told twice: {row['text']!r}")
            else:
                said.add(row["text"])
    for replied in ledger.replied:
        times = sum(1 for row in _chat(net, replied.customer) if row["text"] == replied.text)
        if times != 1:
            found.problems.append(f"the agent's reply came {times} times: {replied}")


def _chat(net: sqlite3.Connection, name: str) -> list[sqlite3.Row]:
    return net.execute(
        "SELECT m.* FROM message AS m JOIN customer AS c ON c.peer = m.peer WHERE c.name = ? ORDER BY m.seq",
        (name,),
    ).fetchall()
