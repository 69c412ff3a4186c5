"""Reads policy packs (YAML data) into rules, and refuses a pack that is not exactly what it should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from knowledge_base.errors import PolicyError
from knowledge_base.policy.asks import asks_for
from knowledge_base.policy.cards import card_number
from knowledge_base.policy.detectors import Detector, Factory, Settings, SettingsError
from knowledge_base.policy.disguises import DATA_FILES
from knowledge_base.policy.links import allowed_links
from knowledge_base.policy.model import Finding, Policy, Rule, Severity
from knowledge_base.policy.personal import email_address, iban, national_number, telephone
from knowledge_base.policy.reading import Judged
from knowledge_base.policy.says import says
from knowledge_base.policy.shape import characters, length, network_length, unfilled
from knowledge_base.policy.style import (
    emoji_limit,
    mixed_scripts,
    pattern,
    shouting,
    styled_letters,
)
from knowledge_base.policy.switches import SWITCHES, read_contacts, read_switches

FORMAT = 1
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
LEXICON = "lexicon.yaml"  # not a pack: settings that all rules of a detector share
_PACK_KEYS = frozenset({"format", "pack", "rules"})
_TEXT_KEYS = ("id", "title", "reason", "mend", "source", "detector")
_RULE_KEYS = frozenset(
    {*_TEXT_KEYS, "severity", "settings", "must_flag", "must_pass", "examples_channel"}
)


def load_policy(directory: Path | None = None) -> Policy:
    """The policy of every `*.yaml` pack in `directory`, by default the packs that come with Firstline.

    The version is a SHA-256 over the content of all packs and over the code that judges. Raises PolicyError,
    which names the file, the key and how to mend it.
    """
    folder: Traversable = directory or resources.files("knowledge_base").joinpath(
        "content", "policy"
    )
    files = _yaml_files(folder)
    lexicon = _lexicon([file for file in files if file.name == LEXICON])
    chosen = [_read(file) for file in files if file.name == SWITCHES]
    others = (LEXICON, SWITCHES)
    packs = [(file.name, _read_pack(file)) for file in files if file.name not in others]
    contacts = read_contacts(chosen[0] if chosen else None)
    rules: list[Rule] = []
    for name, pack in packs:
        rules += _rules(name, pack, lexicon, contacts)
    _refuse_repeated([rule.id for rule in rules])
    if not rules:
        raise PolicyError(
            f"{folder}: there is no policy pack (*.yaml); an empty policy is refused"
        )
    return Policy(
        version=_version([lexicon, *chosen, *(pack for _, pack in packs)]),
        rules=tuple(rules),
        switches=read_switches(chosen[0] if chosen else None, {pack["pack"] for _, pack in packs}),
    )


def _yaml_files(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():
        raise PolicyError(f"{folder}: this is not a directory; name the folder of the packs")
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda f: f.name
    )


def _strict(content: str) -> Any:
    """Safe YAML without anchors and without repeated keys: what you read is what is loaded."""
    # libyaml's parser where PyYAML was built with it: reading the packs takes a tenth of the time, at every start.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events: Any = yaml.parse(content, Loader=loader)
    for event in events:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1
            raise PolicyError(f"line {line}: anchors and aliases are not allowed; write it out")
    root = yaml.compose(content, Loader=loader)
    if root is not None:
        _refuse_repeated_keys(root)
    return yaml.load(content, loader)  # noqa: S506  # a safe loader, whichever of the two it is


def _refuse_repeated_keys(node: yaml.Node) -> None:
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise PolicyError(f"line {line}: the key {key!r} is there twice; keep one")
        inner = [value for _, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    for each in inner:
        _refuse_repeated_keys(each)


def _read(file: Traversable) -> dict[str, Any]:
    try:
        pack = _strict(file.read_text(encoding="utf-8"))
    except PolicyError as error:
        raise PolicyError(f"{file.name}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file.name}: this is not readable YAML in UTF-8: {error}") from error
    if not isinstance(pack, dict):
        raise PolicyError(f"{file.name}: the file must be a mapping with format, pack and rules")
    if pack.get("format") != FORMAT:
        raise PolicyError(f"{file.name}: format must be {FORMAT}, not {pack.get('format')!r}")
    return pack


def _read_pack(file: Traversable) -> dict[str, Any]:
    pack = _read(file)
    _refuse_unknown(pack, _PACK_KEYS, file.name)
    if not isinstance(pack.get("pack"), str) or not isinstance(pack.get("rules"), list):
        raise PolicyError(f"{file.name}: pack must be a name and rules a list")
    return pack


def _lexicon(files: list[Traversable]) -> dict[str, Any]:
    """Settings by detector name that its rules share; a rule's own settings add to them and win."""
    if not files:
        return {}
    lexicon = _read(files[0])
    _refuse_unknown(lexicon, frozenset({"format", *DETECTORS}), LEXICON)
    for name, settings in lexicon.items():
        if name != "format" and not isinstance(settings, dict):
            raise PolicyError(f"{LEXICON}: {name} must be a mapping of settings")
    return lexicon


_Contacts = Mapping[str, Mapping[str, list[str]]]


def _rules(
    name: str, pack: Mapping[str, Any], lexicon: Mapping[str, Any], contacts: _Contacts
) -> Iterator[Rule]:
    for number, entry in enumerate(pack["rules"], start=1):
        if not isinstance(entry, dict):
            raise PolicyError(f"{name}: rule {number} must be a mapping")
        where = f"{name}: rule {entry.get('id', number)}"
        yield _rule(where, pack["pack"], entry, lexicon, contacts)


def _rule(
    where: str,
    pack: str,
    entry: Mapping[str, Any],
    lexicon: Mapping[str, Any],
    contacts: _Contacts,
) -> Rule:
    _refuse_unknown(entry, _RULE_KEYS, where)
    words = {key: _text(where, entry, key) for key in _TEXT_KEYS}
    try:
        severity = Severity(str(entry.get("severity")))
    except ValueError:
        known = " or ".join(Severity)
        raise PolicyError(f"{where}: severity must be {known}") from None
    settings = entry.get("settings", {})
    if not isinstance(settings, dict):
        raise PolicyError(f"{where}: settings must be a mapping")
    detector_name = words.pop("detector")
    factory = DETECTORS.get(detector_name)
    if factory is None:
        raise PolicyError(f"{where}: detector must be one of {', '.join(DETECTORS)}")
    try:
        merged = _merged(lexicon.get(detector_name, {}), settings)
        for key, entries in contacts.get(detector_name, {}).items():
            merged[key] = [*merged.get(key, []), *entries]
        detector = factory(Settings(merged))
    except (SettingsError, ValueError) as error:
        raise PolicyError(f"{where}: {error}") from error
    channel = str(entry.get("examples_channel", "generic"))
    return _assembled(detector, severity, pack, words, _examples(where, entry), channel)


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
) -> Rule:
    rule_id, reason, mend = words["id"], words["reason"], words["mend"]

    def judge(judged: Judged) -> Iterable[Finding]:
        for hit in detector(judged):
            yield Finding(
                rule_id, severity, hit.span, hit.reason or reason, hit.mend or mend, pack
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
    )


def _text(where: str, entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{where}: {key} must be text; put it in quotes")
    return value


def _examples(where: str, entry: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = []
    for key in ("must_flag", "must_pass"):
        value = entry.get(key)
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise PolicyError(f"{where}: {key} must be a list of texts; put each in quotes")
        if len(value) < FEWEST_EXAMPLES:
            raise PolicyError(f"{where}: {key} needs at least {FEWEST_EXAMPLES} examples")
        found.append(tuple(value))
    return found[0], found[1]


def _refuse_unknown(entry: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(str(key) for key in set(entry) - known)
    if unknown:
        raise PolicyError(
            f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )


def _refuse_repeated(ids: list[str]) -> None:
    for rule_id in ids:
        if ids.count(rule_id) > 1:
            raise PolicyError(f"the rule id {rule_id} is used twice; every rule needs its own")


def _version(packs: list[dict[str, Any]]) -> str:
    """SHA-256 over the packs in canonical JSON and over every file of code and data that judging uses."""
    digest = hashlib.sha256()
    digest.update(json.dumps(packs, sort_keys=True, ensure_ascii=True).encode())
    package = resources.files("knowledge_base")
    for folder in ("policy", "wording"):
        files = (file for file in package.joinpath(folder).iterdir() if file.name.endswith(".py"))
        for file in sorted(files, key=lambda f: f.name):
            digest.update(file.read_bytes())
    content = package.joinpath("content")
    digest.update(content.joinpath("tlds.txt").read_bytes())
    for name in DATA_FILES:
        digest.update(content.joinpath("reading", name).read_bytes())
    for library in _JUDGING_LIBRARIES:
        digest.update(metadata.version(library).encode())
    return digest.hexdigest()
