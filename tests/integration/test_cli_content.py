"""`kb import`, `export` and `lint` as a person or a script runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from knowledge_base.cli import kb_app
from knowledge_base.store.engine import open_engine

ROWS = "key,text,examples\na.one,Hello there,hi | hello\na.two,Goodbye,bye\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FIRSTLINE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "f.csv").write_text(ROWS)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(kb_app, [str(argument) for argument in arguments])


def run_json(*arguments: object, code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_import_for_a_person(folder: Path) -> None:
    result = run("import", folder / "f.csv", "--author", "Ana", "--approve-as", "Bo")
    assert result.exit_code == 0
    assert "approved" in result.stdout
    again = run_json("import", folder / "f.csv")
    assert (again["unchanged"], again["added"]) == (2, [])


def test_what_is_approved_asks_for_a_candidate(folder: Path) -> None:
    people = ("--author", "Ana", "--approve-as", "Bo")
    assert run_json("import", folder / "f.csv", *people, "--dry-run")["publication"] is None
    said = run("import", folder / "f.csv", *people).stdout
    assert "approved is not yet live: publication 1 is requested" in said
    assert "firstline kb build" in said
    [asked] = run_json("publications")
    assert (asked["id"], asked["state"], asked["requested_by"]) == (1, "requested", "Bo")
    # The same file changes nothing, and without an approval nothing is asked for.
    assert run_json("import", folder / "f.csv", *people)["publication"] is None
    (folder / "g.csv").write_text("key,text\na.three,Good evening\n")
    assert run_json("import", folder / "g.csv")["publication"] is None
    (folder / "h.csv").write_text("key,text\na.four,Good morning\n")
    assert run_json("import", folder / "h.csv", *people)["publication"] == 1  # takes it along


def test_import_for_a_script(folder: Path) -> None:
    report = run_json("import", folder / "f.csv")
    assert report["waiting"] == ["a.one", "a.two"]
    assert (report["rows"], report["phrasings"], report["dry_run"]) == (2, 3, False)


def test_waiting_snippets_are_named(folder: Path) -> None:
    result = run("import", folder / "f.csv")
    assert "waiting for approval, so not offered yet: a.one, a.two" in result.stdout


def test_a_dry_run_leaves_nothing(folder: Path) -> None:
    assert "dry run: nothing was changed" in run("import", folder / "f.csv", "--dry-run").stdout
    assert run_json("import", folder / "f.csv")["added"] == ["a.one", "a.two"]


def test_a_refused_file_ends_in_1_and_names_each_problem(folder: Path) -> None:
    (folder / "bad.csv").write_text("key,text\nBad,Hello\na.b,{oops}\n")
    result = run("import", folder / "bad.csv")
    assert result.exit_code == 1
    assert "'Bad' is not a key" in result.stdout
    assert "nothing was imported: 2 problems in 2 rows" in result.stderr
    report = run_json("import", folder / "bad.csv", code=1)
    assert report["kind"] == "ImportRefused"
    assert [(p["line"], p["column"], p["key"]) for p in report["problems"]] == [
        (2, "key", "Bad"),
        (3, "text", "a.b"),
    ]


def test_many_problems_are_counted_not_all_printed(folder: Path) -> None:
    (folder / "bad.csv").write_text("key,text\n" + "Bad,x\n" * 80)
    result = run("import", folder / "bad.csv")
    assert "... and 30 more" in result.stdout
    assert len(run_json("import", folder / "bad.csv", code=1)["problems"]) == 80


def test_markup_in_a_file_is_only_text(folder: Path) -> None:
    (folder / "bad.csv").write_text("key,text\n[red]x[/],Hello\n[/nope],Hi\n")
    result = run("import", folder / "bad.csv")
    assert result.exit_code == 1
    assert "[red]x[/]" in result.stdout
    assert "[/nope]" in result.stdout


@pytest.mark.parametrize(
    "arguments", [("import", "missing.csv"), ("import",), ("export",), ("nonsense",)]
)
def test_wrong_calls_end_in_2(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_unusable_files_end_in_2(folder: Path) -> None:
    (folder / "f.xlsx").write_bytes(b"PK")
    result = run("import", folder / "f.xlsx")
    assert result.exit_code == 2
    assert "has to end in .csv, .yaml or .yml" in result.stderr
    assert run("export", folder / "out.txt").exit_code == 2
    assert run("export", folder / "nowhere" / "out.csv").exit_code == 2


def test_one_person_twice_ends_in_1(folder: Path) -> None:
    result = run("import", folder / "f.csv", "--author", "Ana", "--approve-as", "Ana")
    assert result.exit_code == 1
    assert "name two people with --author and --approve-as" in result.stderr


def test_a_database_from_the_future_ends_in_2(folder: Path) -> None:
    run("import", folder / "f.csv")
    engine = open_engine(f"sqlite:///{folder / 'home' / 'firstline.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    result = run("lint")
    assert result.exit_code == 2
    assert "install the newer version" in result.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.yaml"])
def test_export_and_import_again(folder: Path, name: str) -> None:
    run("import", folder / "f.csv", "--author", "Ana", "--approve-as", "Bo")
    (folder / name).write_text("something older")
    assert run_json("export", folder / name) == {"path": str(folder / name), "snippets": 2}
    assert [p.name for p in folder.glob(".*")] == []
    assert run_json("import", folder / name)["unchanged"] == 2


def test_lint_ends_in_1_when_something_is_found(folder: Path) -> None:
    assert run("lint").exit_code == 0
    (folder / "f.csv").write_text("key,text,valid_until\nold.one,Hello,2020-01-01\n")
    run("import", folder / "f.csv", "--author", "Ana", "--approve-as", "Bo")
    report = run_json("lint", code=1)
    assert [(f["key"], f["kind"]) for f in report["findings"]] == [("old.one", "expired")]
    result = run("lint")
    assert result.exit_code == 1
    assert "1 live snippets looked at, 1 findings" in result.stdout


def test_how_the_file_was_read_is_told(folder: Path) -> None:
    (folder / "f.csv").write_bytes("key;text\na.one;Caf\u00e9\n".encode("cp1252"))
    said = run("import", folder / "f.csv", "--dry-run").stdout
    assert "f.csv: csv, Windows-1252, semicolon between cells" in said
    assert "look whether '\u00e9' in line 2 is right" in said
    source = run_json("import", folder / "f.csv", "--dry-run")["source"]
    assert (source["encoding"], source["delimiter"]) == ("Windows-1252", "semicolon")


@pytest.mark.parametrize("name", ["s.csv", "s.yaml"])
def test_the_sample_is_a_file_that_can_be_imported(folder: Path, name: str) -> None:
    assert "--dry-run" in run("sample", folder / name).stdout
    report = run_json("import", folder / name, "--author", "Ana", "--approve-as", "Bo")
    assert len(report["approved"]) == 2
    assert run_json("sample", folder / f"2{name}")["path"].endswith(f"2{name}")


def test_a_sample_replaces_nothing(folder: Path) -> None:
    assert "File exists" in run("sample", folder / "f.csv").stderr
    assert (folder / "f.csv").read_text() == ROWS
    assert run("sample", folder / "f.txt").exit_code == 2
