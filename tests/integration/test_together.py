"""Writes of many requests in one transaction: none is told before it is stored, and none harms another."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from knowledge_base.store.engine import open_engine
from suggest_api.storage.unit_of_work import Together

MANY = 24
ENOUGH = 200  # acknowledged writes before the process is killed

WRITER = """
import sys, threading
from itertools import count
from sqlalchemy import text
from knowledge_base.store.engine import open_engine
from suggest_api.storage.unit_of_work import Together

together = Together(open_engine(sys.argv[1]))

def ask(thread):
    for n in count():
        key = f"{thread}-{n}"
        together(lambda session: session.execute(text("INSERT INTO note VALUES (:k)"), {"k": key}))
        sys.stdout.write(key + "\\n")
        sys.stdout.flush()

for thread in range(8):
    threading.Thread(target=ask, args=(thread,)).start()
"""


@pytest.fixture
def notes(tmp_path: Path) -> Engine:
    engine = open_engine(f"sqlite:///{tmp_path / 'notes.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE note (k TEXT PRIMARY KEY)"))
    return engine


def stored(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT k FROM note")).scalars())


def insert(session: Session, key: str) -> None:
    session.execute(text("INSERT INTO note VALUES (:k)"), {"k": key})


def test_each_write_is_visible_to_others_when_its_call_returns(notes: Engine) -> None:
    together = Together(notes)
    start = threading.Barrier(MANY)

    def write(number: int) -> bool:
        start.wait(30)
        together(lambda session: insert(session, str(number)))
        return str(number) in stored(notes)

    with ThreadPoolExecutor(MANY) as pool:
        assert all(pool.map(write, range(MANY)))
    assert len(stored(notes)) == MANY


def test_one_that_breaks_a_rule_is_told_so_and_the_others_are_stored(notes: Engine) -> None:
    together = Together(notes)
    together(lambda session: insert(session, "taken"))
    start = threading.Barrier(MANY)

    def write(number: int) -> str:
        start.wait(30)
        key = "taken" if number == 0 else str(number)
        try:
            together(lambda session: insert(session, key))
        except IntegrityError:
            return "refused"
        return "stored"

    with ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(write, range(MANY)))
    assert answers == ["refused"] + ["stored"] * (MANY - 1)
    assert stored(notes) == {"taken", *(str(n) for n in range(1, MANY))}


def test_nothing_was_told_that_a_killed_process_had_not_stored(
    notes: Engine, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'notes.db'}"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(ENOUGH)]
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    # A line that the kill cut short was not told.
    whole = [
        line.strip() for line in (*told, *rest.splitlines(keepends=True)) if line[-1:] == "\n"
    ]

    assert len(whole) >= ENOUGH
    assert set(whole) <= stored(notes)
