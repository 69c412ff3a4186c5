"""Load on an endpoint in two ways: closed loop (each client waits for its answer) and open loop (none does)."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

TIMEOUT_SECONDS = 30.0
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}  # milliseconds

WRK_SCRIPT = """
local bodies = {%s}
local at = math.random(#bodies)
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = %s
request = function()
  at = at %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked: an address, a key, and the bodies in turn."""

    url: str
    key: str
    bodies: tuple[dict[str, Any], ...]

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        return {"authorization": f"Bearer {self.key}", "content-type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one run. Times are milliseconds."""

    kind: str
    tool: str
    offered: str
    requests: int
    errors: int
    per_second: float
    p50: float
    p99: float


def closed_loop(target: Target, *, connections: int, seconds: float) -> Result:
    """`connections` clients, each sending as soon as it has its answer."""
    if shutil.which("wrk"):
        return _wrk(target, connections=connections, seconds=seconds)
    return asyncio.run(_closed(target, connections=connections, seconds=seconds))


def open_loop(target: Target, *, rate: float, seconds: float, seed: int = 1) -> Result:
    """Requests at random moments, `rate` a second (Poisson), whether or not earlier ones were answered."""
    return asyncio.run(_open(target, rate=rate, seconds=seconds, seed=seed))


def _wrk(target: Target, *, connections: int, seconds: float) -> Result:
    bodies = ",\n".join(_lua(json.dumps(body, ensure_ascii=False)) for body in target.bodies)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "suggest.lua"
        script.write_text(WRK_SCRIPT % (bodies, _lua(f"Bearer {target.key}")), encoding="utf-8")
        arguments = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency"]
        done = subprocess.run(
            [
                "wrk",
                *arguments,
                "--timeout",
                f"{TIMEOUT_SECONDS:.0f}s",
                "-s",
                str(script),
                target.url,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    out = done.stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    socket = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out
    )
    errors = sum(int(n) for n in socket.groups()) if socket else 0
    return Result(
        kind="closed",
        tool="wrk",
        offered=f"{connections} connections",
        requests=int(_found(r"(\d+) requests in", out)),
        errors=errors + (int(refused.group(1)) if refused else 0),
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", out)),
        p50=_milliseconds(_found(r"\s50%\s+(\S+)", out)),
        p99=_milliseconds(_found(r"\s99%\s+(\S+)", out)),
    )


async def _closed(target: Target, *, connections: int, seconds: float) -> Result:
    times: list[float] = []
    errors = 0
    end = time.monotonic() + seconds

    async def client(number: int) -> None:
        nonlocal errors
        at = number
        while time.monotonic() < end:
            at += 1
            took = await _ask(http, target, at)
            if took is None:
                errors += 1
            else:
                times.append(took)

    limits = httpx.Limits(max_connections=connections)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, limits=limits) as http:
        await asyncio.gather(*(client(number) for number in range(connections)))
    return _result("closed", f"{connections} connections", times, errors, seconds)


async def _open(target: Target, *, rate: float, seconds: float, seed: int) -> Result:
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    times: list[float | None] = []

    async def one(at: int) -> None:
        times.append(await _ask(http, target, at))

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, limits=limits) as http:
        tasks: list[asyncio.Task[None]] = []
        began = time.monotonic()
        due = 0.0
        while (due := due + chance.expovariate(rate)) < seconds:
            await asyncio.sleep(max(0.0, began + due - time.monotonic()))
            tasks.append(asyncio.create_task(one(len(tasks))))
        await asyncio.gather(*tasks)
    answered = [took for took in times if took is not None]
    return _result("open", f"{rate:g} a second", answered, len(times) - len(answered), seconds)


async def _ask(http: httpx.AsyncClient, target: Target, at: int) -> float | None:
    """Milliseconds of one request; None when it was not answered 200."""
    body = target.bodies[at % len(target.bodies)]
    began = time.perf_counter()
    try:
        answer = await http.post(target.url, json=body, headers=target.headers)
    except httpx.HTTPError:
        return None
    took = (time.perf_counter() - began) * 1000
    return took if answer.status_code == httpx.codes.OK else None


def _result(kind: str, offered: str, times: list[float], errors: int, seconds: float) -> Result:
    return Result(
        kind=kind,
        tool="python",
        offered=offered,
        requests=len(times) + errors,
        errors=errors,
        per_second=len(times) / seconds,
        p50=_quantile(times, 0.50),
        p99=_quantile(times, 0.99),
    )


def _quantile(times: list[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _lua(text: str) -> str:
    """A Lua string of these bytes."""
    return '"' + "".join(f"\\{byte:03d}" for byte in text.encode()) + '"'


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        msg = f"wrk printed something else than expected:\n{text}"
        raise RuntimeError(msg)
    return match.group(1)


def _milliseconds(text: str) -> float:
    value, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]  # wrk's own form
    return float(value) * UNITS[unit]
