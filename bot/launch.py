"""The assistant's command: trains it, serves it, serves its actions - without anybody else's noise.

    bot/.venv/bin/python bot/launch.py train|serve|actions [--force]

Exit codes: 0 done, or stopped by a signal; 1 it could not be done, with one line that says why; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="bot/launch.py", description="The Rasa assistant.")
    parser.add_argument("command", choices=["train", "serve", "actions"])
    parser.add_argument("--force", action="store_true", help="train although nothing has changed")
    options = parser.parse_args(arguments)
    _import_from_the_repository()

    from bot.quiet import set_environment, silence

    set_environment()
    from bot.components.encoder import EncoderError
    from bot.components.language import PatternsError
    from bot.serving import PortInUse
    from bot.settings import SettingsError, read_settings
    from bot.training import ModelError

    try:
        settings = read_settings()
        silence(settings.home / "logs" / f"bot-{options.command}.log")
        _run(options.command, settings, force=options.force)
    except SettingsError as error:
        say(f"error: {error}", error=True)
        return 2
    except (EncoderError, ModelError, PatternsError, PortInUse, OSError) as error:
        say(f"error: {error}", error=True)
        return 1
    return 0


def say(line: str, *, error: bool = False) -> None:
    """Print one of our own lines, at once."""
    print(line, file=sys.stderr if error else sys.stdout, flush=True)


def _run(command: str, settings, *, force: bool) -> None:  # type: ignore[no-untyped-def]  # imported late
    from bot import serving, training

    if command == "serve":
        serving.serve_assistant(settings, announce=say)
    elif command == "actions":
        serving.serve_actions(settings, announce=say)
    elif training.is_current(settings) and not force:
        say("the assistant is trained: nothing has changed")
    else:
        say("training the assistant ...")
        started = time.monotonic()
        training.train(settings)
        say(f"training the assistant ... done in {time.monotonic() - started:.0f} s")


def _import_from_the_repository() -> None:
    """Find `bot` as a package: a script's own folder is on the path, its parent is not."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [str(here.parent), *(p for p in sys.path if Path(p or ".").resolve() != here)]


if __name__ == "__main__":
    sys.exit(main())
