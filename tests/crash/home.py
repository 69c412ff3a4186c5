"""A home of its own for a crash test: a copy of a set-up one, so that nobody's data is played with."""

from __future__ import annotations

import shutil
import socket
import sqlite3
from pathlib import Path

from suggest_api.demo import parts
from suggest_api.settings import Settings

# Work of a killed worker is taken over after this; the default is meant for networks that take 15 s to answer.
LEASE_SECONDS = "4"


def missing(source: Settings) -> str | None:
    """What of a set-up home is missing in `source`, in words; None if nothing is."""
    try:
        parts.require_set_up(source)
    except Exception as error:  # whatever it is, it is the reason why the test cannot run
        return str(error)
    if not source.place.database_url.startswith("sqlite"):
        return "the home's database is no SQLite file that could be copied"
    return None


def copy_home(source: Path, target: Path) -> Path:
    """Encoder, index, assistant and database of `source`, which may be in use: SQLite makes the copy."""
    target.mkdir(parents=True)
    (target / "encoders").symlink_to(source / "encoders")
    shutil.copytree(source / "index", target / "index")
    shutil.copytree(
        source / "bot", target / "bot", ignore=shutil.ignore_patterns("tracker.db*", ".*")
    )
    with (
        sqlite3.connect(f"file:{source / 'firstline.db'}?mode=ro", uri=True) as old,
        sqlite3.connect(target / "firstline.db") as new,
    ):
        old.backup(new)
    if (source / "demo" / "secrets.json").exists():
        (target / "demo").mkdir()
        shutil.copy2(source / "demo" / "secrets.json", target / "demo" / "secrets.json")
    return target


def own_settings(home: Path) -> Settings:
    """Settings on free ports."""
    with socket.socket() as a, socket.socket() as b, socket.socket() as c, socket.socket() as d:
        ports = []
        for each in (a, b, c, d):
            each.bind(("127.0.0.1", 0))
            ports.append(int(each.getsockname()[1]))
    names = ("port", "bot_port", "actions_port", "double_port")
    return Settings(home=home, demo=True, **dict(zip(names, ports, strict=True)))  # type: ignore[arg-type]  # ports only
