"""How sure a ranking is: features of one question, a logistic calibration, a probability for every candidate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.sealed import SealBroken, canonical
from knowledge_base.ranking.risk import Threshold
from knowledge_base.ranking.scoring import (
    DENSE_WEIGHT,
    SOFT_WEIGHT,
    Floats,
    Head,
    Scores,
    log_softmax,
)

Use = Literal["agent", "assistant"]

FEATURES = ("bias", "log_odds", "density", "typicality")
MAX_LOG_ODDS = 8.0  # beyond 3,000 to 1 the sums only tell of rounding
STRETCH = 5.0  # similarities vary by about 0.15: times five, all features vary by about one or two
# What "none of these" scores as a soft match. Without it the only snippet of a small knowledge base
# would have a share of 1 whatever is asked.
BACKGROUND = 0.4
# Where the calibration starts from, and stays when there is next to nothing to learn from: fitted to
# leave-out questions of Banking77 and CLINC150 together and rounded.
PRIOR: Floats = np.array([-1.8, 0.8, 0.5, 0.4])
PRIOR_STRENGTH = 4.0  # nats for moving a weight by about 0.7: a few dozen questions outweigh it
# Temperatures that are tried for the candidates' shares (Guo et al. 2017, arXiv:1706.04599).
TEMPERATURES: Floats = np.round(np.geomspace(0.5, 8.0, 25), 4)
TEMPERATURE = 1.2  # where there is nothing to learn it from
TEMPERATURE_PRIOR = (
    20.0  # questions' worth by which it is drawn there, per unit of squared log ratio
)
DEPTH = 400  # places that are put in order: more than the ranker ever looks at
BINS = 10  # of the reliability table


@dataclass(frozen=True, slots=True)
class Calibration:
    """The weights of FEATURES, the temperature of the shares, the two thresholds, and the build's report."""

    weights: tuple[float, ...]
    temperature: float
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
                "temperature": self.temperature,
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
            if not float(data["temperature"]) > 0:
                raise SealBroken("calibration.json has no temperature above zero")
            return cls(
                tuple(float(weight) for weight in data["weights"]),
                float(data["temperature"]),
                Threshold(**data["agent"]),
                Threshold(**data["assistant"]),
                dict(data["report"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SealBroken(f"calibration.json cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class Placed:
    """One question's snippets in order (the first DEPTH of them) and how sure the first place is.

    `mass` ([snippets]) is each one's probability given that some snippet is right: its share together with
    its variants'. `leading` ([snippets]) flags the first one and its variants. `features` are those of the
    first place ([4], see FEATURES).
    """

    order: NDArray[np.int64]
    mass: Floats
    leading: NDArray[np.bool_]
    features: Floats

    def confidences(self, first: float) -> Floats:
        """The probability of each snippet that it is right ([snippets]), when the first one's is `first`.

        The first one's says how likely any snippet answers at all; what is left is shared out by mass, and
        with the first one they never make more than 1. Variants of the first one are as right as it is.
        """
        top = float(np.clip(self.mass[self.order[0]], 1e-12, 1.0))
        rest = (1.0 - first) / max(1.0 - top, 1e-12)
        sure = self.mass * min(first / top, rest)
        return np.where(self.leading, first, np.minimum(sure, first))


def place(scores: Scores, head: Head, temperature: float) -> Placed:
    """Put the snippets in order: the answer with the most probability first, of its variants the best scoring."""
    mass = masses(scores, head, temperature)
    chosen = np.arange(len(mass))
    if len(mass) > DEPTH:
        # A full sort of 100,000 snippets would cost more than everything else; ties at the edge all stay.
        edge = np.partition(mass, len(mass) - DEPTH)[len(mass) - DEPTH]
        chosen = np.flatnonzero(mass >= edge)
    order = chosen[np.lexsort((-scores.total[chosen], -np.round(mass[chosen], 12)))][:DEPTH]
    leading = head.variant == head.variant[order[0]]
    share = float(shares(scores)[leading].sum())
    return Placed(order, mass, leading, features(scores, head, int(order[0]), share))


def masses(scores: Scores, head: Head, temperature: float) -> Floats:
    """Each snippet's probability given that one is right, variants added up ([snippets])."""
    share = np.exp(log_softmax(scores.total / temperature))
    summed = np.bincount(head.variant, weights=share, minlength=len(share)).astype(np.float64)
    return summed[head.variant]


def shares(scores: Scores) -> Floats:
    """The snippets' shares in this question ([snippets]); with the share of "none of these" they sum to 1."""
    size = len(scores.total)
    if scores.log_head is None:
        none = DENSE_WEIGHT * BACKGROUND
    else:
        none = SOFT_WEIGHT * BACKGROUND - float(np.log(size + 1))
    return np.exp(log_softmax(np.append(scores.total, none)))[:-1]


def features(scores: Scores, head: Head, first: int, share: float) -> Floats:
    """What tells right from wrong in one question ([4], see FEATURES); `share` is the first place's.

    Log-odds of the share, density of the neighbourhood, and how near the first snippet is compared with
    its own phrasings. A margin and the agreement of head and nearest row were tried: they add nothing.
    """
    top = float(np.clip(share, 1e-12, 1 - 1e-12))
    log_odds = float(np.clip(np.log(top / (1 - top)), -MAX_LOG_ODDS, MAX_LOG_ODDS))
    typicality = float(scores.soft[first]) - float(head.typical[first])
    return np.array([1.0, log_odds, STRETCH * scores.density, STRETCH * typicality])


def fit_temperature(losses: Floats) -> float:
    """The one of TEMPERATURES with the least loss; `losses` is [questions, temperatures] in nats."""
    away = np.log(TEMPERATURES / TEMPERATURE) ** 2
    return float(TEMPERATURES[int(np.argmin(losses.sum(axis=0) + TEMPERATURE_PRIOR * away))])


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


def expected_calibration_error(
    confidence: Floats, right: NDArray[np.bool_], weight: Floats, bins: int = BINS
) -> float:
    """Weighted mean gap between confidence and accuracy over bins of equal width (Guo et al. 2017)."""
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    total = max(float(weight.sum()), 1e-12)
    error = 0.0
    for k in range(bins):
        inside = bin_of == k
        if inside.any():
            error += abs(float((weight * (right - confidence))[inside].sum())) / total
    return error


def reliability(
    confidence: Floats, right: NDArray[np.bool_], weight: Floats
) -> list[dict[str, Any]]:
    """The reliability table: of each bin its share of the weight, its confidence and what was right."""
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    total = max(float(weight.sum()), 1e-12)
    table: list[dict[str, Any]] = []
    for k in range(BINS):
        inside = bin_of == k
        mass = float(weight[inside].sum())
        if mass > 0:
            table.append(
                {
                    "from": round(k / BINS, 2),
                    "to": round((k + 1) / BINS, 2),
                    "questions": int(inside.sum()),
                    "share": round(mass / total, 4),
                    "confidence": round(float((weight * confidence)[inside].sum()) / mass, 4),
                    "right": round(float((weight * right)[inside].sum()) / mass, 4),
                }
            )
    return table
