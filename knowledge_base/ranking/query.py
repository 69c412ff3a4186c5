"""What is asked: the customer's turns as a vector and as words, or the reason why there is nothing to look up."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from knowledge_base.index.encoder import Encoder, Vectors
from knowledge_base.ranking.lexicon import Floats, Lexicon
from knowledge_base.ranking.scoring import unit

# Code points of a message that are looked at: more than the encoder's tokens can hold, and short enough
# that a flood of text costs no more than a long message.
MAX_MESSAGE = 2000
# Earlier turns only colour the last one: "and for boots?" needs them, a new question must not drown in them.
# Weights of the turns before the last, nearest first; their order of magnitude matters, not their digits.
CONTEXT = (0.25, 0.1)
NOTHING_ASKED = "nothing_asked"
NO_WORDS = "no_words"

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")


def why_unanswerable(messages: Sequence[str]) -> str | None:
    """A reason when the last message holds no words (empty, emoji, digits, only an address); else None."""
    last = messages[-1][:MAX_MESSAGE] if messages else ""
    if not last.strip():
        return NOTHING_ASKED
    return None if _LETTER.search(_LINK.sub(" ", last)) else NO_WORDS


def weighted(messages: Sequence[str]) -> list[tuple[float, str]]:
    """The customer's turns that count, each with its weight: the last one, then those before it (see CONTEXT).

    `messages` come oldest first; the last one has words (see `why_unanswerable`).
    """
    earlier = [m for m in reversed(messages[:-1]) if why_unanswerable([m]) is None]
    turns = zip((1.0, *CONTEXT), (messages[-1], *earlier), strict=False)
    return [(weight, " ".join(message[:MAX_MESSAGE].split())) for weight, message in turns]


def encode(encoder: Encoder, turns: Sequence[tuple[float, str]]) -> Vectors:
    """One unit vector for the weighted turns."""
    vector = np.zeros(encoder.dimension, dtype=np.float32)
    for weight, message in turns:
        vector += np.float32(weight) * encoder.encode_one(message)
    return unit(vector)


def lexical(lexicon: Lexicon, turns: Sequence[tuple[float, str]], snippets: int) -> Floats:
    """What the words of the weighted turns say for each snippet ([snippets])."""
    total = np.zeros(snippets)
    for weight, message in turns:
        total += weight * lexicon.scores(_LINK.sub(" ", message), snippets)
    return total
