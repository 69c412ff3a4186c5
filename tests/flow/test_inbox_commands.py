"""`firstline inbox`: what came in and where it stands, without a word of the customer's, and once again."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from suggest_api.cli import build
from suggest_api.storage import unit_of_work
from tests.doubles.desk import START, Parts, message

Run = Callable[..., Result]


def hello(words: str) -> bytes:
    return json.dumps(message(words, peer="peer-7", message_id="m-1", at=START)).encode()


UNREADABLE = hello("CANARY words").replace(b'"m-1"', b"17")


@pytest.fixture
def run(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Run:
    url = parts.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(build(["inbox"]), ["inbox", *arguments])

    return run


def test_the_list_tells_why_an_event_was_set_aside_and_never_what_it_says(
    parts: Parts, run: Run
) -> None:
    parts.post(UNREADABLE, event_id="e-1")
    parts.write("CANARY is fine", message_id="m-2")
    parts.ingest()
    told = run("list", "--state", "quarantined", "--json")
    assert told.exit_code == 0, told.output
    (event,) = json.loads(told.stdout)["events"]
    assert event["state"] == "quarantined"
    assert (event["channel"], event["account"]) == ("generic", "quillhaven")
    assert event["received_at"].endswith("+00:00")
    assert "data.message_id" in event["reason"]
    every = run("list")
    assert every.stdout.count("\n") == 2
    assert "done" in every.stdout
    assert "data.message_id" in every.stdout
    assert "CANARY" not in told.stdout + every.stdout
    assert run("list", "--limit", "1").stdout.count("\n") == 1


def test_replay_gives_the_event_to_the_worker_again(parts: Parts, run: Run) -> None:
    parts.post(UNREADABLE, event_id="e-1")
    parts.ingest()
    (event,) = json.loads(run("list", "--json").stdout)["events"]
    with unit_of_work.write(parts.engine) as session:
        # What a new version of the parser would do: understand the body.
        session.execute(text("UPDATE inbox_event SET raw = :raw"), {"raw": hello("hi")})
    told = run("replay", str(event["id"]))
    assert (told.exit_code, "waits for the worker" in told.stdout) == (0, True)
    parts.ingest()
    assert parts.said() == [("customer", "hi")]
    assert run("list", "--state", "quarantined").stdout == "no quarantined events\n"


def test_a_networks_words_cannot_command_the_terminal(parts: Parts, run: Run) -> None:
    parts.tell("odd\x1b[2J\ntype", who="peer-7")
    parts.ingest()
    shown = run("list").stdout
    assert "unknown event type odd?[2J?type" in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("list", "--state", "lost"), 2, "'lost' is not one of pending, done"),
        (("list", "--limit", "0"), 2, "--limit"),
        (("replay", "404"), 1, "there is no stored event 404"),
        (("replay", "first"), 2, "first"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(
    run: Run, arguments: tuple[str, ...], code: int, told: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, told in result.output) == (code, True)
