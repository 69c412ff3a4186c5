"""A real HTTP server that plays the desk: speaks the contract of /v1/suggestions, keeps what it was asked."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CONTRACT = Path(__file__).parents[1] / "contract"
KEY = "test-key"


def example(name: str) -> Any:
    """An example of the contract, shared with the service's tests."""
    return json.loads((CONTRACT / f"{name}.json").read_text(encoding="utf-8"))


ANSWER, ABSTAIN, REFUSE, BREAK, HANG, REDIRECT, BABBLE, FLOOD, MALFORMED = (
    "answer",
    "abstain",
    "refuse",
    "break",
    "hang",
    "redirect",
    "babble",
    "flood",
    "malformed",
)
HANG_SECONDS = 8  # longer than the client's 3 and the service's 5


@dataclass
class DeskDouble:
    """What the desk does next, and what it was asked."""

    mode: str = ANSWER
    asked: list[dict[str, Any]] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int = 0) -> None:
        """Listen again on the same port as before, or on a free one."""
        self.server = ThreadingHTTPServer(("127.0.0.1", port or self.port), _handler(self))
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def reset(self) -> None:
        """Answer again, and forget what was asked."""
        self.mode = ANSWER
        self.asked.clear()
        if self.server is None:
            self.start()


def _handler(desk: DeskDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            desk.asked.append(
                {"path": self.path, "key": self.headers["Authorization"], "body": body}
            )
            status, content = _answer(desk.mode)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{desk.url}/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Print nothing: pytest's output is the tests' own."""

    return Handler


def _answer(mode: str) -> tuple[int, bytes]:
    if mode == HANG:
        time.sleep(HANG_SECONDS)
    if mode == ABSTAIN:
        return 200, (CONTRACT / "suggestions_response_abstained.json").read_bytes()
    return {
        REFUSE: (401, b"{}"),
        BREAK: (500, b"{}"),
        REDIRECT: (302, b""),
        BABBLE: (200, b"<html>not json</html>"),
        FLOOD: (200, b"x" * 1_000_000),
        MALFORMED: (200, b'{"abstained": false, "suggestions": []}'),
    }.get(mode, (200, (CONTRACT / "suggestions_response.json").read_bytes()))
