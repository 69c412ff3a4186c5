"""Logs free of customers' words, and texts that cannot be commands."""

from __future__ import annotations

import logging
import time

import pytest

from bot.components.private_rest import MAX_CHARACTERS, plain_text
from bot.quiet import TextFreeFormatter, _event_code_only
from bot.settings import SettingsError, read_settings

CANARY = "my secret is canary-4711"


def record(name: str, message: str, *arguments: object, error: BaseException | None = None) -> str:
    info = (type(error), error, None) if error else None
    entry = logging.LogRecord(name, logging.ERROR, "x/core.py", 7, message, arguments, info)
    return TextFreeFormatter().format(entry)


@pytest.mark.parametrize(
    "name", ["rasa.core.channels.rest", "sanic.root", "botany", "rasa_sdk.executor"]
)
def test_a_foreign_line_keeps_its_place_and_loses_its_words(name: str) -> None:
    line = record(name, f"failed on {CANARY}: %s", CANARY, error=ValueError(CANARY))
    assert "canary" not in line
    assert f"{name} core.py:7 ValueError" in line


def test_our_own_line_is_kept() -> None:
    assert record("bot.answering", "no answer: %s", "status 500").endswith("no answer: status 500")


def test_structured_events_keep_their_code_only() -> None:
    event = {"event": "rest.message.received.timeout", "text": CANARY}
    assert _event_code_only(None, "error", event) == {
        "msg": "",
        "extra": {"event_code": "rest.message.received.timeout"},
    }
    assert "canary" not in str(_event_code_only(None, "error", {"event": CANARY, "text": CANARY}))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("/restart", "restart"),
        (' / /x{"a": 1}', 'x{"a": 1}'),
        ("a/b", "a/b"),
        ("  hi /there ", "hi /there"),
        ("////", ""),
        ("", ""),
    ],
)
def test_a_leading_slash_is_cut_off(text: str, plain: str) -> None:
    assert plain_text(text) == plain


def test_long_texts_are_cut_in_linear_time() -> None:
    started = time.perf_counter()
    assert plain_text("/ " * 50_000) == ""
    assert len(plain_text("x" * 100_000)) == MAX_CHARACTERS
    assert time.perf_counter() - started < 1.0  # milliseconds, unless something grows faster


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIRSTLINE_BOT_PORT", "0"),
        ("FIRSTLINE_BOT_PORT", "65536"),
        ("FIRSTLINE_ACTIONS_PORT", "http"),
        ("FIRSTLINE_ACTIONS_PORT", ""),
        ("FIRSTLINE_URL", "localhost:8600"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({name: value})


def test_defaults() -> None:
    settings = read_settings({})
    assert (settings.bot_port, settings.actions_port) == (5005, 5055)
    assert settings.desk_url == "http://127.0.0.1:8600"
    assert settings.home.is_absolute()
