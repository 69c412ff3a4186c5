"""What is asked: the customer's turns as one vector, or the reason why there is nothing to look up."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from knowledge_base.index.encoder import Encoder, Vectors
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


def encode(encoder: Encoder, messages: Sequence[str]) -> Vectors:
    """One unit vector for the customer's turns, oldest first; the last one weighs most (see CONTEXT)."""
    last = encoder.encode_one(_plain(messages[-1]))
    vector = last.astype(np.float32, copy=True)
    earlier = [m for m in reversed(messages[:-1]) if why_unanswerable([m]) is None]
    for weight, message in zip(CONTEXT, earlier, strict=False):
        vector += np.float32(weight) * encoder.encode_one(_plain(message))
    return unit(vector)


def _plain(message: str) -> str:
    return " ".join(message[:MAX_MESSAGE].split())
