"""Posts the network's events to the service, signed, again and again until it answers 2xx."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from .ledger import DueEvent, Ledger

IDLE_SECONDS = 0.1  # between two looks at the ledger when nothing is due
BATCH = 20  # events per look
TIMEOUT_SECONDS = 10.0  # what the networks give a webhook; after it the event is posted again
# The body itself was refused: posting the same bytes again cannot help.
FINAL = frozenset({400, 410, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the events go, and the secret that signs them."""

    url: str
    secret: str


class Postman:
    """One thread, so that the events of a customer arrive in order unless the weather says otherwise."""

    def __init__(self, ledger: Ledger, destination: Destination) -> None:
        self._ledger = ledger
        self._url = destination.url
        self._signer = Webhook(destination.secret)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier run could not deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the event in hand and stop."""
        self._over.set()
        self._thread.join(timeout=TIMEOUT_SECONDS + 1)

    def _run(self) -> None:
        # trust_env=False: a proxy setting of the machine must not carry loopback traffic away.
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            while not self._over.is_set():
                events = self._ledger.due(now=time.time(), limit=BATCH)
                for event in events:
                    if self._over.is_set():
                        return
                    self._post(client, event)
                if not events:
                    self._over.wait(IDLE_SECONDS)

    def _post(self, client: httpx.Client, event: DueEvent) -> None:
        try:
            answer = client.post(
                self._url, content=event.body.encode(), headers=self._headers(event)
            )
            code: int | None = answer.status_code
            told = f"{answer.status_code} {answer.reason_phrase}"
        except httpx.HTTPError as failed:
            code, told = None, type(failed).__name__
        if code is not None and 200 <= code < 300:
            state = "delivered"
        else:
            state = "refused" if code in FINAL else "waiting"
        self._ledger.settle(event, answer=told, state=state, now=time.time())

    def _headers(self, event: DueEvent) -> dict[str, str]:
        """Standard Webhooks headers: the id stays, time and signature are those of this attempt."""
        at = datetime.now(UTC)
        return {
            "content-type": "application/json",
            "webhook-id": event.webhook_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(event.webhook_id, at, event.body),
        }
