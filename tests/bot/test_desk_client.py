"""The client of the desk against a real HTTP server: every answer it may get, and silence."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

import desk_double
import pytest
from conftest import free_port
from desk_double import KEY, DeskDouble, example

from bot.actions.desk_client import (
    Abstained,
    DeskClient,
    DeskError,
    DeskFailed,
    DeskNotConfigured,
    DeskRefused,
    DeskUnreachable,
    Proposal,
    Question,
)
from bot.settings import read_settings

QUESTION = Question(
    text="does the secret-canary coat run small",
    conversation_id="cnv_1",
    channel="generic",
    facts={},
)


@pytest.fixture
def desk() -> Iterator[DeskDouble]:
    double = DeskDouble()
    double.start()
    yield double
    double.stop()


def ask(url: str, *, key: str = KEY, timeout: float = 3.0) -> Proposal | Abstained:
    return asyncio.run(DeskClient(url=url, key=key, timeout=timeout).ask(QUESTION))


def test_a_proposal(desk: DeskDouble) -> None:
    assert ask(desk.url) == Proposal(
        draft_id=example("suggestions_response")["suggestions"][0]["draft_id"]
    )
    assert desk.asked[0]["body"]["use"] == "assistant"
    assert desk.asked[0]["body"]["limit"] == 1


def test_an_abstention(desk: DeskDouble) -> None:
    desk.mode = desk_double.ABSTAIN
    assert ask(desk.url) == Abstained(reason=example("suggestions_response_abstained")["reason"])


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        (desk_double.REFUSE, DeskRefused),
        (desk_double.BREAK, DeskFailed),
        (desk_double.REDIRECT, DeskFailed),
        (desk_double.BABBLE, DeskFailed),
        (desk_double.FLOOD, DeskFailed),
        (desk_double.MALFORMED, DeskFailed),
    ],
)
def test_an_unusable_answer(desk: DeskDouble, mode: str, error: type[DeskError]) -> None:
    desk.mode = mode
    with pytest.raises(error):
        ask(desk.url)
    assert len(desk.asked) == 1  # neither repeated nor followed elsewhere


def test_silence_is_given_up_and_not_repeated(desk: DeskDouble) -> None:
    desk.mode = desk_double.HANG
    started = time.monotonic()
    with pytest.raises(DeskUnreachable):
        ask(desk.url, timeout=0.5)
    assert time.monotonic() - started < desk_double.HANG_SECONDS / 2
    assert len(desk.asked) == 1


def test_no_connection_is_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    send = DeskClient._send

    async def counted(self: DeskClient, *arguments: object) -> tuple[int, bytes]:
        tried.append(arguments)
        return await send(self, *arguments)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(DeskClient, "_send", counted)
    with pytest.raises(DeskUnreachable):
        ask(f"http://127.0.0.1:{free_port()}")
    assert len(tried) == 2


def test_without_a_key_nothing_is_asked(desk: DeskDouble) -> None:
    with pytest.raises(DeskNotConfigured, match="FIRSTLINE_DESK_KEY"):
        ask(desk.url, key="")
    assert desk.asked == []


def test_errors_and_logs_never_quote_the_customer(
    desk: DeskDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for mode in (desk_double.REFUSE, desk_double.BREAK, desk_double.BABBLE):
        desk.mode = mode
        with pytest.raises(DeskError) as caught:
            ask(desk.url)
        assert "secret-canary" not in str(caught.value)
    assert "secret-canary" not in caplog.text
    assert KEY not in caplog.text


def test_the_client_takes_its_settings(desk: DeskDouble) -> None:
    settings = read_settings({"FIRSTLINE_URL": desk.url + "/", "FIRSTLINE_DESK_KEY": KEY})
    answer = asyncio.run(DeskClient.from_settings(settings).ask(QUESTION))
    assert isinstance(answer, Proposal)
    assert desk.asked[0]["path"] == "/v1/suggestions"
