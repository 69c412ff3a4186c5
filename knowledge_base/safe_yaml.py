"""Reads YAML safely and as fast as this machine can."""

from __future__ import annotations

from typing import Any

import yaml

# libyaml's parser where PyYAML was built with it, some ten times as fast as the one in Python.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """What a text says, plain values only. Raises yaml.YAMLError."""
    return yaml.load(text, LOADER)  # noqa: S506 - a safe loader, whichever of the two it is
