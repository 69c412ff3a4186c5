"""A running application on a real database, index and policy, with keys and a client that speaks HTTP to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.policy import Policy
from knowledge_base.snippet import Revision, SnippetContent
from knowledge_base.store.repository import (
    add_revision,
    approve,
    approved_revisions,
    get_revision,
    go_live,
    submit,
)
from suggest_api.access.model import Scope
from suggest_api.access.service import create_key
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.flow import Desk
from suggest_api.main import create_app
from suggest_api.metrics import Metrics
from suggest_api.settings import Settings
from suggest_api.storage import unit_of_work
from suggest_api.suggestions.service import GenerationHolder
from tests.conftest import NOW
from tests.fixtures_generation import CONTENT
from tests.prepared import MIGRATED, Filling
from tests.starter_policy import starter_policy
from tests.tiny_encoder import install

EXTRA = {
    # Without slots, so that one draft of the topic stands whatever is known.
    "delivery.times": (
        "Delivery times",
        "Standard delivery takes 3 to 5 working days.",
        ("how long does delivery take", "delivery times?", "when will my delivery come please"),
    ),
}
AUTO_SEND = {"stores.hours", "gift_cards.balance"}


class Ticking:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Service:
    """The application with its parts and one key for each scope."""

    desk: Desk
    clock: Ticking
    client: TestClient
    keys: dict[str, str]

    def post(self, path: str, body: Any, *, key: str = "suggest", **headers: str) -> Any:
        return self.client.post(path, json=body, headers={**self.bearer(key), **headers})

    def get(self, path: str, *, key: str = "drafts") -> Any:
        return self.client.get(path, headers=self.bearer(key))

    def bearer(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[key]}"}

    def suggest(self, text: str, *, key: str = "suggest", **more: Any) -> Any:
        """The answer to one message of a customer."""
        message = {"author": "customer", "text": text}
        body = {"channel": "generic", "messages": [message], **more}
        answer = self.post("/v1/suggestions", body, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()


def publish_revision(engine: Engine, content: SnippetContent, *, policy: Policy) -> Revision:
    """Ana writes it, Noor approves it, and everything approved is published."""
    with unit_of_work.write(engine) as session:
        draft = add_revision(session, content, author="Ana", now=NOW)
        submit(session, draft.id, by="Ana", now=NOW)
        approve(session, draft.id, by="Noor", now=NOW, policy=policy)
        go_live(session, [revision.id for revision in approved_revisions(session)])
        return get_revision(session, draft.id)


def contents() -> list[SnippetContent]:
    return [
        SnippetContent(
            key=key, title=title, text=text, examples=examples, auto_send=key in AUTO_SEND
        )
        for key, (title, text, examples) in {**CONTENT, **EXTRA}.items()
    ]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def _shop(engine: Engine, folder: Path) -> None:
    """A small shop's knowledge base, approved and built; its home is left in the folder."""
    home = Home.at(folder / "home")
    texts: list[str] = []
    for content in contents():
        publish_revision(engine, content, policy=starter_policy())
        texts += [content.title, content.text, *content.examples]
    publish.build(home, engine, now=NOW, encoder=install(home, texts))


SHOP = Filling("shop", _shop)


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling:
    """The shop for whoever asks for the desk."""
    return SHOP if "desk" in request.fixturenames else MIGRATED


@pytest.fixture
def desk(engine: Engine, filled_folder: Path, home: Home) -> Desk:
    """The small shop, with an encoder and an index of its own."""
    shutil.copytree(filled_folder / "home", home.root, dirs_exist_ok=True)
    generations = GenerationHolder(home)
    generations.refresh(force=True)
    return Desk(
        settings=Settings(home=home.root, demo=True),
        engine=engine,
        clock=Ticking(),
        policies=FixedPolicy(starter_policy()),
        generations=generations,
        metrics=Metrics(),
        channels={},
        bot=None,
    )


@pytest.fixture
def keys(engine: Engine) -> dict[str, str]:
    """One key for each scope, named like it."""
    with unit_of_work.write(engine) as session:
        return {s.value: create_key(session, s.value, scopes={s}, now=NOW) for s in Scope}


@pytest.fixture
def service(desk: Desk, keys: dict[str, str]) -> Iterator[Service]:
    app = create_app(desk.settings, desk=desk)
    with TestClient(app, raise_server_exceptions=False) as client:
        clock = desk.clock
        assert isinstance(clock, Ticking)
        yield Service(desk=desk, clock=clock, client=client, keys=keys)
