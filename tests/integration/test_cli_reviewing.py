"""`kb due` and `kb paths`, and the file of review paths, as a person or a script uses them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from knowledge_base.cli import kb_app
from knowledge_base.curation.paths_file import MAX_BYTES, read_paths
from knowledge_base.errors import UnreadableFile
from knowledge_base.home import Home
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import migrate, repository
from knowledge_base.store.engine import open_engine, write_session
from tests.starter_policy import starter_policy

STARTER = Path(__file__).parents[2] / "knowledge_base" / "content" / "review_paths.yaml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FIRSTLINE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(kb_app, [str(argument) for argument in arguments])


def run_json(*arguments: object, code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def live(key: str, *, days_ago: int) -> None:
    engine = open_engine(Home.from_environment().database_url)
    migrate.upgrade(engine)
    then = datetime.now(UTC) - timedelta(days=days_ago)
    content = SnippetContent(key=key, text="We open at nine.", topic="shop", owner="Ana [x]")
    with write_session(engine) as session:
        draft = repository.add_revision(session, content, author="ana", now=then)
        repository.submit(session, draft.id, by="ana", now=then)
        repository.approve(session, draft.id, by="bo", now=then, policy=starter_policy())
        repository.go_live(session, [*(r.id for r in repository.all_live(session)), draft.id])
    engine.dispose()


def test_what_is_due_is_listed_and_overdue_is_a_finding() -> None:
    assert run_json("due") == {"due": [], "overdue": 0}
    live("a.fresh", days_ago=10)
    live("b.soon", days_ago=80)
    found = run_json("due")
    assert [(each["key"], each["overdue"]) for each in found["due"]] == [("b.soon", False)]
    live("c.late", days_ago=100)
    found = run_json("due", code=1)
    assert [each["key"] for each in found["due"]] == ["c.late", "b.soon"]
    assert found["overdue"] == 1
    shown = run("due")
    assert shown.exit_code == 1
    assert "c.late@1" in shown.stdout
    assert "Ana [x]" in shown.stdout
    assert "2 to be read again within two weeks, 1 overdue" in shown.stdout


def test_paths_are_set_listed_and_removed() -> None:
    assert "any approver" in run("paths").stdout
    assert run_json("paths") == {"paths": {}}
    set_them = run_json("paths", "set", "safety", "legal", "press office", "--by", "ruth")
    assert set_them["paths"] == {"safety": ["legal", "press office"]}
    run_json("paths", "set", "*", "content")
    assert run_json("paths")["paths"]["*"] == ["content"]
    assert "legal, then press office" in run("paths").stdout
    run_json("paths", "set", "safety")
    assert run_json("paths") == {"paths": {"*": ["content"]}}


def test_a_path_that_cannot_be_walked_is_refused() -> None:
    for teams in (["legal", "legal"], ["*"], list("abcdefg")):
        assert run_json("paths", "set", "safety", *teams, code=1)["kind"] == "ContentError"
    assert run_json("paths") == {"paths": {}}


def test_a_file_goes_in_and_comes_out_the_same(folder: Path) -> None:
    run_json("paths", "set", "*", "content")
    assert run_json("paths", "import", STARTER)["changed"] == ["complaints", "safety"]
    assert run_json("paths", "import", STARTER)["changed"] == []
    out = folder / "out.yaml"
    assert run_json("paths", "export", out)["paths"] == 3
    assert read_paths(out) == {**read_paths(STARTER), "": ("content",)}
    run_json("paths", "set", "safety", "other")
    assert run_json("paths", "import", out)["changed"] == ["safety"]
    assert "0 of 3 paths changed" in run("paths", "import", out).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b", "has to be a list"),
        ("- legal", "exactly a topic and its teams"),
        ("- topic: a", "exactly a topic and its teams"),
        ("- {topic: a, teams: [b], more: c}", "exactly a topic and its teams"),
        ("- {topic: '', teams: [b]}", "the topic has to be a word"),
        ("- {topic: 1, teams: [b]}", "the topic has to be a word"),
        ("- {topic: a, teams: legal}", "a list of names"),
        ("- {topic: a, teams: [1]}", "a list of names"),
        ("- {topic: a, teams: [b]}\n- {topic: a, teams: [c]}", "entry 2: the topic 'a' stands there"),
        ("- &x {topic: a, teams: [b]}\n- *x", "alias"),
        ("- topic: a\n\tteams: [b]", "not YAML"),
        ("- !!python/object:os.system {}", "not YAML"),
        ("[" * 60_000, "nested more than 8 deep"),
        ("[" * 30_000 + "]" * 30_000, "nested more than 8 deep"),
        ("#" * (MAX_BYTES + 1), "larger than 64 KB"),
        ("\udcff", "not UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_list_of_paths_is_refused_and_changes_nothing(
    folder: Path, text: str, said: str
) -> None:
    file = folder / "paths.yaml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UnreadableFile, match=said):
        read_paths(file)
    assert run_json("paths", "import", file, code=2)["kind"] == "UnreadableFile"
    assert run_json("paths") == {"paths": {}}


def test_no_file_and_no_place_to_write_are_named(folder: Path) -> None:
    assert "No such file" in run_json("paths", "import", folder / "no.yaml", code=2)["error"]
    gone = folder / "no" / "where.yaml"
    assert "cannot be written" in run_json("paths", "export", gone, code=2)["error"]


def test_a_path_does_not_stop_an_import_that_changes_nothing_there(folder: Path) -> None:
    file = folder / "f.csv"
    file.write_text("key,text,topic\na.one,Hello there,safety\na.two,Goodbye,shop\n")
    people = ("--author", "Ana", "--approve-as", "Bo")
    run_json("import", file, *people)
    run_json("paths", "set", "safety", "legal", "press")
    file.write_text("key,text,topic\na.one,Hello there,safety\na.two,Good day,shop\n")
    assert run_json("import", file, *people)["approved"] == ["a.two"]
    file.write_text("key,text,topic\na.one,Hello you,safety\na.two,Good day,shop\n")
    refused = run_json("import", file, *people, code=1)
    assert "signed off by legal, then press" in refused["problems"][0]["reason"]
