"""The supervisor with real child processes: ready, dead, slow, orphaned, in the way of another program."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from knowledge_base.errors import ConfigurationError
from suggest_api.demo import parts
from suggest_api.demo.parts import Part
from suggest_api.demo.secrets_file import DemoSecrets
from suggest_api.demo.supervisor import (
    LOG_LIMIT,
    PartFailed,
    Running,
    Stopped,
    Supervisor,
    stopping_on_signals,
)
from suggest_api.settings import Settings

PATIENCE = 20.0  # seconds; a loaded machine is slow, a broken supervisor is silent for ever

SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
SLEEPER = "import time; print('up and running', flush=True); time.sleep(600)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('up and running', flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print('child', child.pid, flush=True)
time.sleep(600)
"""


def python_part(name: str, code: str, *arguments: str, **changed: object) -> Part:
    """A part that runs this code."""
    values: dict[str, object] = {
        "name": name,
        "title": name.capitalize(),
        "command": (sys.executable, "-c", code, *arguments),
        "environment": dict(os.environ),
        "patience": PATIENCE,
    }
    return Part(**{**values, **changed})  # type: ignore[arg-type]  # whatever the test wants to change


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended but was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def start(*wanted: Part) -> Supervisor:
        supervisor = Supervisor(wanted, logs=tmp_path / "logs")
        made.append(supervisor)
        supervisor.start_all()
        return supervisor

    yield start
    for supervisor in made:
        supervisor.stop()


def test_parts_are_ready_when_they_answer_or_say_so(started: Callable[..., Supervisor]) -> None:
    port = free_port()
    supervisor = started(
        python_part("server", SERVER, str(port), ready_url=f"http://127.0.0.1:{port}/"),
        python_part("sleeper", SLEEPER, ready_line="up and running"),
    )
    told: list[Running] = []
    supervisor.wait_ready(tell=told.append)
    assert {each.part.name for each in told} == {"server", "sleeper"}
    assert all(each.ready_after is not None for each in told)


def test_a_part_that_ends_is_named_with_the_end_of_its_log(
    started: Callable[..., Supervisor],
) -> None:
    supervisor = started(
        python_part("sleeper", SLEEPER, ready_line="up and running"),
        python_part(
            "broken", "import sys; print('the cable is loose'); sys.exit(3)", ready_line="x"
        ),
    )
    with pytest.raises(PartFailed, match=r"(?s)Broken ended \(3\).*the cable is loose"):
        supervisor.wait_ready(tell=lambda _: None)


def test_a_part_that_is_killed_is_noticed_while_watching(
    started: Callable[..., Supervisor],
) -> None:
    supervisor = started(python_part("sleeper", SLEEPER, ready_line="up and running"))
    supervisor.wait_ready(tell=lambda _: None)
    os.kill(supervisor.running[0].process.pid, signal.SIGKILL)
    with pytest.raises(PartFailed, match="Sleeper was ended by SIGKILL"):
        supervisor.watch()


def test_a_part_that_is_never_ready_is_named(started: Callable[..., Supervisor]) -> None:
    supervisor = started(
        python_part("silent", "import time; time.sleep(600)", ready_line="up", patience=0.5)
    )
    with pytest.raises(
        PartFailed, match="Silent was not ready within 0 s|Silent was not ready within 1 s"
    ):
        supervisor.wait_ready(tell=lambda _: None)


def test_the_log_of_an_earlier_start_is_no_sign_of_readiness(
    started: Callable[..., Supervisor], tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "silent.log").write_text("up and running\n")
    supervisor = started(
        python_part(
            "silent", "import time; time.sleep(600)", ready_line="up and running", patience=0.5
        )
    )
    with pytest.raises(PartFailed, match="was not ready"):
        supervisor.wait_ready(tell=lambda _: None)


def test_a_large_log_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    large, small, older = (tmp_path / n for n in ("service.log", "worker.log", "service.log.1"))
    older.write_text("the one before")
    for path, size in ((large, LOG_LIMIT + 1), (small, LOG_LIMIT)):
        with path.open("wb") as file:
            file.truncate(size)
    with Supervisor(
        [python_part("service", SLEEPER, ready_line="up and running")], logs=tmp_path
    ) as supervisor:
        supervisor.start_all()
        supervisor.wait_ready(tell=lambda _: None)
        assert large.read_text() == "up and running\n"
    assert older.stat().st_size == LOG_LIMIT + 1
    assert small.stat().st_size == LOG_LIMIT
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "service.log",
        "service.log.1",
        "worker.log",
    ]


def test_stopping_ends_what_ignores_it_and_what_a_part_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suggest_api.demo.supervisor.STOP_SECONDS", 0.5)
    supervisor = Supervisor(
        [
            python_part("stubborn", STUBBORN, ready_line="up and running"),
            python_part("parent", PARENT, ready_line="child"),
        ],
        logs=tmp_path,
    )
    supervisor.start_all()
    supervisor.wait_ready(tell=lambda _: None)
    pids = [each.process.pid for each in supervisor.running]
    pids.append(int((tmp_path / "parent.log").read_text().split()[1]))
    supervisor.stop()
    eventually(lambda: not any(is_alive(pid) for pid in pids))


def test_a_part_can_be_killed_and_started_again(started: Callable[..., Supervisor]) -> None:
    supervisor = started(python_part("sleeper", SLEEPER, ready_line="up and running"))
    supervisor.wait_ready(tell=lambda _: None)
    before = supervisor.running[0].process.pid
    supervisor.kill("sleeper")
    assert not is_alive(before)
    supervisor.start("sleeper")
    supervisor.wait_ready(["sleeper"], tell=lambda _: None)
    assert supervisor.running[0].process.pid != before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; elsewhere the leash polls")
def test_no_part_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import os, sys, time
        from pathlib import Path
        from suggest_api.demo.parts import Part
        from suggest_api.demo.supervisor import Supervisor

        def part(name):
            return Part(name=name, title=name, command=(sys.executable, "-c", {SLEEPER!r}),
                        environment=dict(os.environ), ready_line="up and running")

        supervisor = Supervisor([part("one"), part("two")], logs=Path({str(tmp_path)!r}))
        supervisor.start_all()
        supervisor.wait_ready(tell=lambda _: None)
        print(*(each.process.pid for each in supervisor.running), flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_alive(pid) for pid in pids)
        process.kill()
    eventually(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_once_and_the_handlers_come_back(number: signal.Signals) -> None:
    def be_stopped() -> None:
        with stopping_on_signals():
            try:
                os.kill(os.getpid(), number)
                time.sleep(5)
            finally:
                os.kill(os.getpid(), number)  # a second one must not interrupt the clean-up

    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=number.name):
        be_stopped()
    assert signal.getsignal(number) is before


def settings_with(tmp_path: Path, **ports: int) -> Settings:
    names = ("port", "bot_port", "actions_port", "double_port")
    return Settings(
        home=tmp_path, demo=True, **{name: ports.get(name) or free_port() for name in names}
    )  # type: ignore[arg-type]  # ports only


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("port", "FIRSTLINE_PORT"),
        ("bot_port", "FIRSTLINE_BOT_PORT"),
        ("actions_port", "FIRSTLINE_ACTIONS_PORT"),
        ("double_port", "FIRSTLINE_DOUBLE_PORT"),
    ],
)
def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path, name: str, setting: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {taken} is in use.*{setting}"):
            parts.require_free_ports(settings_with(tmp_path, **{name: taken}))


def test_one_port_for_two_parts_is_refused(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(
        ConfigurationError, match="FIRSTLINE_PORT and FIRSTLINE_DOUBLE_PORT are both"
    ):
        parts.require_free_ports(settings_with(tmp_path, port=port, double_port=port))


def test_free_ports_are_accepted(tmp_path: Path) -> None:
    parts.require_free_ports(settings_with(tmp_path))


def test_what_was_not_set_up_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the encoder.*make setup"):
        parts.require_set_up(settings_with(tmp_path))


def test_the_plan_gives_secrets_to_those_who_need_them_only(tmp_path: Path) -> None:
    kept = DemoSecrets(service="s" * 64, webhook="whsec_d2ViaG9vaw==", desk_key="fl_desk")
    planned = {part.name: part for part in parts.plan(settings_with(tmp_path), kept)}
    assert set(planned) == {"assistant", "actions", "service", "worker", "network"}

    def holders(secret: str) -> set[str]:
        return {
            name
            for name, part in planned.items()
            if any(secret in v for v in part.environment.values())
        }

    assert holders(kept.service) == {"service", "worker"}
    assert holders(kept.webhook) == {"service", "worker", "network"}
    assert "network" not in holders(kept.desk_key)
    assert not any(kept.service in word for part in planned.values() for word in part.command)
    assert all(
        part.environment["HF_HUB_OFFLINE"] == "1"
        for name, part in planned.items()
        if name != "network"
    )
