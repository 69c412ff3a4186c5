"""The command line without a service, and the service started and stopped by it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from knowledge_base.home import Home
from suggest_api.storage import unit_of_work
from tests.api.conftest import Service

ASKED = "what time does the shop close"


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """SQLite only: each call is a process of its own, and what differs by database is tested without one."""
    return sqlite_engine


class TestCommandLine:
    @pytest.fixture
    def run(self, service: Service, home: Home, tmp_path: Path) -> Any:
        bare = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTLINE_")}
        url = service.desk.engine.url.render_as_string(hide_password=False)
        env = {**bare, "FIRSTLINE_HOME": str(home.root), "FIRSTLINE_DATABASE_URL": url}

        def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "suggest_api.cli", *arguments]
            return subprocess.run(
                command, env={**env, **more}, capture_output=True, text=True, cwd=tmp_path,
                check=False,
            )  # fmt: skip

        run.env = env
        return run

    def test_suggest_verify_and_audit(self, run: Any) -> None:
        told = run("suggest", ASKED, "--json")
        assert told.returncode == 0, told.stderr
        first = json.loads(told.stdout)["suggestions"][0]
        assert first["snippet_key"] == "stores.hours"
        proved = run("verify", first["draft_id"], "--json")
        assert (proved.returncode, json.loads(proved.stdout)["holds"]) == (0, True)
        assert "Noor" in run("suggest", ASKED).stdout
        audit = run("audit", "verify", "--json")
        assert (audit.returncode, json.loads(audit.stdout)["intact"]) == (0, True)

    def test_a_tampered_draft_is_exit_code_1(self, run: Any, service: Service) -> None:
        draft_id = service.suggest(ASKED)["suggestions"][0]["draft_id"]
        with unit_of_work.write(service.desk.engine) as session:
            session.execute(text("UPDATE draft SET text = 'Forged.'"))
        told = run("verify", draft_id)
        assert told.returncode == 1
        assert "DIFFERS" in told.stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "told"),
        [
            (("check", "You can return it."), 0, "pass"),
            (("check", "Please send your card number."), 1, "block"),
            (("verify", "0" * 32), 1, "there is no draft"),
            (("key", "create", "--scope", "everything", "--name", "x"), 2, "unknown scope"),
            (("user", "create", "Ana", "--role", "boss"), 2, "no role 'boss'"),
            (("serve",), 2, "FIRSTLINE_SECRET is not set"),
            (("nothing",), 2, "No such command"),
        ],
    )
    def test_exit_codes_and_one_clear_line(
        self, run: Any, arguments: tuple[str, ...], code: int, told: str
    ) -> None:
        result = run(*arguments)
        assert result.returncode == code, result.stderr
        assert told in result.stdout + result.stderr
        assert "Traceback" not in result.stderr

    def test_serving_until_it_is_asked_to_stop(self, run: Any, service: Service) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            result = run("serve", FIRSTLINE_DEMO="1", FIRSTLINE_PORT=port)
            assert result.returncode == 2
            assert result.stderr.count("\n") == 1
            assert "FIRSTLINE_PORT" in result.stderr
        command = [sys.executable, "-m", "suggest_api.cli", "serve"]
        env = {**run.env, "FIRSTLINE_DEMO": "1", "FIRSTLINE_PORT": port}
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert wait_ready(f"http://127.0.0.1:{port}/readyz", seconds=60)
            finally:
                process.send_signal(signal.SIGTERM)
            logged = process.communicate(timeout=30)[1]
        assert "service.stopped" in logged
        assert "Traceback" not in logged


def wait_ready(address: str, *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx.get(address, trust_env=False).status_code == 200:
                return True
        except httpx.TransportError:
            time.sleep(0.1)
    return False
