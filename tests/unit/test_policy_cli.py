"""`firstline policy`: examples are run, files of drafts are judged and measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from knowledge_base.cli.policy import policy_app

BROKEN_PACK = """format: 1
pack: test
rules:
  - {id: T, severity: warn, title: T, reason: R, mend: M, source: S, detector: says,
     settings: {phrases: [red]}, must_flag: [red, red a, red b, red c, blue],
     must_pass: [a, b, c, d, red e]}
"""
LABELLED = """text,label
Send us your PIN,CRED-ASK
Thanks for waiting.,pass
You will get a full refund by tomorrow.,block
"We are looking, and thank you.",
The lamp is blue.,bad
"""


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(policy_app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_our_own_packs_pass_their_examples() -> None:
    code, output = _run("test", "--json")
    report = json.loads(output)
    assert (code, report["misses"]) == (0, [])
    assert report["rules"] >= 80
    assert report["examples"] >= 10 * report["rules"]


def test_a_wrong_example_is_named_and_gives_exit_code_1(tmp_path: Path) -> None:
    tmp_path.joinpath("test.yaml").write_text(BROKEN_PACK)
    code, output = _run("test", "--packs", tmp_path, "--json")
    assert code == 1
    assert [(m["rule_id"], m["expected"], m["text"]) for m in json.loads(output)["misses"]] == [
        ("T", "flag", "blue"),
        ("T", "pass", "red e"),
    ]
    code, output = _run("test", "--packs", tmp_path)
    assert code == 1
    assert "T should flag: blue" in output


def test_a_text_file_is_judged_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "drafts.txt"
    file.write_text("Thanks for waiting.\n\nSend us your PIN\n", encoding="utf-8")
    code, output = _run("report", file, "--json")
    report = json.loads(output)
    assert code == 1
    assert report["outcomes"] == {"pass": 1, "warn": 0, "block": 1}
    assert report["rules"] == {"CRED-ASK": 1}
    assert [entry["line"] for entry in report["flagged"]] == [3]
    assert "measured" not in report


def test_labels_give_precision_and_recall_with_wilson_intervals(tmp_path: Path) -> None:
    file = tmp_path / "drafts.csv"
    file.write_text(LABELLED, encoding="utf-8")
    measured = json.loads(_run("report", file, "--json")[1])["measured"]
    recall = measured["any_finding"]["recall"]
    assert (recall["part"], recall["whole"]) == (2, 3)
    # Wilson's interval of 2 in 3, worked out by hand.
    assert (round(recall["low"], 4), round(recall["high"], 4)) == (0.2077, 0.9385)
    assert measured["any_finding"]["precision"]["value"] == 1.0
    assert measured["false_blocks"] == {
        "part": 0,
        "whole": 2,
        "value": 0.0,
        "low": 0.0,
        "high": pytest.approx(0.6576, abs=1e-4),
    }
    assert set(measured["rules"]) == {"CRED-ASK"}
    assert "recall" in _run("report", file)[1]


def test_a_file_of_good_drafts_gives_exit_code_0(tmp_path: Path) -> None:
    file = tmp_path / "drafts.txt"
    file.write_text("Thanks for waiting.\n", encoding="utf-8")
    assert _run("report", file)[0] == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\xff\xfe", "not UTF-8 at byte 0"),
        ("a.txt", b"\n\n", "there is no draft in it"),
        ("a.csv", b"draft\nHello\n", "must name a column text"),
        ("a.csv", b'text\n"open', "line"),
        ("a.txt", b"a" * (5 * 1024 * 1024 + 1), "split it"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    tmp_path.joinpath(name).write_bytes(content)
    code, output = _run("report", tmp_path / name, "--json")
    assert code == 2
    assert message in json.loads(output)["error"]
