"""A desk whose every part is real: database, policy, starter snippets, channel, assistant's client."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from pydantic import SecretStr
from sqlalchemy import Engine, text

from knowledge_base.home import Home
from knowledge_base.snippet import SnippetContent
from knowledge_base.store.people import ensure_person
from knowledge_base.store.repository import (
    add_revision,
    approve,
    approved_revisions,
    go_live,
    submit,
)
from suggest_api import flow
from suggest_api.bot_client import BotClient
from suggest_api.channels import all_channels
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import Conversation, Turn
from suggest_api.delivery import service as delivery
from suggest_api.delivery.model import Delivery
from suggest_api.flow import Desk
from suggest_api.metrics import Metrics
from suggest_api.settings import Account, Settings
from suggest_api.storage import unit_of_work
from suggest_api.suggestions.service import GenerationHolder
from tests.doubles.network import SECRET
from tests.starter_policy import starter_policy

CONTENT = Path(__file__).parents[2] / "knowledge_base" / "content" / "snippets"
START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
AGENT = "Sam"


class Ticking:
    """A clock that moves only when it is told to."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Parts:
    """A desk with the few moves that most tests need."""

    desk: Desk
    clock: Ticking
    sent: int = field(default=0)

    @property
    def engine(self) -> Engine:
        return self.desk.engine

    def post(self, body: bytes, *, event_id: str | None = None, secret: str = SECRET) -> bool:
        """One webhook, signed."""
        headers = sign(body, event_id=event_id or uuid4().hex, at=self.clock(), secret=secret)
        return flow.receive(
            self.desk, channel="generic", account="quillhaven", headers=headers, body=body
        )

    def write(
        self,
        text: str | None,
        *,
        peer: str = "peer-7",
        message_id: str | None = None,
        event_id: str | None = None,
        **data: Any,
    ) -> str:
        """The customer writes; gives the message's id."""
        number = message_id or uuid4().hex
        event = message(text, peer=peer, message_id=number, at=self.clock(), **data)
        self.post(json.dumps(event).encode(), event_id=event_id)
        return number

    def tell(self, kind: str, **data: Any) -> None:
        """The network tells something about a reply of ours."""
        self.post(json.dumps({"type": kind, "data": data}).encode())

    def ingest(self) -> None:
        while flow.ingest(self.desk):
            pass

    def converse(self) -> None:
        while flow.converse(self.desk):
            pass

    def deliver(self) -> None:
        while flow.deliver(self.desk):
            pass

    def drain(self) -> None:
        """Everything that can be done now."""
        self.ingest()
        self.converse()
        self.deliver()

    def conversation(self, peer: str = "peer-7") -> Conversation:
        with unit_of_work.read(self.engine) as session:
            found = session.execute(
                text("SELECT id FROM conversation WHERE peer = :peer"), {"peer": peer}
            ).scalar_one()
            return conversations.get(session, found)

    def thread(self, peer: str = "peer-7") -> tuple[Turn, ...]:
        with unit_of_work.read(self.engine) as session:
            return flow.thread(session, self.conversation(peer).id)

    def said(self, peer: str = "peer-7") -> list[tuple[str, str]]:
        """(author, text) of all that was said."""
        return [(t.author.value, t.text) for t in self.thread(peer) if t.kind.value == "said"]

    def deliveries(self, peer: str = "peer-7") -> tuple[Delivery, ...]:
        with unit_of_work.read(self.engine) as session:
            return delivery.of_conversation(session, self.conversation(peer).id)

    def claim(
        self, *, by: str = AGENT, peer: str = "peer-7", version: int | None = None
    ) -> Conversation:
        before = self.conversation(peer)
        with unit_of_work.write(self.engine) as session:
            return flow.claim(
                self.desk, session, before.id, by=by, version=version or before.version
            )

    def release(self, *, by: str = AGENT, peer: str = "peer-7", **more: Any) -> Conversation:
        before = self.conversation(peer)
        with unit_of_work.write(self.engine) as session:
            return flow.release(
                self.desk, session, before.id, by=by, version=before.version, **more
            )

    def reply(self, words: str, *, by: str = AGENT, peer: str = "peer-7", **more: Any) -> Turn:
        with unit_of_work.write(self.engine) as session:
            return flow.reply(
                self.desk,
                session,
                conversation_id=self.conversation(peer).id,
                text=words,
                by=by,
                **{"draft_id": None, **more},
            )

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with unit_of_work.read(self.engine) as session:
            return list(session.execute(text(statement), values))

    def value(self, statement: str, **values: Any) -> Any:
        return self.rows(statement, **values)[0][0]


def build(
    engine: Engine,
    tmp: Path,
    *,
    send_url: str = "http://127.0.0.1:1/",
    bot_url: str | None = None,
    clock: Ticking | None = None,
    bot_deadline: float = 5.0,
    **settings: Any,
) -> Parts:
    """A desk on a migrated database, with two people and the assistant's snippets approved."""
    ticking = clock or Ticking()
    account = Account(
        channel="generic", account="quillhaven", secret=SecretStr(SECRET), send_url=send_url
    )
    desk = Desk(
        settings=Settings(home=tmp, accounts=(account,), demo=True, **settings),
        engine=engine,
        clock=ticking,
        policies=FixedPolicy(starter_policy()),
        generations=GenerationHolder(Home.at(tmp)),
        metrics=Metrics(),
        channels=all_channels(),
        bot=BotClient(bot_url, deadline=bot_deadline) if bot_url else None,
    )
    with unit_of_work.write(engine) as session:
        for person in (AGENT, "Kim"):
            ensure_person(session, person, now=START)
    return Parts(desk=desk, clock=ticking)


def approve_assistant(parts: Parts) -> None:
    """Approve what the assistant may say."""
    entries = yaml.safe_load((CONTENT / "assistant.yaml").read_text())
    plain = {"examples": (), "tags": (), "channels": ()}
    approve_snippets(parts, *(SnippetContent(**{**entry, **plain}) for entry in entries))


def approve_snippets(parts: Parts, *contents: SnippetContent) -> list[int]:
    """Write, submit, approve by two people, and publish; gives the revisions' ids."""
    ids = []
    assert parts.desk.policy is not None
    with unit_of_work.write(parts.engine) as session:
        for content in contents:
            revision = add_revision(session, content, author="Noor", now=START)
            submit(session, revision.id, by="Noor", now=START)
            approve(session, revision.id, by="Ines", now=START, policy=parts.desk.policy)
            ids.append(revision.id)
        go_live(session, [live.id for live in approved_revisions(session)])
    return ids


def message(
    text: str | None,
    *,
    peer: str,
    message_id: str,
    at: datetime,
    name: str = "Ana Lima",
    **data: Any,
) -> dict[str, Any]:
    """A message event of the generic network."""
    return {
        "type": "message.received",
        "timestamp": at.isoformat(),
        "data": {
            "message_id": message_id,
            "conversation": peer,
            "from": {"id": peer, "name": name, "locale": "en"},
            "text": text,
            "sent_at": at.isoformat(),
            **data,
        },
    }


def sign(body: bytes, *, event_id: str, at: datetime, secret: str = SECRET) -> dict[str, str]:
    """Standard Webhooks headers, made without the code under test."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp = str(int(at.timestamp()))
    mac = hmac.new(key, f"{event_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
