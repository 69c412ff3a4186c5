"""Reads policy packs (YAML data) into rules, and refuses a pack that is not exactly what it should be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from knowledge_base.errors import PolicyError
from knowledge_base.policy.asks import asks_for
from knowledge_base.policy.cards import card_number
from knowledge_base.policy.detectors import Detector, Factory, Settings, SettingsError, Worded
from knowledge_base.policy.hearing import prepare
from knowledge_base.policy.lexis import DATA_FILES
from knowledge_base.policy.links import allowed_links
from knowledge_base.policy.model import Finding, Policy, Rule, Severity
from knowledge_base.policy.packs import line_of, read_files, read_mapping, shipped_files
from knowledge_base.policy.personal import email_address, iban, national_number, telephone
from knowledge_base.policy.reading import Judged
from knowledge_base.policy.says import says
from knowledge_base.policy.second_reader import shipped
from knowledge_base.policy.shape import characters, length, network_length, unfilled
from knowledge_base.policy.style import (
    emoji_limit,
    mixed_scripts,
    pattern,
    shouting,
    styled_letters,
)
from knowledge_base.policy.switches import SWITCHES, read_contacts, read_switches

FEWEST_EXAMPLES = 5  # of each kind: fewer show nothing about a rule

DETECTORS: Mapping[str, Factory] = MappingProxyType(
    {
        "allowed_links": allowed_links,
        "asks_for": asks_for,
        "card_number": card_number,
        "characters": characters,
        "email_address": email_address,
        "emoji_limit": emoji_limit,
        "iban": iban,
        "length": length,
        "mixed_scripts": mixed_scripts,
        "national_number": national_number,
        "network_length": network_length,
        "pattern": pattern,
        "says": says,
        "shouting": shouting,
        "styled_letters": styled_letters,
        "telephone": telephone,
        "unfilled": unfilled,
    }
)
_JUDGING_LIBRARIES = ("phonenumbers", "regex")  # their tables decide what a number or a letter is
# The keys that a message about a rule begins with, to find the line: "settings.hosts must", "unknown key 'x'".
_PLACE = re.compile(
    r"(?<=^unknown key ')\w+|(?:^|(?<=^settings\.))\w+(?= must| needs|\.|:| is not)"
)
LEXICON = "lexicon.yaml"  # not a pack: settings that all rules of a detector share
_PACK_KEYS = frozenset({"format", "pack", "rules"})
_TEXT_KEYS = ("id", "title", "reason", "mend", "source", "detector")
_RULE_KEYS = frozenset(
    {*_TEXT_KEYS, "severity", "settings", "must_flag", "must_pass", "examples_channel"}
)


def load_policy(directory: Path | None = None) -> Policy:
    """The policy of every `*.yaml` pack in `directory`, by default the packs that come with Firstline.

    Raises PolicyError, which names the file, the key and how to mend it.
    """
    return read_policy(shipped_files() if directory is None else read_files(directory))


def read_policy(files: Mapping[str, str]) -> Policy:
    """The policy of these files: their texts by name.

    The version is a SHA-256 over the content of all packs and over the code that judges. Raises PolicyError,
    which names the file, the line where there is one, the key and how to mend it.
    """
    read = {name: read_mapping(name, text) for name, text in sorted(files.items())}
    lexicon = _lexicon(read.get(LEXICON))
    chosen = read.get(SWITCHES)
    packs = {name: _pack(name, read[name]) for name in read if name not in (LEXICON, SWITCHES)}
    contacts = read_contacts(chosen)
    rules: list[Rule] = []
    for name, pack in packs.items():
        rules += _rules(name, pack, lexicon, contacts, files[name])
    _refuse_repeated([rule.id for rule in rules])
    prepare()  # for speed alone: the first text is then judged as fast as others
    if not rules:
        raise PolicyError("there is no policy pack (*.yaml); an empty policy is refused")
    names = {str(pack["pack"]) for pack in packs.values()}
    content = [lexicon, *([] if chosen is None else [chosen]), *packs.values()]
    return Policy(
        version=_version(content),
        rules=tuple(rules),
        switches=read_switches(chosen, names, rules={rule.id: rule.pack for rule in rules}),
        second_reader=shipped(),
    )


def _pack(name: str, pack: dict[str, Any]) -> dict[str, Any]:
    _refuse_unknown(pack, _PACK_KEYS, name)
    if not isinstance(pack.get("pack"), str) or not isinstance(pack.get("rules"), list):
        raise PolicyError(f"{name}: pack must be a name and rules a list", file=name, line=1)
    return pack


def _lexicon(lexicon: dict[str, Any] | None) -> dict[str, Any]:
    """Settings by detector name that its rules share; a rule's own settings add to them and win."""
    if lexicon is None:
        return {}
    _refuse_unknown(lexicon, frozenset({"format", *DETECTORS}), LEXICON)
    for name, settings in lexicon.items():
        if name != "format" and not isinstance(settings, dict):
            msg = f"{LEXICON}: {name} must be a mapping of settings"
            raise PolicyError(msg, file=LEXICON)
    return lexicon


_Contacts = Mapping[str, Mapping[str, list[str]]]


def _rules(
    name: str,
    pack: Mapping[str, Any],
    lexicon: Mapping[str, Any],
    contacts: _Contacts,
    text: str,
) -> Iterator[Rule]:
    for number, entry in enumerate(pack["rules"]):
        called = entry.get("id") if isinstance(entry, dict) else None
        try:
            if not isinstance(entry, dict):
                raise PolicyError("must be a mapping")
            yield _rule(pack["pack"], entry, lexicon, contacts)
        except PolicyError as error:
            line = line_of(text, ("rules", number, *_PLACE.findall(str(error))))
            said = f"rule {called}: {error}" if called else f"rule {number + 1} {error}"
            raise PolicyError(f"{name}: line {line}: {said}", file=name, line=line) from error


def _rule(
    pack: str, entry: Mapping[str, Any], lexicon: Mapping[str, Any], contacts: _Contacts
) -> Rule:
    _refuse_unknown(entry, _RULE_KEYS)
    words = {key: _text(entry, key) for key in _TEXT_KEYS}
    try:
        severity = Severity(str(entry.get("severity")))
    except ValueError:
        known = " or ".join(Severity)
        raise PolicyError(f"severity must be {known}") from None
    settings = entry.get("settings", {})
    if not isinstance(settings, dict):
        raise PolicyError("settings must be a mapping")
    name = words["detector"]
    factory = DETECTORS.get(name)
    if factory is None:
        raise PolicyError(f"detector must be one of {', '.join(DETECTORS)}")
    try:
        merged = _merged(lexicon.get(name, {}), settings)
        for key, entries in contacts.get(name, {}).items():
            merged[key] = [*merged.get(key, []), *entries]
        detector = factory(Settings(merged))
    except (SettingsError, ValueError) as error:
        raise PolicyError(str(error)) from error
    channel = str(entry.get("examples_channel", "generic"))
    return _assembled(detector, severity, pack, words, _examples(entry), channel, merged)


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's own settings win over the shared ones; of named sets, each on its own."""
    merged = {**shared, **own}
    if isinstance(shared.get("sets"), dict) and isinstance(own.get("sets"), dict):
        merged["sets"] = {**shared["sets"], **own["sets"]}
    return merged


def _assembled(
    detector: Detector,
    severity: Severity,
    pack: str,
    words: Mapping[str, str],
    examples: tuple[tuple[str, ...], tuple[str, ...]],
    examples_channel: str,
    settings: Mapping[str, Any],
) -> Rule:
    rule_id, reason, mend = words["id"], words["reason"], words["mend"]

    needs = detector.needs if isinstance(detector, Worded) else None

    def judge(judged: Judged) -> Iterable[Finding]:
        if needs is not None and needs.isdisjoint(judged.vocabulary):  # for speed alone
            return ()
        return (
            Finding(rule_id, severity, hit.span, hit.reason or reason, hit.mend or mend, pack)
            for hit in detector(judged)
        )

    must_flag, must_pass = examples
    return Rule(
        id=rule_id,
        pack=pack,
        severity=severity,
        title=words["title"],
        reason=reason,
        mend=mend,
        source=words["source"],
        must_flag=must_flag,
        must_pass=must_pass,
        judge=judge,
        examples_channel=examples_channel,
        detector=words["detector"],
        settings=settings,
    )


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{key} must be text; put it in quotes")
    return value


def _examples(entry: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = []
    for key in ("must_flag", "must_pass"):
        value = entry.get(key)
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise PolicyError(f"{key} must be a list of texts; put each in quotes")
        if len(value) < FEWEST_EXAMPLES:
            raise PolicyError(f"{key} needs at least {FEWEST_EXAMPLES} examples")
        found.append(tuple(value))
    return found[0], found[1]


def _refuse_unknown(entry: Mapping[str, Any], known: frozenset[str], name: str = "") -> None:
    unknown = sorted(str(key) for key in set(entry) - known)
    if unknown:
        msg = f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}"
        raise PolicyError(f"{name}: {msg}" if name else msg, file=name)


def _refuse_repeated(ids: list[str]) -> None:
    for rule_id in ids:
        if ids.count(rule_id) > 1:
            raise PolicyError(f"the rule id {rule_id} is used twice; every rule needs its own")


def _version(packs: list[dict[str, Any]]) -> str:
    """SHA-256 over the packs in canonical JSON and over the code that judges."""
    digest = hashlib.sha256()
    digest.update(json.dumps(packs, sort_keys=True).encode())
    digest.update(code_hash().encode())
    return digest.hexdigest()


@cache
def code_hash() -> str:
    """SHA-256 over every file of code and data that judging uses beside the packs: of this release, so to say."""
    digest = hashlib.sha256()
    package = resources.files("knowledge_base")
    for folder in ("policy", "wording"):
        files = (file for file in package.joinpath(folder).iterdir() if file.name.endswith(".py"))
        for file in sorted(files, key=lambda f: f.name):
            digest.update(file.read_bytes())
    content = package.joinpath("content")
    digest.update(content.joinpath("tlds.txt").read_bytes())
    for name in DATA_FILES:
        digest.update(content.joinpath("reading", name).read_bytes())
    digest.update(shipped().sha256.encode())
    for library in _JUDGING_LIBRARIES:
        digest.update(metadata.version(library).encode())
    return digest.hexdigest()
