"""`firstline audit`: checkpoints made, exported, checked elsewhere, and the worker that makes them."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from knowledge_base.store import audit, checkpoints
from suggest_api import flow, worker
from suggest_api.cli import build
from suggest_api.storage import unit_of_work
from tests.api.conftest import Ticking
from tests.conftest import NOW
from tests.integration.test_checkpoints import Chain


class Shell:
    """The commands of one home."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.chain = Chain(engine, NOW)
        self.file = folder / "checkpoints.jsonl"
        self.keys = folder / "home" / "keys"

    def run(self, *arguments: object) -> tuple[int, str]:
        words = [str(argument) for argument in arguments]
        done = CliRunner().invoke(build(words), words)
        return done.exit_code, done.output

    def ask(self, *arguments: object, code: int = 0) -> Any:
        exit_code, output = self.run(*arguments, "--json")
        assert exit_code == code, output
        return json.loads(output)

    def kinds(self, *arguments: object) -> list[str]:
        report = self.ask("audit", "verify", *arguments, code=1)
        assert report["intact"] is False
        return [problem["kind"] for problem in report["problems"]]


@pytest.fixture
def shell(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
    url = engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", url)
    made = Shell(engine, tmp_path)
    made.chain.grow(3)
    return made


def test_made_exported_and_verified(shell: Shell) -> None:
    first = shell.ask("audit", "checkpoint", "--out", shell.file)
    assert (first["made"], first["seq"], first["exported"]) == (True, 3, 1)
    again = shell.ask("audit", "checkpoint", "--out", shell.file)
    assert (again["made"], again["exported"], again["checkpoints"]) == (False, 0, 1)
    shell.chain.grow(2)
    assert shell.ask("audit", "checkpoint", "--out", shell.file)["exported"] == 1
    report = shell.ask("audit", "verify", "--checkpoints", shell.file)
    assert (report["length"], report["checkpoints_in_file"], report["signed_up_to"]) == (5, 2, 5)
    code, said = shell.run("audit", "verify")
    assert code == 0
    assert "intact: 5 entries" in said
    assert "signed up to entry 5 by 2 checkpoints" in said


def test_the_file_is_checked_on_a_machine_without_the_database(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.ask("audit", "checkpoint", "--out", shell.file)
    shell.ask("audit", "public-key", "--out", tmp_path / "key.pem")
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    only = ("--checkpoints", shell.file, "--public-key", tmp_path / "key.pem", "--file-only")
    report = shell.ask("audit", "verify", *only)
    assert (report["intact"], report["checkpoints"]) == (True, 1)
    assert "intact: 1 checkpoint in the file" in shell.run("audit", "verify", *only)[1]
    assert shell.kinds("--checkpoints", shell.file, "--file-only") == ["unknown_key"]
    shell.file.write_text(shell.file.read_text().replace('"seq":3', '"seq":4'))
    assert shell.kinds(*only) == ["signature"]
    assert not (tmp_path / "elsewhere").exists()


def test_wrong_calls_end_in_2(shell: Shell, tmp_path: Path) -> None:
    assert "--file-only needs" in shell.ask("audit", "verify", "--file-only", code=2)["error"]
    (tmp_path / "no.pem").write_text("x")
    shell.ask("audit", "verify", "--public-key", tmp_path / "no.pem", code=2)
    shell.file.write_bytes(b"\xff")
    assert "as text" in shell.ask("audit", "verify", "--checkpoints", shell.file, code=2)["error"]
    assert shell.run("audit", "verify", "--checkpoints", tmp_path / "none")[0] == 2


def test_a_cut_chain_is_found_by_the_database_and_by_the_file(shell: Shell) -> None:
    shell.ask("audit", "checkpoint", "--out", shell.file)
    shell.chain.tamper("DELETE FROM audit WHERE seq = 3")
    assert shell.kinds() == ["missing_end"]
    shell.chain.tamper("DELETE FROM audit_checkpoint")
    assert shell.ask("audit", "verify")["signed_up_to"] == 0
    assert shell.kinds("--checkpoints", shell.file) == ["missing_end", "checkpoint_removed"]
    code, said = shell.run("audit", "verify", "--checkpoints", shell.file)
    assert code == 1
    assert "BROKEN: 2 entries" in said
    assert "1 entry was cut off" in said


def test_an_export_over_a_file_that_says_otherwise_is_refused(shell: Shell) -> None:
    shell.ask("audit", "checkpoint", "--out", shell.file)
    shell.chain.tamper("DELETE FROM audit_checkpoint")
    shell.chain.grow(1)
    before = shell.file.read_text()
    refused = shell.ask("audit", "checkpoint", "--out", shell.file, code=1)
    assert refused["kind"] == "AuditBroken"
    assert "was removed from the database" in refused["error"]
    assert shell.file.read_text() == before


def test_rotating_the_key_leaves_everything_verifiable(shell: Shell, tmp_path: Path) -> None:
    shell.ask("audit", "checkpoint", "--out", shell.file)
    told = shell.ask("audit", "rotate-key")
    assert told["from"] != told["to"]
    shell.chain.grow(1)
    shell.ask("audit", "checkpoint", "--out", shell.file)
    with unit_of_work.read(shell.chain.engine) as session:
        points = checkpoints.stored(session)
    # The old key signed the entry that names the new one.
    assert [(point.seq, point.key) for point in points] == [
        (3, told["from"]),
        (4, told["from"]),
        (5, told["to"]),
    ]
    shell.ask("audit", "public-key", "--out", tmp_path / "keys.pem")
    known = ("--checkpoints", shell.file, "--public-key", tmp_path / "keys.pem")
    assert shell.ask("audit", "verify", *known)["intact"]
    assert (tmp_path / "keys.pem").read_text().count("BEGIN PUBLIC KEY") == 2


def test_the_public_key_is_printed(shell: Shell) -> None:
    code, said = shell.run("audit", "public-key")
    assert code == 0
    assert said.startswith("-----BEGIN PUBLIC KEY-----")
    assert "PRIVATE" not in said
    assert (shell.keys / "audit.pem").exists()


def test_the_worker_signs_when_it_is_due(desk: flow.Desk) -> None:
    clock = desk.clock
    assert isinstance(clock, Ticking)
    assert flow.checkpoint(desk) is True
    assert flow.checkpoint(desk) is False  # not due
    with unit_of_work.write(desk.engine) as session:
        audit.append(session, actor="Ana", action="x", subject="s", detail={}, now=clock())
    clock.at += timedelta(minutes=59)
    assert flow.checkpoint(desk) is False
    clock.at += timedelta(minutes=1)
    assert flow.checkpoint(desk) is True
    clock.at += timedelta(hours=2)
    assert flow.checkpoint(desk) is False  # due, but nothing grew
    with unit_of_work.read(desk.engine) as session:
        assert len(checkpoints.stored(session)) == 2


@pytest.mark.parametrize("broken", [False, True])
def test_a_worker_that_runs_signs_the_chain_or_says_why_not(
    desk: flow.Desk, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    if broken:
        Chain(desk.engine, NOW).tamper("UPDATE audit SET actor = 'Eve' WHERE seq = 1")
    said: list[tuple[str, dict[str, Any]]] = []
    told = threading.Event()

    def hear(event: str, **more: Any) -> None:
        said.append((event, more))
        if event.startswith("audit."):
            told.set()

    monkeypatch.setattr(worker, "CHECKPOINT_LOOK_SECONDS", 0.05)
    for level in ("info", "error"):
        monkeypatch.setattr(worker.log, level, hear)
    running = worker.Worker(desk)
    running.start()
    try:
        assert told.wait(60)
    finally:
        running.stop()
        running.join()
    with unit_of_work.read(desk.engine) as session:
        points = checkpoints.stored(session)
    if broken:
        ((_, more),) = [one for one in said if one[0] == "audit.no_checkpoint"]
        assert "entry 1 was changed" in more["why"]
        assert points == ()
    else:
        assert len(points) == 1


def test_no_checkpoints_when_they_are_switched_off(desk: flow.Desk) -> None:
    off = desk.settings.model_copy(update={"checkpoint_minutes": 0})
    object.__setattr__(desk, "settings", off)
    assert flow.checkpoint(desk) is False
