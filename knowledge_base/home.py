"""Where things lie: the folders under FIRSTLINE_HOME and the address of the database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_HOME = (
    ".firstline"  # in the working directory, so that a clone keeps its data beside itself
)


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one installation; nothing is created by looking at it.

    `database_url` is an SQLAlchemy URL; without FIRSTLINE_DATABASE_URL it is SQLite in the home.
    """

    root: Path
    database_url: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Home:
        """Read FIRSTLINE_HOME and FIRSTLINE_DATABASE_URL (from `os.environ` unless told)."""
        env = os.environ if environ is None else environ
        root = Path(env.get("FIRSTLINE_HOME") or DEFAULT_HOME).absolute()
        return cls.at(root, database_url=env.get("FIRSTLINE_DATABASE_URL") or None)

    @classmethod
    def at(cls, root: Path, *, database_url: str | None = None) -> Home:
        """The home in `root`, with its own SQLite file unless another database is named."""
        return cls(root=root, database_url=database_url or f"sqlite:///{root / 'firstline.db'}")

    @property
    def encoders(self) -> Path:
        """Exported encoders, one folder per fingerprint, and CURRENT."""
        return self.root / "encoders"

    @property
    def index(self) -> Path:
        """Generations, one folder per build id, and CURRENT."""
        return self.root / "index"

    @property
    def tuning(self) -> Path:
        """Tuning runs that are not finished, one folder each."""
        return self.root / "tuning"

    @property
    def keys(self) -> Path:
        """The key pair that signs checkpoints of the audit chain, and the public keys of earlier ones."""
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        """Log files of the parts that the demo starts."""
        return self.root / "logs"

    @property
    def bot(self) -> Path:
        """Rasa's tracker and trained models."""
        return self.root / "bot"
