"""What the builder learns from the approved phrasings: the head, the calibration, the thresholds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.index.encoder import Vectors
from knowledge_base.index.rows import KINDS, RowTable
from knowledge_base.index.search import Hits
from knowledge_base.progress import Progress, silent
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking import evidence, scoring
from knowledge_base.ranking.calibrating import SEED, Questions, calibrate
from knowledge_base.ranking.lexicon import Lexicon, make_lexicon, words
from knowledge_base.ranking.risk import AGENT_MARGIN, ASSISTANT_MARGIN, DELTA, Flags, Risk
from knowledge_base.ranking.scoring import Floats, Head
from knowledge_base.ranking.variants import Variants, find_variants

EXAMPLE = KINDS.index("example")
FOLDS = 5  # of the phrasings for answerable questions, and of the snippets for unanswerable ones
MIN_EXAMPLES_PER_SNIPPET = (
    0.5  # mean; with fewer the head learns titles, which the index does as well
)
MAX_HEAD_WORK = 20_000_000  # rows times snippets: about two minutes a fit on one core
SMALL_WORK = 500_000  # rows times snippets: a fit takes less than a second
MAX_QUESTIONS = 4000  # held-out questions of a kind that are scored; more do not move four weights
# Questions times rows that are compared: beyond 60,000 rows fewer questions have to do, but at least a thousand.
MAX_COMPARISONS = 240_000_000
LEAST_QUESTIONS = 1000
# Rows times snippets up to which every fold is asked. Beyond, only as many as hold the questions wanted, FEW_FOLDS
# at least, since each costs a fit (docs/ranking.md compares).
FULL_WORK = 3_000_000
FEW_FOLDS = 2
BLOCK = 64  # questions compared at a time, so that their similarities fit into memory

PARAMETERS: dict[str, Any] = {
    "tau": scoring.TAU,
    "soft_weight": scoring.SOFT_WEIGHT,
    "dense_weight": scoring.DENSE_WEIGHT,
    "lexical_weight": scoring.LEXICAL_WEIGHT,
    "evidence": [evidence.SMOOTHING, evidence.STRENGTH, evidence.HALF, evidence.LEAST_ROWS],
    "head_scale": scoring.HEAD_SCALE,
    "retrieved": scoring.RETRIEVED,
    "centre_prior": scoring.CENTRE_PRIOR,
    "folds": FOLDS,
    "seed": SEED,
    "background": conf.BACKGROUND,
    "prior": [float(weight) for weight in conf.PRIOR],
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides a build beside content and encoder: the stated risks, and the priors by key (see `priors`)."""

    risk: Risk = field(default_factory=Risk)
    priors: Mapping[str, float] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        """Everything of it, with the constants of this version, for the generation's identity."""
        return {
            **PARAMETERS,
            "risk": asdict(self.risk),
            "priors": dict(self.priors),
            "delta": DELTA,
            "margins": [AGENT_MARGIN, ASSISTANT_MARGIN],
        }


@dataclass(frozen=True, slots=True)
class Fitted:
    """The head, the rows in its space (what the index holds), the words and the calibration."""

    head: Head
    vectors: Vectors
    lexicon: Lexicon
    calibration: conf.Calibration

    def files(self) -> dict[str, bytes]:
        """The ranking's own files of a generation, by name."""
        return {
            "classifier.npz": self.head.to_bytes(),
            "lexicon.npz": self.lexicon.to_bytes(),
            "calibration.json": self.calibration.to_json(),
        }


@dataclass(frozen=True, slots=True)
class _Material:
    """The rows, their vectors as encoded ([rows, d]), texts, words; priors and variants ([snippets])."""

    rows: RowTable
    encoded: Vectors
    texts: Sequence[str]
    words: Sequence[Sequence[str]]
    prior: Vectors
    variant: Variants


def fit(
    rows: RowTable,
    encoded: Vectors,
    texts: Sequence[str],
    *,
    recipe: Recipe | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Learn everything that ranking needs from the rows' vectors (float32 [rows, d], as encoded) and texts.

    Deterministic: fixed seeds, one thread inside the solver.
    """
    chosen, spoken = recipe or Recipe(), list(map(words, texts))
    prior = np.array([chosen.priors.get(s.key, 0.0) for s in rows.snippets], np.float32)
    material = _Material(rows, encoded, texts, spoken, prior, find_variants(rows, texts))
    steps = 2 + 4 * FOLDS
    progress("Learning the ranking", 0, steps)
    with _one_thread():
        head, projected = _fit_head(
            encoded, rows.snippet, rows.kind == EXAMPLE, material.variant, prior
        )
        parts: list[Questions] = []
        sample = sampling(len(rows.snippet), len(rows.snippets), int((rows.kind == EXAMPLE).sum()))
        for done, part in enumerate(_held_out(material, sample)):
            parts.append(part)
            progress("Learning the ranking", min(done + 2, steps - 1), steps)
    calibration = calibrate(parts, chosen.risk, sample=sample.report())
    progress("Learning the ranking", steps, steps)
    lexicon = make_lexicon(spoken, rows.snippet, len(rows.snippets))
    return Fitted(head, projected, lexicon, calibration)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which of the phrasings are put as questions: those of `asked` of the `folds`, at most `limit` of each."""

    phrasings: int
    folds: int
    asked: int
    limit: int

    def report(self) -> dict[str, int] | None:
        """For the build's report; None where every phrasing is a question."""
        if self.asked == self.folds and self.phrasings <= self.folds * self.limit:
            return None
        return {
            "phrasings": self.phrasings,
            "folds": self.folds,
            "folds_asked": self.asked,
            "questions_per_fold": self.limit,
            "seed": SEED,
        }


def sampling(rows: int, snippets: int, phrasings: int) -> Sampling:
    """All phrasings of a small knowledge base; of a large one a sample, so that a build grows with its rows."""
    # Where a fit is cheap, more folds: each then knows nearly as many phrasings as the finished build.
    folds = 2 * FOLDS if rows * snippets <= SMALL_WORK else FOLDS
    questions = min(MAX_QUESTIONS, max(MAX_COMPARISONS // max(rows, 1), LEAST_QUESTIONS))
    asked = folds
    if rows * snippets > FULL_WORK:
        asked = min(folds, max(FEW_FOLDS, math.ceil(questions * folds / max(phrasings, 1))))
    return Sampling(phrasings, folds, asked, questions // min(asked, FOLDS))


def wants_head(rows: int, examples: int, snippets: int) -> bool:
    """Whether there are at least two snippets, enough phrasings, and not too much to learn."""
    enough = examples >= MIN_EXAMPLES_PER_SNIPPET * snippets
    return snippets >= 2 and enough and rows * snippets <= MAX_HEAD_WORK


def _fit_head(
    vectors: Vectors,
    snippet: NDArray[np.int32],
    asked: Flags,
    variant: Variants,
    prior: Vectors,
) -> tuple[Head, Vectors]:
    """Centre, classifier and typicality over all given rows, and these rows in the head's space.

    Snippets without a row here get no probability. `asked` flags the phrasings among the rows, `variant` and
    `prior` are of all snippets.
    """
    snippets = len(variant)
    centre = scoring.centre_of(vectors, snippet, snippets)
    projected = scoring.project(vectors, centre)
    typical = scoring.typicality(projected, snippet, asked, snippets)
    present = np.unique(snippet)
    if not wants_head(len(snippet), int(asked.sum()), len(present)):
        none = np.zeros((0, vectors.shape[1]), np.float32)
        return Head(centre, none, np.zeros(0, np.float32), typical, variant, prior), projected
    coefficients, intercept = _logistic_regression(projected, snippet)
    weights = np.zeros((snippets, vectors.shape[1]), dtype=np.float32)
    bias = np.full(snippets, -1e4, dtype=np.float32)  # as good as no chance, and still finite
    weights[present] = coefficients * scoring.HEAD_SCALE
    # How many rows a snippet has says who wrote phrasings, not what customers ask: their share is taken out again
    # (logit adjustment, Menon et al. 2021, arXiv:2007.07314), which is worth 4 to 8 points where they are uneven.
    bias[present] = intercept - np.log(np.bincount(snippet, minlength=snippets)[present])
    return Head(centre, weights, bias, typical, variant, prior), projected


def _logistic_regression(projected: Vectors, labels: NDArray[np.int32]) -> tuple[Any, Any]:
    """Multinomial logistic regression; returns ([classes, d], [classes]) in order of label."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # Single precision and this tolerance cost a fifth of the time and no hit (measured on Banking77).
    model = LogisticRegression(C=1.0, max_iter=300, tol=1e-3)
    with warnings.catch_warnings():
        # A solver stopped at 300 steps is off by less than the held-out noise.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # With a title and a phrasing each, it takes so many classes for a mistake.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model.fit((projected * scoring.HEAD_SCALE).astype(np.float32), labels)
    if (
        len(model.classes_) == 2
    ):  # scikit-learn keeps one row for two classes: the log-odds of the second
        return (
            np.vstack([-model.coef_[0] / 2, model.coef_[0] / 2]),
            np.array([-model.intercept_[0] / 2, model.intercept_[0] / 2]),
        )
    return model.coef_, model.intercept_


def _held_out(material: _Material, sample: Sampling) -> Iterable[Questions]:
    """Answerable questions: phrasings kept out of the fit; unanswerable: their whole snippet kept out.

    Half of the unanswerable ones lose a fifth of the snippets, drawn at random, so that much like their own
    stays; the other half lose everything of their kind. A snippet goes out together with its variants,
    which would answer in its place.
    """
    rows = material.rows
    examples = np.flatnonzero(rows.kind == EXAMPLE)
    rng = np.random.default_rng(SEED)
    row_fold = np.full(len(rows.snippet), -1)
    row_fold[rng.permutation(examples)] = np.arange(len(examples)) % sample.folds
    for fold in range(sample.asked):
        asked = _some(np.flatnonzero(row_fold == fold), sample.limit, fold)
        if len(asked):
            yield _ask(material, asked=asked, kept=row_fold != fold, fold=fold, answerable=True)
    answers = np.unique(material.variant)
    if len(answers) < 2:
        return
    for group in (rng.permutation(len(answers)) % FOLDS, _kinds(material, answers)):
        # Answers' groups, spread over their variants and rows.
        row_group = group[np.searchsorted(answers, material.variant)][rows.snippet]
        questions = rng.permutation(np.flatnonzero(rows.kind == EXAMPLE))
        for fold in range(min(sample.asked, FOLDS)):
            asked = questions[row_group[questions] == fold][: sample.limit // 2]
            kept = row_group != fold
            if len(asked) and kept.any():
                yield _ask(material, asked=asked, kept=kept, fold=fold, answerable=False)


def _some(rows: NDArray[np.int64], limit: int, fold: int) -> NDArray[np.int64]:
    """At most `limit` of the rows, in their order: drawn, since the first ones would all be of a few topics."""
    if len(rows) <= limit:
        return rows
    return np.sort(np.random.default_rng([SEED, fold]).choice(rows, size=limit, replace=False))


def _kinds(material: _Material, answers: NDArray[np.int32]) -> NDArray[np.int64]:
    """A group for each answer ([answers]) such that alike ones are in the same: k-means of their mean rows."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    owner = np.searchsorted(answers, material.variant)[material.rows.snippet]
    means = scoring.sums_of(material.encoded, owner, len(answers))
    model = KMeans(min(FOLDS, len(answers)), n_init=1, random_state=SEED)
    with warnings.catch_warnings():
        # Answers that say the same make fewer groups than were asked for, which does no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        groups = model.fit_predict(scoring.unit(means.astype(np.float32)))
    found: NDArray[np.int64] = groups.astype(np.int64)
    return found


def _ask(
    material: _Material, *, asked: NDArray[np.int64], kept: Flags, fold: int, answerable: bool
) -> Questions:
    """Fit on the kept rows only and put the others as questions."""
    rows, variant = material.rows, material.variant
    # Snippets that have no kept row do not exist for this fit.
    present, inverse = np.unique(rows.snippet[kept], return_inverse=True)
    owner: NDArray[np.int32] = inverse.astype(np.int32)
    same = np.unique(variant[present], return_inverse=True)[1].astype(np.int32)
    asking, prior = rows.kind[kept] == EXAMPLE, material.prior[present]
    head, projected = _fit_head(material.encoded[kept], owner, asking, same, prior)
    counts = np.bincount(owner, minlength=len(present)).astype(np.int64)
    queries = head.project(material.encoded[asked])
    log_heads = head.log_probabilities(queries)
    known = [material.words[int(row)] for row in np.flatnonzero(kept)]
    lexicon = make_lexicon(known, owner, len(present))
    found, first_three, losses = [], [], []
    for n, hits in enumerate(_nearest(queries, projected)):
        log_head = None if log_heads is None else log_heads[n]
        lexical = lexicon.scores(material.texts[int(asked[n])], len(present))
        scores = scoring.score(
            hits, snippet=owner, counts=counts, log_head=log_head, lexical=lexical, prior=prior
        )
        placed = conf.place(scores, head, conf.TEMPERATURE)
        found.append(placed.features)
        first_three.append((variant[present[placed.order[:3]]].tolist() + [-1, -1])[:3])
        losses.append(_losses(scores, variant[present] == variant[rows.snippet[asked[n]]]))
    hit = np.array(first_three) == variant[rows.snippet[asked]][:, None]
    return Questions(
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
    # One temperature after the other: all at once would be 25 times the snippets, and fall out of the cache.
    chances = [
        np.exp(scoring.log_softmax(scores.total / temperature)[right]).sum()
        for temperature in conf.TEMPERATURES
    ]
    losses: Floats = -np.log(np.maximum(chances, 1e-12))
    return losses


def _one_thread() -> Any:
    """One thread inside BLAS: sums keep their order, so that the same input gives the same bytes."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    return threadpool_limits(1)
