"""Measures `POST /v1/suggestions` on a real service: speed, where the time goes, memory, time to start.

    python -m tests.benchmarks.suggest [--seconds 10] [--rate 20] [--json]

It works on a copy of the set-up home. Closed-loop latency is what a queue of that length costs, never capacity.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from knowledge_base.store.engine import open_engine
from suggest_api.access.model import Scope
from suggest_api.access.service import create_key
from suggest_api.settings import Settings, load_settings
from suggest_api.storage import unit_of_work
from tests.benchmarks.load import Result, Target, closed_loop, open_loop
from tests.crash import home

GOLDEN = Path(__file__).resolve().parents[2] / "knowledge_base" / "content" / "golden.csv"
CONNECTIONS = (1, 4, 16)
WARM_UP_SECONDS = 2.0
READY_SECONDS = 60.0
STAGES = ("encode", "search", "rank", "policy")


def main() -> int:
    """0 when every request was answered, 1 when some were not, 2 when it cannot run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument(
        "--rate", type=float, default=20.0, help="requests a second of the open loop"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False)
    source = load_settings(serving=False)
    reason = home.missing(source)
    if reason:
        screen.print(f"error: {reason}")
        return 2
    with tempfile.TemporaryDirectory(prefix="firstline-bench-") as folder:
        settings = home.own_settings(home.copy_home(source.place.root, Path(folder) / "home"))
        report = _measure(settings, seconds=options.seconds, rate=options.rate, screen=screen)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        _show(report)
    return 1 if any(run["errors"] for run in report["runs"]) else 0


def _measure(
    settings: Settings, *, seconds: float, rate: float, screen: Console
) -> dict[str, Any]:
    engine = open_engine(settings.place.database_url)
    with unit_of_work.write(engine) as session:
        scopes = {Scope.SUGGEST, Scope.METRICS}
        key = create_key(session, "benchmark", scopes=scopes, now=datetime.now(UTC))
    engine.dispose()
    url = f"http://127.0.0.1:{settings.port}"
    with (settings.place.root / "service.log").open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "suggest_api.cli", "serve"],
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_ready(url, process)
            start = time.monotonic() - began
            target = Target(url=f"{url}/v1/suggestions", key=key, bodies=_bodies())
            memory_idle = _memory_mb(process.pid)
            closed_loop(target, connections=1, seconds=WARM_UP_SECONDS)
            before = _stages(url, key)
            runs: list[Result] = []
            for connections in CONNECTIONS:
                screen.print(f"closed loop, {connections} connections ...")
                runs.append(closed_loop(target, connections=connections, seconds=seconds))
            screen.print(f"open loop, {rate:g} a second ...")
            runs.append(open_loop(target, rate=rate, seconds=seconds))
            after = _stages(url, key)
            memory = _memory_mb(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=READY_SECONDS)
    return {
        "cores": os.cpu_count(),
        "questions": len(target.bodies),
        "start_seconds": round(start, 2),
        "memory_mb_at_start": memory_idle,
        "memory_mb_after": memory,
        "runs": [asdict(run) for run in runs],
        "stages_ms": _per_request(before, after),
    }


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "FIRSTLINE_HOME": str(settings.place.root),
        "FIRSTLINE_DATABASE_URL": settings.place.database_url,
        "FIRSTLINE_PORT": str(settings.port),
        "FIRSTLINE_SECRET": secrets.token_hex(32),
        "FIRSTLINE_LOG_FORMAT": "json",
        "FIRSTLINE_LOG_LEVEL": "warning",
    }


def _wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if (
                httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code
                == httpx.codes.OK
            ):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    msg = f"the service was not ready within {READY_SECONDS:.0f} s (exit code {process.poll()})"
    raise RuntimeError(msg)


def _bodies() -> tuple[dict[str, Any], ...]:
    """The golden questions, as an agent's console would ask them."""
    with GOLDEN.open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return tuple(
            {
                "channel": "generic",
                "messages": [{"author": "customer", "text": row["question"]}],
                "customer": {"first_name": "Ana"},
                "limit": 3,
            }
            for row in rows
        )


def _stages(url: str, key: str) -> dict[str, float]:
    """Sums of seconds by stage, of whole requests, and the number of requests, from /metrics."""
    headers = {"authorization": f"Bearer {key}"}
    text = httpx.get(f"{url}/metrics", headers=headers, trust_env=False).raise_for_status().text
    found = {
        stage: float(value)
        for stage, value in re.findall(
            r'firstline_suggestion_stage_seconds_sum\{stage="(\w+)"\} (\S+)', text
        )
    }
    for name in ("sum", "count"):
        match = re.search(
            rf'firstline_http_request_seconds_{name}\{{route="/v1/suggestions"\}} (\S+)', text
        )
        found[name] = float(match.group(1)) if match else 0.0
    return found


def _per_request(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Mean milliseconds of one request by stage; `rest` is parsing, database, queueing and answering."""
    count = max(1.0, after["count"] - before["count"])
    means = {
        stage: (after.get(stage, 0.0) - before.get(stage, 0.0)) * 1000 / count for stage in STAGES
    }
    whole = (after["sum"] - before["sum"]) * 1000 / count
    means["rest"] = max(0.0, whole - sum(means.values()))
    return {name: round(value, 3) for name, value in means.items()}


def _memory_mb(pid: int) -> int | None:
    """Resident memory of the process in megabytes, where the system tells it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return round(int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6)


def _show(report: dict[str, Any]) -> None:
    screen = Console(highlight=False)
    screen.print(
        f"{report['questions']} questions, {report['cores']} cores. Ready "
        f"{report['start_seconds']} s after start; "
        f"{report['memory_mb_at_start']} MB then, {report['memory_mb_after']} MB at the end."
    )
    table = Table("loop", "load", "answered a second", "p50 ms", "p99 ms", "errors", box=None)
    for run in report["runs"]:
        figures = (f"{run['per_second']:.1f}", f"{run['p50']:.1f}", f"{run['p99']:.1f}")
        table.add_row(
            f"{run['kind']} ({run['tool']})", run["offered"], *figures, str(run["errors"])
        )
    screen.print(table)
    total = sum(report["stages_ms"].values()) or 1.0
    shares = Table("stage", "mean ms", "share", box=None)
    for name, value in report["stages_ms"].items():
        shares.add_row(name, f"{value:.2f}", f"{value / total:.0%}")
    screen.print(shares)


if __name__ == "__main__":
    sys.exit(main())
