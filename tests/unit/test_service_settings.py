"""Settings are refused at start with the name of the variable and how to mend it."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import pytest

from knowledge_base.errors import ConfigurationError
from suggest_api.settings import load_settings

GOOD = "7f3c9a1be04d5286c9f7a35d18be42607f3c9a1be04d5286"
SIGNING = "whsec_CANARY" + "QUJD" * 8
ACCOUNT = {
    "channel": "generic",
    "account": "quillhaven",
    "secret": SIGNING,
    "send_url": "http://127.0.0.1:8700/send",
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("FIRSTLINE_"):
            monkeypatch.delenv(name)


def refused(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    for name, value in values.items():
        monkeypatch.setenv(f"FIRSTLINE_{name}", value)
    with pytest.raises(ConfigurationError) as error:
        load_settings()
    assert "CANARY" not in str(error.value)
    return str(error.value)


class TestSecret:
    def test_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert refused(monkeypatch).startswith("FIRSTLINE_SECRET is not set: ")

    def test_not_needed_for_a_question(self) -> None:
        assert load_settings(serving=False).secret is None

    @pytest.mark.parametrize(
        "weak",
        ["Xy7!", "a" * 64, "0123456789abcdef" * 4, "correcthorse" * 4, "changeme-" + GOOD,
         "my very long secret of many letters", "abab" * 16, GOOD[:31]],
    )  # fmt: skip
    def test_weak(self, monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
        told = refused(monkeypatch, SECRET=weak)
        assert told.startswith("FIRSTLINE_SECRET: ")
        assert "openssl rand -hex 32" in told
        assert weak not in told

    def test_random_ones_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(200):
            monkeypatch.setenv("FIRSTLINE_SECRET", secrets.token_hex(32))
            assert load_settings().secret is not None

    def test_the_demo_makes_one_up_and_takes_a_weak_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIRSTLINE_DEMO", "1")
        first, second = load_settings().secret, load_settings().secret
        assert first is not None
        assert first != second
        monkeypatch.setenv("FIRSTLINE_SECRET", "demo")
        assert load_settings().secret is not None

    def test_it_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRSTLINE_SECRET", GOOD)
        assert GOOD not in repr(load_settings())


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PORT", "70000", "FIRSTLINE_PORT: "),
        ("PORT", "http", "FIRSTLINE_PORT: "),
        ("BOT_URL", "127.0.0.1:5005", "FIRSTLINE_BOT_URL: must be an http"),
        ("URL", "javascript:alert(1)", "FIRSTLINE_URL: must be an http"),
        ("MAX_BODY_BYTES", "10", "FIRSTLINE_MAX_BODY_BYTES: "),
        ("LOG_LEVEL", "loud", "FIRSTLINE_LOG_LEVEL: "),
        ("ACCOUNTS", "[{", "FIRSTLINE_ACCOUNTS: is not valid JSON"),
        ("ACCOUNTS", json.dumps([{**ACCOUNT, "send_url": "ftp://x"}]), "FIRSTLINE_ACCOUNTS[0].send_url: "),
        ("ACCOUNTS", json.dumps([{**ACCOUNT, "channel": "X Y"}]), "FIRSTLINE_ACCOUNTS[0].channel: "),
        ("ACCOUNTS", json.dumps([ACCOUNT, ACCOUNT]), "FIRSTLINE_ACCOUNTS: two entries"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    assert told in refused(monkeypatch, **{name: value, "SECRET": GOOD})


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused(monkeypatch, PORT="0", SECRET="short", LOG_LEVEL="x")
    assert all(
        name in told for name in ("FIRSTLINE_PORT", "FIRSTLINE_SECRET", "FIRSTLINE_LOG_LEVEL")
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])  # noqa: S104 - must be refused
def test_the_demo_listens_on_this_machine_only(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert "FIRSTLINE_DEMO=1" in refused(monkeypatch, DEMO="1", HOST=host)


def test_empty_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_PORT", "")
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", "")
    settings = load_settings(serving=False)
    assert settings.port == 8600
    assert settings.place.database_url.startswith("sqlite:///")


def test_addresses_follow_host_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_PORT", "9000")
    assert load_settings(serving=False).public_url == "http://127.0.0.1:9000"
    assert load_settings(serving=False).secure_cookies is False
    monkeypatch.setenv("FIRSTLINE_URL", "https://desk.example.org/")
    settings = load_settings(serving=False)
    assert (settings.public_url, settings.secure_cookies) == ("https://desk.example.org", True)


def test_accounts_are_found_by_channel_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_ACCOUNTS", json.dumps([ACCOUNT]))
    settings = load_settings(serving=False)
    found = settings.account("generic", "quillhaven")
    assert found is not None
    assert found.secret.get_secret_value() == SIGNING
    assert settings.account("generic", "other") is None
    assert "CANARY" not in repr(settings)


@pytest.mark.parametrize("field", ["secret", "previous_secret"])
@pytest.mark.parametrize(
    ("unusable", "told"),
    [
        ("CANARY" + "QUJD" * 8, "does not start with `whsec_`"),
        ("whsec_CANARY not base64 at all, not at all", "is not base64"),
        ("whsec_CANARY_-CANARYCANARYCANARYCANARY", "is not base64"),
        ("whsec_CANARYQU" + "QUJD" * 5 + "QUI=", "is too short (23 of at least 24 bytes)"),
        ("whsec_CANARYQUQ", "is not base64"),
        ("whsec_", "is too short (0 of"),
        ("", "does not start with"),
        ("whsec_CANARYé", "is not base64"),
    ],
)
def test_a_secret_that_cannot_sign_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, field: str, unusable: str, told: str
) -> None:
    other = {**ACCOUNT, "account": "second", field: unusable}
    message = refused(monkeypatch, SECRET=GOOD, ACCOUNTS=json.dumps([ACCOUNT, other]))
    assert f"FIRSTLINE_ACCOUNTS[1].{field}: {told}" in message
    assert "openssl rand -base64 32" in message


@pytest.mark.parametrize("usable", ["whsec_" + "QUJD" * 8, "whsec_" + "QUJD" * 8 + "QQ"])
def test_a_secret_of_24_bytes_or_more_is_taken_with_and_without_padding(
    monkeypatch: pytest.MonkeyPatch, usable: str
) -> None:
    monkeypatch.setenv("FIRSTLINE_ACCOUNTS", json.dumps([{**ACCOUNT, "secret": usable}]))
    (found,) = load_settings(serving=False).accounts
    assert found.secret.get_secret_value() == usable


def test_the_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(serving=False).place.root == tmp_path / ".firstline"
