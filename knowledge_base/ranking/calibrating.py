"""From held-out questions to the calibration: weights, temperature, thresholds and the build's report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking.risk import (
    ASSISTANT_MARGIN,
    Flags,
    Risk,
    Threshold,
    choose_threshold,
)
from knowledge_base.ranking.scoring import Floats

SEED = 20260302  # any fixed number; it decides the folds and the mix


@dataclass(frozen=True, slots=True)
class Questions:
    """Held-out questions [n]: features [n, 4], whether the first suggestion was right, or one among three,
    the sort of question, the fold, and the loss at each temperature ([n, temperatures], 0 where unanswerable).
    """

    features: Floats
    right: Flags
    in_three: Flags
    answerable: Flags
    fold: NDArray[np.int64]
    losses: Floats


def calibrate(
    parts: list[Questions], risk: Risk, *, sample: Mapping[str, int] | None = None
) -> conf.Calibration:
    """Weights, temperature and thresholds from the held-out questions; the priors without any.

    `sample` says which questions were drawn, for the report, where not all were put.
    """
    every = parts or [_none()]
    asked = Questions(
        *(np.concatenate([getattr(p, f.name) for p in every]) for f in fields(Questions))
    )
    weight = _weights(asked.answerable, risk.unanswerable)
    # Without unanswerable questions (a single snippet) every answer looks right: nothing can be learnt.
    learning = bool(len(weight)) and not asked.answerable.all()
    theta = conf.fit_weights(asked.features, asked.right, weight) if learning else conf.PRIOR
    p = _crossed(asked, weight) if learning else conf.sigmoid(asked.features @ conf.PRIOR)
    # The bound of the thresholds counts whole questions, so their mix has to be the stated one.
    mixed = _mix(asked.answerable, risk.unanswerable)
    if not learning:
        mixed = mixed[:0]
    judged = (p[mixed], asked.right[mixed], asked.answerable[mixed])
    agent = choose_threshold(*judged, target=risk.agent)
    assistant = choose_threshold(
        *judged, target=risk.assistant, margin=ASSISTANT_MARGIN, lowest=agent.confidence
    )
    temperature = conf.fit_temperature(asked.losses) if learning else conf.TEMPERATURE
    weights = tuple(float(w) for w in np.round(theta, 6))
    report = _report(asked, p, weight, risk, (agent, assistant))
    if sample is not None:
        report["sample"] = dict(sample)
    return conf.Calibration(weights, temperature, agent, assistant, report)


def _none() -> Questions:
    none = np.zeros(0, dtype=bool)
    return Questions(
        np.zeros((0, len(conf.FEATURES))),
        none,
        none,
        none,
        np.zeros(0, dtype=np.int64),
        np.zeros((0, len(conf.TEMPERATURES))),
    )


def _crossed(asked: Questions, weight: Floats) -> Floats:
    """Each question's confidence by weights that were fitted without its fold."""
    p = np.zeros(len(weight))
    for fold in np.unique(asked.fold):
        out = asked.fold == fold
        theta = conf.fit_weights(asked.features[~out], asked.right[~out], weight[~out])
        p[out] = conf.sigmoid(asked.features[out] @ theta)
    return p


def _weights(answerable: Flags, share: float) -> Floats:
    """One per question, scaled so that the unanswerable ones make up their share."""
    weight = np.ones(len(answerable))
    yes, no = int(answerable.sum()), int((~answerable).sum())
    if yes and no:
        weight[~answerable] = share / (1 - share) * yes / no
    return weight


def _mix(answerable: Flags, share: float) -> NDArray[np.int64]:
    """As many of the questions as make a sample in which the unanswerable ones have their share."""
    rng = np.random.default_rng(SEED)
    yes = rng.permutation(np.flatnonzero(answerable))
    no = rng.permutation(np.flatnonzero(~answerable))
    ratio = share / (1 - share)
    return np.sort(
        np.concatenate([yes[: int(len(no) / ratio)], no[: math.ceil(len(yes) * ratio)]])
    )


def _report(
    asked: Questions,
    p: Floats,
    weight: Floats,
    risk: Risk,
    thresholds: tuple[Threshold, Threshold],
) -> dict[str, Any]:
    """The held-out figures of this build, for `kb build` and for whoever doubts a threshold."""
    report: dict[str, Any] = {
        "questions": len(p),
        "unanswerable_share": risk.unanswerable,
        "agent": asdict(thresholds[0]),
        "assistant": asdict(thresholds[1]),
    }
    if not len(p):
        return report
    yes = max(int(asked.answerable.sum()), 1)
    ece = conf.expected_calibration_error(p, asked.right, weight)
    return {
        **report,
        "answerable": int(asked.answerable.sum()),
        "hit_at_1": round(float(asked.right.sum()) / yes, 4),
        "hit_at_3": round(float(asked.in_three.sum()) / yes, 4),
        "expected_calibration_error": round(ece, 4),
        "reliability": conf.reliability(p, asked.right, weight),
    }
