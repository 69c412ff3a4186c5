"""What the assistant's tests share: an encoder, a trained model, and the assistant served for real."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from desk_double import KEY, DeskDouble

from bot.quiet import set_environment

ROOT = Path(__file__).parents[2]
CACHE = (
    ROOT / "test-artefacts" / "bot-home"
)  # keeps the model between runs; trained anew when stale
TRAINING_TIME = 400  # seconds, on a machine busy with other work
START_TIME = 200  # seconds, likewise

set_environment()  # before anything imports TensorFlow


@pytest.fixture(scope="session")
def encoder_home() -> Path:
    """A FIRSTLINE_HOME with an exported encoder: FIRSTLINE_TEST_HOME, FIRSTLINE_HOME or .firstline."""
    names = ("FIRSTLINE_TEST_HOME", "FIRSTLINE_HOME")
    chosen = next((os.environ[name] for name in names if os.environ.get(name)), ".firstline")
    home = (ROOT / chosen).resolve()
    if not (home / "encoders" / "CURRENT").is_file():
        pytest.exit(
            f"no encoder in {home}: run 'make setup', or set FIRSTLINE_TEST_HOME", returncode=2
        )
    return home


@pytest.fixture(scope="session")
def home(encoder_home: Path) -> Path:
    """A FIRSTLINE_HOME of the tests' own, with the encoder and a model trained from the present files."""
    CACHE.mkdir(parents=True, exist_ok=True)
    link = CACHE / "encoders"
    link.unlink(missing_ok=True)
    link.symlink_to(encoder_home / "encoders", target_is_directory=True)
    _take_trained_model(encoder_home)
    done = launch("train", home=CACHE, timeout=TRAINING_TIME)
    assert done.returncode == 0, done.stderr
    (CACHE / "bot" / "tracker.db").unlink(missing_ok=True)
    return CACHE


def _take_trained_model(source: Path) -> None:
    """Copy a model that is there already; the launcher decides whether it is the right one."""
    models = source / "bot" / "models"
    if (models / "assistant.json").is_file() and not (CACHE / "bot" / "models").exists():
        shutil.copytree(models, CACHE / "bot" / "models")


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, **more: object) -> dict[str, str]:
    """The environment of a launcher."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTLINE_")}
    return {
        **kept,
        "FIRSTLINE_HOME": str(home),
        **{name: str(value) for name, value in more.items()},
    }


def launch(
    *arguments: str, home: Path, timeout: float, **more: object
) -> subprocess.CompletedProcess[str]:
    """Run the launcher to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "bot" / "launch.py"), *arguments],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
        check=False,
    )


@dataclass
class Process:
    """A launcher that keeps running, its output in files."""

    command: str
    folder: Path
    process: subprocess.Popen[bytes]

    def output(self) -> str:
        return (self.folder / f"{self.command}.out").read_text(encoding="utf-8")

    def errors(self) -> str:
        return (self.folder / f"{self.command}.err").read_text(encoding="utf-8")

    def wait_for(self, words: str, *, seconds: float) -> float:
        """Wait until the words are printed; return the seconds it took."""
        started = time.monotonic()
        while words not in self.output():
            assert self.process.poll() is None, self.errors()
            assert time.monotonic() - started < seconds, f"no {words!r} in {seconds} s"
            time.sleep(0.1)
        return time.monotonic() - started

    def stop(self) -> int:
        """Ask it to stop, as a supervisor does; return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)


def start(command: str, *, folder: Path, env: dict[str, str]) -> Process:
    """Start the launcher in the background."""
    with (
        (folder / f"{command}.out").open("wb") as out,
        (folder / f"{command}.err").open("wb") as err,
    ):
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "bot" / "launch.py"), command],
            env=env,
            stdout=out,
            stderr=err,
            cwd=folder,  # any folder: the launcher must not depend on it
        )
    return Process(command, folder, process)


Item = dict[str, Any]


@dataclass
class Conversation:
    """One session with the assistant over its REST channel."""

    url: str
    sender: str = field(default_factory=lambda: uuid.uuid4().hex)
    seconds: float = 0.0  # the last turn took

    def send(self, text: str) -> list[Item]:
        """Send a message; return the `custom` part of every item, having checked that there is nothing else."""
        started = time.monotonic()
        status, reply = post(self.url, turn_body(self.sender, text))
        self.seconds = time.monotonic() - started
        assert status == 200
        for item in reply:
            assert item.keys() == {"recipient_id", "custom"}, item
            assert item["recipient_id"] == self.sender
        return [item["custom"] for item in reply]

    def later(self, text: str) -> list[Item]:
        """Send a message that is not the first: the assistant has introduced itself before."""
        reply = self.send(text)
        assert HELLO not in reply
        return reply

    def first(self, text: str) -> list[Item]:
        """Send the first message; return the items after the introduction."""
        reply = self.send(text)
        assert reply[0] == HELLO
        assert HELLO not in reply[1:]
        return reply[1:]


def say(key: str, **facts: str) -> Item:
    """The item that asks for an approved snippet."""
    return {"type": "say", "snippet_key": f"assistant.{key}", "facts": facts}


HELLO = say("hello")


def turn_body(sender: object, text: object, **more: object) -> dict[str, object]:
    """A turn as the service sends it, tests/contract/bot_turn.json."""
    metadata = {"conversation_id": f"cnv_{sender}", "channel": "generic", "locale": "en"}
    return {"sender": sender, "message": text, "metadata": metadata, **more}


def post(url: str, body: object) -> tuple[int, Any]:
    """POST JSON (or raw bytes) to the REST channel; return status and decoded answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    # S310: the address is always our own, on loopback.
    request = urllib.request.Request(f"{url}/webhooks/rest/webhook", content, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # as above
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None


@dataclass(frozen=True)
class Assistant:
    """The assistant, served: Rasa and its action server as processes, the desk as a double."""

    url: str
    home: Path
    desk: DeskDouble
    processes: tuple[Process, ...]
    env: dict[str, str]

    def conversation(self) -> Conversation:
        return Conversation(self.url)


@pytest.fixture(scope="session")
def served(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """The trained assistant on ports of its own."""
    desk = DeskDouble()
    desk.start()
    folder = tmp_path_factory.mktemp("served")
    port = free_port()
    env = environment(
        home,
        FIRSTLINE_BOT_PORT=port,
        FIRSTLINE_ACTIONS_PORT=free_port(),
        FIRSTLINE_URL=desk.url,
        FIRSTLINE_DESK_KEY=KEY,
    )
    processes = tuple(start(name, folder=folder, env=env) for name in ("actions", "serve"))
    try:
        for process in processes:
            process.wait_for("ready on 127.0.0.1:", seconds=START_TIME)
        yield Assistant(f"http://127.0.0.1:{port}", home, desk, processes, env)
    finally:
        for process in processes:
            if process.process.poll() is None:
                process.stop()
        desk.stop()


@pytest.fixture
def assistant(served: Assistant) -> Assistant:
    """The served assistant, with a desk that answers and has forgotten earlier questions."""
    served.desk.reset()
    return served
