"""The set-up's steps: done once, again when something changed or was interrupted, explained when they fail."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture(scope="module")
def scripts() -> Iterator[Path]:
    """The folder on the path, as it is when `python3 scripts/bootstrap.py` runs."""
    sys.path.insert(0, str(SCRIPTS))
    yield SCRIPTS
    sys.path.remove(str(SCRIPTS))
    for name in ("steps", "machine", "bootstrap"):
        sys.modules.pop(name, None)


@pytest.fixture
def steps(scripts: Path) -> ModuleType:
    return importlib.import_module("steps")


@pytest.fixture
def machine(scripts: Path) -> ModuleType:
    return importlib.import_module("machine")


@pytest.fixture
def bootstrap(scripts: Path) -> ModuleType:
    return importlib.import_module("bootstrap")


class Counter:
    """Work that counts how often it was done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, run: object) -> None:
        self.times += 1


def test_a_step_is_done_once(steps: ModuleType, tmp_path: Path) -> None:
    work = Counter()
    stamp = tmp_path / "stamps" / "step"
    for expected in (True, False):
        journal = steps.Journal(tmp_path / "logs")
        assert journal.step("Step", stamp=stamp, inputs="a", work=work) is expected
    assert work.times == 1


def test_a_step_is_done_again_when_its_inputs_changed(steps: ModuleType, tmp_path: Path) -> None:
    work = Counter()
    for inputs in ("a", "b", "b"):
        steps.Journal(tmp_path).step("Step", stamp=tmp_path / "step", inputs=inputs, work=work)
    assert work.times == 2


def test_a_step_is_done_again_when_its_result_is_gone(steps: ModuleType, tmp_path: Path) -> None:
    work = Counter()
    for present in (True, False):
        steps.Journal(tmp_path).step(
            "Step",
            stamp=tmp_path / "step",
            inputs="a",
            present=lambda found=present: found,
            work=work,
        )
    assert work.times == 2


def test_an_interrupted_step_is_done_again(steps: ModuleType, tmp_path: Path) -> None:
    stamp = tmp_path / "step"

    def interrupted(run: object) -> None:
        raise KeyboardInterrupt

    steps.Journal(tmp_path).step("Step", stamp=stamp, inputs="a", work=Counter())
    with pytest.raises(KeyboardInterrupt):
        steps.Journal(tmp_path).step("Step", stamp=stamp, inputs="b", work=interrupted)
    work = Counter()
    # Also with the inputs of the earlier, finished run: nobody knows what the interrupted one left.
    steps.Journal(tmp_path).step("Step", stamp=stamp, inputs="a", work=work)
    assert work.times == 1


def test_nothing_to_do_is_one_line(
    steps: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "step").write_text("a\n")
    journal = steps.Journal(tmp_path)
    journal.step("Step", stamp=tmp_path / "step", inputs="a", work=Counter())
    journal.close("The set-up")
    assert capsys.readouterr().out == "The set-up is up to date: nothing to do.\n"


def test_times_are_printed_as_a_table(
    steps: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = steps.Journal(tmp_path)
    journal.step("First", stamp=tmp_path / "first", inputs="a", work=Counter())
    journal.step("The second", stamp=tmp_path / "second", inputs="a", work=Counter())
    journal.close("The set-up")
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert [line[0] for line in lines] == ["First", "The", "The"]
    assert all(line[-1] == "s" for line in lines)


@pytest.mark.parametrize(
    ("printed", "hint"),
    [
        ("error: dns error: failed to lookup address", "package index could not be reached"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("something else", "something else"),
    ],
)
def test_a_failed_command_is_explained(
    steps: ModuleType, tmp_path: Path, printed: str, hint: str
) -> None:
    run = steps.Run("Installing", log=tmp_path / "install.log")
    code = f"import sys; print({printed!r}); sys.exit(7)"
    with pytest.raises(steps.SetupError, match="exit code 7") as caught:
        run.quiet([sys.executable, "-c", code])
    assert hint in str(caught.value)
    assert printed in str(caught.value)


def test_a_digest_follows_names_and_content(steps: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    first = steps.digest(tmp_path, "word")
    assert steps.digest(tmp_path, "word") == first
    assert steps.digest(tmp_path, "other") != first
    (tmp_path / "a.txt").write_text("two")
    changed = steps.digest(tmp_path, "word")
    assert changed != first
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert steps.digest(tmp_path, "word") != changed


def test_too_little_disk_space_is_measured_and_named(machine: ModuleType, tmp_path: Path) -> None:
    machine.check_disk(tmp_path, needed_gb=0.000001)
    with pytest.raises(
        Exception, match=r"has \d+\.\d GB free and setting up needs about 900000 GB"
    ):
        machine.check_disk(tmp_path, needed_gb=900_000.0)


def test_an_interpreter_that_does_not_run_is_not_found(
    machine: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyenv puts such a file on PATH for every version that is installed but not switched on."""
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.99: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.probe(str(shim)) is None
    assert machine.find_python([(3, 99)]) is None


def test_the_first_wanted_version_wins(machine: ModuleType) -> None:
    here = sys.version_info[:2]
    found = machine.find_python([(3, 99), here, (3, 98)])
    assert found is not None
    assert found.version == here


def test_an_old_uv_is_not_used(
    machine: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "uv"
    old.write_text("#!/bin/sh\necho 'uv 0.1.3 (a0b1c2)'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert machine.find_uv(tmp_path / "private") is None
    old.write_text("#!/bin/sh\necho 'uv 99.0.1 (a0b1c2)'\n")
    assert machine.find_uv(tmp_path / "private") == str(old)


class Recorded:
    """Stands for a run and keeps its commands."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def __call__(self, *_: object, **__: object) -> Recorded:
        return self

    def quiet(self, command: list[str]) -> None:
        self.commands.append(command)


def test_every_installation_is_compiled_and_every_lock_checked_by_hash(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Recorded()

    class Journal:
        def step(self, _title: str, *, work: Callable[[Recorded], None], **_: object) -> None:
            work(done)

    monkeypatch.setattr(bootstrap, "the_uv", lambda: "uv")
    monkeypatch.setattr(bootstrap, "environment", lambda *_, **__: None)
    monkeypatch.setattr(bootstrap, "LOGS", tmp_path)
    monkeypatch.setattr(bootstrap.machine, "check_disk", lambda *_: None)
    bootstrap.install(Journal())
    bootstrap.dev(Journal())
    assert len(done.commands) >= 5
    for command in done.commands:
        assert command[:3] == ["uv", "pip", "install"]
        assert "--compile-bytecode" in command
        if "-r" in command:
            assert "--require-hashes" in command
    locks = {Path(command[-1]).name for command in done.commands if "-r" in command}
    assert locks == {"run.lock", "dev.lock", "requirements.lock"}


@pytest.mark.parametrize(
    "lock", ["requirements/run.lock", "requirements/dev.lock", "bot/requirements.lock"]
)
def test_every_line_of_a_lock_has_a_hash(lock: str) -> None:
    entries = (SCRIPTS.parent / lock).read_text().replace("\\\n", " ").splitlines()
    assert len(entries) > 50
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)


def test_the_assistants_lock_is_solved_inside_its_folder(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Recorded()
    monkeypatch.setattr(bootstrap, "the_uv", lambda: "uv")
    monkeypatch.setattr(bootstrap, "Run", done)
    bootstrap.lock(None)
    *_, assistant = done.commands
    assert assistant == [
        *("uv", "--directory", str(SCRIPTS.parent / "bot"), "pip", "compile", "--universal"),
        *("--generate-hashes", "--no-header", "--no-annotate", "--python-version", "3.10"),
        *("--override", "overrides.txt", "--all-extras", "pyproject.toml"),
        *("-o", "requirements.lock"),
    ]


def test_clean_leaves_a_home_that_somebody_chose(
    bootstrap: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, chosen = tmp_path / "clone", tmp_path / "chosen"
    for folder in (
        root / ".venv",
        root / ".firstline",
        root / "suggest_api" / "__pycache__",
        chosen,
    ):
        folder.mkdir(parents=True)
    (root / "suggest_api" / "main.py").write_text("")
    monkeypatch.setattr(bootstrap, "ROOT", root)
    for name, folder in (("SERVICE", ".venv"), ("BOT", "bot/.venv"), ("UV_HOME", ".uv")):
        monkeypatch.setattr(bootstrap, name, root / folder)
    monkeypatch.setenv("FIRSTLINE_HOME", str(chosen))
    bootstrap.clean(None)
    assert sorted(path.name for path in root.iterdir()) == ["suggest_api"]
    assert [path.name for path in (root / "suggest_api").iterdir()] == ["main.py"]
    assert chosen.is_dir()
    assert f"leaving {chosen}" in capsys.readouterr().out


def test_the_scripts_are_written_for_an_old_python(scripts: Path) -> None:
    """They run on whatever python3 a fresh machine has; nothing newer than 3.8 may be evaluated."""
    for path in sorted(scripts.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        assert "from __future__ import annotations" in source
        ast.parse(source, filename=str(path), feature_version=(3, 8))
