"""Finds out what this machine offers: interpreters, uv, free disk space; says plainly what is missing."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, NamedTuple

from steps import Run, SetupError, say

# Measured with `du` after a whole set-up on Linux, in GB: .venv 2.1 and bot/.venv 2.1 (both with bytecode),
# .firstline 0.1, .uv 0.1, uv's package cache 4.3. On one file system uv links the environments to its cache,
# and all of it takes 5.2 together. The rest is room for unpacking and for data, an estimate.
DISK_NEEDED_GB = 8.0
# `--torch-backend` and universal locks with hashes work from here on.
OLDEST_UV = (0, 7, 0)

PROBE = (
    "import json, sys, ssl, sqlite3, ctypes, bz2; "
    "print(json.dumps([list(sys.version_info[:2]), sys.executable, sqlite3.sqlite_version]))"
)


class Interpreter(NamedTuple):
    """One Python on this machine that was started and found whole."""

    path: str
    version: tuple[int, int]


def check_disk(folder: Path, *, needed_gb: float = DISK_NEEDED_GB) -> None:
    """Raise SetupError when the disk of `folder` has less than `needed_gb` gigabytes free."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(
            f"Not enough disk space: {folder} has {free_gb:.1f} GB free and setting up needs about "
            f"{needed_gb:.0f} GB\n(Rasa with TensorFlow and the embedding model's tools are large). "
            "Make room, or clone onto a larger disk,\nand run the same command again."
        )


def check_platform() -> None:
    """Raise SetupError on a system that the locked packages have no builds for."""
    if sys.platform not in ("linux", "darwin"):
        raise SetupError(
            f"Firstline is set up on Linux and macOS; this is {platform.system()}.\n"
            "On Windows, use the Windows Subsystem for Linux."
        )


def mention_git() -> None:
    """Say so when git is missing: nothing here needs it, but updating the clone does."""
    if shutil.which("git") is None:
        say("  Note: git was not found. Setting up works without it; updating this copy does not.")


def find_python(wanted: list[tuple[int, int]]) -> Interpreter | None:
    """The first working interpreter of the `wanted` versions, in that order: on PATH, then under pyenv."""
    for version in wanted:
        for candidate in _candidates(version):
            found = probe(candidate)
            if found is not None and found.version == version:
                return found
    return None


def probe(path: str) -> Interpreter | None:
    """Start the interpreter at `path`; None if it does not run or lacks ssl, sqlite3, ctypes or bz2.

    A name on PATH proves little: pyenv puts a `python3.12` there that only says it is not switched on.
    """
    try:
        done = subprocess.run(
            [path, "-c", PROBE], capture_output=True, text=True, timeout=30, check=False
        )
        version, executable, _ = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Interpreter(path=executable, version=(version[0], version[1]))


def _candidates(version: tuple[int, int]) -> Iterator[str]:
    name = "python{}.{}".format(*version)
    if sys.version_info[:2] == version:
        yield sys.executable
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder and os.access(os.path.join(folder, name), os.X_OK):
            yield os.path.join(folder, name)
    roots = [os.environ.get("PYENV_ROOT", ""), os.path.expanduser("~/.pyenv")]
    for root in roots:
        if root:
            versions = Path(root, "versions").glob("{}.{}.*".format(*version))
            for installed in sorted(versions, key=_patch_number, reverse=True):
                yield str(installed / "bin" / name)


def _patch_number(folder: Path) -> int:
    digits = re.match(r"\d+", folder.name.split(".")[-1])
    return int(digits.group()) if digits else -1


def find_uv(private: Path) -> str | None:
    """A uv new enough for the locks: the private one first, then the one on PATH."""
    for candidate in (private / "bin" / "uv", shutil.which("uv")):
        if candidate and Path(candidate).exists() and _uv_version(str(candidate)) >= OLDEST_UV:
            return str(candidate)
    return None


def _uv_version(uv: str) -> tuple[int, ...]:
    try:
        done = subprocess.run(
            [uv, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    number = re.search(r"(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in number.groups()) if number else (0,)


def install_uv(private: Path) -> str:
    """Put uv into the folder `private` with the running Python's pip, and give its path.

    Raises SetupError when this Python has neither `ensurepip` (for a virtual environment) nor pip.
    """
    # Not inside `private`: making the environment empties that folder.
    log = Path(tempfile.mkdtemp(prefix="firstline-")) / "uv.log"
    run = Run("Installing uv, which installs everything else", log=log)
    try:
        run.quiet([sys.executable, "-m", "venv", "--clear", str(private)])
        run.quiet([str(private / "bin" / "python"), "-m", "pip", "install", "-q", "uv"])
    except SetupError as failed:
        if not _needs_ensurepip(str(failed)):
            raise
        _without_venv(run, private)
    uv = find_uv(private)
    if uv is None:
        raise SetupError(f"uv was installed into {private} but does not start; see {log}.")
    shutil.rmtree(str(log.parent))
    return uv


def _needs_ensurepip(text: str) -> bool:
    return "ensurepip" in text or "No module named venv" in text or "No module named pip" in text


def _without_venv(run: Run, private: Path) -> None:
    """Debian splits venv off: use pip alone if it is there, else say which package is missing."""
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
    )
    if pip.returncode != 0:
        raise SetupError(
            "This Python can make no virtual environment: its `ensurepip` module is missing, and so is pip.\n"
            "On Debian and Ubuntu:  sudo apt-get install python3-venv\n"
            "Or install uv yourself (https://docs.astral.sh/uv/) so that it is on PATH.\n"
            "Then run the same command again."
        )
    shutil.rmtree(str(private), ignore_errors=True)
    run.quiet([sys.executable, "-m", "pip", "install", "-q", "--target", str(private), "uv"])
