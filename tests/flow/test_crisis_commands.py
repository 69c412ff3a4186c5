"""`firstline freeze`, `thaw`, `freezes`, `kb recall` and `kb uses`: what they do, say, and refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from suggest_api.cli import build
from tests.doubles.desk import Parts, approve_snippets
from tests.flow.test_freeze import HOLDING, RETURNS
from tests.flow.test_recall import KEY, TIMES

Run = Callable[..., Result]
BY = ("--by", "Ines", "--reason", "A flood.")


@pytest.fixture
def run(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Run:
    approve_snippets(parts, TIMES, HOLDING, RETURNS)
    url = parts.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(build(arguments[:1]), list(arguments))

    return run


def told(result: Result, code: int = 0) -> Any:
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_a_freeze_is_made_shown_and_thawed(run: Run) -> None:
    made = told(
        run("freeze", "delivery", "--team", "press", "--holding", HOLDING.key, *BY, "--json")
    )
    assert (made["freeze"]["topic"], made["impact"]["snippets"]) == ("delivery", 1)
    drill = run("freeze", "--everything", "--channel", "generic", "--team", "x", *BY, "--drill")
    assert drill.exit_code == 0, drill.output
    assert "DRILL everything on generic -> x" in drill.stdout
    assert "would be affected" in drill.stdout
    listed = told(run("freezes", "--json"))["freezes"]
    assert [(one["topic"], one["drill"]) for one in listed] == [("delivery", False), ("", True)]
    number = str(made["freeze"]["id"])
    ended = told(run("thaw", number, *BY, "--json"))
    assert ended["freeze"]["thawed_by"] == "Ines"
    assert "was thawed by Ines" in told(run("thaw", number, *BY, "--json"), 1)["error"]
    assert "delivery" not in run("freezes").stdout
    assert "thawed by Ines" in run("freezes", "--all").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("delivry",), "the topics are"),
        ((), "name one topic to freeze"),
        (("delivery", "--everything"), "name one topic to freeze"),
        (("delivery", "--holding", "no.such"), "not published"),
        (("delivery", "--channel", "pigeon"), "the channels are generic"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_freezes_nothing(
    run: Run, arguments: tuple[str, ...], expected: str
) -> None:
    answer = told(run("freeze", *arguments, "--team", "press", *BY, "--json"), 2)
    assert expected in answer["error"]
    assert run("freezes").stdout == "nothing is frozen\n"


def test_a_snippet_is_recalled_and_its_uses_are_listed(run: Run) -> None:
    made = told(run("kb", "recall", KEY, *BY, "--json"))
    assert (made["recall"]["by"], made["drafts_withdrawn"], made["revision"]) == ("Ines", 0, 1)
    assert "nothing to recall" in told(run("kb", "recall", KEY, *BY, "--json"), 1)["error"]
    uses = told(run("kb", "uses", KEY, "--json"))
    assert (uses["uses"], uses["recalls"][0]["reason"]) == ([], "A flood.")
    shown = run("kb", "uses", KEY)
    assert "used 0 times (never)" in shown.stdout
    assert "recalled by Ines" in shown.stdout
    assert "no snippet" in told(run("kb", "uses", "no.such", "--json"), 1)["error"]


def test_what_nobody_used_is_listed(run: Run) -> None:
    found = told(run("kb", "unused", "--days", "30", "--json"))
    assert (found["days"], found["live"]) == (30, len(found["unused"]))
    assert KEY in {each["key"] for each in found["unused"]}
    shown = run("kb", "unused", "--taken").stdout
    assert f"{KEY}@1" in shown
    assert f"{found['live']} of {found['live']} live snippets not taken in 90 days" in shown
    assert run("kb", "unused", "--days", "0").exit_code == 2
