"""Rules of the house that no linter knows: sizes, one-sentence openings, topics, settings, imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from suggest_api.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
MODULES = sorted([*ROOT.glob("knowledge_base/**/*.py"), *ROOT.glob("suggest_api/**/*.py")])
# Variables that one part of the demo sets for another; nobody sets them by hand.
INTERNAL = {"FIRSTLINE_DOUBLE_ACCOUNT", "FIRSTLINE_DOUBLE_DATA", "FIRSTLINE_DOUBLE_SECRET"}
FORBIDDEN_NAMES = {"utils", "helpers", "manager", "common"}
# Slow to load, and only `firstline db upgrade` and the other commands that may bring a database up need it.
MIGRATING = ("alembic", "mako")
HEAVY = ("torch", "transformers", "sentence_transformers", "sklearn", "scipy")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_modules() -> None:
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= MOST_LINES
    assert path.stem not in FORBIDDEN_NAMES
    opening = ast.get_docstring(ast.parse(source))
    assert opening, "the module has no docstring"


def test_most_functions_are_short() -> None:
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    )
    assert lengths[int(len(lengths) * 0.9)] < 35


def test_nothing_is_built_at_import() -> None:
    """No application, engine or client at the top level of a module."""
    builders = {"create_engine", "open_engine", "create_app", "FastAPI", "Client", "AsyncClient"}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr):
                continue
            calls = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
            names = {getattr(f, "id", getattr(f, "attr", "")) for f in calls}
            assert not names & builders, f"{named(path)}:{node.lineno}"


def test_the_assistants_topics_and_its_training_data_have_the_same_names() -> None:
    """`bot/domain/<topic>.yml` belongs to the files of that name in `training_data`."""
    domain = {path.stem for path in (ROOT / "bot" / "domain").glob("*.yml")}
    training = {
        kind: {path.stem for path in (ROOT / "training_data" / kind).glob("*.yml")}
        for kind in ("nlu", "rules", "stories")
    }
    assert len(training["nlu"]) >= 8
    for kind, topics in training.items():
        assert topics <= domain, f"training_data/{kind} has topics that bot/domain lacks"
    assert training["nlu"] <= domain
    everywhere = set().union(*training.values())
    assert domain <= everywhere, "bot/domain has topics without any training data"


def test_every_setting_is_described_and_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    listed = set(re.findall(rf"^({PREFIX}[A-Z_]+)=", example, re.MULTILINE))
    settings = {PREFIX + name.upper() for name in Settings.model_fields}
    assert listed == settings
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} has no description"
        assert " ".join(field.description.split()) in " ".join(
            example.replace("\n# ", " ").split()
        ), f"the description of {name} in .env.example is an old one"


def test_every_variable_that_is_read_is_a_setting() -> None:
    sources = [*MODULES, *ROOT.glob("bot/*.py"), *ROOT.glob("bot/actions/*.py")]
    read = {
        name
        for path in sources
        for name in re.findall(r"FIRSTLINE_[A-Z_]*[A-Z]", path.read_text())
    }
    settings = {PREFIX + name.upper() for name in Settings.model_fields}
    prefixes = {"FIRSTLINE_DOUBLE"}  # named as a family in prose
    assert read - settings - INTERNAL - prefixes == set()


def test_the_example_is_a_working_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(__import__("os").environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    for name, value in re.findall(
        rf"^({PREFIX}[A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE
    ):
        monkeypatch.setenv(name, value)
    found = Settings()
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert {name: getattr(found, name) for name in defaults} == defaults


def test_what_serves_imports_nothing_of_the_builder() -> None:
    code = (
        "import sys, suggest_api.main, suggest_api.worker, suggest_api.server;"
        f"print([m for m in {HEAVY + MIGRATING!r} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


def test_the_help_is_quick_because_it_imports_no_part() -> None:
    code = (
        "import sys; from suggest_api.cli import build; build(['--help']);"
        "print([m for m in ('fastapi', 'sqlalchemy', 'numpy', 'faiss', 'rich.table')"
        " if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


def test_the_import_rules_hold() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:]
