"""The breaker: closed, open after three failures in a row, one probe after a while; and the client behind it."""

from __future__ import annotations

import pytest

from suggest_api.bot_client import BotClient
from suggest_api.bot_client.breaker import FAILURES, OPEN_SECONDS, WINDOW_SECONDS, Breaker
from suggest_api.bot_client.model import BotReply, HandOverReason, NoAnswer
from tests.doubles.rasa import running_rasa


class Ticks:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def breaker(ticks: Ticks) -> Breaker:
    return Breaker(ticks=ticks)


def trip(breaker: Breaker, ticks: Ticks, *, every: float = 5.0) -> list[bool]:
    told = []
    for _ in range(FAILURES):
        assert breaker.allows()
        ticks.now += every
        told.append(breaker.failed())
    return told


def test_three_failures_in_a_row_open_it(breaker: Breaker, ticks: Ticks) -> None:
    assert trip(breaker, ticks) == [False, False, True]
    assert not breaker.allows()
    ticks.now += OPEN_SECONDS - 0.01
    assert not breaker.allows()


def test_an_answer_between_them_starts_the_count_again(breaker: Breaker) -> None:
    for _ in range(5):
        assert [breaker.failed() for _ in range(FAILURES - 1)] == [False] * (FAILURES - 1)
        breaker.succeeded()
    assert breaker.allows()


def test_failures_far_apart_do_not_open_it(breaker: Breaker, ticks: Ticks) -> None:
    for _ in range(3):
        assert trip(breaker, ticks, every=WINDOW_SECONDS / 2 + 1) == [False] * FAILURES
    assert breaker.allows()


def test_one_probe_goes_through_and_its_answer_closes_it(breaker: Breaker, ticks: Ticks) -> None:
    trip(breaker, ticks)
    ticks.now += OPEN_SECONDS
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True, True, True]
    assert not breaker.failed(), "the count starts anew"


def test_a_probe_that_fails_opens_it_again(breaker: Breaker, ticks: Ticks) -> None:
    trip(breaker, ticks)
    for _ in range(3):
        ticks.now += OPEN_SECONDS
        assert breaker.allows()
        ticks.now += 5
        assert breaker.failed()
        assert not breaker.allows()


def test_a_probe_that_never_tells_its_outcome_is_followed_by_another(
    breaker: Breaker, ticks: Ticks
) -> None:
    trip(breaker, ticks)
    ticks.now += OPEN_SECONDS
    assert breaker.allows()
    assert not breaker.allows()
    ticks.now += OPEN_SECONDS
    assert breaker.allows()


def test_late_failures_do_not_prolong_the_pause(breaker: Breaker, ticks: Ticks) -> None:
    trip(breaker, ticks)
    ticks.now += OPEN_SECONDS / 2
    assert not breaker.failed()
    ticks.now += OPEN_SECONDS / 2
    assert breaker.allows()


def ask(client: BotClient) -> BotReply | NoAnswer:
    return client.turn(
        "hello", session_id="a" * 32, conversation_id="b" * 32, channel="generic", locale="en"
    )


def test_a_hanging_assistant_is_not_asked_for_every_customer(
    breaker: Breaker, ticks: Ticks
) -> None:
    with running_rasa() as rasa:
        client = BotClient(rasa.url, deadline=0.1, breaker=breaker)
        rasa.delay = 0.5
        reasons = []
        for _ in range(FAILURES + 4):
            found = ask(client)
            assert isinstance(found, NoAnswer)
            reasons.append(found.reason)
        assert reasons == [HandOverReason.BOT_SLOW] * FAILURES + [HandOverReason.BOT_FAILED] * 4
        assert len(rasa.turns) <= FAILURES
        rasa.delay = 0.0
        ticks.now += OPEN_SECONDS
        # A generous deadline: what is shown is that it is asked again, not how quick this machine is.
        patient = BotClient(rasa.url, breaker=breaker)
        assert isinstance(ask(patient), BotReply)
        assert isinstance(ask(patient), BotReply)


@pytest.mark.parametrize("raw", [b"[]", b"not json", b'[{"text":"free text"}]'])
def test_an_answer_that_cannot_be_used_is_no_outage(breaker: Breaker, raw: bytes) -> None:
    """One customer's odd message must not take the assistant away from all the others."""
    with running_rasa() as rasa:
        rasa.raw = raw
        client = BotClient(rasa.url, breaker=breaker)
        for _ in range(FAILURES + 2):
            assert isinstance(ask(client), NoAnswer)
        assert len(rasa.turns) == FAILURES + 2


def test_an_assistant_that_is_not_there_opens_it_too(breaker: Breaker) -> None:
    client = BotClient("http://127.0.0.1:1", breaker=breaker)
    details = [
        answer.detail for _ in range(FAILURES + 1) if isinstance(answer := ask(client), NoAnswer)
    ]
    assert details[:FAILURES] == ["ConnectError"] * FAILURES
    assert "not asked" in details[FAILURES]
