"""How much a publication may lose, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from knowledge_base.errors import ConfigurationError

MAX_LOST = "FIRSTLINE_MAX_LOST"
MAX_LOST_SHARE = "FIRSTLINE_MAX_LOST_SHARE"
MAX_LOST_ACCEPTED = "FIRSTLINE_MAX_LOST_ACCEPTED"

LOST = 0
LOST_SHARE = 0.05
LOST_ACCEPTED_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be lost.

    Of the golden questions: at most `lost`, and at most `lost_share` (0 to 1) of those answered rightly before.
    What is gained makes up for none: one that comes in by chance must not hide a ruined snippet. Of the
    accepted questions: at most `lost_accepted_share` of those answered rightly before, less what is gained. A
    must-pass question never.
    """

    lost: int = LOST
    lost_share: float = LOST_SHARE
    lost_accepted_share: float = LOST_ACCEPTED_SHARE

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Limits:
        """FIRSTLINE_MAX_LOST, FIRSTLINE_MAX_LOST_SHARE and FIRSTLINE_MAX_LOST_ACCEPTED.

        Raises ConfigurationError and names the variable that cannot be used.
        """
        env = os.environ if environ is None else environ
        return cls(
            lost=_count(env, MAX_LOST, LOST),
            lost_share=_share(env, MAX_LOST_SHARE, LOST_SHARE),
            lost_accepted_share=_share(env, MAX_LOST_ACCEPTED, LOST_ACCEPTED_SHARE),
        )


def _count(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal():
        raise ConfigurationError(f"{name} is {text!r}: it has to be a whole number, for example 2")
    return int(text)


def _share(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ConfigurationError(f"{name} is {text!r}: it has to be a share from 0 to 1")
    return value
