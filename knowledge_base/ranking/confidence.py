"""How sure a ranking is: features of one question, a logistic calibration, thresholds from a stated risk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.sealed import SealBroken, canonical
from knowledge_base.ranking.scoring import (
    DENSE_WEIGHT,
    SOFT_WEIGHT,
    Floats,
    Scores,
    log_softmax,
    ordered,
)

Use = Literal["agent", "assistant"]

FEATURES = ("bias", "log_odds", "density", "similarity")
MAX_LOG_ODDS = 8.0  # beyond 3,000 to 1 the sums only tell of rounding
STRETCH = 5.0  # similarities vary by about 0.15: times five, all features vary by about one or two
# What "none of these" scores as a soft match. Without it the only snippet of a small knowledge base
# would have a share of 1 whatever is asked.
BACKGROUND = 0.4
# Where the calibration starts from, and stays when there is next to nothing to learn from: fitted to
# leave-out questions of Banking77 and CLINC150 together and rounded.
PRIOR: Floats = np.array([-2.5, 0.9, 0.5, 0.2])
PRIOR_STRENGTH = 4.0  # nats for moving a weight by about 0.7: a few dozen questions outweigh it


@dataclass(frozen=True, slots=True)
class Threshold:
    """Below `confidence` nothing is offered; the other numbers say what that rests on.

    `error` is the held-out share of failed offers among the answered (for an agent: the right snippet
    not among three; for the assistant: not the first), `bound` its upper
    one-sided 90 % Wilson bound, `answered` the share of answerable held-out questions that is answered,
    `questions` how many held-out ones stand behind it. `basis` is "held_out", or "prior" where there
    were too few to reach `target`.
    """

    confidence: float
    target: float
    error: float | None
    bound: float | None
    answered: float | None
    questions: int
    basis: Literal["held_out", "prior"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The weights of FEATURES, the two thresholds, and the report of the build that found them."""

    weights: tuple[float, ...]
    agent: Threshold
    assistant: Threshold
    report: Mapping[str, Any]

    def probability(self, features: Floats) -> Floats:
        """That the first suggestion is right; `features` is [n, 4] or [4]."""
        result: Floats = sigmoid(features @ np.asarray(self.weights))
        return result

    def threshold(self, use: Use) -> Threshold:
        """Of an agent, who chooses and sends, or of the assistant, which sends alone."""
        return self.assistant if use == "assistant" else self.agent

    def to_json(self) -> bytes:
        """The file `calibration.json`."""
        return canonical(
            {
                "features": list(FEATURES),
                "weights": list(self.weights),
                "agent": asdict(self.agent),
                "assistant": asdict(self.assistant),
                "report": dict(self.report),
            }
        )

    @classmethod
    def from_json(cls, raw: bytes) -> Calibration:
        """Read `calibration.json`. Raises SealBroken when it is not for these features."""
        try:
            data = json.loads(raw)
            if tuple(data["features"]) != FEATURES or len(data["weights"]) != len(FEATURES):
                raise SealBroken("calibration.json was made for other features")
            return cls(
                tuple(float(weight) for weight in data["weights"]),
                Threshold(**data["agent"]),
                Threshold(**data["assistant"]),
                dict(data["report"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SealBroken(f"calibration.json cannot be read: {error}") from None


def shares(scores: Scores) -> Floats:
    """The snippets' shares in this question ([snippets]); with the share of "none of these" they sum to 1."""
    size = len(scores.total)
    if scores.log_head is None:
        none = DENSE_WEIGHT * BACKGROUND
    else:
        none = SOFT_WEIGHT * BACKGROUND - float(np.log(size + 1))
    return np.exp(log_softmax(np.append(scores.total, none)))[:-1]


def features(scores: Scores, share: Floats) -> Floats:
    """What tells right from wrong in one question ([4], see FEATURES); `share` from `shares`.

    Log-odds of the first snippet's share, density of the neighbourhood, similarity of the first snippet.
    A margin and the agreement of head and nearest row were tried: beside these they add nothing.
    """
    first = int(ordered(scores.total)[0])
    top = float(np.clip(share[first], 1e-12, 1 - 1e-12))
    log_odds = float(np.clip(np.log(top / (1 - top)), -MAX_LOG_ODDS, MAX_LOG_ODDS))
    similarity = float(scores.best[first])
    return np.array([1.0, log_odds, STRETCH * scores.density, STRETCH * similarity])


def sigmoid(values: Any) -> Any:
    """The logistic function without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(values, dtype=np.float64)))


def fit_weights(x: Floats, right: NDArray[np.bool_], weight: Floats) -> Floats:
    """Logistic regression by Newton's method with a Gaussian prior around PRIOR (MAP estimate).

    `x` is [n, 4], `weight` counts questions. With no questions the answer is PRIOR itself.
    """
    theta = PRIOR.copy()
    target = right.astype(np.float64)
    penalty = np.eye(len(PRIOR)) * PRIOR_STRENGTH
    for _ in range(50):  # a concave problem settles within ten steps; 50 is never reached
        p = sigmoid(x @ theta)
        gradient = x.T @ (weight * (target - p)) - penalty @ (theta - PRIOR)
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + penalty
        step = np.linalg.solve(hessian, gradient)
        # Newton's full step can overshoot where the prior is far off: halve it until it climbs.
        while float(np.abs(step).max()) > 1e-10 and (
            _fitness(theta + step, x, target, weight) < _fitness(theta, x, target, weight)
        ):
            step = step / 2
        theta = theta + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return theta


def _fitness(theta: Floats, x: Floats, target: Floats, weight: Floats) -> float:
    """Log-likelihood plus the logarithm of the prior, up to a constant."""
    z = x @ theta
    likelihood = float((weight * (target * z - np.logaddexp(0.0, z))).sum())
    return likelihood - 0.5 * PRIOR_STRENGTH * float(((theta - PRIOR) ** 2).sum())


def choose_threshold(
    confidence: Floats,
    right: NDArray[np.bool_],
    weight: Floats,
    answerable: NDArray[np.bool_],
    *,
    target: float,
    fallback: float,
    lowest: float,
) -> Threshold:
    """The lowest threshold at which the bound on the held-out error stays within `target`.

    The bound is Wilson's upper one-sided 90 % limit with Kish's effective number of answered
    questions, since held-out and unanswerable questions carry different weights. With too few
    questions to reach the target it is `fallback`; never below `lowest`.
    """
    order = np.argsort(-confidence, kind="stable")
    c, w, wrong = confidence[order], weight[order], ~right[order]
    answered, errors = np.cumsum(w), np.cumsum(w * wrong)
    effective = answered**2 / np.maximum(np.cumsum(w * w), 1e-12)
    risk = errors / np.maximum(answered, 1e-12)
    bound = wilson_upper(risk, effective)
    # Only where the confidence changes can a threshold stand.
    last = np.append(c[1:] < c[:-1], True) if len(c) else np.zeros(0, dtype=bool)
    fitting = np.flatnonzero((bound <= target) & last)
    if not len(fitting):
        return Threshold(fallback, target, None, None, None, len(c), "prior")
    chosen = max(float(c[fitting[-1]]), lowest)
    at = int(np.searchsorted(-c, -chosen, side="right")) - 1
    share = float((weight * answerable * (confidence >= chosen)).sum())
    share /= max(float((weight * answerable).sum()), 1e-12)
    # Rounded down a little, so that the question it was found at is still answered after rounding.
    floored = float(np.floor(chosen * 1e6) / 1e6)
    return Threshold(
        floored, target, round(float(risk[at]), 6), round(float(bound[at]), 6), round(share, 6),
        len(c), "held_out",
    )  # fmt: skip


def wilson_upper(risk: Floats, n: Floats, z: float = 1.2816) -> Floats:
    """Upper limit of Wilson's score interval (Wilson 1927, JASA 22:209); `z` 1.2816 is one-sided 90 %."""
    n = np.maximum(n, 1e-9)
    middle = risk + z * z / (2 * n)
    spread = z * np.sqrt(risk * (1 - risk) / n + z * z / (4 * n * n))
    result: Floats = (middle + spread) / (1 + z * z / n)
    return result


def expected_calibration_error(
    confidence: Floats, right: NDArray[np.bool_], weight: Floats, bins: int = 10
) -> float:
    """Weighted mean gap between confidence and accuracy over bins of equal width (Guo et al. 2017)."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    total = max(float(weight.sum()), 1e-12)
    error = 0.0
    for k in range(bins):
        inside = place == k
        if inside.any():
            error += abs(float((weight * (right - confidence))[inside].sum())) / total
    return error
