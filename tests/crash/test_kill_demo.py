"""A short crash test on the real parts; the long one is `python -m tests.benchmarks.kills --kills 50`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from suggest_api.settings import load_settings
from tests.crash import home, ordeal, verdict

KILLS = 4  # each costs some seconds, and the start of the parts half a minute
SEED = 20260302


@pytest.mark.rasa
@pytest.mark.timeout(900)  # seconds; three starts of the assistant on a busy machine
def test_killing_parts_loses_and_doubles_nothing(tmp_path: Path) -> None:
    source = load_settings(serving=False)
    reason = home.missing(source)
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    settings = home.own_settings(home.copy_home(source.place.root, tmp_path / "home"))
    ledger = ordeal.play(
        settings, kills=KILLS, seed_number=SEED, logs=tmp_path / "logs", tell=lambda _: None
    )
    found = verdict.judge(
        ledger,
        database_url=settings.place.database_url,
        network=settings.place.root / "network" / "network.db",
    )
    assert found.problems == []
    assert sum(ledger.kills.values()) == KILLS
    assert found.messages >= ordeal.PLAYERS
    assert found.conversations >= ordeal.PLAYERS
