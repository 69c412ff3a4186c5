"""Signatures of the generic network: checks those that come in, makes those that go out.

Standard Webhooks 1.0.0, github.com/standard-webhooks/standard-webhooks: `webhook-signature` is a list,
separated by spaces, of `v1,<base64 of HMAC-SHA256(key, "id.timestamp.body")>`. The package's own
`Webhook.verify` decodes the body and reads the wall clock, so it cannot take a body that is not UTF-8 nor
our clock; its HMAC is used here over the raw bytes instead, and a test holds both to the same verdicts.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, hmac_data

from suggest_api.errors import MalformedEvent, SignatureWrong
from suggest_api.settings import Account

TOLERANCE = timedelta(minutes=5)  # the specification's reference libraries use five minutes
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every secret, not a secret
# What we accept as an id: printable ASCII without a space, at most what the column holds.
DELIVERY_ID = re.compile(r"[!-~]{1,255}")
TIMESTAMP = re.compile(r"[0-9]{1,12}")  # whole seconds; 12 digits reach beyond the year 9999
MAX_SIGNATURES = 10  # a sender rotates between two keys; more is somebody trying


def verify(headers: Mapping[str, str], body: bytes, *, account: Account, now: datetime) -> None:
    """Raise SignatureWrong unless one `v1` signature fits the current or the previous secret.

    The comparison takes constant time; the timestamp may differ from `now` by `TOLERANCE`.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not TIMESTAMP.fullmatch(timestamp):
        msg = "the headers webhook-id and webhook-timestamp (whole seconds) are needed"
        raise SignatureWrong(msg)
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        msg = f"webhook-timestamp differs from our clock by more than {TOLERANCE}"
        raise SignatureWrong(msg)
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
    given = tuple(_signatures(headers.get("webhook-signature", "")))
    fits = False
    for key in _keys(account):
        expected = hmac_data(key, signed)
        for signature in given:
            # No early exit: how long it takes must not tell which of them fitted.
            fits |= hmac.compare_digest(expected, signature)
    if not fits:
        msg = "no signature in webhook-signature fits this account's secret"
        raise SignatureWrong(msg)


def delivery_id(headers: Mapping[str, str]) -> str:
    """The `webhook-id`; raises MalformedEvent if it cannot be kept."""
    message_id = headers.get("webhook-id", "")
    if not DELIVERY_ID.fullmatch(message_id):
        msg = "webhook-id must be 1 to 255 printable ASCII characters without spaces"
        raise MalformedEvent(msg)
    return message_id


def sign(body: str, *, message_id: str, account: Account, now: datetime) -> dict[str, str]:
    """The three headers that sign `body` with the current secret."""
    webhook = Webhook(account.secret.get_secret_value())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign(
            msg_id=message_id, timestamp=now.astimezone(UTC), data=body
        ),
    }


def decode_secret(secret: SecretStr) -> bytes:
    """The key's bytes: base64 after the prefix `whsec_`; raises ValueError."""
    text = secret.get_secret_value().removeprefix(SECRET_PREFIX)
    key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if not key:
        msg = "a webhook secret must not be empty"
        raise ValueError(msg)
    return key


def _keys(account: Account) -> Iterator[bytes]:
    yield decode_secret(account.secret)
    if account.previous_secret is not None:
        yield decode_secret(account.previous_secret)


def _signatures(header: str) -> Iterator[bytes]:
    for entry in header.split(" ")[:MAX_SIGNATURES]:
        version, _, encoded = entry.partition(",")
        if version != "v1":
            continue  # v1a is the asymmetric scheme, which this network does not use
        try:
            yield base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            continue
