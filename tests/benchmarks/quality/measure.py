"""One knowledge base built as in production, every question put to its ranker, and the figures of the answers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.home import Home
from knowledge_base.index import generation
from knowledge_base.index.encoder import Encoder, Vectors
from knowledge_base.index.rows import collect
from knowledge_base.progress import Progress, silent
from knowledge_base.ranking import Ranker
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking.evaluation import wilson
from knowledge_base.ranking.fitting import Recipe, fit
from knowledge_base.ranking.risk import Risk
from knowledge_base.snippet import Revision
from tests.benchmarks.quality.data import Asked, Task
from tests.fixtures_generation import revision

DEPTH = 10  # suggestions looked at for the mean reciprocal rank
RECALLS = (0.75, 0.82)  # of out-of-scope questions, at which the in-scope accuracy is read
COVERAGES = tuple(round(0.05 * step, 2) for step in range(2, 21))  # of the risk-coverage curve

Floats = NDArray[np.float64]


class RememberingEncoder(Encoder):
    """An encoder that keeps every vector in a file, so that a text is encoded once on this machine."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._inner = encoder
        self._file = folder / f"{encoder.fingerprint[:16]}.npz"
        self._known: dict[str, Vectors] = {}
        if self._file.is_file():
            with np.load(self._file) as data:
                self._known = dict(zip(data["digests"].tolist(), data["vectors"], strict=True))

    @property
    def fingerprint(self) -> str:
        """Of the encoder."""
        return self._inner.fingerprint

    @property
    def dimension(self) -> int:
        """Floats per vector."""
        return self._inner.dimension

    def remember(self, texts: Sequence[str], *, progress: Progress = silent) -> None:
        """Encode what is not known yet and write the file."""
        new = sorted({text for text in texts if _digest(text) not in self._known})
        if not new:
            return
        vectors = self._inner.encode(new, progress=progress)
        self._known.update(zip(map(_digest, new), vectors, strict=True))
        self._file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            self._file,
            digests=np.array(list(self._known)),
            vectors=np.stack(list(self._known.values())),
        )

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> Vectors:
        """Vectors of many texts, in their order."""
        self.remember(texts, progress=progress)
        return np.stack([self._known[_digest(text)] for text in texts])

    def encode_one(self, text: str) -> Vectors:
        """The vector of one text."""
        self.remember([text])
        return self._known[_digest(text)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question got: the right snippet's place (from 1, None beyond ten), and of the first three
    the confidence and whether each was right.
    """

    expected: str | None
    place: int | None
    confidences: tuple[float, ...]
    right: tuple[bool, ...]
    answered: bool


def snippets(phrasings: Mapping[str, Sequence[str]]) -> list[Revision]:
    """A snippet of each category: its name in words is title and text, its phrasings are the examples."""
    return [
        revision(
            category.replace("/", "_"),
            title=category.replace("_", " "),
            text=category.replace("_", " "),
            examples=texts,
            revision_id=number,
        )
        for number, (category, texts) in enumerate(sorted(phrasings.items()), start=1)
    ]


def open_ranker(
    revisions: Sequence[Revision], encoder: Encoder, home: Home, *, risk: Risk
) -> tuple[Ranker, float]:
    """A generation of these snippets, its ranker, and the seconds that learning and writing took."""
    recipe = Recipe(risk)
    rows, texts = collect(revisions)
    vectors = encoder.encode(texts)
    started = time.monotonic()
    fitted = fit(rows, vectors, texts, recipe=recipe)
    build_id = generation.make_build_id(
        revisions, encoder_fingerprint=encoder.fingerprint, parameters=recipe.parameters()
    )
    generation.write(
        home,
        build_id=build_id,
        encoder_fingerprint=encoder.fingerprint,
        rows=rows,
        vectors=fitted.vectors,
        artefacts=fitted.files(),
        parameters=recipe.parameters(),
    )
    loaded = generation.load(home, build_id)
    return Ranker(loaded, encoder), time.monotonic() - started


def measure(task: Task, encoder: RememberingEncoder, home: Home, *, risk: Risk) -> dict[str, Any]:
    """All figures of one task."""
    ranker, seconds = open_ranker(snippets(task.phrasings), encoder, home, risk=risk)
    answers = [ask(ranker, question) for question in task.questions]
    return {
        "task": task.name,
        "snippets": len(task.phrasings),
        "phrasings": sum(map(len, task.phrasings.values())),
        "build_seconds": round(seconds, 1),
        **figures(answers),
        "threshold": asdict(ranker.calibration.agent),
        "threshold_assistant": asdict(ranker.calibration.assistant),
        "weights": list(ranker.calibration.weights),
        "temperature": ranker.calibration.temperature,
        "held_out_calibration_error": ranker.calibration.report.get("expected_calibration_error"),
    }


def ask(ranker: Ranker, question: Asked) -> Answer:
    """Put one question as a customer's only message."""
    text, expected = question
    ranking = ranker.rank([text], limit=DEPTH)
    keys = [candidate.snippet_key for candidate in ranking.candidates]
    wanted = None if expected is None else expected.replace("/", "_")
    return Answer(
        expected=wanted,
        place=keys.index(wanted) + 1 if wanted in keys else None,
        confidences=tuple(c.confidence for c in ranking.candidates[:3]),
        right=tuple(key == wanted for key in keys[:3]),
        answered=not ranking.abstained,
    )


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """Hits over the answerable questions; everything about silence over the mix as it was asked."""
    inside = [a for a in answers if a.expected is not None]
    outside = [a for a in answers if a.expected is None]
    first = np.array([a.confidences[0] if a.confidences else 0.0 for a in answers])
    right = np.array([a.place == 1 for a in answers])
    answerable = np.array([a.expected is not None for a in answers])
    answered = [a for a in answers if a.answered]
    wrong = [a for a in answered if a.place != 1]
    even = np.ones(len(answers))
    return {
        "answerable": len(inside),
        "unanswerable": len(outside),
        "hit_at_1": asdict(wilson(sum(a.place == 1 for a in inside), len(inside))),
        "hit_at_3": asdict(wilson(sum((a.place or DEPTH) <= 3 for a in inside), len(inside))),
        "mrr": round(sum(1 / a.place for a in inside if a.place) / max(len(inside), 1), 4),
        "auroc": auroc(first[answerable], first[~answerable]),
        "right_and_answered": asdict(
            wilson(sum(a.answered and a.place == 1 for a in inside), len(inside))
        ),
        "answerable_answered": asdict(wilson(sum(a.answered for a in inside), len(inside))),
        "unanswerable_abstained": asdict(
            wilson(sum(not a.answered for a in outside), len(outside))
        ),
        "wrong_among_answered": asdict(wilson(len(wrong), len(answered))),
        "calibration_error": round(conf.expected_calibration_error(first, right, even), 4),
        "calibration_error_places_2_3": _later_places(answers),
        "reliability": conf.reliability(first, right, even),
        "in_scope_at_recall": {
            f"{recall:.2f}": at_recall(first, right, answerable, recall) for recall in RECALLS
        },
        "risk_coverage": risk_coverage(first, right),
    }


def auroc(inside: Floats, outside: Floats) -> float | None:
    """The chance that a question in scope is surer than one out of scope (Mann and Whitney; ties count half)."""
    if not len(inside) or not len(outside):
        return None
    ordered = np.sort(outside)
    below = np.searchsorted(ordered, inside, side="left")
    upto = np.searchsorted(ordered, inside, side="right")
    return round(float((below + upto).sum()) / 2 / len(inside) / len(outside), 4)


def at_recall(
    confidence: Floats, right: NDArray[np.bool_], answerable: NDArray[np.bool_], recall: float
) -> float | None:
    """Share of in-scope questions right and answered, where `recall` of the others are left unanswered."""
    outside = np.sort(confidence[~answerable])
    if not len(outside):
        return None
    threshold = outside[int(np.ceil(recall * len(outside))) - 1]
    return round(float((right & (confidence > threshold))[answerable].mean()), 4)


def risk_coverage(confidence: Floats, right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Share of wrong first suggestions when the surest part of all questions is answered."""
    ordered = right[np.argsort(-confidence, kind="stable")]
    curve: list[dict[str, float]] = []
    for coverage in COVERAGES:
        kept = max(1, round(coverage * len(ordered)))
        curve.append({"coverage": coverage, "risk": round(float(1 - ordered[:kept].mean()), 4)})
    return curve


def _later_places(answers: Sequence[Answer]) -> float:
    pairs = [pair for a in answers for pair in list(zip(a.confidences, a.right, strict=True))[1:]]
    if not pairs:
        return 0.0
    sure, right = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    return round(conf.expected_calibration_error(sure, right, np.ones(len(pairs))), 4)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
