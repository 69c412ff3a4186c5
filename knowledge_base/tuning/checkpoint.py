"""Where a tuning run stands, on disk: written whole or not at all, read back only by the very same run."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from knowledge_base.index.sealed import canonical

STATE = "state.pt"


class Checkpoint:
    """The folder of one run under FIRSTLINE_HOME/tuning, named by everything that decides its result."""

    def __init__(self, parent: Path, identity: Mapping[str, Any]) -> None:
        self._identity = hashlib.sha256(canonical(dict(identity))).hexdigest()
        self.folder = parent / self._identity[:32]

    def read(self) -> dict[str, Any] | None:
        """The last state saved; None where there is none, or it cannot be read (the run starts again)."""
        try:
            # weights_only: numbers and plain containers, never code.
            state: dict[str, Any] = torch.load(self.folder / STATE, weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, TypeError):
            return None
        except Exception as error:  # pickle's own errors have no common root but Exception
            if type(error).__module__ not in ("_pickle", "pickle", "zipfile"):
                raise
            return None
        if not isinstance(state, dict) or state.get("identity") != self._identity:
            return None
        return state

    def write(self, state: Mapping[str, Any]) -> None:
        """Save a state in one rename; a kill leaves the former one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{STATE}"
        with temporary.open("wb") as stream:
            torch.save({**state, "identity": self._identity}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.folder / STATE)

    def remove(self) -> None:
        """The run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)
