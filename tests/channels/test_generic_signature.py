"""Signatures of the generic network: the published package and ours agree, and every flaw is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from suggest_api.channels.generic.verify import decode_secret, delivery_id, sign, verify
from suggest_api.errors import MalformedEvent, SignatureWrong
from suggest_api.settings import Account

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
OLD = "whsec_" + base64.b64encode(b"the secret before the rotation").decode()
NEW = "whsec_" + base64.b64encode(b"the secret after the rotation!").decode()
OTHER = "whsec_" + base64.b64encode(b"a secret of somebody else here").decode()


def account(*, secret: str = NEW, previous: str | None = None) -> Account:
    return Account(
        channel="generic",
        account="quillhaven",
        secret=SecretStr(secret),
        previous_secret=None if previous is None else SecretStr(previous),
        send_url="http://127.0.0.1:1/",
    )


def signed(
    body: bytes, *, secret: str = NEW, at: datetime = NOW, message_id: str = "msg_1"
) -> dict[str, str]:
    """Headers made without any of our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp = str(int(at.timestamp()))
    mac = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


def test_the_published_vector() -> None:
    """From the test suites of standard-webhooks/standard-webhooks (libraries/*/test*)."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(1614265330, UTC)
    body = '{"test": 2432232314}'
    headers = sign(
        body, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", account=account(secret=secret), now=at
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    verify(headers, body.encode(), account=account(secret=secret), now=at)


@given(
    body=st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    offset=st.integers(-300, 300),
)
def test_what_the_package_signs_we_take(body: str, offset: int) -> None:
    at = NOW + timedelta(seconds=offset)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(NEW).sign("msg_1", at, body),
    }
    verify(headers, body.encode(), account=account(), now=NOW)


def test_what_we_sign_the_package_takes() -> None:
    at = datetime.now(UTC)
    headers = sign('{"text":"grüße 👋"}', message_id="m", account=account(), now=at)
    assert Webhook(NEW).verify('{"text":"grüße 👋"}', headers) == {"text": "grüße 👋"}


@pytest.mark.parametrize("body", [b"\xff\xfe not utf-8", b"", b"\x00\x00", "🙂".encode("utf-16")])
def test_any_bytes_can_be_signed(body: bytes) -> None:
    verify(signed(body), body, account=account(), now=NOW)


def test_both_secrets_fit_during_a_rotation_and_no_third_one() -> None:
    rotating = account(previous=OLD)
    for secret in (OLD, NEW):
        verify(signed(b"{}", secret=secret), b"{}", account=rotating, now=NOW)
    with pytest.raises(SignatureWrong):
        verify(signed(b"{}", secret=OTHER), b"{}", account=rotating, now=NOW)
    with pytest.raises(SignatureWrong):
        verify(signed(b"{}", secret=OLD), b"{}", account=account(), now=NOW)


def test_one_good_signature_among_several_is_enough() -> None:
    headers = signed(b"{}")
    good = headers["webhook-signature"]
    headers["webhook-signature"] = f"v1a,AAAA v1,not-base64! v1,AAAA {good}"
    verify(headers, b"{}", account=account(), now=NOW)


@pytest.mark.parametrize("seconds", [-301, 301, -86400])
def test_an_old_or_early_event_is_refused(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    with pytest.raises(SignatureWrong, match="clock"):
        verify(signed(b"{}", at=at), b"{}", account=account(), now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v2," + "A" * 44},
        {"webhook-id": ""},
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "NaN"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "-5"},
    ],
)
def test_a_missing_or_changed_header_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(SignatureWrong):
        verify({**signed(b"{}"), **change}, b"{}", account=account(), now=NOW)


@given(position=st.integers(0, 19), flip=st.integers(1, 255))
def test_one_changed_byte_is_refused(position: int, flip: int) -> None:
    body = bytearray(b'{"test": 2432232314}')
    headers = signed(bytes(body))
    body[position] ^= flip
    with pytest.raises(SignatureWrong):
        verify(headers, bytes(body), account=account(), now=NOW)


@pytest.mark.parametrize("bad", ["", "a b", "x" * 256, "tab\t", "ünï", "line\n"])
def test_an_id_that_cannot_be_kept_is_refused(bad: str) -> None:
    with pytest.raises(MalformedEvent):
        delivery_id({"webhook-id": bad})


def test_an_id_is_kept_as_it_is() -> None:
    assert delivery_id({"webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"}).startswith("msg_2KW")


def test_a_secret_may_come_without_prefix_and_padding() -> None:
    assert decode_secret(SecretStr(NEW)) == decode_secret(
        SecretStr(NEW.removeprefix("whsec_").rstrip("="))
    )
    with pytest.raises(ValueError, match="empty"):
        decode_secret(SecretStr("whsec_"))
