"""Runs the network double: `python -m suggest_api.demo.network_double`, configured by its environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvicorn

from .app import create_app
from .ledger import Ledger
from .postman import Destination

# An open chat page polls; without a limit its connection would hold the end up.
SHUTDOWN_SECONDS = 2


def main() -> int:
    """Serve until stopped; 2 when a setting is missing.

    Settings: FIRSTLINE_DOUBLE_SECRET (whsec_...), FIRSTLINE_URL, FIRSTLINE_DOUBLE_ACCOUNT, FIRSTLINE_DOUBLE_PORT,
    FIRSTLINE_DOUBLE_DATA (its SQLite file).
    """
    secret = os.environ.get("FIRSTLINE_DOUBLE_SECRET", "")
    if not secret:
        sys.stderr.write(
            "FIRSTLINE_DOUBLE_SECRET is not set: the secret that the service has for this account (whsec_...).\n"
        )
        return 2
    service = os.environ.get("FIRSTLINE_URL", "http://127.0.0.1:8600").rstrip("/")
    account = os.environ.get("FIRSTLINE_DOUBLE_ACCOUNT", "quillhaven")
    data = Path(os.environ.get("FIRSTLINE_DOUBLE_DATA", ".firstline/network/network.db"))
    ledger = Ledger(data)
    app = create_app(
        ledger,
        destination=Destination(url=f"{service}/webhooks/generic/{account}", secret=secret),
    )
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ.get("FIRSTLINE_DOUBLE_PORT", "8700")),
        log_level="warning",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    ledger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
