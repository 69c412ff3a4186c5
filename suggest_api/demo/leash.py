"""Runs one command that must not outlive the process that started it, even when that one is killed.

    python -I leash.py PARENT_PID COMMAND...

Uses the standard library only, and starts in some 20 ms. On Linux the kernel ends the command with its parent
(prctl PR_SET_PDEATHSIG, kept over exec); elsewhere this process stays beside the command and watches the parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
WATCH_SECONDS = 0.5  # how late an orphan is noticed where the kernel does not tell


def main(arguments: list[str]) -> int:
    """Become the command (Linux) or run it and pass its exit code on."""
    parent, command = int(arguments[0]), arguments[1:]
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            return 1
        os.execvp(command[0], command)  # noqa: S606  # the supervisor's own command, no shell
    return _watch(parent, command)


def _watch(parent: int, command: list[str]) -> int:
    child = subprocess.Popen(command)  # noqa: S603  # the supervisor's own command, no shell
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: child.send_signal(got))
    while child.poll() is None:
        if os.getppid() != parent:
            child.kill()
        time.sleep(WATCH_SECONDS)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
