"""Measures how long it takes to verify the audit chain and to sign its end.

    python -m tests.benchmarks.audit [--entries 100000] [--json]

The chain is made in a temporary SQLite file, or in the database of --database-url, which has to be empty. Its
entries are of the size that replies have. A checkpoint of what is new is measured after 1,000 more entries.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime

from rich.console import Console
from sqlalchemy import Engine

from knowledge_base.cli.output import progress_bar
from knowledge_base.store import audit, checkpoints, migrate, signing
from knowledge_base.store.engine import open_engine, read_session, write_session

AT_ONCE = 10_000  # entries made in one transaction
MORE = 1_000
# As large as that of a reply that is queued.
DETAIL = dict.fromkeys(("draft", "text", "policy", "outbox"), "0123456789abcdef" * 4)


def main() -> int:
    """0 when the chain verifies, 1 when it does not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--database-url")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(options.database_url or f"sqlite:///{folder}/audit.db")
        migrate.upgrade(engine)
        figures = measure(engine, options.entries)
        engine.dispose()
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        Console(highlight=False).print(
            f"{figures['entries']:,} entries on {figures['database']}: verified in {figures['verify_s']} s"
            f" ({figures['entries_per_s']:,} a second); first checkpoint {figures['sign_all_s']} s,"
            f" one after {MORE:,} more entries {figures['sign_more_ms']} ms"
        )
    return 0 if figures["intact"] else 1


def measure(engine: Engine, entries: int) -> dict[str, object]:
    """Seconds of wall-clock time, one run each."""
    key = signing.new_key()
    with progress_bar(quiet=False) as progress:
        for done in range(0, entries, AT_ONCE):
            progress("Making entries", done, entries)
            _grow(engine, min(AT_ONCE, entries - done))
        began = time.perf_counter()
        with read_session(engine) as session:
            report = audit.verify(session, progress=progress)
        verified = time.perf_counter() - began
    began = time.perf_counter()
    checkpoints.make(engine, key, now=datetime.now(UTC))
    signed_all = time.perf_counter() - began
    _grow(engine, MORE)
    began = time.perf_counter()
    checkpoints.make(engine, key, now=datetime.now(UTC))
    signed_more = time.perf_counter() - began
    return {
        "entries": report.length,
        "database": engine.dialect.name,
        "intact": report.intact,
        "verify_s": round(verified, 2),
        "entries_per_s": round(report.length / verified),
        "sign_all_s": round(signed_all, 2),
        "sign_more_ms": round(signed_more * 1000, 1),
    }


def _grow(engine: Engine, number: int) -> None:
    entry = audit.Entry(
        actor="Ana", action="reply.queue", subject="conversation:" + "0" * 32, detail=DETAIL
    )
    with write_session(engine) as session:
        audit.append_all(session, [entry] * number, now=datetime.now(UTC))


if __name__ == "__main__":
    sys.exit(main())
