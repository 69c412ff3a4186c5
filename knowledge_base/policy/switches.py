"""Reads `packs.yaml`, which switches packs on and off for the brand, a channel or a locale."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from knowledge_base.errors import PolicyError
from knowledge_base.policy.model import Switches

SWITCHES = "packs.yaml"
ALWAYS_ON = "core"  # without it, length, characters and links would go unjudged
_KEYS = frozenset({"format", "brand", "packs", "channels", "locales"})


def read_switches(settings: Mapping[str, Any] | None, packs: Set[str]) -> Switches:
    """The switches in `settings`; without a file every pack is on.

    Raises PolicyError for a pack that does not exist or is not named under `packs`, and for switching off core.
    """
    if settings is None:
        return Switches()
    unknown = sorted(str(key) for key in set(settings) - _KEYS)
    if unknown:
        raise PolicyError(
            f"{SWITCHES}: unknown key {unknown[0]!r}; known: {', '.join(sorted(_KEYS))}"
        )
    chosen = _chosen(settings.get("packs"), packs, "packs")
    if missing := sorted(packs - set(chosen)):
        raise PolicyError(f"{SWITCHES}: packs must say true or false for {', '.join(missing)}")
    return Switches(
        brand=str(settings.get("brand", "")),
        packs=chosen,
        channels=_nested(settings.get("channels", {}), packs, "channels"),
        locales=_nested(settings.get("locales", {}), packs, "locales"),
    )


def _nested(value: Any, packs: Set[str], where: str) -> dict[str, dict[str, bool]]:
    if not isinstance(value, dict):
        raise PolicyError(f"{SWITCHES}: {where} must map names to packs")
    return {str(name): _chosen(entry, packs, f"{where}.{name}") for name, entry in value.items()}


def _chosen(value: Any, packs: Set[str], where: str) -> dict[str, bool]:
    if not isinstance(value, dict) or not all(isinstance(on, bool) for on in value.values()):
        raise PolicyError(f"{SWITCHES}: {where} must map packs to true or false")
    if unknown := sorted(str(pack) for pack in set(value) - packs):
        raise PolicyError(f"{SWITCHES}: {where}: there is no pack {unknown[0]!r}")
    if value.get(ALWAYS_ON) is False:
        raise PolicyError(f"{SWITCHES}: {where}: {ALWAYS_ON} cannot be switched off")
    return dict(value)
