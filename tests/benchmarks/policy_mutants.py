"""Changes the rules on purpose, one thing at a time, and counts how many changes their examples notice.

    python -m tests.benchmarks.policy_mutants [--rule ID] [--write] [--survivors] [--json]

A change drops a phrase, an object, a pattern, a word of a set, an `unless`, a `near` or another entry of a rule's
own settings, turns a flag over, changes a number or the severity, or takes negations away. It is noticed
(killed) when an example of the rule, or a text of tests/unit/policy_texts.tsv, is judged otherwise than before.
`--write` adds to that file the shortest text that each phrase finds when nothing else notices its loss: the file
pins the data, so that no phrase goes missing by accident. Exit code 1 when fewer than 90 % are killed.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import regex
import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from knowledge_base.policy.detectors import Detector, Settings, SettingsError
from knowledge_base.policy.loader import DETECTORS, LEXICON, load_policy
from knowledge_base.policy.reading import Judged
from knowledge_base.policy.switches import SWITCHES

TARGET = 0.9
TEXTS = Path(__file__).parents[1] / "unit" / "policy_texts.tsv"
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
        _write(rules)
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
    """Killed and surviving changes, in all and by kind."""
    killed: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    survivors: list[str] = []
    texts = pinned()
    for rule_id, rule in track(rules.items(), "rules", disable=quiet):
        expected = _expected(rule, texts.get(rule_id, ()))
        for mutant in mutants(rule):
            whole[mutant.kind] += 1
            if _is_noticed(rule, mutant, expected):
                killed[mutant.kind] += 1
            else:
                survivors.append(f"{rule_id} {mutant.kind}: {mutant.what}")
    total = sum(whole.values())
    return {
        "mutants": total,
        "killed": sum(killed.values()),
        "share": sum(killed.values()) / total,
        "kinds": {kind: [killed[kind], whole[kind]] for kind in sorted(whole)},
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
        if key in rule["shared"] and key not in own:
            yield Mutant(rule["id"], "take shared words away", key, {**own, key: ["zzz"]})
    yield Mutant(rule["id"], "change the severity", rule["severity"], own)


def _detector(rule: Mapping[str, Any], settings: Mapping[str, Any]) -> Detector:
    merged = {**rule["shared"], **settings}
    if isinstance(rule["shared"].get("sets"), dict):
        merged["sets"] = {**rule["shared"]["sets"], **settings.get("sets", {})}
    return DETECTORS[rule["detector"]](Settings(merged))


def _judged(rule: Mapping[str, Any], text: str) -> Judged:
    return Judged(text, str(rule.get("examples_channel", "generic")))


def _expected(rule: Mapping[str, Any], texts: tuple[str, ...]) -> list[tuple[Judged, bool]]:
    flagged = [*rule["must_flag"], *texts]
    return [
        *((_judged(rule, text), True) for text in flagged),
        *((_judged(rule, text), False) for text in rule["must_pass"]),
    ]


def _is_noticed(
    rule: Mapping[str, Any], mutant: Mutant, expected: list[tuple[Judged, bool]]
) -> bool:
    if mutant.kind == "change the severity":
        # test_policy_texts.py holds the severity of every rule beside its id.
        return bool(severities().get(rule["id"]) == rule["severity"])
    try:
        detect = _detector(rule, mutant.settings)
    except (SettingsError, ValueError):
        return True
    return any(any(True for _ in detect(judged)) is not flags for judged, flags in expected)


def pinned() -> dict[str, tuple[str, ...]]:
    """Texts by rule that the file pins."""
    found: dict[str, list[str]] = {}
    if TEXTS.exists():
        with TEXTS.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if row["text"]:
                    found.setdefault(row["rule"], []).append(row["text"])
    return {rule_id: tuple(texts) for rule_id, texts in found.items()}


def severities() -> dict[str, str]:
    """Severity by rule as the file pins it."""
    if not TEXTS.exists():
        return {}
    with TEXTS.open(encoding="utf-8", newline="") as file:
        return {row["rule"]: row["severity"] for row in csv.DictReader(file, delimiter="\t")}


def _write(rules: Mapping[str, dict[str, Any]]) -> None:
    texts = {rule_id: list(found) for rule_id, found in pinned().items()}
    judging = {rule.id: rule for rule in load_policy().rules}
    for rule_id, rule in track(rules.items(), "texts"):
        found = texts.setdefault(rule_id, [])
        for mutant in mutants(rule):
            expected = _expected(rule, tuple(found))
            if mutant.kind == "change the severity" or _is_noticed(rule, mutant, expected):
                continue
            for text in _instances(rule, mutant):
                judged = _judged(rule, text)
                if list(judging[rule_id].judge(judged)) and _is_noticed(
                    rule, mutant, [(judged, True)]
                ):
                    found.append(text)
                    break
    known = severities()
    with TEXTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["rule", "severity", "text"])
        for rule_id in sorted({*texts, *known}):
            severity = rules[rule_id]["severity"] if rule_id in rules else known[rule_id]
            for text in texts.get(rule_id) or [""]:
                writer.writerow([rule_id, severity, text])


def _instances(rule: Mapping[str, Any], mutant: Mutant) -> Iterator[str]:
    """Short texts that only the dropped phrase, object or word of a set may find."""
    own = rule.get("settings", {})
    sets = {**rule["shared"].get("sets", {}), **own.get("sets", {})}
    if mutant.kind == "drop a word of a set":
        name, _, word = mutant.what.partition(": ")
        for phrase in own.get("phrases", ()):
            if f"<{name}>" in phrase:
                yield from _worded(phrase.replace(f"<{name}>", word), sets)
    elif mutant.kind == "drop phrases":
        yield from _worded(mutant.what, sets)
    elif mutant.kind == "drop objects":
        for words in _worded(mutant.what, sets):
            yield f"please send us {words}"
            yield f"what is {words}?"


def _worded(phrase: str, sets: Mapping[str, list[str]]) -> Iterator[str]:
    """Some texts that a phrase finds: its first and its last alternatives, without its gaps."""
    for pick in (0, -1):
        text = phrase
        while group := regex.search(r"\(([^()]++)\)\??", text):
            chosen = group.group(1).split("|")[pick]
            text = text[: group.start()] + chosen + text[group.end() :]
        words = []
        for part in text.split():
            if part in ("~", "~~", "^", "$", "&"):
                continue
            option = part.rstrip("?").split("|")[pick]
            if option.startswith("<"):
                option = sets.get(option.strip("<>"), [""])[pick]
            words.append("3" if option == "#" else option.rstrip("+"))
        yield " ".join(words)


def _show(report: Mapping[str, Any]) -> None:
    table = Table("change", "noticed", "of")
    for kind, (killed, whole) in report["kinds"].items():
        table.add_row(kind, str(killed), str(whole))
    screen = Console(highlight=False)
    screen.print(table)
    screen.print(
        f"{report['killed']} of {report['mutants']} changes noticed: {100 * report['share']:.1f} %"
    )


if __name__ == "__main__":
    raise SystemExit(main())
