"""How sure one has to be: thresholds from a stated share of errors, bounded for a finite sample."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import ConfigurationError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_ERROR = "FIRSTLINE_MAX_ERROR"
MAX_ERROR_ASSISTANT = "FIRSTLINE_MAX_ERROR_ASSISTANT"
UNANSWERABLE_SHARE = "FIRSTLINE_UNANSWERABLE_SHARE"
DEFAULT_MAX_ERROR = 0.05
DEFAULT_MAX_ERROR_ASSISTANT = 0.02
# Share of customers' questions that no snippet answers, in the absence of any count of them.
DEFAULT_UNANSWERABLE_SHARE = 0.1
DELTA = 0.1  # the chance that a threshold does not keep its promise: the bound holds at 90 %
# The sequence of tests begins where this share of the questions is answered (or where the test can pass at all):
# with fewer a single odd phrasing among the surest would end it before it has begun.
FIRST_SHARE = 0.25
STEP = 0.01  # share of the questions by which the sequence goes on
# Where the held-out questions cannot support the bound, the confidence asked for is 1 - margin x target.
# The assistant sends alone: 0.88 for 0.02; on development parts of Banking77 (3, 5, 10 phrasings) and starter
# content 0.0 to 3.3 % of the answered were wrong from 0.85. An agent reads up to three drafts and chooses, so
# silence costs more than a wrong first place: 0.40 for 0.05, where 8.8 to 15.0 % were. Neither is a promise.
AGENT_MARGIN = 12.0
ASSISTANT_MARGIN = 6.0
FALLBACK_LOWEST = 0.3


@dataclass(frozen=True, slots=True)
class Risk:
    """The stated risks: shares of wrong first suggestions among the answered questions.

    `agent` for what an agent is offered, `assistant` for what is sent without a person;
    `unanswerable` is the share of customers' questions that no snippet answers.
    """

    agent: float = DEFAULT_MAX_ERROR
    assistant: float = DEFAULT_MAX_ERROR_ASSISTANT
    unanswerable: float = DEFAULT_UNANSWERABLE_SHARE

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Risk:
        """FIRSTLINE_MAX_ERROR, FIRSTLINE_MAX_ERROR_ASSISTANT and FIRSTLINE_UNANSWERABLE_SHARE.

        Raises ConfigurationError and names the variable that is not a share.
        """
        env = os.environ if environ is None else environ
        agent = _share(env, MAX_ERROR, DEFAULT_MAX_ERROR)
        assistant = _share(env, MAX_ERROR_ASSISTANT, DEFAULT_MAX_ERROR_ASSISTANT)
        if assistant > agent:
            raise ConfigurationError(
                f"{MAX_ERROR_ASSISTANT} is {assistant}, more than {MAX_ERROR} ({agent}): what is sent"
                " without a person has to be at least as sure"
            )
        return cls(agent, assistant, _share(env, UNANSWERABLE_SHARE, DEFAULT_UNANSWERABLE_SHARE))


@dataclass(frozen=True, slots=True)
class Threshold:
    """Below `confidence` nothing is offered; the other numbers say what that rests on.

    `error` is the share of wrong first suggestions among the answered held-out questions, `bound` its upper
    90 % limit (at most `target`), `answered` the share of answerable held-out questions that is answered,
    `questions` how many stand behind it. `basis` is "held_out", or "prior" where they cannot support
    `target`: the threshold is then that of `fallback`, and nothing is promised.
    """

    confidence: float
    target: float
    error: float | None
    bound: float | None
    answered: float | None
    questions: int
    basis: Literal["held_out", "prior"]


def fallback(target: float, margin: float = AGENT_MARGIN) -> float:
    """The confidence that is asked for where too few held-out questions stand behind a threshold."""
    return max(1.0 - margin * target, FALLBACK_LOWEST)


def choose_threshold(
    confidence: Floats,
    right: Flags,
    answerable: Flags,
    *,
    target: float,
    margin: float = AGENT_MARGIN,
    lowest: float = 0.0,
) -> Threshold:
    """The lowest threshold, not below `lowest`, at which "at most `target` of the answered are wrong" is accepted.

    Learn then Test (Angelopoulos, Bates, Candès, Jordan, Lei 2021, arXiv:2110.01052) with fixed-sequence
    testing: thresholds are tried from many confidences down, each by the exact binomial tail of its errors
    at level DELTA, and the first that is not accepted ends the sequence. With chance 1 - DELTA over the held-out
    questions, which must come in the proportions that are met later, the share of errors is within `target`.
    Equal confidences are never torn apart. Arrays are of shape [questions].
    """
    order = np.argsort(-confidence, kind="stable")
    sure, wrong = confidence[order], ~right[order]
    errors = np.cumsum(wrong)
    chosen: int | None = None
    for answered in _sequence(sure, target):
        if binomial_tail(int(errors[answered - 1]), answered, target) > DELTA:
            break
        chosen = answered
    if chosen is None:
        level = max(fallback(target, margin), lowest)
        return Threshold(level, target, None, None, None, len(sure), "prior")
    # Rounded down a little, so that the question it was found at is still answered after rounding.
    level = max(float(np.floor(sure[chosen - 1] * 1e6) / 1e6), lowest)
    kept = max(int((sure >= level).sum()), 1)
    found = int(errors[kept - 1])
    share = float((answerable & (confidence >= level)).sum() / max(int(answerable.sum()), 1))
    return Threshold(
        confidence=level,
        target=target,
        error=round(found / kept, 6),
        bound=round(upper_limit(found, kept), 6),
        answered=round(share, 6),
        questions=len(sure),
        basis="held_out",
    )


def binomial_tail(errors: int, n: int, share: float) -> float:
    """The chance of at most `errors` among `n` when each is wrong with probability `share`."""
    if errors >= n:
        return 1.0
    k = np.arange(errors + 1, dtype=np.float64)
    choose = math.lgamma(n + 1) - np.array(
        [math.lgamma(i + 1) + math.lgamma(n - i + 1) for i in k.tolist()]
    )
    terms = choose + k * math.log(share) + (n - k) * math.log1p(-share)
    return float(min(1.0, np.exp(terms).sum()))


def upper_limit(errors: int, n: int) -> float:
    """The upper one-sided limit of Clopper and Pearson (1934, Biometrika 26:404) at level DELTA."""
    if n == 0 or errors >= n:
        return 1.0
    low, high = errors / n, 1.0
    for _ in range(40):  # halves the interval to 1e-12
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_tail(errors, n, middle) > DELTA else (low, middle)
    return high


def _sequence(sure: Floats, target: float) -> list[int]:
    """How many are answered at each threshold of the sequence, ascending; decided without a look at the errors."""
    n = len(sure)
    if not n:
        return []
    # Even without any error fewer than this cannot be accepted.
    least = math.ceil(math.log(DELTA) / math.log1p(-target))
    start = max(least, math.ceil(FIRST_SHARE * n))
    step = max(1, round(STEP * n))
    # Only where the confidence changes can a threshold stand.
    ends = np.append(np.flatnonzero(sure[1:] < sure[:-1]) + 1, n)
    wanted = np.arange(start, n + 1, step)
    places = np.searchsorted(ends, wanted, side="right") - 1
    return sorted({int(ends[p]) for p in places if p >= 0 and ends[p] >= least})


def _share(environ: Mapping[str, str], name: str, default: float) -> float:
    raw = (environ.get(name) or "").strip()
    if not raw:
        return default
    try:
        value = float(raw)
    except ValueError:
        raise ConfigurationError(
            f"{name} is {raw!r}, it has to be a number such as {default}"
        ) from None
    if not 0.0 < value < 1.0:
        raise ConfigurationError(f"{name} is {raw}, it has to lie between 0 and 1, as {default}")
    return value
