"""The detectors that packs may name, each a factory from a rule's settings to a function over the judged text.

A detector yields hits; the loader turns them into findings with the words of the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from knowledge_base.policy.reading import Judged


@dataclass(frozen=True, slots=True)
class Hit:
    """One place a detector points at; an empty reason or mend means the one of the rule."""

    span: tuple[int, int] | None
    reason: str = ""
    mend: str = ""


Detector = Callable[[Judged], Iterator[Hit]]
Factory = Callable[["Settings"], Detector]


@dataclass(frozen=True, slots=True)
class Worded:
    """A detector that finds nothing in a text without one of the words that it `needs`; None: in any text."""

    detect: Detector
    needs: frozenset[str] | None

    def __call__(self, judged: Judged) -> Iterator[Hit]:
        return self.detect(judged)


class SettingsError(Exception):
    """A rule's settings are not what its detector needs; the loader adds file and rule."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one rule in a pack, read with checks; every key must be used by its detector."""

    values: Mapping[str, Any]

    def phrases(self, key: str, *, required: bool = True) -> tuple[str, ...]:
        """A list of non-empty strings."""
        value = self.values.get(key, None if required else [])
        if not isinstance(value, list) or (required and not value):
            raise SettingsError(f"settings.{key} must be a list of phrases")
        if not all(isinstance(entry, str) and entry.strip() for entry in value):
            raise SettingsError(f"settings.{key}: every entry must be text; put it in quotes")
        return tuple(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise SettingsError(f"settings.{key} must be true or false")
        return value

    def sets(self, key: str) -> Mapping[str, list[str]]:
        """Named lists of words; none when the key is missing."""
        value = self.values.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(v, list) for v in value.values()):
            raise SettingsError(f"settings.{key} must map names to lists of words")
        names = [*value, *(word for words in value.values() for word in words)]
        if not all(isinstance(name, str) for name in names):
            raise SettingsError(
                f"settings.{key}: every name and word must be text; put it in quotes"
            )
        return value

    def number(self, key: str) -> int:
        """A whole number above 0."""
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SettingsError(f"settings.{key} must be a whole number above 0")
        return value

    def expect(self, *keys: str) -> None:
        """Refuse keys that the detector does not know: a misspelt key must not go unnoticed."""
        unknown = sorted(set(self.values) - set(keys))
        if unknown:
            known = ", ".join(keys) or "none"
            raise SettingsError(f"settings.{unknown[0]} is not known here; known: {known}")
