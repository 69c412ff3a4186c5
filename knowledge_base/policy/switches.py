"""Reads `packs.yaml`: which packs are on for the brand, a channel or a locale, and the brand's own contacts."""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import Any

from knowledge_base.errors import PolicyError
from knowledge_base.policy.model import Switches

SWITCHES = "packs.yaml"
ALWAYS_ON = "core"  # without it, length, characters and links would go unjudged
_KEYS = frozenset(
    {"format", "brand", "packs", "channels", "locales", "contacts", "second_opinion"}
)
# What a wrong pass would do most harm with is never left to a statistic.
NO_SECOND_OPINION = frozenset({"core", "pci", "vulnerable"})
# By kind of contact: the detector that lets it pass, and the setting it adds to.
_CONTACTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "phones": ("telephone", "allowed"),
        "emails": ("email_address", "allowed"),
        "sites": ("allowed_links", "hosts"),
    }
)


def read_switches(
    settings: Mapping[str, Any] | None, packs: Set[str], *, rules: Mapping[str, str]
) -> Switches:
    """The switches in `settings`; without a file every pack is on. `rules` names the pack of each rule.

    Raises PolicyError for a pack that does not exist or is not named under `packs`, for switching off
    core, and for a second opinion on what does not exist or may have none.
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
        second_opinion=_second_opinion(settings.get("second_opinion", []), packs, rules),
    )


def _second_opinion(value: Any, packs: Set[str], rules: Mapping[str, str]) -> frozenset[str]:
    where = f"{SWITCHES}: second_opinion"
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise PolicyError(f"{where} must be a list of packs and rule ids")
    for name in value:
        if name not in packs and name not in rules:
            raise PolicyError(f"{where}: there is no pack or rule {name!r}")
        if rules.get(name, name) in NO_SECOND_OPINION:
            never = ", ".join(sorted(NO_SECOND_OPINION))
            raise PolicyError(f"{where}: {name} cannot have one, as no rule of {never} can")
    return frozenset(value)


def read_contacts(settings: Mapping[str, Any] | None) -> dict[str, dict[str, list[str]]]:
    """Settings that detectors get beside those of their rules, by detector: the brand's own contacts.

    A reply may name them: phones are written with their country code, sites are host names. Raises PolicyError
    for anything but lists of texts under phones, emails and sites, with a source.
    """
    contacts = (settings or {}).get("contacts", {})
    if not isinstance(contacts, dict) or set(contacts) - {*_CONTACTS, "source"}:
        known = ", ".join([*_CONTACTS, "source"])
        raise PolicyError(f"{SWITCHES}: contacts must be a mapping of {known}")
    if contacts and not str(contacts.get("source") or "").strip():
        raise PolicyError(f"{SWITCHES}: contacts.source must say who gave them and when")
    found: dict[str, dict[str, list[str]]] = {}
    for kind, (detector, key) in _CONTACTS.items():
        entries = contacts.get(kind, [])
        if not isinstance(entries, list) or not all(isinstance(e, str) and e for e in entries):
            raise PolicyError(f"{SWITCHES}: contacts.{kind} must be a list of texts in quotes")
        found[detector] = {key: entries}
    return found


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
