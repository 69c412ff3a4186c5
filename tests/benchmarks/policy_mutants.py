"""Changes the rules on purpose, one thing at a time, and counts how many changes their examples notice.

    python -m tests.benchmarks.policy_mutants [--rule ID] [--write] [--survivors] [--json]

A change drops a phrase, an object, a pattern, a word of a set, an `unless`, a `near` or another entry of a rule's
own settings, turns a flag over, changes a number or the severity, or takes negations away. It is noticed
(killed) when an example of the rule, a text of tests/unit/policy_texts.tsv or one of the ordinary replies of
tests/unit/compliant_replies.txt is judged otherwise than before; all of these are unit tests. All rules take a
minute or two. `--write` adds to the first file the shortest text that each surviving change decides on (see
policy_pins.py): the file pins the data, so that no entry goes missing by accident. Exit code 1 when fewer than
90 % are killed.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any

import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from knowledge_base.policy.detectors import Detector, Settings, SettingsError
from knowledge_base.policy.loader import DETECTORS, LEXICON, load_policy
from knowledge_base.policy.reading import Judged
from knowledge_base.policy.switches import SWITCHES
from tests.benchmarks.policy_pins import (
    ORDINARY,
    Pin,
    proposals,
    read_pins,
    severities,
    write_pins,
)

TARGET = 0.9
_MOST_PROPOSALS = 300  # texts tried for one change
_LISTS = (
    *(
        "phrases",
        "objects",
        "patterns",
        "cased_patterns",
        "unless",
        "near",
        "hosts",
        "schemes",
        "kinds",
        "issuers",
    ),
    *("not_after", "not_before", "allowed", "placeholder_words", "negations"),
)
_FLAGS = ("negatable", "in_questions", "case")
_SHARED = (
    "negations",
    "give",
    "need",
    "enter",
    "others",
    "ours",
    "safe_places",
    "stops",
    "transparent",
)
# What only matters where phrases can be negated, and what only matters to phrases with gaps.
_OF_NEGATION = frozenset({"negations", "transparent", "stops"})
_EXCUSES = ("unless", "not_after", "not_before", "allowed")
_SHARED_EXCUSES = ("negations", "transparent", "stops", "safe_places", "others", "ours")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one rule's settings."""

    rule_id: str
    kind: str
    what: str
    settings: Mapping[str, Any]


def main() -> int:
    """0 when enough changes are noticed, 1 when not, 2 for wrong options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rule", help="this rule alone")
    parser.add_argument(
        "--write", action="store_true", help="add texts for phrases that nothing misses"
    )
    parser.add_argument("--survivors", action="store_true", help="show what nobody noticed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rules = {k: v for k, v in read_rules().items() if options.rule in (None, k)}
    if not rules:
        Console(stderr=True).print(f"error: there is no rule {options.rule}")
        return 2
    if options.write:
        _write(rules, quiet=options.json)
    report = report_of(rules, quiet=options.json)
    survivors = report["survivors"]
    if not options.survivors:
        del report["survivors"]
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        _show(report)
        for survivor in survivors if options.survivors else ():
            print(survivor)
    return 0 if report["share"] >= TARGET else 1


def read_rules() -> dict[str, dict[str, Any]]:
    """Rules by id as the packs have them, with the settings that their detector shares under "shared"."""
    folder = resources.files("knowledge_base").joinpath("content", "policy")
    lexicon = yaml.safe_load(folder.joinpath(LEXICON).read_text(encoding="utf-8"))
    rules: dict[str, dict[str, Any]] = {}
    for file in folder.iterdir():
        if file.name.endswith(".yaml") and file.name not in (LEXICON, SWITCHES):
            for rule in yaml.safe_load(file.read_text(encoding="utf-8"))["rules"]:
                rules[rule["id"]] = {**rule, "shared": lexicon.get(rule["detector"], {})}
    return rules


def report_of(rules: Mapping[str, dict[str, Any]], *, quiet: bool = True) -> dict[str, Any]:
    """Killed and surviving changes, in all, by kind and by rule."""
    killed: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    by_rule: dict[str, list[int]] = {}
    survivors: list[str] = []
    pins = read_pins()
    for rule_id, rule in track(rules.items(), "rules", disable=quiet):
        expected = _expected(rule, pins.get(rule_id, ()))
        count = by_rule[rule_id] = [0, 0]
        for mutant in mutants(rule):
            is_noticed = _is_noticed(rule, mutant, expected)
            whole[mutant.kind] += 1
            killed[mutant.kind] += is_noticed
            count[0] += is_noticed
            count[1] += 1
            if not is_noticed:
                survivors.append(f"{rule_id} {mutant.kind}: {mutant.what}")
    total = sum(whole.values())
    return {
        "mutants": total,
        "killed": sum(killed.values()),
        "share": sum(killed.values()) / total,
        "kinds": {kind: [killed[kind], whole[kind]] for kind in sorted(whole)},
        "rules": by_rule,
        "survivors": survivors,
    }


def mutants(rule: Mapping[str, Any]) -> Iterator[Mutant]:
    """Every change of a rule, one at a time."""
    own: dict[str, Any] = rule.get("settings", {})
    for key in _LISTS:
        for index, entry in enumerate(own.get(key, ())):
            changed = copy.deepcopy(own)
            del changed[key][index]
            yield Mutant(rule["id"], f"drop {key}", str(entry), changed)
    for name, words in own.get("sets", {}).items():
        for index, word in enumerate(words):
            changed = copy.deepcopy(own)
            del changed["sets"][name][index]
            yield Mutant(rule["id"], "drop a word of a set", f"{name}: {word}", changed)
    for key in _FLAGS:
        if key in own:
            yield Mutant(rule["id"], "turn a flag", key, {**own, key: not own[key]})
    for key, value in own.items():
        if isinstance(value, int) and not isinstance(value, bool):
            yield Mutant(rule["id"], "change a number", key, {**own, key: value + 1})
    for key in _SHARED:
        if key in rule["shared"] and key not in own and _is_used(rule, key):
            yield Mutant(rule["id"], "take shared words away", key, {**own, key: ["zzz"]})
    yield Mutant(rule["id"], "change the severity", rule["severity"], own)


def _is_used(rule: Mapping[str, Any], key: str) -> bool:
    """Whether shared words can make a difference to a rule at all."""
    own = rule.get("settings", {})
    if rule["detector"] != "says" or key not in _OF_NEGATION:
        return True
    has_gap = any("~" in phrase or " & " in phrase for phrase in own["phrases"])
    return own.get("negatable", True) and (key != "stops" or has_gap)


def _detector(rule: Mapping[str, Any], settings: Mapping[str, Any]) -> Detector:
    merged = {**rule["shared"], **settings}
    if isinstance(rule["shared"].get("sets"), dict):
        merged["sets"] = {**rule["shared"]["sets"], **settings.get("sets", {})}
    return DETECTORS[rule["detector"]](Settings(merged))


def _judged(rule: Mapping[str, Any], text: str) -> Judged:
    return Judged(text, str(rule.get("examples_channel", "generic")))


_Expected = list[tuple[Judged, bool]]


def _expected(rule: Mapping[str, Any], pins: Sequence[Pin]) -> _Expected:
    passing = [(_judged(rule, text), False) for text in rule["must_pass"]]
    return [
        *((_judged(rule, text), True) for text in rule["must_flag"]),
        *((_judged(rule, pin.text), pin.flags) for pin in pins),
        *passing,
        *((judged, False) for judged in _near_misses(rule)),
    ]


@cache
def _ordinary() -> list[Judged]:
    return [Judged(text, "generic") for text in ORDINARY.read_text(encoding="utf-8").splitlines()]


def _near_misses(rule: Mapping[str, Any]) -> list[Judged]:
    """The ordinary replies that a rule would flag if nothing excused them; no other can lose an excuse."""
    own, shared = rule.get("settings", {}), rule["shared"]
    excused: dict[str, Any] = {key: [] for key in _EXCUSES if key in own}
    excused |= {key: ["zzz"] for key in _SHARED_EXCUSES if key in own or key in shared}
    excused |= {key: True for key in ("in_questions",) if key in own}
    if not excused:
        return []
    detect = _detector(rule, {**own, **excused})
    return [judged for judged in _ordinary() if any(True for _ in detect(judged))]


def _is_noticed(rule: Mapping[str, Any], mutant: Mutant, expected: _Expected) -> bool:
    if mutant.kind == "change the severity":
        # test_policy_texts.py holds the severity of every rule beside its id.
        return bool(severities().get(rule["id"]) == rule["severity"])
    try:
        detect = _detector(rule, mutant.settings)
    except (SettingsError, ValueError):
        return True
    return any(any(True for _ in detect(judged)) is not flags for judged, flags in expected)


def _write(rules: Mapping[str, dict[str, Any]], *, quiet: bool) -> None:
    pins = read_pins()
    judging = {rule.id: rule for rule in load_policy().rules}
    known = severities() | {rule_id: rule["severity"] for rule_id, rule in rules.items()}
    for rule_id, rule in track(rules.items(), "texts", disable=quiet):
        found = pins.setdefault(rule_id, [])
        expected = _expected(rule, found)
        for mutant in mutants(rule):
            if mutant.kind == "change the severity" or _is_noticed(rule, mutant, expected):
                continue
            flagged = [*rule["must_flag"], *(pin.text for pin in found if pin.flags)]
            detect = _detector(rule, mutant.settings)
            texts = proposals(rule, mutant.kind, mutant.what, flagged)
            for text in islice(texts, _MOST_PROPOSALS):
                judged = _judged(rule, text)
                flags = any(True for _ in judging[rule_id].judge(judged))
                if any(True for _ in detect(judged)) is not flags:
                    found.append(Pin(text, flags))
                    expected.append((judged, flags))
                    break
    write_pins(pins, known)


def _show(report: Mapping[str, Any]) -> None:
    screen = Console(highlight=False)
    for title in ("rules", "kinds"):
        table = Table(title, "noticed", "of", "share")
        for name, (killed, whole) in report[title].items():
            table.add_row(name, str(killed), str(whole), f"{100 * killed / whole:.0f} %")
        screen.print(table)
    screen.print(
        f"{report['killed']} of {report['mutants']} changes noticed: {100 * report['share']:.1f} %"
    )


if __name__ == "__main__":
    raise SystemExit(main())
