"""Sets Firstline up on a fresh machine: environments, database, content, index and trained assistant.

Needs Python 3.8 and nothing installed. Every step is stamped with a hash of what went into it, so that a second
run does nothing, and a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent))

import machine
from steps import Journal, Run, SetupError, digest, say

ROOT = Path(__file__).resolve().parent.parent
SERVICE = ROOT / ".venv"
BOT = ROOT / "bot" / ".venv"
UV_HOME = ROOT / ".uv"
LOGS = ROOT / ".uv" / "logs"
REQUIREMENTS = ROOT / "requirements"
# Apart from the locks: its CPU build comes from another place than the other packages.
TORCH = "torch==2.13.*"

# Where PYTHONDONTWRITEBYTECODE is set, every start would compile every module again: 2 s for the service and
# 20 s for TensorFlow. uv writes the bytecode whatever that variable says.
COMPILE = "--compile-bytecode"

# 3.11 first: it is what the service is developed and measured on.
SERVICE_PYTHONS = [(3, 11), (3, 12), (3, 13)]
BOT_PYTHONS = [(3, 10)]  # Rasa 3.6 runs on no newer one

# The two people who stand behind the starter content: one wrote it, the other approved it.
AUTHOR, APPROVER = "maya", "tomas"
CONTENT = ROOT / "knowledge_base" / "content"

# What the trained assistant depends on; its model is made again when any of it changes.
BOT_SOURCES = ("config.yml", "domain", "components", "entities.yml", "training.py")

# Fetched packages are checked against the hashes of the locks; nothing else is looked up afterwards.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RASA_TELEMETRY_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TOKENIZERS_PARALLELISM": "false",
}


def home() -> Path:
    """FIRSTLINE_HOME, or `.firstline` beside the Makefile."""
    return Path(ROOT, setting("FIRSTLINE_HOME") or ".firstline").absolute()


def setting(name: str) -> str:
    """A variable of the environment, or else of the `.env` file that the commands read as well; empty if unset."""
    if os.environ.get(name):
        return os.environ[name]
    env_file = ROOT / ".env"
    lines = env_file.read_text(encoding="utf-8").splitlines() if env_file.is_file() else []
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and key.strip() == name:
            return value.strip().strip("'\"")
    return ""


def setup(journal: Journal) -> None:
    """Everything that the demo and the tests need."""
    install(journal)
    fill(journal)


def install(journal: Journal) -> None:
    """Both environments."""
    service(journal)
    assistant(journal)


def service(journal: Journal) -> None:
    """The service's environment from its lock, torch, and this package itself."""
    if not (SERVICE / "stamps" / "packages").exists():
        machine.mention_git()
        machine.check_disk(ROOT)
    uv = the_uv()
    environment(journal, uv, SERVICE, SERVICE_PYTHONS, subject="the service")
    packages(
        journal, uv, SERVICE, REQUIREMENTS / "run.lock", title="Installing the service's packages"
    )
    torch(journal, uv)
    journal.step(
        "Installing Firstline itself",
        stamp=SERVICE / "stamps" / "firstline",
        inputs=digest(ROOT / "pyproject.toml", str(ROOT)),
        present=lambda: (SERVICE / "bin" / "firstline").exists(),
        work=lambda run: run.quiet([*installing(uv, SERVICE), "-e", str(ROOT)]),
    )


def assistant(journal: Journal) -> None:
    """The assistant's environment from its lock: Rasa on Python 3.10."""
    uv = the_uv()
    environment(journal, uv, BOT, BOT_PYTHONS, subject="the assistant")
    packages(
        journal,
        uv,
        BOT,
        ROOT / "bot" / "requirements.lock",
        title="Installing the assistant's packages (Rasa, about 2 GB)",
    )


def installing(uv: str, folder: Path) -> list[str]:
    """The start of each command that installs into the environment in `folder`."""
    return [uv, "pip", "install", "--python", python(folder), "--no-deps", COMPILE]


def the_uv() -> str:
    """uv as it is on this machine, or freshly installed into `.uv/`."""
    return machine.find_uv(UV_HOME) or machine.install_uv(UV_HOME)


def environment(
    journal: Journal, uv: str, folder: Path, wanted: list[tuple[int, int]], *, subject: str
) -> None:
    """A virtual environment in `folder` on the first of the `wanted` Pythons that can be had."""

    def work(run: Run) -> None:
        found = machine.find_python(wanted)
        version = found.path if found else "{}.{}".format(*wanted[0])
        if folder.exists():
            shutil.rmtree(str(folder))
        try:
            run.quiet([uv, "venv", "--python", version, str(folder)])
        except SetupError as failed:
            if found:
                raise
            names = " or ".join("{}.{}".format(*each) for each in wanted)
            raise SetupError(
                f"{subject[0].upper() + subject[1:]} needs Python {names}. None was found on PATH or under "
                f"pyenv, and uv could not fetch one.\nInstall it (for instance `pyenv install {version}`) "
                f"and run the same command again.\n{failed}"
            ) from failed

    stamp = folder / "stamps" / "environment"
    inputs = digest(wanted, str(folder))
    present = lambda: machine.probe(python(folder)) is not None  # noqa: E731 - a name for a condition
    journal.step(
        f"Making an environment for {subject}",
        stamp=stamp,
        inputs=inputs,
        present=present,
        work=work,
    )


def packages(
    journal: Journal, uv: str, folder: Path, lock: Path, *, title: str, name: str = "packages"
) -> None:
    """Exactly the locked packages, each checked against its hash."""
    command = [*installing(uv, folder), "--require-hashes", "-r", str(lock)]
    journal.step(
        title,
        stamp=folder / "stamps" / name,
        inputs=digest(lock),
        work=lambda run: run.quiet(command),
    )


def torch(journal: Journal, uv: str) -> None:
    """torch's CPU build, without anything of CUDA: only the builder uses it, never a serving process."""
    places = os.environ.get("PIP_FIND_LINKS", "")
    where = ["--torch-backend", "cpu"]
    if places:
        where = [part for place in places.split() for part in ("--find-links", place)]
    journal.step(
        "Installing torch (CPU build, for building the index only)",
        stamp=SERVICE / "stamps" / "torch",
        inputs=digest(TORCH),
        work=lambda run: run.quiet([*installing(uv, SERVICE), *where, TORCH]),
    )


def fill(journal: Journal) -> None:
    """Encoder, database with the starter content, index and assistant, all under FIRSTLINE_HOME."""
    stamps = home() / "stamps"
    env = dict(OFFLINE, FIRSTLINE_HOME=str(home()))
    firstline = str(SERVICE / "bin" / "firstline")
    database = setting("FIRSTLINE_DATABASE_URL")
    lock_file = REQUIREMENTS / "run.lock"
    knowledge = ROOT / "knowledge_base"
    exporter = digest(knowledge / "index", lock_file, str(home()))
    content = digest(CONTENT / "snippets", database, str(home()))
    builder = digest(knowledge / "index", knowledge / "ranking", knowledge / "publish", lock_file)

    def step(title: str, name: str, inputs: str, present: Path, *commands: list[str]) -> None:
        def work(run: Run) -> None:
            for command in commands:
                run.talking(command, env=env)

        journal.step(title, stamp=stamps / name, inputs=inputs, present=present.exists, work=work)

    step(
        "Exporting the encoder",
        "encoder",
        exporter,
        home() / "encoders" / "CURRENT",
        [firstline, "encoder", "export"],
    )
    importing = [firstline, "kb", "import", str(CONTENT / "snippets")]
    step(
        "Importing the starter content",
        "content",
        content,
        home() if database else home() / "firstline.db",
        [*importing, "--author", AUTHOR, "--approve-as", APPROVER],
    )
    # Not golden.csv: figures are reported on those, so nothing may be decided by them.
    questions = CONTENT / "development.csv"
    step(
        "Setting the questions that a publication may not lose",
        "golden",
        digest(questions, content),
        home() if database else home() / "firstline.db",
        [firstline, "kb", "golden", "import", str(questions), "--by", APPROVER],
    )
    # A set-up starts from what is in the repository, which was measured as a whole; it is not to stop half-way.
    anyway = ["--override-by", AUTHOR, "--confirm-as", APPROVER, "--reason", "set up anew"]
    step(
        "Building the index",
        "index",
        digest(exporter, builder, content),
        home() / "index" / "CURRENT",
        [firstline, "kb", "build", *anyway],
    )
    bot = ROOT / "bot"
    trained_on = digest(
        *(bot / name for name in BOT_SOURCES),
        # Not policy_replies, which the policy's second reader learns from.
        *(ROOT / "training_data" / kind for kind in ("nlu", "rules", "stories")),
        bot / "requirements.lock",
        (home() / "encoders" / "CURRENT").read_text(),
    )
    step(
        "Training the assistant",
        "assistant",
        trained_on,
        home() / "bot" / "models",
        [python(BOT), str(bot / "launch.py"), "train"],
    )


def dev(journal: Journal) -> None:
    """The tools of the checks and tests."""
    service(journal)
    title = "Installing the tools for checks and tests"
    packages(journal, the_uv(), SERVICE, REQUIREMENTS / "dev.lock", title=title, name="dev")


def lock(journal: Journal) -> None:
    """Solve requirements/*.lock and bot/requirements.lock anew."""
    uv = the_uv()
    common = ["--universal", "--generate-hashes", "--no-header", "--no-annotate"]
    service = [
        "--python-version",
        "3.11",
        "--override",
        "requirements/overrides.txt",
        "--extra",
        "builder",
    ]
    sources = ["pyproject.toml", "requirements/torch-needs.in"]
    development = ["--extra", "dev", "-c", "requirements/run.lock"]
    rasa = ["--python-version", "3.10", "--override", "overrides.txt", "--all-extras"]
    # The assistant's lock is solved inside bot/, where uv reads the settings of its pyproject.toml.
    plans = [
        (ROOT, "requirements/run.lock", [*service, *sources]),
        (ROOT, "requirements/dev.lock", [*service, *development, *sources]),
        (ROOT / "bot", "requirements.lock", [*rasa, "pyproject.toml"]),
    ]
    for folder, target, arguments in plans:
        name = (folder / target).relative_to(ROOT)
        Run(f"Solving {name}", log=LOGS / "lock.log").quiet(
            [uv, "--directory", str(folder), "pip", "compile", *common, *arguments, "-o", target]
        )


def clean(journal: Journal) -> None:
    """Remove what the other commands made, naming each thing."""
    caches = [".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache"]
    if home() != ROOT / ".firstline":
        say(f"  leaving {home()}: FIRSTLINE_HOME was chosen by you")
    made = [
        SERVICE,
        BOT,
        UV_HOME,
        ROOT / ".firstline",
        ROOT / "test-artefacts",
        ROOT / ".coverage",
    ]
    made += [ROOT / name for name in caches]
    made += [*ROOT.glob("*.egg-info"), ROOT / "bot" / "models", ROOT / "bot" / ".rasa"]
    sources = [
        ROOT / name for name in ("knowledge_base", "suggest_api", "tests", "scripts", "migrations")
    ]
    made += [cache for source in sources for cache in source.rglob("__pycache__")]
    for path in made:
        if path.is_dir() and not path.is_symlink():
            say(f"  removing {path}")
            shutil.rmtree(str(path), ignore_errors=True)
        elif path.exists() or path.is_symlink():
            say(f"  removing {path}")
            path.unlink()


def python(folder: Path) -> str:
    """The interpreter of the environment in `folder`."""
    return str(folder / "bin" / "python")


COMMANDS: dict[str, tuple[Callable[[Journal], None], str]] = {
    "setup": (setup, "The set-up"),
    "install": (install, "The installation"),
    "dev": (dev, "The set of tools for checks and tests"),
    "lock": (lock, "The lock"),
    "clean": (clean, "Cleaning"),
}


def main() -> int:
    """Do one command; 0 when it is done, 1 with the reason when it could not be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument(
        "--quiet", action="store_true", help="say nothing when there is nothing to do"
    )
    chosen = parser.parse_args()
    work, subject = COMMANDS[chosen.command]
    journal = Journal(LOGS)
    try:
        machine.check_platform()
        work(journal)
    except SetupError as failed:
        print(f"\n{failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where it stopped.", file=sys.stderr)
        return 130
    if chosen.command in ("setup", "install", "dev"):
        journal.close(subject, quiet=chosen.quiet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
