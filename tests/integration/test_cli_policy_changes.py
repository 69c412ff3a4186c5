"""`firstline policy export`, `propose`, `approve`, `history` and `diff`, as a person or a script uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from knowledge_base.cli import policy_app
from knowledge_base.governance import current
from tests.policy_sets import FILES, SHIPPED, pack, rule

GREEN = pack("brand", rule("TEAL", "teal", severity="warn"), rule("GREEN", "green"))


@pytest.fixture(autouse=True)
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a database, and small packs for those of the program."""
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FIRSTLINE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(current, "shipped", lambda: SHIPPED)
    return tmp_path / "packs"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(policy_app, [str(argument) for argument in arguments])


def run_json(*arguments: object, code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_a_policy_goes_from_a_folder_into_force(packs: Path) -> None:
    assert run_json("export", packs)["files"] == sorted(FILES)
    assert run("export", packs).exit_code == 2  # nothing that was changed there is written over
    (packs / "brand.yaml").write_text(GREEN)
    tried = run_json("propose", packs, "--by", "Ana", "--why", "no green", "--dry-run")
    assert (tried["policy"], tried["changed_files"]) == (None, ["brand.yaml"])
    assert run_json("history")["policies"] == []

    made = run("propose", packs, "--by", "Ana", "--why", "no green")
    assert made.exit_code == 0, made.output
    assert "policy 1 waits for somebody else" in made.stdout
    assert run_json("diff", 1, code=1)["files"]["brand.yaml"][0] == "--- before/brand.yaml"
    assert "somebody else has to approve" in run_json("approve", 1, "--by", "Ana", code=1)["error"]
    assert run_json("test")["rules"] == 3
    done = run("approve", 1, "--by", "Bo")
    assert done.exit_code == 0, done.output
    assert "policy 1 is in force" in done.stdout
    assert run_json("test")["rules"] == 4
    history = run_json("history")
    assert [(p["id"], p["state"], p["approved_by"]) for p in history["policies"]] == [
        (1, "live", "Bo")
    ]
    assert "no green" in run("history").stdout
    assert run("diff", 0).exit_code == 0


def test_what_cannot_be_read_is_named_and_nothing_is_kept(packs: Path) -> None:
    run_json("export", packs)
    (packs / "brand.yaml").write_text("format: 1\npack: brand\nrules: [")
    refused = run("propose", packs, "--by", "Ana", "--why", "x")
    assert refused.exit_code == 1
    assert "brand.yaml: line 4: this is not readable YAML" in refused.stderr
    assert (
        run_json("propose", packs, "--by", "Ana", "--why", "x", code=1)["faults"][0]["line"] == 4
    )
    assert run_json("history")["policies"] == []
    assert run_json("propose", packs / "none", "--by", "Ana", "--why", "x", code=2)["error"]


def test_a_weakening_is_confirmed_by_name(packs: Path) -> None:
    run_json("export", packs)
    (packs / "core.yaml").write_text(pack("core", rule("RED", "red", "scarlet")))
    shown = run("propose", packs, "--by", "Ana", "--why", "blue is fine now")
    assert "weaker, removed:BLUE" in shown.stdout
    assert "confirm removed:BLUE" in run_json("approve", 1, "--by", "Bo", code=1)["error"]
    more = ("--confirm", "removed:BLUE", "--reason", "agreed with legal")
    assert run_json("approve", 1, "--by", "Bo", *more)["weakenings"] == ["removed:BLUE"]


def test_packs_that_were_exported_before_another_approval_are_refused(packs: Path) -> None:
    run_json("export", packs)
    run_json("export", packs / "mine")
    (packs / "brand.yaml").write_text(GREEN)
    run_json("propose", packs, "--by", "Ana", "--why", "no green")
    run_json("approve", 1, "--by", "Bo")
    refused = run_json("propose", packs / "mine", "--by", "Cy", "--why", "x", code=1)
    assert refused["kind"] == "PolicyConflict"
    run_json("export", packs / "back", "--number", 0)  # to go back is no conflict
    assert run_json("propose", packs / "back", "--by", "Cy", "--why", "x")["policy"] == 2


def test_returned_and_withdrawn(packs: Path) -> None:
    run_json("export", packs)
    (packs / "brand.yaml").write_text(GREEN)
    run_json("propose", packs, "--by", "Ana", "--why", "no green")
    assert run_json("return", 1, "--by", "Bo", "--reason", "too wide")["state"] == "returned"
    assert run("withdraw", 1, "--by", "Ana").stdout == "policy 1 is withdrawn\n"
    assert run_json("approve", 1, "--by", "Bo", code=1)["kind"] == "WorkflowError"
    assert run_json("approve", 7, "--by", "Bo", code=1)["kind"] == "NotFound"
