"""What the network knows, on disk: customers, messages both ways, and the events still to be delivered."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HOLD_SECONDS = 15.0  # an out-of-order message waits this long for a later one to overtake it
OVERTAKE_SECONDS = 0.5  # ... and comes this long after the one that overtook it
COPY_SECONDS = 0.3  # between two deliveries of a duplicated event
FIRST_RETRY_SECONDS = (
    0.25  # doubled with each failure; small, so that a restarted service catches up at once
)
LONGEST_RETRY_SECONDS = 5.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS customer (
  peer TEXT PRIMARY KEY, name TEXT NOT NULL, locale TEXT NOT NULL, since REAL NOT NULL);
CREATE TABLE IF NOT EXISTS message (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, peer TEXT NOT NULL REFERENCES customer(peer),
  sender TEXT NOT NULL CHECK (sender IN ('customer','brand')), text TEXT NOT NULL,
  client_reference TEXT UNIQUE, at REAL NOT NULL, read_at REAL, repeats INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, webhook_id TEXT NOT NULL, kind TEXT NOT NULL, peer TEXT NOT NULL,
  message_id TEXT NOT NULL, body TEXT NOT NULL, due_at REAL NOT NULL, in_order INTEGER NOT NULL,
  held INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, last_answer TEXT,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting','delivered','refused')));
CREATE INDEX IF NOT EXISTS event_state ON event (state, peer, seq);
CREATE TABLE IF NOT EXISTS weather (
  id INTEGER PRIMARY KEY CHECK (id = 1), sends TEXT NOT NULL, times INTEGER NOT NULL, hold_seconds REAL NOT NULL);
INSERT OR IGNORE INTO weather VALUES (1, 'normal', 0, 0);
"""

# An event may go when it is due and no earlier one of the same customer, meant to keep its place, still waits.
DUE = """
SELECT seq, webhook_id, body, attempts FROM event AS e
WHERE state = 'waiting' AND due_at <= :now AND (in_order = 0 OR NOT EXISTS (
  SELECT 1 FROM event AS before
  WHERE before.peer = e.peer AND before.state = 'waiting' AND before.in_order = 1 AND before.seq < e.seq))
ORDER BY due_at, seq LIMIT :limit
"""

MESSAGES = """
SELECT m.*, (SELECT CASE
    WHEN SUM(e.state = 'delivered') > 0 THEN 'delivered' WHEN SUM(e.state = 'refused') > 0 THEN 'refused'
    ELSE 'waiting' END FROM event AS e WHERE e.message_id = m.id AND e.kind = 'message.received') AS arrival
FROM message AS m WHERE m.peer = :peer AND m.seq > :after ORDER BY m.seq
"""


@dataclass(frozen=True, slots=True)
class Weather:
    """How one customer message travels: delivered `copies` times, late by `delay_seconds`, or overtaken."""

    copies: int = 1
    delay_seconds: float = 0.0
    out_of_order: bool = False
    fresh_ids: bool = (
        False  # each copy under an event id of its own; the message id stays the same
    )


@dataclass(frozen=True, slots=True)
class DueEvent:
    """One event to post now."""

    seq: int
    webhook_id: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a send: the message's id, and whether we had it already."""

    message_id: str
    repeat: bool


class UnknownCustomer(LookupError):
    """Nobody of that id is on this network."""


class Ledger:
    """The network's own SQLite file; every method is one transaction, durable when it returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA
        )

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def customer(self, name: str, *, now: float) -> dict[str, Any]:
        """The customer called `name`, who joins the network on first use."""
        shown = unicodedata.normalize("NFC", name).strip()
        peer = "u-" + hashlib.sha256(shown.casefold().encode()).hexdigest()[:12]
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO customer VALUES (?,?,?,?)", (peer, shown, "en", now))
            return dict(db.execute("SELECT * FROM customer WHERE peer = ?", (peer,)).fetchone())

    def customers(self) -> list[dict[str, Any]]:
        """Everybody on this network, the latest to write first."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT c.*, COUNT(m.seq) AS messages, MAX(m.at) AS last_at FROM customer AS c "
                "LEFT JOIN message AS m ON m.peer = c.peer GROUP BY c.peer ORDER BY last_at DESC, since DESC"
            )
            return [dict(row) for row in rows]

    def write(self, name: str, text: str, *, weather: Weather, now: float) -> str:
        """Keep a customer's message together with the events that will tell of it; its id."""
        customer = self.customer(name, now=now)
        peer, message_id = customer["peer"], "m-" + secrets.token_hex(8)
        body = event_body(
            "message.received",
            {
                "message_id": message_id,
                "conversation": peer,
                "from": {"id": peer, "name": customer["name"], "locale": customer["locale"]},
                "text": text,
                "sent_at": instant(now),
            },
            now=now,
        )
        strays = weather.delay_seconds > 0 or weather.out_of_order
        due = now + (HOLD_SECONDS if weather.out_of_order else weather.delay_seconds)
        webhook_id = new_webhook_id()
        with self._transaction() as db:
            _add_message(db, message_id, peer, "customer", text, reference=None, now=now)
            db.execute(
                "UPDATE event SET held = 0, due_at = ? WHERE peer = ? AND held = 1",
                (now + OVERTAKE_SECONDS, peer),
            )
            for copy in range(weather.copies):
                _add_event(
                    db,
                    new_webhook_id() if copy and weather.fresh_ids else webhook_id,
                    "message.received",
                    peer,
                    message_id,
                    body,
                    due_at=due + copy * COPY_SECONDS,
                    in_order=not strays and copy == 0,
                    held=weather.out_of_order,
                )
        return message_id

    def take(self, peer: str, text: str, *, client_reference: str, now: float) -> Taken:
        """Accept a send for `peer` once; a repeat is counted and changes nothing else.

        Raises UnknownCustomer when nobody of that id is on this network.
        """
        with self._transaction() as db:
            known = db.execute(
                "SELECT id FROM message WHERE client_reference = ?", (client_reference,)
            ).fetchone()
            if known is not None:
                db.execute("UPDATE message SET repeats = repeats + 1 WHERE id = ?", (known["id"],))
                return Taken(message_id=known["id"], repeat=True)
            if not db.execute("SELECT 1 FROM customer WHERE peer = ?", (peer,)).fetchone():
                raise UnknownCustomer(peer)
            message_id = "m-" + secrets.token_hex(8)
            _add_message(db, message_id, peer, "brand", text, reference=client_reference, now=now)
            told: dict[str, dict[str, Any]] = {
                "message.echo": {"message_id": message_id, "client_reference": client_reference},
                "message.delivered": {"client_reference": client_reference, "at": instant(now)},
            }
            for kind, data in told.items():
                _tell(db, kind, peer, message_id, data, now=now)
        return Taken(message_id=message_id, repeat=False)

    def seen(self, name: str, *, now: float) -> int:
        """The customer looked at the chat: tell the sender of each message that was not read before."""
        peer = self.customer(name, now=now)["peer"]
        with self._transaction() as db:
            unread = db.execute(
                "SELECT id, client_reference FROM message "
                "WHERE peer = ? AND sender = 'brand' AND read_at IS NULL ORDER BY seq",
                (peer,),
            ).fetchall()
            for row in unread:
                db.execute("UPDATE message SET read_at = ? WHERE id = ?", (now, row["id"]))
                data = {"client_reference": row["client_reference"], "at": instant(now)}
                _tell(db, "message.read", peer, row["id"], data, now=now)
        return len(unread)

    def messages(self, name: str, *, after: int, now: float) -> list[dict[str, Any]]:
        """The customer's chat in the order of the network, from the message after number `after` on."""
        peer = self.customer(name, now=now)["peer"]
        with self._transaction() as db:
            rows = db.execute(MESSAGES, {"peer": peer, "after": after}).fetchall()
        return [_shown(row) for row in rows]

    def due(self, *, now: float, limit: int) -> list[DueEvent]:
        """Events to post now, in order within each customer."""
        with self._transaction() as db:
            rows = db.execute(DUE, {"now": now, "limit": limit}).fetchall()
        return [DueEvent(**dict(row)) for row in rows]

    def settle(self, event: DueEvent, *, answer: str, state: str, now: float) -> None:
        """Write down what a try came to; a `waiting` event gets its next time, later with every failure."""
        pause = min(FIRST_RETRY_SECONDS * 2.0**event.attempts, LONGEST_RETRY_SECONDS)
        with self._transaction() as db:
            db.execute(
                "UPDATE event SET state = ?, last_answer = ?, attempts = attempts + 1, due_at = ? WHERE seq = ?",
                (state, answer, now + pause if state == "waiting" else now, event.seq),
            )

    def counts(self) -> dict[str, int]:
        """Events by state, and sends by kind."""
        with self._transaction() as db:
            states = dict(
                db.execute("SELECT state, COUNT(*) FROM event GROUP BY state").fetchall()
            )
            sends, repeats = db.execute(
                "SELECT COUNT(*), COALESCE(SUM(repeats), 0) FROM message WHERE sender = 'brand'"
            ).fetchone()
        events = {
            f"events_{state}": states.get(state, 0)
            for state in ("waiting", "delivered", "refused")
        }
        return {**events, "sends_taken": sends, "repeats": repeats}

    def set_sends_weather(self, sends: str, *, times: int, hold_seconds: float) -> None:
        """How the next `times` sends are treated (0: all, until told otherwise)."""
        with self._transaction() as db:
            db.execute(
                "UPDATE weather SET sends = ?, times = ?, hold_seconds = ?",
                (sends, times, hold_seconds),
            )

    def sends_weather(self) -> dict[str, Any]:
        """How sends are treated at the moment."""
        with self._transaction() as db:
            row = db.execute("SELECT sends AS sends_weather, times, hold_seconds FROM weather")
            return dict(row.fetchone())

    def meet_send(self) -> dict[str, Any]:
        """The weather for the send that just came in, used up by it where it was set for a number of sends."""
        with self._transaction() as db:
            current = dict(db.execute("SELECT sends, times, hold_seconds FROM weather").fetchone())
            if current["times"] == 1:
                db.execute("UPDATE weather SET sends = 'normal', times = 0")
            elif current["times"] > 1:
                db.execute("UPDATE weather SET times = times - 1")
        return current


def event_body(kind: str, data: dict[str, Any], *, now: float) -> str:
    """The JSON of an event, exactly as it is signed and posted each time."""
    return json.dumps({"type": kind, "timestamp": instant(now), "data": data}, ensure_ascii=False)


def instant(seconds: float) -> str:
    """A time as the network writes it: ISO 8601 in UTC with milliseconds."""
    stamp = datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def new_webhook_id() -> str:
    """An event's id, which stays the same over every delivery of it."""
    return "evt_" + secrets.token_hex(12)


def _tell(
    db: sqlite3.Connection,
    kind: str,
    peer: str,
    message_id: str,
    data: dict[str, Any],
    *,
    now: float,
) -> None:
    body = event_body(kind, data, now=now)
    _add_event(
        db, new_webhook_id(), kind, peer, message_id, body, due_at=now, in_order=True, held=False
    )


def _add_message(
    db: sqlite3.Connection,
    message_id: str,
    peer: str,
    sender: str,
    text: str,
    *,
    reference: str | None,
    now: float,
) -> None:
    db.execute(
        "INSERT INTO message (id, peer, sender, text, client_reference, at) VALUES (?,?,?,?,?,?)",
        (message_id, peer, sender, text, reference, now),
    )


def _add_event(
    db: sqlite3.Connection,
    webhook_id: str,
    kind: str,
    peer: str,
    message_id: str,
    body: str,
    *,
    due_at: float,
    in_order: bool,
    held: bool,
) -> None:
    db.execute(
        "INSERT INTO event (webhook_id, kind, peer, message_id, body, due_at, in_order, held) "
        "VALUES (?,?,?,?,?,?,?,?)",
        (webhook_id, kind, peer, message_id, body, due_at, int(in_order), int(held)),
    )


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    if row["sender"] == "customer":
        state = row["arrival"] or "waiting"
    else:
        state = "read" if row["read_at"] is not None else "delivered"
    return {
        "seq": row["seq"],
        "id": row["id"],
        "from": row["sender"],
        "text": row["text"],
        "at": instant(row["at"]),
        "state": state,
        "client_reference": row["client_reference"],
        "repeats": row["repeats"],
    }
