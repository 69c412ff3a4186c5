"""Which processes the demo is made of: their commands, environment, ports and signs of readiness."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from knowledge_base.errors import ConfigurationError
from suggest_api.demo.secrets_file import DemoSecrets
from suggest_api.settings import Settings

LOOPBACK = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]  # the clone: the assistant is started from its sources
BOT_PYTHON = ROOT / "bot" / ".venv" / "bin" / "python"
ACCOUNT = "quillhaven"

# Nothing calls home, and nothing is fetched once the set-up is done.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "RASA_TELEMETRY_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
# Enough for a machine that is busy with something else as well; an ordinary start takes a tenth of it.
SLOW_START_SECONDS = 180.0
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the demo.

    It is ready when `ready_url` answers 200, or once its log shows `ready_line`; with neither, when it runs.
    """

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str | None = None
    ready_line: str | None = None
    patience: float = START_SECONDS


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts listen, all on loopback."""

    service: str
    bot: str
    actions: str
    network: str

    @classmethod
    def of(cls, settings: Settings) -> Addresses:
        """The addresses by the ports of the settings, which alone decide here."""
        return cls(
            service=f"http://{LOOPBACK}:{settings.port}",
            bot=f"http://{LOOPBACK}:{settings.bot_port}",
            actions=f"http://{LOOPBACK}:{settings.actions_port}",
            network=f"http://{LOOPBACK}:{settings.double_port}",
        )

    @property
    def console(self) -> str:
        """Where the agent signs in."""
        return f"{self.service}/console"


def require_free_ports(settings: Settings) -> None:
    """Raise ConfigurationError that names the setting of each port that is taken or given twice."""
    wanted = {
        "FIRSTLINE_PORT": settings.port,
        "FIRSTLINE_BOT_PORT": settings.bot_port,
        "FIRSTLINE_ACTIONS_PORT": settings.actions_port,
        "FIRSTLINE_DOUBLE_PORT": settings.double_port,
    }
    problems = [
        f"port {port} is in use: stop the other program, or set {name} to a free port"
        for name, port in wanted.items()
        if not _is_free(port)
    ]
    twice = sorted({port for port in wanted.values() if list(wanted.values()).count(port) > 1})
    for port in twice:
        names = " and ".join(name for name, value in wanted.items() if value == port)
        problems.append(f"{names} are both {port}: give each its own port")
    if problems:
        raise ConfigurationError("; ".join(problems))


def require_set_up(settings: Settings) -> None:
    """Raise ConfigurationError that names what `make setup` has not made yet."""
    home = settings.place
    needed = {
        "the assistant's environment": BOT_PYTHON,
        "the encoder": home.encoders / "CURRENT",
        "the index": home.index / "CURRENT",
        "the trained assistant": home.bot / "models",
    }
    missing = [what for what, path in needed.items() if not path.exists()]
    if missing:
        msg = f"not set up yet: {', '.join(missing)} (in {home.root}). Run `make setup` first"
        raise ConfigurationError(msg)


def accounts_json(settings: Settings, secrets: DemoSecrets) -> str:
    """FIRSTLINE_ACCOUNTS for the demo: one account on the network double."""
    account = {
        "channel": "generic",
        "account": ACCOUNT,
        "secret": secrets.webhook,
        "send_url": f"{Addresses.of(settings).network}/api/send",
    }
    return json.dumps([account])


def plan(settings: Settings, secrets: DemoSecrets) -> tuple[Part, ...]:
    """The five parts, the slowest to start first."""
    at = Addresses.of(settings)
    place = settings.place
    environment = {
        **os.environ,
        **OFFLINE,
        "FIRSTLINE_DEMO": "1",
        "FIRSTLINE_HOME": str(place.root),
        "FIRSTLINE_DATABASE_URL": place.database_url,
        "FIRSTLINE_HOST": LOOPBACK,
        "FIRSTLINE_PORT": str(settings.port),
        "FIRSTLINE_URL": at.service,
        "FIRSTLINE_BOT_URL": at.bot,
        "FIRSTLINE_BOT_PORT": str(settings.bot_port),
        "FIRSTLINE_ACTIONS_PORT": str(settings.actions_port),
        "FIRSTLINE_LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "1",
    }
    ours = {
        **environment,
        "FIRSTLINE_SECRET": secrets.service,
        "FIRSTLINE_ACCOUNTS": accounts_json(settings, secrets),
        "FIRSTLINE_DESK_KEY": secrets.desk_key,
    }
    assistant = {**environment, "FIRSTLINE_DESK_KEY": secrets.desk_key}
    network = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FIRSTLINE_")},
        "FIRSTLINE_URL": at.service,
        "FIRSTLINE_DOUBLE_ACCOUNT": ACCOUNT,
        "FIRSTLINE_DOUBLE_SECRET": secrets.webhook,
        "FIRSTLINE_DOUBLE_PORT": str(settings.double_port),
        "FIRSTLINE_DOUBLE_DATA": str(place.root / "network" / "network.db"),
    }
    launcher = (str(BOT_PYTHON), str(ROOT / "bot" / "launch.py"))
    firstline = (sys.executable, "-m", "suggest_api.cli")
    return (
        Part(
            name="assistant",
            title="Assistant (Rasa)",
            command=(*launcher, "serve"),
            environment=assistant,
            ready_url=at.bot,
            patience=SLOW_START_SECONDS,
        ),
        Part(
            name="actions",
            title="Assistant's actions",
            command=(*launcher, "actions"),
            environment=assistant,
            ready_url=f"{at.actions}/health",
            patience=SLOW_START_SECONDS,
        ),
        Part(
            name="service",
            title="Service and console",
            command=(*firstline, "serve"),
            environment=ours,
            ready_url=f"{at.service}/readyz",
        ),
        Part(
            name="worker",
            title="Worker",
            command=(*firstline, "worker"),
            environment=ours,
            ready_line="worker.started",
        ),
        Part(
            name="network",
            title="Network double",
            command=(sys.executable, "-m", "suggest_api.demo.network_double"),
            environment=network,
            ready_url=f"{at.network}/healthz",
        ),
    )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
