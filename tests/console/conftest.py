"""The console on a real database, index and policy, and browsers that speak HTTP to it."""

from __future__ import annotations

import html
import re
import shutil
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from httpx import Response
from starlette.testclient import TestClient

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine
from suggest_api.access import service as access
from suggest_api.access.model import CURATOR_ROLES, Role
from suggest_api.main import create_app
from suggest_api.storage import unit_of_work
from tests.api.conftest import contents, publish_revision
from tests.conftest import NOW
from tests.doubles.desk import Parts, build
from tests.starter_policy import starter_policy
from tests.tiny_encoder import install

PASSWORD = "a long pass phrase"
PEOPLE: dict[str, Collection[Role]] = {
    "ana": [Role.AGENT],
    "ben": [Role.AGENT],
    "cora": CURATOR_ROLES,
    "ruth": [Role.ADMIN],
    "maya": [Role.AUTHOR],
    "lena": [Role.APPROVER],
    "tomas": [Role.APPROVER],
    "petra": [Role.PUBLISHER],
    "udo": [Role.AUDITOR],
}
TEAMS = {"lena": ["legal"], "tomas": ["communications"]}
QUESTION = "what time does the shop close"
ANSWER = "Most shops open from 9 to 6. Each shop's hours are in the store finder."
OURS = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


@dataclass
class Browser:
    """One person's browser: keeps cookies, sends what browsers send, finds its way by what pages show."""

    client: TestClient
    name: str = ""
    csrf: str = field(default="", repr=False)

    def get(self, path: str, **headers: str) -> Response:
        return self.client.get(path, headers={"Accept": "text/html", **headers})

    def part(self, path: str) -> Response:
        """What htmx asks for: a part of a page."""
        return self.get(
            path, **{"HX-Request": "true", "HX-Current-URL": "http://testserver/console"}
        )

    def post(self, path: str, *, htmx: bool = False, **fields: Any) -> Response:
        """A form of one of our own pages."""
        extra = {"HX-Request": "true"} if htmx else {}
        body = {"csrf": self.csrf, **fields}
        return self.client.post(path, data=body, headers={**OURS, **extra})

    def sign_in(
        self, name: str, password: str = PASSWORD, *, next: str = "", inbox: bool = True
    ) -> Response:
        body = {"name": name, "password": password, "next": next}
        answer = self.client.post("/console/sign-in", data=body, headers=OURS)
        if answer.status_code == 303 and inbox:
            self.name = name
            # a page that everybody may read who has a role
            self.csrf = csrf_in(self.get("/console/policy"))
        return answer


@dataclass
class Office:
    """The application with its parts, and as many browsers as a test wants."""

    parts: Parts
    app: FastAPI
    browsers: list[TestClient]

    def browser(self) -> Browser:
        client = TestClient(self.app, follow_redirects=False, raise_server_exceptions=False)
        self.browsers.append(client)
        return Browser(client)

    def signed_in(self, name: str) -> Browser:
        browser = self.browser()
        assert browser.sign_in(name).status_code == 303
        return browser

    def customer(
        self, text: str = QUESTION, *, peer: str = "peer-7", name: str = "Ana Lima"
    ) -> str:
        """A customer writes, and the conversation waits for a person; gives its address."""
        sender = {"id": peer, "name": name, "locale": "en"}
        self.parts.write(text, peer=peer, **{"from": sender})
        self.parts.drain()
        return f"/console/conversations/{self.parts.conversation(peer).id}"

    def version(self, peer: str = "peer-7") -> int:
        return self.parts.conversation(peer).version


@pytest.fixture(scope="session")
def console_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with people, approved snippets and a generation; each test gets a copy."""
    folder = tmp_path_factory.mktemp("console") / "home"
    home = Home.at(folder)
    engine = open_engine(home.database_url)
    migrate.upgrade(engine)
    policy = starter_policy()
    texts: list[str] = []
    for content in contents():
        publish_revision(engine, content, policy=policy)
        texts += [content.title, content.text, *content.examples]
    publish.build(home, engine, now=NOW, encoder=install(home, texts))
    with unit_of_work.write(engine) as session:
        for name, roles in PEOPLE.items():
            teams = TEAMS.get(name, ())
            access.create_user(session, name, roles=roles, teams=teams, password=PASSWORD, now=NOW)
    engine.dispose()
    return folder


MakeOffice = Callable[..., Office]


@pytest.fixture
def make_office(console_template: Path, tmp_path: Path) -> Iterator[MakeOffice]:
    """Open an office with other settings than usual."""
    opened: list[Office] = []

    def make(**settings: Any) -> Office:
        folder = tmp_path / f"home-{len(opened)}"
        shutil.copytree(console_template, folder)
        engine = open_engine(Home.at(folder).database_url)
        parts = build(engine, folder, **settings)
        office = Office(parts, create_app(parts.desk.settings, desk=parts.desk), [])
        opened.append(office)
        return office

    yield make
    for office in opened:
        for client in office.browsers:
            client.close()
        office.parts.engine.dispose()


@pytest.fixture
def office(make_office: MakeOffice) -> Office:
    return make_office()


@pytest.fixture
def ana(office: Office) -> Browser:
    return office.signed_in("ana")


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application on a real port, for what needs a real connection; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
    assert not thread.is_alive()


def csrf_in(answer: Response) -> str:
    """The token in the first form of a page."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text)
    assert found, answer.text
    return found[1]


def drafts_in(answer: Response) -> list[tuple[str, str]]:
    """(draft id, text) of the draft cards."""
    cards = re.findall(
        r'data-draft="([0-9a-f]+)".*?data-text[^>]*>(.*?)</span>', answer.text, re.S
    )
    return [(number, html.unescape(text)) for number, text in cards]


def said(answer: Response) -> str:
    """The page as text: without tags, entities resolved, blanks collapsed."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())
