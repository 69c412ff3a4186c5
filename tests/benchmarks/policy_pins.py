"""The texts that pin the data of the rules, and proposals of texts that a single entry of a rule decides on.

The file holds a row per text: the rule, its severity, whether the rule flags the text or lets it pass, the text.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import regex

from knowledge_base.policy.phrases import forms

FILE = Path(__file__).parents[1] / "unit" / "policy_texts.tsv"
ORDINARY = FILE.with_name("compliant_replies.txt")
_COLUMNS = ("rule", "severity", "expected", "text")
_MOST_BASES = 40  # texts of a rule that an excuse is put to
_MOST_WORDINGS = 6  # wordings of one phrase
_GROUP = regex.compile(r"\(([^()]++)\)(\??)")
_TOGETHER = " & "
_FILLERS: Mapping[str, str] = MappingProxyType({"~": "really", "~~": "really"})

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pin:
    """A text that a rule flags, or lets pass."""

    text: str
    flags: bool


def read_pins() -> dict[str, list[Pin]]:
    """Pins by rule."""
    found: dict[str, list[Pin]] = {}
    for row in _rows():
        if row["text"]:
            found.setdefault(row["rule"], []).append(Pin(row["text"], row["expected"] == "flag"))
    return found


def severities() -> dict[str, str]:
    """Severity by rule as the file pins it."""
    return {row["rule"]: row["severity"] for row in _rows()}


def write_pins(pins: Mapping[str, list[Pin]], severity: Mapping[str, str]) -> None:
    """Writes the file anew, by rule, what is flagged first."""
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_COLUMNS)
        for rule_id in sorted(severity):
            known = sorted(pins.get(rule_id, ()), key=lambda pin: not pin.flags)
            for pin in known or [Pin("", True)]:
                expected = "flag" if pin.flags else "pass"
                writer.writerow([rule_id, severity[rule_id], expected, pin.text])


def _rows() -> list[dict[str, str]]:
    if not FILE.exists():
        return []
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def proposals(rule: Rule, kind: str, what: str, flagged: list[str]) -> Iterator[str]:
    """Short texts that may be judged otherwise without an entry; `flagged` are texts that the rule flags."""
    bases = sorted({text.rstrip(".!? ") for text in flagged}, key=lambda t: (len(t), t))
    propose = _PROPOSALS.get(kind)
    if propose is not None:
        yield from propose(rule, what, bases[:_MOST_BASES])


def wordings(phrase: str, sets: Mapping[str, list[str]]) -> Iterator[str]:
    """Texts that a phrase finds: its first words, its last ones, then one place after the other varied.

    Without its gaps first, then with a word in each.
    """
    seen: set[str] = set()
    for filled in (False, True):
        for alternative in _alternatives(phrase):
            for text in _varied(alternative, sets, filled):
                if text and text not in seen:
                    seen.add(text)
                    yield text


def _alternatives(phrase: str) -> Iterator[str]:
    """The phrases without groups that a phrase stands for."""
    group = _GROUP.search(phrase)
    if group is None:
        yield phrase
        return
    for option in (*group.group(1).split("|"), *([""] if group.group(2) else [])):
        yield from _alternatives(phrase[: group.start()] + option + phrase[group.end() :])


def _varied(phrase: str, sets: Mapping[str, list[str]], filled: bool) -> Iterator[str]:
    parts = [part for part in phrase.split() if part not in ("^", "$", "&")]
    places = [_options(part, sets, filled) for part in parts]
    for pick in (0, -1):
        yield _joined(options[pick] for options in places)
    for place, options in enumerate(places):
        for option in options[1:]:
            yield _joined(option if at == place else first[0] for at, first in enumerate(places))
    if _TOGETHER in phrase:
        yield _joined(first[0] for first in reversed(places))


def _options(part: str, sets: Mapping[str, list[str]], filled: bool) -> list[str]:
    if part in _FILLERS:
        return [_FILLERS[part] if filled else ""]
    found: list[str] = []
    for option in part.rstrip("?").split("|"):
        if option == "#":
            found.append("3")
        elif option.startswith("<"):
            found += sets.get(option.strip("<>"), [])
        elif option.endswith("+"):
            found += [option[:-1], *sorted(forms(option[:-1]) - {option[:-1]})]
        else:
            found.append(option)
    return [*found, *([""] if part.endswith("?") else [])] or [""]


def _joined(words: Iterator[str]) -> str:
    return " ".join(word for word in words if word)


def _settings(rule: Rule) -> Mapping[str, Any]:
    own: Mapping[str, Any] = rule.get("settings", {})
    return own


def _sets(rule: Rule) -> dict[str, list[str]]:
    return {**rule["shared"].get("sets", {}), **_settings(rule).get("sets", {})}


def _few(rule: Rule, phrase: str) -> list[str]:
    return list(islice(wordings(phrase, _sets(rule)), _MOST_WORDINGS))


def _objects(rule: Rule) -> list[str]:
    phrases = _settings(rule).get("objects", ())
    return [next(wordings(phrase, _sets(rule)), "") for phrase in phrases][:_MOST_BASES]


def _phrase(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    yield from wordings(what, _sets(rule))


def _object(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    for words in wordings(what, _sets(rule)):
        for template in (
            "please send us {}",
            "what is {}?",
            "please send us your {}",
            "{}, please",
        ):
            yield template.format(words)


def _word(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    name, _, word = what.partition(": ")
    settings, mark = _settings(rule), f"<{name}>"
    for phrase in settings.get("phrases", ()):
        if mark in phrase:
            yield from islice(wordings(phrase.replace(mark, word), _sets(rule)), 40)
    for phrase in settings.get("unless", ()):
        if mark in phrase:
            yield from _excuse(rule, phrase.replace(mark, word), bases)


def _excuse(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    for words in _few(rule, what)[:3]:
        for text in bases:
            yield f"{text} {words}"
            yield f"{words} {text}"
            yield f"{words}, {text}"


def _behind(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    for words, known in product(_few(rule, what)[:3], _objects(rule)):
        for template in (
            "please send us your {} {}",
            "please send us {} {}",
            "what is your {} {}?",
        ):
            yield template.format(known, words)


def _before(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    for words, known in product(_few(rule, what)[:3], _objects(rule)):
        for template in ("please send us the {} {}", "please send us {} {}", "what is the {} {}?"):
            yield template.format(words, known)


_ASKED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "negations": ("never send us your {}", "do not tell us your {}", "we do not need your {}"),
        "ours": ("we will send you the {}", "we send your {}", "i will send the {}"),
        "others": ("scammers ask for your {}", "they will ask for your {}", "he will send your {}"),
        "safe_places": ("enter your {} in the app", "confirm your {} in the app", "give your {} in the shop"),
        "give": ("tell us your {}", "send us your {}", "confirm your {}"),
        "need": ("we need your {}", "can i have your {}", "what is your {}"),
        "enter": ("enter your {} here", "type your {} here", "reply here, add your {}"),
        "transparent": (
            "never ever send us your {}",
            "you never need to send us your {}",
            "we will never ask you to send us your {}",
        ),
    }
)  # fmt: skip


def _shared(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    if rule["detector"] == "asks_for":
        for known, template in product(_objects(rule), _ASKED.get(what, ())):
            yield template.format(known)
        return
    if what == "stops":
        yield from _stopped(rule)
    between = (
        (*("", "we ", "ever ", "you ", "be ", "to "), "that ") if what == "transparent" else ("",)
    )
    for text, words, no in product(bases, between, ("never", "not", "no", "cannot")):
        yield f"{no} {words}{text}"
        yield f"we {no} {words}{text}"


def _stopped(rule: Rule) -> Iterator[str]:
    """Phrases with a word in their gaps that no gap passes over."""
    for phrase in _settings(rule).get("phrases", ()):
        if "~" in phrase or _TOGETHER in phrase:
            for text in islice(wordings(phrase.replace(_TOGETHER, " ~ "), _sets(rule)), 200):
                yield from (
                    text.replace("really", no) for no in ("not", "never") if "really" in text
                )


def _flag(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    for text in bases:
        yield from (f"{text}?", text.lower(), text.upper())
        yield from (f"{no} {text}" for no in ("never", "not", "we never", "do not", "no"))


def _near(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    patterns = [regex.compile(pattern) for pattern in _settings(rule).get("patterns", ())]
    matches = {m.group() for text in bases for p in patterns for m in p.finditer(text.casefold())}
    for words, found in product(_few(rule, what), sorted(matches)):
        yield from (f"{words} {found}", f"your {words} is {found}", f"{found} {words}")


def _allowed(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    capitals = "PLEASE " * (_settings(rule).get("words", 1) - 1)
    yield f"{capitals}{what}"


def _placeholder(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    yield from (f"[{what}]", f"({what})", f"Hi ({what}), thanks.")


def _issuer(rule: Rule, what: str, bases: list[str]) -> Iterator[str]:
    """Card numbers of each length with the first and the last prefix, completed with a right check digit."""
    prefixes, _, lengths = what.partition(":")
    ends = [int(number) for number in regex.findall(r"[0-9]+", lengths)]
    for prefix, length in product(prefixes.strip().split("-"), ends):
        for digit in range(10):
            number = prefix.ljust(length - 1, "1") + str(digit)
            doubled = [int(d) * (1 + at % 2) for at, d in enumerate(reversed(number))]
            if sum(d // 10 + d % 10 for d in doubled) % 10 == 0:
                yield f"Card {number}."


_PROPOSALS: Mapping[str, Callable[[Rule, str, list[str]], Iterator[str]]] = MappingProxyType(
    {
        "drop phrases": _phrase,
        "drop objects": _object,
        "drop a word of a set": _word,
        "drop unless": _excuse,
        "drop not_after": _behind,
        "drop not_before": _before,
        "drop negations": _shared,
        "take shared words away": _shared,
        "turn a flag": _flag,
        "drop near": _near,
        "drop allowed": _allowed,
        "drop placeholder_words": _placeholder,
        "drop issuers": _issuer,
    }
)
