"""A desk for each database, a network that takes its sends, and a Rasa that answers it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.doubles.desk import Parts, approve_assistant, build
from tests.doubles.network import Network, running_network
from tests.doubles.rasa import Rasa, running_rasa
from tests.prepared import Filling

WITH_ASSISTANT = Filling(
    "assistant", lambda engine, folder: approve_assistant(build(engine, folder))
)


@pytest.fixture
def filling() -> Filling:
    """Two people, and what the assistant may say, approved."""
    return WITH_ASSISTANT


@pytest.fixture
def network() -> Iterator[Network]:
    with running_network(check_time=False) as running:
        yield running


@pytest.fixture
def rasa() -> Iterator[Rasa]:
    with running_rasa() as running:
        yield running


@pytest.fixture
def parts(engine: Engine, network: Network, rasa: Rasa, tmp_path: Path) -> Parts:
    return build(engine, tmp_path, send_url=network.url, bot_url=rasa.url)
