"""Light noise on phrasings, as customers make it: a slip of the finger, a missing word, another case."""

from __future__ import annotations

import numpy as np

NOISED = 0.5  # share of texts that are changed at all
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def noised(text: str, rng: np.random.Generator) -> str:
    """The text with at most one small change; a short one stays as it is, and none becomes empty."""
    if rng.random() >= NOISED:
        return text
    return CHANGES[int(rng.integers(len(CHANGES)))](text, rng)


def _lower(text: str, _rng: np.random.Generator) -> str:
    return text.lower()


def _bare(text: str, _rng: np.random.Generator) -> str:
    return text.rstrip(" ?!.") or text


def _without_a_word(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    if len(words) < 4:  # of three words, each may be the one that matters
        return text
    del words[int(rng.integers(len(words)))]
    return " ".join(words)


def _slip(text: str, rng: np.random.Generator) -> str:
    """Two neighbouring letters swapped, one left out, or one put in."""
    if len(text) < 8:  # as above
        return text
    at = int(rng.integers(1, len(text) - 1))
    kind = int(rng.integers(3))
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    return text[:at] + LETTERS[int(rng.integers(26))] + text[at:]


CHANGES = (_lower, _bare, _without_a_word, _slip)
