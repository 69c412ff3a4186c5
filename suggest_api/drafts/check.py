"""One part of a proof, recomputed, and how two values are compared (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part of a proof, recomputed. `holds` None means that it could not be recomputed; `detail` says why."""

    part: str
    holds: bool | None
    detail: str = ""


def same(part: str, stored: Any, found: Any) -> Check:
    """Whether the proof says what was found."""
    if stored == found:
        return Check(part=part, holds=True)
    return Check(part=part, holds=False, detail=f"the proof says {stored!r}, found {found!r}")


def failed(part: str, detail: str) -> Check:
    """A part that does not hold, and why."""
    return Check(part=part, holds=False, detail=detail)
