"""What the builder learns from the approved phrasings: the head, the calibration, the thresholds."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors
from knowledge_base.index.progress import Progress, silent
from knowledge_base.index.rows import KINDS, RowTable
from knowledge_base.index.search import Hits
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking import scoring
from knowledge_base.ranking.scoring import Floats, Head

EXAMPLE = KINDS.index("example")
SEED = 20260302  # any fixed number; it decides the folds
FOLDS = 5  # of the phrasings for answerable questions, and of the snippets for unanswerable ones
MIN_EXAMPLES_PER_SNIPPET = (
    2.0  # mean; with fewer, a head learns titles and texts, which the index does better
)
MAX_HEAD_WORK = 20_000_000  # rows times snippets: about two minutes a fit on one core
MAX_QUESTIONS = 4000  # held-out questions that are scored; more do not move four weights
# Share of customers' questions that no snippet answers, in the absence of any count of them.
UNANSWERABLE = 0.2
# An agent reads up to three drafts and chooses, so an offer fails when the right one is not among three;
# the assistant sends the first one alone, so that one has to be right.
AGENT_TARGET, AGENT_FALLBACK, AGENT_LOWEST = 0.20, 0.50, 0.30
ASSISTANT_TARGET, ASSISTANT_FALLBACK, ASSISTANT_LOWEST = 0.03, 0.85, 0.80

PARAMETERS: dict[str, Any] = {
    "tau": scoring.TAU,
    "soft_weight": scoring.SOFT_WEIGHT,
    "dense_weight": scoring.DENSE_WEIGHT,
    "head_scale": scoring.HEAD_SCALE,
    "retrieved": scoring.RETRIEVED,
    "centre_prior": scoring.CENTRE_PRIOR,
    "folds": FOLDS,
    "seed": SEED,
    "unanswerable_share": UNANSWERABLE,
    "background": conf.BACKGROUND,
    "prior": [float(weight) for weight in conf.PRIOR],
    "agent": [AGENT_TARGET, AGENT_FALLBACK, AGENT_LOWEST],
    "assistant": [ASSISTANT_TARGET, ASSISTANT_FALLBACK, ASSISTANT_LOWEST],
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """The head, the rows in its space (what the index holds) and the calibration."""

    head: Head
    vectors: Vectors
    calibration: conf.Calibration


@dataclass(frozen=True, slots=True)
class _Questions:
    """Held-out questions: features [n, 4], whether the first suggestion was right, and the sort of question."""

    features: Floats
    right: NDArray[np.bool_]
    answerable: NDArray[np.bool_]
    in_three: NDArray[np.bool_]


def fit(rows: RowTable, encoded: Vectors, *, progress: Progress = silent) -> Fitted:
    """Learn everything that ranking needs from the rows' vectors (float32 [rows, d], as encoded).

    Deterministic: fixed seeds, one thread inside the solver.
    """
    snippets = len(rows.snippets)
    steps = 2 + 2 * FOLDS
    progress("Learning the ranking", 0, steps)
    with _one_thread():
        head = _fit_head(encoded, rows.snippet, snippets)
        parts: list[_Questions] = []
        for done, part in enumerate(_held_out(rows, encoded)):
            parts.append(part)
            progress("Learning the ranking", min(done + 2, steps - 1), steps)
    calibration = _calibrate(parts)
    progress("Learning the ranking", steps, steps)
    return Fitted(head, head.project(encoded), calibration)


def wants_head(rows: int, examples: int, snippets: int) -> bool:
    """Whether there are at least two snippets, enough phrasings, and not too much to learn."""
    enough = examples >= MIN_EXAMPLES_PER_SNIPPET * snippets
    return snippets >= 2 and enough and rows * snippets <= MAX_HEAD_WORK


def _fit_head(vectors: Vectors, snippet: NDArray[np.int32], snippets: int) -> Head:
    """Centre and classifier over all given rows; snippets without a row here get no probability."""
    centre = scoring.centre_of(vectors, snippet, snippets)
    none = Head(centre, np.zeros((0, vectors.shape[1]), np.float32), np.zeros(0, np.float32))
    present = np.unique(snippet)
    # Title and text make up to two rows; what is beyond them are phrasings.
    examples = len(snippet) - 2 * len(present)
    if not wants_head(len(snippet), examples, len(present)):
        return none
    coefficients, intercept = _logistic_regression(none.project(vectors), snippet)
    weights = np.zeros((snippets, vectors.shape[1]), dtype=np.float32)
    bias = np.full(snippets, -1e4, dtype=np.float32)  # as good as no chance, and still finite
    weights[present] = coefficients * scoring.HEAD_SCALE
    bias[present] = intercept
    return Head(centre, weights, bias)


def _logistic_regression(projected: Vectors, labels: NDArray[np.int32]) -> tuple[Any, Any]:
    """Multinomial logistic regression; returns ([classes, d], [classes]) in order of label."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # Single precision and this tolerance cost a fifth of the time and no hit (measured on Banking77).
    model = LogisticRegression(C=1.0, max_iter=300, tol=1e-3)
    with warnings.catch_warnings():
        # A solver stopped at 300 steps is off by less than the held-out noise.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit((projected * scoring.HEAD_SCALE).astype(np.float32), labels)
    if (
        len(model.classes_) == 2
    ):  # scikit-learn keeps one row for two classes: the log-odds of the second
        return (
            np.vstack([-model.coef_[0] / 2, model.coef_[0] / 2]),
            np.array([-model.intercept_[0] / 2, model.intercept_[0] / 2]),
        )
    return model.coef_, model.intercept_


def _held_out(rows: RowTable, encoded: Vectors) -> Iterable[_Questions]:
    """Answerable questions: phrasings kept out of the fit; unanswerable: their whole snippet kept out."""
    examples = np.flatnonzero(rows.kind == EXAMPLE)
    snippets = len(rows.snippets)
    rng = np.random.default_rng(SEED)
    row_fold = np.full(len(rows.snippet), -1)
    row_fold[rng.permutation(examples)] = np.arange(len(examples)) % FOLDS
    groups = min(FOLDS, snippets)
    snippet_group = rng.permutation(snippets) % max(groups, 1)
    limit = MAX_QUESTIONS // FOLDS
    for fold in range(FOLDS):
        asked = np.flatnonzero(row_fold == fold)[:limit]
        if len(asked):
            kept = row_fold != fold
            yield _ask(rows, encoded, asked=asked, kept=kept, answerable=True)
    for group in range(groups if snippets >= 2 else 0):
        of_group = snippet_group[rows.snippet] == group
        asked = np.flatnonzero(of_group & (rows.kind == EXAMPLE))
        asked = rng.permutation(asked)[:limit]
        if len(asked):
            yield _ask(rows, encoded, asked=asked, kept=~of_group, answerable=False)


def _ask(
    rows: RowTable,
    encoded: Vectors,
    *,
    asked: NDArray[np.int64],
    kept: NDArray[np.bool_],
    answerable: bool,
) -> _Questions:
    """Fit on the kept rows only and put the others as questions."""
    # Snippets that have no kept row do not exist for this fit.
    present, inverse = np.unique(rows.snippet[kept], return_inverse=True)
    owner: NDArray[np.int32] = inverse.astype(np.int32)
    head = _fit_head(encoded[kept], owner, len(present))
    counts = np.bincount(owner, minlength=len(present)).astype(np.int64)
    queries = head.project(encoded[asked])
    log_heads = head.log_probabilities(queries)
    similarities = queries @ head.project(encoded[kept]).T
    found, right, in_three = [], [], []
    for n, near in enumerate(similarities):
        nearest = np.argsort(-near, kind="stable")[: scoring.RETRIEVED]
        scores = scoring.score(
            Hits(nearest, near[nearest]),
            snippet=owner,
            counts=counts,
            log_head=None if log_heads is None else log_heads[n],
        )
        found.append(conf.features(scores, conf.shares(scores)))
        top = present[scoring.ordered(scores.total)[:3]]
        right.append(answerable and top[0] == rows.snippet[asked[n]])
        in_three.append(answerable and rows.snippet[asked[n]] in top)
    return _Questions(
        np.array(found),
        np.array(right, dtype=bool),
        np.full(len(asked), answerable),
        np.array(in_three, dtype=bool),
    )


def _calibrate(parts: list[_Questions]) -> conf.Calibration:
    """Weights and thresholds from the held-out questions; from the prior alone when there are none."""
    empty = _Questions(np.zeros((0, len(conf.FEATURES))), *(np.zeros(0, dtype=bool),) * 3)
    every = parts or [empty]
    x = np.concatenate([part.features for part in every])
    right = np.concatenate([part.right for part in every])
    answerable = np.concatenate([part.answerable for part in every])
    in_three = np.concatenate([part.in_three for part in every])
    weight = _weights(answerable)
    # Without unanswerable questions (a single snippet) every answer looks right: nothing can be learnt.
    learnt = conf.fit_weights(x, right, weight) if not answerable.all() else conf.PRIOR
    theta = np.round(learnt, 6)
    p = conf.sigmoid(x @ theta)
    agent = conf.choose_threshold(
        p, in_three, weight, answerable,
        target=AGENT_TARGET, fallback=AGENT_FALLBACK, lowest=AGENT_LOWEST,
    )  # fmt: skip
    assistant = conf.choose_threshold(
        p, right, weight, answerable,
        target=ASSISTANT_TARGET, fallback=ASSISTANT_FALLBACK, lowest=ASSISTANT_LOWEST,
    )  # fmt: skip
    report = _report(p, right, weight, answerable, in_three)
    return conf.Calibration(tuple(float(w) for w in theta), agent, assistant, report)


def _weights(answerable: NDArray[np.bool_]) -> Floats:
    """One per question, scaled so that the unanswerable ones make up their share."""
    weight = np.ones(len(answerable))
    yes, no = int(answerable.sum()), int((~answerable).sum())
    if yes and no:
        weight[~answerable] = UNANSWERABLE / (1 - UNANSWERABLE) * yes / no
    return weight


def _report(
    p: Floats,
    right: NDArray[np.bool_],
    weight: Floats,
    answerable: NDArray[np.bool_],
    in_three: NDArray[np.bool_],
) -> dict[str, Any]:
    """The held-out figures of this build, for `kb build` and for whoever doubts a threshold."""
    if not len(p):
        return {"questions": 0}
    yes = max(int(answerable.sum()), 1)
    return {
        "questions": len(p),
        "answerable": int(answerable.sum()),
        "hit_at_1": round(float(right.sum()) / yes, 4),
        "hit_at_3": round(float(in_three.sum()) / yes, 4),
        "expected_calibration_error": round(conf.expected_calibration_error(p, right, weight), 4),
        "unanswerable_share": UNANSWERABLE,
    }


def _one_thread() -> Any:
    """One thread inside BLAS: sums keep their order, so that the same input gives the same bytes."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    return threadpool_limits(1)
