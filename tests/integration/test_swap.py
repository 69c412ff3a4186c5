"""A publication reaches two serving processes under load: every request is answered, with words that are live."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.policy import load_policy
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import migrate, repository
from knowledge_base.store.engine import open_engine, write_session
from suggest_api.access.model import Scope
from suggest_api.access.service import create_key
from suggest_api.server import bind
from tests.fixtures_generation import CONTENT
from tests.tiny_encoder import install

WAIT_SECONDS = 120.0  # for two processes to start, or to swap, on a machine that is busy
ASKED = "what time does the shop close"
OLD = CONTENT["stores.hours"][1]
NEW = OLD.replace("9 to 6", "8 to 8")
# Looks at /readyz on connections of their own: two processes that share the port miss none of them by chance.
LOOKS = 30


@dataclass(frozen=True)
class Running:
    home: Home
    url: str
    key: str

    def ask(self, client: httpx.Client) -> tuple[int, float, str, Any]:
        body = {
            "channel": "generic",
            "messages": [{"author": "customer", "text": ASKED}],
            "limit": 1,
        }
        began = time.monotonic()
        answer = client.post(f"{self.url}/v1/suggestions", json=body)
        found = answer.json() if answer.status_code == httpx.codes.OK else {}
        texts = [each["text"] for each in found.get("suggestions", [])]
        return answer.status_code, began, texts[0] if texts else "", found.get("build_id")

    def client(self) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.Client(headers=headers, timeout=30, trust_env=False)

    def builds(self) -> set[str]:
        """What the processes have in service; each look is a connection of its own."""
        found = set()
        for _ in range(LOOKS):
            text = httpx.get(f"{self.url}/readyz", timeout=30, trust_env=False).text
            found |= set(re.findall(r"build ([0-9a-f]{32})", text))
        return found


def contents() -> list[SnippetContent]:
    return [
        SnippetContent(key=key, title=title, text=text, examples=examples)
        for key, (title, text, examples) in CONTENT.items()
    ]


def approve(home: Home, *all_of: SnippetContent) -> None:
    engine = open_engine(home.database_url)
    policy, now = load_policy(), datetime.now(UTC)
    with write_session(engine) as session:
        for content in all_of:
            draft = repository.add_revision(session, content, author="Ana", now=now)
            repository.submit(session, draft.id, by="Ana", now=now)
            repository.approve(session, draft.id, by="Noor", now=now, policy=policy)
    engine.dispose()


def build(home: Home) -> str:
    engine = open_engine(home.database_url)
    report = publish.build(home, engine, now=datetime.now(UTC))
    engine.dispose()
    return report.build_id


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    home = Home.at(tmp_path / "home")
    engine = open_engine(home.database_url)
    migrate.upgrade(engine)
    now = datetime.now(UTC)
    with write_session(engine) as session:
        key = create_key(session, "load", scopes={Scope.SUGGEST, Scope.METRICS}, now=now)
    engine.dispose()
    texts = [text for c in contents() for text in (c.title, c.text, *c.examples)]
    install(home, [*texts, NEW])
    approve(home, *contents())
    build(home)
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    own = {
        "FIRSTLINE_HOME": str(home.root),
        "FIRSTLINE_DATABASE_URL": home.database_url,
        "FIRSTLINE_DEMO": "1",
        "FIRSTLINE_PORT": str(port),
        "FIRSTLINE_WORKERS": "2",
        "FIRSTLINE_LOG_LEVEL": "error",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "suggest_api.cli", "serve"],
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = Running(home, f"http://127.0.0.1:{port}", key)
        until_ready(found.url)
        yield found
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def until_ready(url: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the service was not ready")


def test_a_publication_under_load_drops_nothing_and_offers_only_what_is_live(
    running: Running,
) -> None:
    hours = next(content for content in contents() if content.key == "stores.hours")
    approve(
        running.home,
        SnippetContent(key=hours.key, title=hours.title, text=NEW, examples=hours.examples),
    )
    stop = threading.Event()

    def load() -> list[tuple[int, float, str, Any]]:
        answers = []
        with running.client() as client:
            while not stop.is_set():
                answers.append(running.ask(client))
                time.sleep(0.02)
        return answers

    with ThreadPoolExecutor(max_workers=3) as pool:
        loads = [pool.submit(load) for _ in range(3)]
        try:
            time.sleep(0.5)
            began = time.monotonic()
            built = build(running.home)
            live = time.monotonic()
            end = live + WAIT_SECONDS
            while running.builds() != {built} and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(0.3)
        finally:
            stop.set()
        answers = [answer for each in loads for answer in each.result()]
    assert running.builds() == {built}  # each process ended on it
    assert {status for status, *_ in answers} == {200}
    for _, at, text, _ in answers:
        if at < began:
            assert text == OLD
        elif at >= live:  # whichever index the process still had, the words are the live ones
            assert text == NEW
        else:
            assert text in {OLD, NEW}
    assert sum(at >= live for _, at, *_ in answers)
    counted = summed(running)
    assert counted == len(answers)  # of both processes together


def summed(running: Running) -> int:
    """The requests that /metrics tells of, whichever process answers; twice, so that both are likely asked."""
    found = set()
    for _ in range(6):
        with running.client() as client:
            text = client.get(f"{running.url}/metrics").text
        row = r'firstline_http_requests_total\{[^}]*route="/v1/suggestions"[^}]*\} (\S+)'
        found.add(sum(float(value) for value in re.findall(row, text)))
    assert len(found) == 1, found
    return int(found.pop())
