"""The live stream, over a real connection: says that something changed, never what, and ends with the session."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue

import httpx
import pytest

from suggest_api import flow
from suggest_api.access import service as access
from suggest_api.storage import unit_of_work
from tests.console.conftest import ANSWER, Browser, Office, served

PATIENCE = 15.0  # seconds; two shared cores may be busy with something else
QUIET = 1.2  # seconds in which nothing may come: more than two looks at the database


class Stream:
    """The lines of one event stream, read beside the test."""

    def __init__(self, lines: Queue[str | None]) -> None:
        self._lines = lines
        self.seen: list[str] = []

    def names(self, *, until: str) -> list[str]:
        """The names of events up to this one."""
        names: list[str] = []
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            line = self._next(end - time.monotonic())
            if line is None:
                break
            if line.startswith("event: "):
                names.append(line.removeprefix("event: "))
                if names[-1] == until:
                    return names
        pytest.fail(f"no {until} within {PATIENCE:.0f} s, but {names}")

    def rest(self) -> list[str]:
        """The names of events up to the first silence."""
        lines = iter(lambda: self._next(QUIET), None)
        return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]

    def nothing_more(self) -> bool:
        return not self.rest()

    def ended(self) -> bool:
        return self._lines.get(timeout=PATIENCE) is None

    def _next(self, seconds: float) -> str | None:
        try:
            line = self._lines.get(timeout=max(seconds, 0))
        except Empty:
            return None
        if line is not None:
            self.seen.append(line)
        return line


@contextmanager
def listening(address: str, browser: Browser, query: str = "") -> Iterator[Stream]:
    lines: Queue[str | None] = Queue()
    cookies = {"firstline": browser.client.cookies["firstline"]}
    headers = {"Accept": "text/event-stream"}
    with httpx.stream(
        "GET",
        f"{address}/console/events{query}",
        cookies=cookies,
        headers=headers,
        timeout=PATIENCE,
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"

        def read() -> None:
            try:
                for line in answer.iter_lines():
                    lines.put(line)
            except httpx.HTTPError:
                pass
            lines.put(None)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        stream = Stream(lines)
        assert stream._next(PATIENCE) == "retry: 2000"
        yield stream
        answer.close()


def test_a_new_message_is_told_to_inbox_and_conversation_without_its_words(
    office: Office, ana: Browser
) -> None:
    page = office.customer("the first secret words", name="Zorana Quill")
    query = f"?conversation={page.rsplit('/', 1)[1]}"
    with served(office.app) as address, listening(address, ana, query) as stream:
        assert stream.nothing_more()

        office.customer("the next secret words", name="Zorana Quill")

        assert stream.names(until="conversation") == ["inbox", "conversation"]
        everything = "\n".join(stream.seen)
        for word in ("secret", "Zorana", "Quill", "peer-7"):
            assert word not in everything
        assert {line for line in stream.seen if line.startswith("data:")} == {"data: changed"}


def test_a_reply_and_its_delivery_are_told(office: Office, ana: Browser) -> None:
    page = office.customer()
    query = f"?conversation={page.rsplit('/', 1)[1]}"
    with served(office.app) as address, listening(address, ana, query) as stream:
        ana.post(f"{page}/reply", text=ANSWER, version=office.version())
        assert "conversation" in stream.names(until="conversation")

        with office.parts.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE outbox SET state = 'dead', failure = 'no route'")
        assert stream.names(until="delivery") == ["conversation", "delivery"]


def test_another_conversation_is_told_to_the_inbox_only(office: Office, ana: Browser) -> None:
    page = office.customer()
    query = f"?conversation={page.rsplit('/', 1)[1]}"
    with served(office.app) as address, listening(address, ana, query) as stream:
        office.customer(peer="p2")

        # The message and the hand-over are two changes: a look that falls between tells of each.
        assert stream.names(until="inbox") == ["inbox"]
        assert set(stream.rest()) <= {"inbox"}


def test_a_revoked_session_hears_that_it_is_over_and_nothing_more(
    office: Office, ana: Browser
) -> None:
    with served(office.app) as address, listening(address, ana) as stream:
        with unit_of_work.write(office.parts.engine) as session:
            access.revoke_all(session, "ana", by="ruth", now=office.parts.clock())

        assert stream.names(until="signed-out") == ["signed-out"]
        assert stream._next(PATIENCE) in {"data: changed"}
        assert stream._next(PATIENCE) in {"", None}
        assert stream.ended()


def test_an_idle_session_is_not_kept_alive_by_listening(office: Office, ana: Browser) -> None:
    with served(office.app) as address, listening(address, ana) as stream:
        office.parts.clock.forward(2 * 3600)

        assert stream.names(until="signed-out") == ["signed-out"]


@pytest.mark.parametrize("query", ["?conversation=x", "?conversation=%27%20OR%201=1"])
def test_an_id_that_is_none_is_refused(ana: Browser, query: str) -> None:
    assert ana.get(f"/console/events{query}").status_code == 422


def test_a_recall_and_a_freeze_are_told_to_whoever_shows_drafts(
    office: Office, ana: Browser
) -> None:
    page = office.customer()
    desk, query = office.parts.desk, f"?conversation={page.rsplit('/', 1)[1]}"
    now = office.parts.clock()
    shown = ana.part(f"{page}/drafts").text
    found = re.search(r'data-draft="([0-9a-f]{32})"[^>]*title="stores.hours', shown)
    assert found
    with served(office.app) as address, listening(address, ana, query) as stream:
        with unit_of_work.write(desk.engine) as session:
            told = flow.freeze(
                desk, session, drill=True, team="press", by="ruth", reason="Try.", now=now
            )
        assert stream.names(until="frozen") == ["drafts", "frozen"]
        with unit_of_work.write(desk.engine) as session:
            flow.thaw(desk, session, told.freeze.id, by="ruth", reason="Done.", now=now)
        assert stream.names(until="frozen") == ["drafts", "frozen"]
        with unit_of_work.write(desk.engine) as session:
            flow.recall(desk, session, "stores.hours", by="ruth", reason="Wrong times.", now=now)
        assert stream.names(until="drafts") == ["drafts"]
    assert "stores.hours" not in ana.part(f"{page}/drafts").text
    verdict = ana.post(f"{page}/check", htmx=True, text=ANSWER, draft_id=found[1])
    assert "was recalled by ruth" in verdict.text
    assert "Wrong times." in verdict.text
    refused = ana.post(f"{page}/reply", text=ANSWER, draft_id=found[1], version=office.version())
    assert refused.status_code == 422
    with unit_of_work.write(desk.engine) as session:
        flow.freeze(desk, session, team="press", by="ruth", reason="A flood.", now=now)
    told = ana.part(f"{page}/drafts").text
    assert "Everything is frozen by ruth: A flood. Leave it to press." in told
    assert "for <bdi>press</bdi>" in ana.get("/console?team=press").text
    assert page not in ana.get("/console?team=nobody").text
