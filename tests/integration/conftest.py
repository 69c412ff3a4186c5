"""A real generation that several files read: a shop of eleven snippets behind the real encoder."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.home import Home
from knowledge_base.index.encoder import load_current_encoder
from tests.fixtures_generation import build, exported_home
from tests.fixtures_generation import larger_shop as revisions


@pytest.fixture(scope="session")
def larger_shop(tmp_path_factory: pytest.TempPathFactory, encoders: Path) -> Home:
    """The home of its generation, to read only."""
    home = exported_home(tmp_path_factory.mktemp("larger-shop") / "home", encoders)
    build(home, revisions(), load_current_encoder(home))
    return home
