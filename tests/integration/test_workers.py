"""Several workers on one port: all of them serve, one that dies is replaced, and they end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from knowledge_base.store import migrate
from knowledge_base.store.engine import open_engine
from suggest_api.server import bind

WAIT_SECONDS = 120.0  # for two processes to start on a machine that is busy


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    url = f"sqlite:///{tmp_path / 'firstline.db'}"
    engine = open_engine(url)
    migrate.upgrade(engine)
    engine.dispose()
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    own = {
        "FIRSTLINE_HOME": str(tmp_path),
        "FIRSTLINE_DATABASE_URL": url,
        "FIRSTLINE_DEMO": "1",
        "FIRSTLINE_PORT": str(port),
        "FIRSTLINE_WORKERS": "2",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "suggest_api.cli", "serve"],
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process, f"http://127.0.0.1:{port}/healthz"
    finally:
        process.kill()
        process.wait()


def children(pid: int) -> set[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(number) for number in text.split()}


def until_alive(url: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("no worker answered")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads processes from /proc")
def test_a_worker_that_dies_is_replaced_and_all_end_together(
    service: tuple[subprocess.Popen[bytes], str],
):
    process, url = service
    until_alive(url)
    before = children(process.pid)
    assert len(before) == 2
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    end = time.monotonic() + WAIT_SECONDS
    while len((now := children(process.pid)) - before) != 1 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(now) == 2
    assert killed not in now
    until_alive(url)
    process.terminate()
    assert process.wait(WAIT_SECONDS) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in now)
