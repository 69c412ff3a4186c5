"""What in a customer's words needs a person: the phrases of `knowledge_base/content/signals.yaml`.

Data first: a phrase is a row of words with alternatives, open ends and short gaps, and no code knows any of them.
The reader is wide on purpose. A needless signal costs a ready answer; a missed one may cost far more.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import regex
import yaml

from knowledge_base import safe_yaml
from knowledge_base.errors import PolicyError

FILE = "signals.yaml"
FORMAT = 1
FEWEST_EXAMPLES = 8  # of each kind: fewer show nothing about a signal
REASONS = ("vulnerable", "complaint")  # what a hand-over may say, as the assistant's own words do
READ_AT_MOST = 1000  # code points of one message, as much as a message keeps
_KEYS = frozenset({"id", "title", "reason", "phrases", "unless", "must_flag", "must_pass"})
_GAP = "..."  # up to three words
_WORD = r"[a-z0-9&-]+(?:\*)?"
_PHRASE = regex.compile(rf"(?:\.\.\.|{_WORD}(?:\|{_WORD})*)(?: (?:\.\.\.|{_WORD}(?:\|{_WORD})*))*")
_TAKEN_OUT = (
    " _ "  # no phrase holds it, so an idiom neither counts nor joins what stands around it
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One kind of need, with the texts that must and must not show it. `reason` is the hand-over's."""

    id: str
    title: str
    reason: str
    phrases: re.Pattern[str]  # any of them
    unless: tuple[re.Pattern[str], ...]
    must_flag: tuple[str, ...]
    must_pass: tuple[str, ...]

    def shows_in(self, words: str) -> bool:
        """Whether it shows in words that `_plain` made."""
        for idiom in self.unless:
            words = idiom.sub(_TAKEN_OUT, words)
        return self.phrases.search(words) is not None


@dataclass(frozen=True, slots=True)
class Signals:
    """All signals, in the order of the file: the most urgent first."""

    every: tuple[Signal, ...]

    def read(self, messages: Sequence[str]) -> tuple[Signal, ...]:
        """The signals in a customer's messages, oldest first: in each, and across two that follow each other."""
        plain = [_plain(message) for message in messages]
        # People send one sentence as two messages.
        joined = [*plain, *(a.rstrip() + b for a, b in zip(plain, plain[1:], strict=False))]
        return tuple(s for s in self.every if any(s.shows_in(words) for words in joined))


@cache
def load_signals(text: str | None = None) -> Signals:
    """The signals of a file's text, by default of the one that comes with Firstline; each is read once.

    Raises PolicyError.
    """
    if text is None:
        place = resources.files("knowledge_base").joinpath("content", FILE)
        text = place.read_text(encoding="utf-8")
    try:
        data = safe_yaml.load(text)
    except yaml.YAMLError as error:
        raise PolicyError(f"{FILE}: this is not readable YAML: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise PolicyError(f"{FILE}: format must be {FORMAT}")
    entries = data.get("signals")
    if set(data) != {"format", "signals"} or not isinstance(entries, list) or not entries:
        raise PolicyError(
            f"{FILE}: besides format there must be a list named signals, and no more"
        )
    signals = tuple(_signal(entry, number) for number, entry in enumerate(entries, start=1))
    names = [signal.id for signal in signals]
    if len(set(names)) != len(names):
        raise PolicyError(f"{FILE}: two signals have the same id; every signal needs its own")
    return Signals(signals)


def _signal(entry: Any, number: int) -> Signal:
    where = f"{FILE}: signal {entry.get('id', number) if isinstance(entry, dict) else number}"
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        raise PolicyError(f"{where}: the keys must be {', '.join(sorted(_KEYS))}")
    for key in ("id", "title"):
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise PolicyError(f"{where}: {key} must be text")
    if entry["reason"] not in REASONS:
        raise PolicyError(f"{where}: reason must be {' or '.join(REASONS)}")
    examples = {key: _texts(where, entry, key) for key in ("must_flag", "must_pass")}
    for key, texts in examples.items():
        if len(texts) < FEWEST_EXAMPLES:
            raise PolicyError(f"{where}: {key} needs at least {FEWEST_EXAMPLES} examples")
    return Signal(
        id=entry["id"],
        title=entry["title"],
        reason=entry["reason"],
        phrases=_any_of([_pattern(where, phrase) for phrase in _texts(where, entry, "phrases")]),
        unless=tuple(_any_of([_pattern(where, p)]) for p in _texts(where, entry, "unless")),
        must_flag=examples["must_flag"],
        must_pass=examples["must_pass"],
    )


def _texts(where: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry[key]
    if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
        raise PolicyError(f"{where}: {key} must be a list of texts; put each in quotes")
    return tuple(value)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """One search for all of them: a search for each takes four times as long, and every message is read."""
    return re.compile(f" (?:{'|'.join(patterns)})")


def _pattern(where: str, phrase: str) -> str:
    """A phrase over plain words, each of which stands between two spaces (see `_plain`), without the first."""
    if not _PHRASE.fullmatch(phrase) or phrase.startswith(_GAP) or phrase.endswith(_GAP):
        raise PolicyError(
            f"{where}: {phrase!r} is not a phrase: the head of the file says how to write one"
        )
    parts = [r"(?:\S+ ){0,3}" if word == _GAP else f"{_choice(word)} " for word in phrase.split()]
    return "".join(parts)


def _choice(word: str) -> str:
    endings = (
        re.escape(option[:-1]) + r"\S*" if option.endswith("*") else re.escape(option)
        for option in word.split("|")
    )
    return f"(?:{'|'.join(endings)})"


def _plain(text: str) -> str:
    """The words of a text in lower case, each between spaces; apostrophes are dropped, other marks part words."""
    folded = unicodedata.normalize("NFKC", text[:READ_AT_MOST]).casefold()
    letters = unicodedata.normalize("NFKD", folded)
    kept = "".join(
        c
        for c in letters
        if not unicodedata.combining(c) and c not in "'’‘`´\u200b\u200c\u200d\ufeff"
    )
    words = " ".join(regex.findall(r"[\p{L}\p{N}&]+", kept))
    return f" {words} ".replace(" im ", " i am ")
