"""Reads the assistant's settings from the environment, once, when a command starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_PORT = 65535  # the largest TCP port


class SettingsError(Exception):
    """A setting is missing or cannot be used. The message names the variable and says how to mend it."""


@dataclass(frozen=True)
class BotSettings:
    """Where the assistant keeps its data, where it listens, and where the desk is.

    `home` is absolute: Rasa runs inside it, so a relative path would change its meaning.
    """

    home: Path
    bot_port: int
    actions_port: int
    desk_url: str
    desk_key: str

    @property
    def bot_home(self) -> Path:
        """The folder Rasa writes to: models, tracker.db, the entity patterns."""
        return self.home / "bot"

    @property
    def models(self) -> Path:
        """The folder of the trained model and its record."""
        return self.bot_home / "models"


def read_settings(environment: Mapping[str, str] | None = None) -> BotSettings:
    """Read the settings.

    Raises:
        SettingsError: a port is not a number from 1 to 65535, or the desk's address is not http(s).
    """
    env = os.environ if environment is None else environment
    url = env.get("FIRSTLINE_URL", "http://127.0.0.1:8600").rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise SettingsError("FIRSTLINE_URL must start with http:// or https://")
    return BotSettings(
        home=Path(env.get("FIRSTLINE_HOME", ".firstline")).expanduser().resolve(),
        bot_port=_port(env, "FIRSTLINE_BOT_PORT", default=5005),
        actions_port=_port(env, "FIRSTLINE_ACTIONS_PORT", default=5055),
        desk_url=url,
        desk_key=env.get("FIRSTLINE_DESK_KEY", ""),
    )


def _port(env: Mapping[str, str], name: str, *, default: int) -> int:
    text = env.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PORT):
        raise SettingsError(f"{name} must be a port from 1 to {MAX_PORT}, not {text!r}")
    return int(text)
