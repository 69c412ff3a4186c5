"""The whole desk as real processes, and a real Chromium that looks at it; pictures are kept as artefacts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from knowledge_base import publish
from knowledge_base.exchange import import_file
from knowledge_base.home import Home
from knowledge_base.store.engine import open_engine, write_session
from suggest_api.access import service as access
from suggest_api.demo import parts, seed
from suggest_api.demo.parts import Part
from suggest_api.settings import Settings
from tests.crash.home import own_settings
from tests.fixtures_generation import TEST_HOME, exported_home
from tests.starter_policy import starter_policy

ROOT = Path(__file__).parents[2]
CONTENT = ROOT / "knowledge_base" / "content" / "snippets"
# Enough for these tests where an index has to be built for them, which takes its time for all the content.
SOME = [
    CONTENT / f"{topic}.yaml"
    for topic in ("assistant", "gift_cards", "orders", "refunds", "stores")
]
ARTEFACTS = ROOT / "test-artefacts" / "browser"
PASSWORD = "a long pass phrase"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing but the pages: no sandbox for root, no graphics card, no calls home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"laptop": (1280, 800), "wide": (1440, 900), "phone": (390, 844), "narrow": (360, 740)}
STOP_SECONDS = 10.0


@dataclass
class Window:
    """One person's browser window; what its pages complained about is remembered."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    refusals: tuple[
        str, ...
    ] = ()  # statuses of forms that are refused on purpose, which browsers log
    session_ends: bool = False  # a page that refreshes itself is told 401 then, which browsers log

    def listen(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"pageerror: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        # A policy violation is an error in the console as well.
        expected = self.session_ends and "401" in message.text
        expected |= any(status in message.text for status in self.refusals)
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(f"{message.type}: {message.text}")

    def keep(self, name: str) -> None:
        """A picture for whoever wants to see what the test saw.

        Hiding the caret would put a style into the page, which the page's policy rightly refuses.
        """
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png", caret="initial")

    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@dataclass(frozen=True)
class Running:
    """The addresses of the running parts."""

    home: Home
    settings: Settings
    console: str
    network: str

    def revoke(self, name: str) -> None:
        """An admin ends the sessions of a person."""
        engine = open_engine(self.home.database_url)
        with write_session(engine) as session:
            access.revoke_all(session, name, by="ruth", now=datetime.now(UTC))
        engine.dispose()


# While it is open its event loop runs in this thread, where no other test could then start one: a file each.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; without the program it skips, and fails when CI=true."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        reason = f"Chromium is missing: install one of {', '.join(CHROMIUM)}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


OpenWindow = Callable[..., Window]


@pytest.fixture
def window(chromium: Browser) -> Iterator[OpenWindow]:
    """Open a window of its own for somebody; none of its pages may complain about anything."""
    opened: list[tuple[BrowserContext, Window]] = []

    def open_window(
        size: str = "laptop", *, scheme: str = "light", scripts: bool = True
    ) -> Window:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=size == "phone",
            java_script_enabled=scripts,
        )
        context.set_default_timeout(15_000)
        shown = Window(context.new_page())
        shown.listen()
        opened.append((context, shown))
        return shown

    yield open_window
    complaints = [line for _, shown in opened for line in shown.complaints]
    for context, _ in opened:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def prepared_home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Home:
    """Database, people, starter content and generation; the encoder and index of a set-up home are used again."""
    folder = tmp_path_factory.mktemp("browser") / "home"
    for ready in filter(None, (os.environ.get(TEST_HOME), ROOT / ".firstline")):
        if (Path(ready) / "encoders" / "CURRENT").is_file():
            folder.mkdir()
            (folder / "encoders").symlink_to(Path(ready).absolute() / "encoders")
            if (Path(ready) / "index").is_dir():
                shutil.copytree(Path(ready) / "index", folder / "index")
            break
    if not folder.is_dir():
        exported_home(folder, request.getfixturevalue("encoders"))
    home = Home.at(folder)
    now = datetime.now(UTC)
    policy = starter_policy()
    engine = open_engine(home.database_url)
    seed.seed(engine, home, now=now)
    with write_session(engine) as session:
        for name in ("olga", "ben"):
            access.create_user(
                session, name, roles={access.Role.AGENT}, password=PASSWORD, now=now
            )
        for path in [CONTENT] if home.index.is_dir() else SOME:
            import_file(session, path, policy=policy, author="maya", approve_as="tomas", now=now)
    publish.build(home, engine, now=now)  # only verified where the copied index says the same
    engine.dispose()
    return home


@contextmanager
def started(home: Home, *, names: set[str], **environment: str) -> Iterator[Running]:
    """The named parts of the demo as processes of their own; all of them are gone afterwards."""
    settings = own_settings(home.root)
    secrets = seed.secrets_file.load_or_make(home)
    logs = home.root / "logs"
    logs.mkdir(exist_ok=True)
    processes: list[tuple[Part, subprocess.Popen[bytes], Path]] = []
    try:
        for part in parts.plan(settings, secrets):
            if part.name not in names:
                continue
            log = logs / f"browser-{part.name}.log"
            leash = (sys.executable, "-I", str(ROOT / "suggest_api" / "demo" / "leash.py"))
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [*leash, str(os.getpid()), *part.command],
                    env={**part.environment, **environment},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            processes.append((part, process, log))
        for part, process, log in processes:
            _wait_until_ready(part, process, log)
        at = parts.Addresses.of(settings)
        yield Running(home, settings, at.console, at.network)
    except BaseException:
        for part, _, log in processes:
            sys.stderr.write(f"--- {part.name}\n{log.read_text(errors='replace')[-4000:]}\n")
        raise
    finally:
        _stop([process for _, process, _ in processes])


def _wait_until_ready(part: Part, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + part.patience
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"{part.title} ended with {process.returncode} before it was ready")
        if part.ready_line is not None and part.ready_line in log.read_text(errors="replace"):
            return
        if part.ready_url is not None and _answers(part.ready_url):
            return
        time.sleep(0.1)
    pytest.fail(f"{part.title} was not ready after {part.patience:.0f} s")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="session")
def running(prepared_home: Home) -> Iterator[Running]:
    """Service, worker and network double, without an assistant: people answer from the start."""
    names = {"service", "worker", "network"}
    with started(prepared_home, names=names, FIRSTLINE_BOT_URL="none") as desk:
        yield desk
