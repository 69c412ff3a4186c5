"""`firstline demo` as somebody calls it: refusals come before anything is started, and say how to mend it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from suggest_api.demo.people import _links, _Page

INBOX = """
<h1>Waiting for a person <span class="badge">1</span></h1>
<ol><li><a href="/console/conversations/0123456789abcdef0123456789abcdef">
  <span><bdi>Ana &lt;b&gt; Lima</bdi></span><span>hello</span></a></li></ol>
<h3>Recent</h3>
<ol><li><a href="/console/conversations/ffffffffffffffffffffffffffffffff"><bdi>Ben</bdi></a></li></ol>
<form action="/other"><input type="hidden" name="csrf" value="wrong"></form>
<form action="/reply"><input type="hidden" name="csrf" value="right"><input name="text" value="seen"></form>
"""


def call(home: Path, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTLINE_")}
    return subprocess.run(
        [sys.executable, "-m", "suggest_api.cli", "demo", *arguments],
        env={**env, "FIRSTLINE_HOME": str(home), "FIRSTLINE_DEMO": "1", **changed},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_the_set_up_it_says_so(tmp_path: Path) -> None:
    done = call(tmp_path)
    assert done.returncode == 2
    assert "make setup" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "firstline.db").exists()


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    for name in ("encoders/CURRENT", "index/CURRENT", "bot/models/model.tar.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    if not (Path(__file__).parents[3] / "bot" / ".venv").exists():
        pytest.skip("the assistant's environment is not installed")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = call(tmp_path, FIRSTLINE_DOUBLE_PORT=port)
    assert done.returncode == 2
    assert "FIRSTLINE_DOUBLE_PORT" in done.stdout
    assert not (tmp_path / "logs").exists()


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = call(tmp_path, FIRSTLINE_PORT="99999")
    assert done.returncode == 2
    assert "FIRSTLINE_PORT" in done.stdout


def test_json_without_script_is_wrong_usage(tmp_path: Path) -> None:
    done = call(tmp_path, "--json")
    assert done.returncode == 2
    assert "--script" in done.stderr


def test_the_script_reads_the_inbox_as_a_person_does() -> None:
    page = _Page(INBOX)
    waiting = _links(page, before="Recent")
    assert waiting == {"Ana <b> Lima": "0123456789abcdef0123456789abcdef"}
    assert set(_links(page, before=None)) == {"Ana <b> Lima", "Ben"}


def test_the_script_fills_in_the_form_that_it_means() -> None:
    assert _Page(INBOX).hidden_fields("/reply") == {"csrf": "right"}
    assert _Page(INBOX).hidden_fields("/missing") == {}
