"""Where the tests keep what they throw away: in memory where there is room, so that no commit waits for a disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's folder in memory, the tests make folders of their own in it
ENOUGH = 6 * 2**30  # bytes, both of the folder and of memory; a whole run keeps up to 2 GiB


def in_memory() -> Path | None:
    """The folder in memory, if there is one with room in which programs may be run as well."""
    try:
        free = shutil.disk_usage(MEMORY).free
        runs = not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
        kilobytes = dict(
            line.split(":") for line in Path("/proc/meminfo").read_text().splitlines()
        )["MemAvailable"]
    except (OSError, KeyError):
        return None
    available = int(kilobytes.split()[0]) * 1024
    usable = runs and os.access(MEMORY, os.W_OK) and min(free, available) >= ENOUGH
    return MEMORY if usable else None
