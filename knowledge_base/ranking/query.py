"""What is asked: the customer's turns as a vector and as words, or the reason why there is nothing to look up."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from knowledge_base.index.encoder import Encoder, Vectors
from knowledge_base.ranking.lexicon import Floats, Lexicon
from knowledge_base.ranking.scoring import unit
from knowledge_base.wording import without_order_numbers

# Code points of a message that are looked at: more than the encoder's tokens can hold, and short enough
# that a flood of text costs no more than a long message.
MAX_MESSAGE = 2000
# Earlier turns only colour the last one: "and for boots?" needs them, a new question must not drown in them.
# Weights of the turns before the last, nearest first; their order of magnitude matters, not their digits.
CONTEXT = (0.25, 0.1)
# Of the product that the conversation is about, where the last message does not name it.
PRODUCT = 0.1
NOTHING_ASKED = "nothing_asked"
NO_WORDS = "no_words"

_WORD = re.compile(r"[^\W\d_]+")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")
# What customers say around an order number, and when they only answer a question: nothing to be looked up.
_STATING = frozenset(
    _WORD.findall(
        "a and are em err found go got hello here heres hey hi id im is it its me my mine no not number of oh"
        " ok okay one order please ref reference s sorry sure thank thanks that thats the there this ty um was yes"
        " you"
    )
)
_ANSWERING = frozenset(
    _WORD.findall("correct exactly no nope ok okay please right sure yeah yep yes")
)


def why_unanswerable(messages: Sequence[str]) -> str | None:
    """A reason when the last message holds no words (empty, emoji, digits, only an address); else None.

    Only an order number is no reason where a turn before it asked something.
    """
    last = messages[-1][:MAX_MESSAGE] if messages else ""
    if not last.strip():
        return NOTHING_ASKED
    if _LETTER.search(_LINK.sub(" ", last)):
        return None
    return None if _states(last) and any(map(_asks, messages[:-1])) else NO_WORDS


def weighted(messages: Sequence[str], *, product: str = "") -> list[tuple[float, str]]:
    """The customer's turns that count, each with its weight: the last one, then those before it (see CONTEXT).

    `messages` come oldest first; one of them asks something (see `why_unanswerable`). A turn that only states an
    order number or says yes or no leaves its place to the one before it, and the number is taken out of the rest:
    what it is about is known, and no snippet is nearer for it. `product` counts as one more turn (see PRODUCT).
    """
    asking = [m for m in reversed(messages) if _asks(m)] or [messages[-1]]
    last, *earlier = (_plain(m) for m in asking)
    turns = [(1.0, last), *zip(CONTEXT, earlier, strict=False)]
    named = _plain(product)
    if named and named.casefold() not in last.casefold():
        turns.append((PRODUCT, named))
    return turns


def _asks(message: str) -> bool:
    """Whether a turn holds words to be looked up."""
    message = message[:MAX_MESSAGE]
    return _LETTER.search(_LINK.sub(" ", message)) is not None and not _states(message)


def _states(message: str) -> bool:
    """Whether a turn holds an order number and nothing to look up beside it, or only an answer such as yes."""
    rest = without_order_numbers(message)
    words = set(_WORD.findall(rest.casefold().replace("'", "").replace("’", "")))
    if rest != " ".join(message.split()):
        return words <= _STATING
    return bool(words) and words <= _ANSWERING


def _plain(message: str) -> str:
    """The turn on one line without order numbers; with them, where there is nothing else."""
    message = message[:MAX_MESSAGE]
    return without_order_numbers(message) or " ".join(message.split())


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
