"""What the builder learns from the approved phrasings: the head, the calibration, the thresholds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors
from knowledge_base.index.progress import Progress, silent
from knowledge_base.index.rows import KINDS, RowTable
from knowledge_base.index.search import Hits
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking import scoring
from knowledge_base.ranking.risk import (
    AGENT_MARGIN,
    ASSISTANT_MARGIN,
    DELTA,
    Flags,
    Risk,
    Threshold,
    choose_threshold,
)
from knowledge_base.ranking.scoring import Floats, Head
from knowledge_base.ranking.variants import Variants, find_variants

EXAMPLE = KINDS.index("example")
SEED = 20260302  # any fixed number; it decides the folds
FOLDS = 5  # of the phrasings for answerable questions, and of the snippets for unanswerable ones
MIN_EXAMPLES_PER_SNIPPET = (
    2.0  # mean; with fewer, a head learns titles and texts, which the index does better
)
MAX_HEAD_WORK = 20_000_000  # rows times snippets: about two minutes a fit on one core
SMALL_WORK = 500_000  # rows times snippets: a fit takes less than a second
MAX_QUESTIONS = 4000  # held-out questions of a kind that are scored; more do not move four weights
# Questions times rows that are compared: beyond some 100,000 rows fewer questions have to do.
MAX_COMPARISONS = 500_000_000
BLOCK = 64  # questions compared at a time, so that their similarities fit into memory

PARAMETERS: dict[str, Any] = {
    "tau": scoring.TAU,
    "soft_weight": scoring.SOFT_WEIGHT,
    "dense_weight": scoring.DENSE_WEIGHT,
    "head_scale": scoring.HEAD_SCALE,
    "retrieved": scoring.RETRIEVED,
    "centre_prior": scoring.CENTRE_PRIOR,
    "folds": FOLDS,
    "seed": SEED,
    "background": conf.BACKGROUND,
    "prior": [float(weight) for weight in conf.PRIOR],
}


def parameters(risk: Risk) -> dict[str, Any]:
    """Everything but content and encoder that decides what a build computes."""
    return {
        **PARAMETERS,
        "risk": asdict(risk),
        "delta": DELTA,
        "margins": [AGENT_MARGIN, ASSISTANT_MARGIN],
    }


@dataclass(frozen=True, slots=True)
class Fitted:
    """The head, the rows in its space (what the index holds) and the calibration."""

    head: Head
    vectors: Vectors
    calibration: conf.Calibration


@dataclass(frozen=True, slots=True)
class _Material:
    """The rows, their vectors as encoded ([rows, d]) and each snippet's variant ([snippets])."""

    rows: RowTable
    encoded: Vectors
    variant: Variants


@dataclass(frozen=True, slots=True)
class _Questions:
    """Held-out questions [n]: features [n, 4], whether the first suggestion was right, or one among three,
    the sort of question, the fold, and the loss at each temperature ([n, temperatures], 0 where unanswerable).
    """

    features: Floats
    right: Flags
    in_three: Flags
    answerable: Flags
    fold: NDArray[np.int64]
    losses: Floats


def fit(
    rows: RowTable,
    encoded: Vectors,
    texts: Sequence[str],
    *,
    risk: Risk | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Learn everything that ranking needs from the rows' vectors (float32 [rows, d], as encoded) and texts.

    Deterministic: fixed seeds, one thread inside the solver.
    """
    material = _Material(rows, encoded, find_variants(rows, texts))
    steps = 2 + 4 * FOLDS
    progress("Learning the ranking", 0, steps)
    with _one_thread():
        head = _fit_head(encoded, rows.snippet, rows.kind == EXAMPLE, material.variant)
        parts: list[_Questions] = []
        for done, part in enumerate(_held_out(material)):
            parts.append(part)
            progress("Learning the ranking", min(done + 2, steps - 1), steps)
    calibration = _calibrate(parts, risk or Risk())
    progress("Learning the ranking", steps, steps)
    return Fitted(head, head.project(encoded), calibration)


def wants_head(rows: int, examples: int, snippets: int) -> bool:
    """Whether there are at least two snippets, enough phrasings, and not too much to learn."""
    enough = examples >= MIN_EXAMPLES_PER_SNIPPET * snippets
    return snippets >= 2 and enough and rows * snippets <= MAX_HEAD_WORK


def _fit_head(
    vectors: Vectors, snippet: NDArray[np.int32], asked: Flags, variant: Variants
) -> Head:
    """Centre, classifier and typicality over all given rows; snippets without a row here get no probability.

    `asked` flags the phrasings among the rows, `variant` is of all snippets.
    """
    snippets = len(variant)
    centre = scoring.centre_of(vectors, snippet, snippets)
    projected = scoring.unit(vectors - centre)
    typical = scoring.typicality(projected, snippet, asked, snippets)
    present = np.unique(snippet)
    if not wants_head(len(snippet), int(asked.sum()), len(present)):
        none = np.zeros((0, vectors.shape[1]), np.float32)
        return Head(centre, none, np.zeros(0, np.float32), typical, variant)
    coefficients, intercept = _logistic_regression(projected, snippet)
    weights = np.zeros((snippets, vectors.shape[1]), dtype=np.float32)
    bias = np.full(snippets, -1e4, dtype=np.float32)  # as good as no chance, and still finite
    weights[present] = coefficients * scoring.HEAD_SCALE
    bias[present] = intercept
    return Head(centre, weights, bias, typical, variant)


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


def _held_out(material: _Material) -> Iterable[_Questions]:
    """Answerable questions: phrasings kept out of the fit; unanswerable: their whole snippet kept out.

    Half of the unanswerable ones lose a fifth of the snippets, drawn at random, so that much like their own
    stays; the other half lose everything of their kind. A snippet goes out together with its variants,
    which would answer in its place.
    """
    rows = material.rows
    examples = np.flatnonzero(rows.kind == EXAMPLE)
    rng = np.random.default_rng(SEED)
    row_fold = np.full(len(rows.snippet), -1)
    # Where a fit is cheap, more folds: each then knows nearly as many phrasings as the finished build.
    small = len(rows.snippet) * len(rows.snippets) <= SMALL_WORK
    folds = 2 * FOLDS if small else FOLDS
    row_fold[rng.permutation(examples)] = np.arange(len(examples)) % folds
    limit = min(MAX_QUESTIONS, MAX_COMPARISONS // max(len(rows.snippet), 1)) // FOLDS
    for fold in range(folds):
        asked = np.flatnonzero(row_fold == fold)[:limit]
        if len(asked):
            yield _ask(material, asked=asked, kept=row_fold != fold, fold=fold, answerable=True)
    answers = np.unique(material.variant)
    if len(answers) < 2:
        return
    for group in (rng.permutation(len(answers)) % FOLDS, _kinds(material, answers)):
        # Answers' groups, spread over their variants and rows.
        row_group = group[np.searchsorted(answers, material.variant)][rows.snippet]
        questions = rng.permutation(np.flatnonzero(rows.kind == EXAMPLE))
        for fold in range(FOLDS):
            asked = questions[row_group[questions] == fold][: limit // 2]
            kept = row_group != fold
            if len(asked) and kept.any():
                yield _ask(material, asked=asked, kept=kept, fold=fold, answerable=False)


def _kinds(material: _Material, answers: NDArray[np.int32]) -> NDArray[np.int64]:
    """A group for each answer ([answers]) such that alike ones are in the same: k-means of their mean rows."""
    from sklearn.cluster import KMeans

    owner = np.searchsorted(answers, material.variant)[material.rows.snippet]
    means = np.zeros((len(answers), material.encoded.shape[1]))
    np.add.at(means, owner, material.encoded)
    groups = KMeans(min(FOLDS, len(answers)), n_init=1, random_state=SEED).fit_predict(
        scoring.unit(means.astype(np.float32))
    )
    found: NDArray[np.int64] = groups.astype(np.int64)
    return found


def _ask(
    material: _Material, *, asked: NDArray[np.int64], kept: Flags, fold: int, answerable: bool
) -> _Questions:
    """Fit on the kept rows only and put the others as questions."""
    rows, variant = material.rows, material.variant
    # Snippets that have no kept row do not exist for this fit.
    present, inverse = np.unique(rows.snippet[kept], return_inverse=True)
    owner: NDArray[np.int32] = inverse.astype(np.int32)
    same = np.unique(variant[present], return_inverse=True)[1].astype(np.int32)
    head = _fit_head(material.encoded[kept], owner, rows.kind[kept] == EXAMPLE, same)
    counts = np.bincount(owner, minlength=len(present)).astype(np.int64)
    queries = head.project(material.encoded[asked])
    log_heads = head.log_probabilities(queries)
    found, first_three, losses = [], [], []
    for n, hits in enumerate(_nearest(queries, head.project(material.encoded[kept]))):
        log_head = None if log_heads is None else log_heads[n]
        scores = scoring.score(hits, snippet=owner, counts=counts, log_head=log_head)
        placed = conf.place(scores, head, conf.TEMPERATURE)
        found.append(placed.features)
        first_three.append((variant[present[placed.order[:3]]].tolist() + [-1, -1])[:3])
        losses.append(_losses(scores, variant[present] == variant[rows.snippet[asked[n]]]))
    hit = np.array(first_three) == variant[rows.snippet[asked]][:, None]
    return _Questions(
        features=np.array(found),
        right=hit[:, 0] & answerable,
        in_three=hit.any(axis=1) & answerable,
        answerable=np.full(len(asked), answerable),
        fold=np.full(len(asked), fold),
        losses=np.array(losses),
    )


def _nearest(queries: Vectors, rows: Vectors) -> Iterable[Hits]:
    """What the index would retrieve for each of the queries."""
    k = min(scoring.RETRIEVED, len(rows))
    for start in range(0, len(queries), BLOCK):
        for near in queries[start : start + BLOCK] @ rows.T:
            chosen = np.sort(np.argpartition(-near, k - 1)[:k]) if k < len(near) else np.arange(k)
            chosen = chosen[np.argsort(-near[chosen], kind="stable")]
            yield Hits(chosen.astype(np.int64), near[chosen])


def _losses(scores: scoring.Scores, right: Flags) -> Floats:
    """The negative log-probability of the right snippets at each temperature; 0 when there is none of them."""
    if not right.any():
        return np.zeros(len(conf.TEMPERATURES))
    scaled = scores.total[None, :] / conf.TEMPERATURES[:, None]
    chances = np.exp(scoring.log_softmax(scaled))[:, right].sum(axis=1)
    losses: Floats = -np.log(np.maximum(chances, 1e-12))
    return losses


def _calibrate(parts: list[_Questions], risk: Risk) -> conf.Calibration:
    """Weights, temperature and thresholds from the held-out questions; the priors without any."""
    every = parts or [_no_questions()]
    asked = _Questions(
        *(np.concatenate([getattr(p, f.name) for p in every]) for f in fields(_Questions))
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
    sample = (p[mixed], asked.right[mixed], asked.answerable[mixed])
    agent = choose_threshold(*sample, target=risk.agent)
    assistant = choose_threshold(
        *sample, target=risk.assistant, margin=ASSISTANT_MARGIN, lowest=agent.confidence
    )
    temperature = conf.fit_temperature(asked.losses) if learning else conf.TEMPERATURE
    weights = tuple(float(w) for w in np.round(theta, 6))
    report = _report(asked, p, weight, risk, (agent, assistant))
    return conf.Calibration(weights, temperature, agent, assistant, report)


def _no_questions() -> _Questions:
    none = np.zeros(0, dtype=bool)
    return _Questions(
        np.zeros((0, len(conf.FEATURES))),
        none,
        none,
        none,
        np.zeros(0, dtype=np.int64),
        np.zeros((0, len(conf.TEMPERATURES))),
    )


def _crossed(asked: _Questions, weight: Floats) -> Floats:
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
    asked: _Questions,
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


def _one_thread() -> Any:
    """One thread inside BLAS: sums keep their order, so that the same input gives the same bytes."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    return threadpool_limits(1)
