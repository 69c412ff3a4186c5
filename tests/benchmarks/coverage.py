"""Measures coverage: how well questions are grouped, and how near a snippet's estimated gain is to the true one.

    python -m tests.benchmarks.coverage [--rounds 3] [--snippets 5] [--development] [--json]

FIRSTLINE_BENCHMARK_DATA names the folder with Banking77 and CLINC150; the encoder is FIRSTLINE_HOME's. Categories
are parted into two halves: the grouping's thresholds were chosen on one (--development), the figures are of the
other.

Gain: twelve categories are taken out of the knowledge base, and their phrasings are what customers asked in vain.
A snippet is begun from each of the largest gaps; the estimate is compared with what a real build with that snippet
answers of other questions of those categories (the report part, in the same proportions).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from knowledge_base.errors import FirstlineError
from knowledge_base.home import Home
from knowledge_base.index.encoder import Vectors, load_current_encoder
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.evaluation import wilson
from knowledge_base.ranking.risk import Risk
from knowledge_base.ranking.scoring import unit
from knowledge_base.similarity.clusters import ROUGH, cluster, link
from knowledge_base.similarity.estimate import estimate_gain
from knowledge_base.similarity.gaps import Asked, Gap, find_gaps
from knowledge_base.snippet import Revision
from tests.benchmarks.quality import data
from tests.benchmarks.quality.data import Banking, DataMissing
from tests.benchmarks.quality.measure import RememberingEncoder, open_ranker, snippets
from tests.fixtures_generation import revision

PER_SNIPPET = 10  # phrasings of each snippet that stays
KNOWN = 30  # snippets of the knowledge base
TAKEN_OUT = 12  # categories that it lacks
GROUPED = 20  # categories in the test of grouping
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

Labels = NDArray[np.int64]
Method = Callable[[Vectors], Labels]


def main() -> int:
    """0 when everything was measured, 2 when the data or the set-up is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="sets of categories taken out")
    parser.add_argument(
        "--snippets", type=int, default=5, help="largest gaps of each that are filled"
    )
    parser.add_argument("--development", action="store_true", help="the half meant for choosing")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False)
    try:
        place = data.folder(os.environ)
        home = Home.from_environment()
        encoder = RememberingEncoder(load_current_encoder(home), home.root / "benchmarks")
        results = _run(place, encoder, options, screen)
    except (DataMissing, FirstlineError) as error:
        screen.print(f"error: {error}", markup=False)
        return 2
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        _show(results)
    return 0


def _run(
    place: Path, encoder: RememberingEncoder, options: argparse.Namespace, screen: Console
) -> dict[str, Any]:
    banking, clinc = data.read_banking(place), data.read_clinc(place)
    banks = _by_category([(t, c) for c, ts in banking.phrasings.items() for t in ts])
    others = _by_category(clinc["val"])
    texts = [t for ts in (*banks.values(), *others.values()) for t in ts]
    with Bar(console=screen, transient=True) as bar:
        task = bar.add_task("Encoding texts")
        encoder.remember(
            texts + [t for t, _ in banking.report],
            progress=lambda _, done, total: bar.update(task, completed=done, total=total),
        )
    results: dict[str, Any] = {"grouping": {}, "gain": []}
    for name, categories in (("Banking77", banks), ("CLINC150", others)):
        chosen = {c: categories[c] for c in _half(categories, first=options.development)}
        results["grouping"][name] = _grouping(encoder, chosen)
    half = _half(banks, first=options.development)
    for number in range(options.rounds):
        results["gain"] += _gains(banking, half, encoder, number, options.snippets, screen)
    results["gain_total"] = _total(results["gain"])
    return results


def _by_category(pairs: Sequence[tuple[str, str | None]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text, category in sorted(pairs, key=lambda pair: (str(pair[1]), pair[0])):
        found.setdefault(str(category), []).append(text)
    return found


def _half(categories: Mapping[str, Sequence[str]], *, first: bool) -> list[str]:
    names = sorted(categories)
    Random("split").shuffle(names)  # noqa: S311 - a sample, no secret
    middle = len(names) // 2
    return names[:middle] if first else names[middle:]


def _grouping(
    encoder: RememberingEncoder, categories: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Mean scores of each method over samples with uneven volumes, and with one question asked by most."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    found: dict[str, list[tuple[float, float, float]]] = {}
    for _kind, texts, labels in _samples(categories):
        vectors = encoder.encode(texts)
        for name, method in _methods().items():
            groups = method(vectors)
            found.setdefault(name, []).append(
                (
                    float(adjusted_rand_score(labels, groups)),
                    float(normalized_mutual_info_score(labels, groups)),
                    float(groups.max() + 1),
                )
            )
    return {
        name: {
            "adjusted_rand": round(float(np.mean([s[0] for s in scores])), 4),
            "normalised_mutual_information": round(float(np.mean([s[1] for s in scores])), 4),
            "worst_adjusted_rand": round(min(s[0] for s in scores), 4),
            "groups": round(float(np.mean([s[2] for s in scores])), 1),
            "categories": GROUPED,
        }
        for name, scores in found.items()
    }


def _samples(
    categories: Mapping[str, Sequence[str]],
) -> Iterator[tuple[str, list[str], list[str]]]:
    for number in range(4):
        rng = Random(f"sample {number}")  # noqa: S311 - a sample, no secret
        chosen = rng.sample(sorted(categories), GROUPED)
        for kind in ("uneven", "one question asked by most"):
            pairs: list[tuple[str, str]] = []
            for place, category in enumerate(chosen):
                # From 3 to 40 questions, evenly on a logarithmic scale; or all of one and three of each other.
                volume = int(3 * (40 / 3) ** rng.random())
                if kind != "uneven":
                    volume = 3 if place else 200
                texts = list(categories[category])
                picked = rng.sample(texts, min(volume, len(texts)))
                pairs += [(text, category) for text in picked]
            rng.shuffle(pairs)
            yield kind, [t for t, _ in pairs], [c for _, c in pairs]


def _methods() -> dict[str, Method]:
    return {
        "average linkage, two rounds (used)": cluster,
        "average linkage, one round": lambda v: link(v, joined=ROUGH),
        "average linkage, centred on all questions": _centred,
        "leader": _leader,
        "HDBSCAN": _hdbscan,
    }


def _centred(vectors: Vectors) -> Labels:
    mean = vectors.mean(axis=0) * (len(vectors) / (len(vectors) + 20))
    return link(unit(vectors - mean), joined=0.28)


def _leader(vectors: Vectors, joined: float = 0.55) -> Labels:
    sums: list[Vectors] = []
    labels = []
    for vector in vectors:
        near = [float(unit(total) @ vector) for total in sums]
        best = int(np.argmax(near)) if near else -1
        if best >= 0 and near[best] >= joined:
            sums[best] = sums[best] + vector
        else:
            best = len(sums)
            sums.append(vector.copy())
        labels.append(best)
    return np.array(labels)


def _hdbscan(vectors: Vectors) -> Labels:
    from sklearn.cluster import HDBSCAN

    labels = HDBSCAN(min_cluster_size=3, copy=True).fit(vectors.astype(np.float64)).labels_
    noise = labels < 0  # each by itself
    labels[noise] = labels.max() + 1 + np.arange(int(noise.sum()))
    found: Labels = labels
    return found


def _gains(
    banking: Banking,
    half: Sequence[str],
    encoder: RememberingEncoder,
    number: int,
    most: int,
    screen: Console,
) -> list[dict[str, Any]]:
    """Estimate and truth for the largest gaps of one set of categories taken out."""
    rng = Random(f"taken out {number}")  # noqa: S311 - a sample, no secret
    taken = rng.sample(sorted(half), TAKEN_OUT)
    staying = rng.sample(sorted(set(banking.phrasings) - set(taken)), KNOWN)
    known = data.few({c: banking.phrasings[c] for c in staying}, PER_SNIPPET, seed=number)
    held_out = _by_category([(t, c) for t, c in banking.report if c in taken])
    kept: list[tuple[str, str]] = []
    later: list[tuple[str, str]] = []
    for category in taken:
        volume = rng.randint(8, 40)
        phrasings = list(banking.phrasings[category])
        kept += [(t, category) for t in rng.sample(phrasings, min(volume, len(phrasings)))]
        pool = held_out[category]
        later += [(t, category) for t in rng.sample(pool, min(volume, len(pool)))]
    rng.shuffle(kept)
    with tempfile.TemporaryDirectory(prefix="firstline-coverage-") as folder:
        home = Home.at(Path(folder))
        before, _ = open_ranker(snippets(known), encoder, home, risk=Risk())
        asked = [
            Asked(text=t, at=NOW - timedelta(minutes=len(kept) - i))
            for i, (t, _) in enumerate(kept)
        ]
        report = find_gaps(before, asked, since=NOW - timedelta(days=7), until=NOW)
        unanswered = [(t, c) for t, c in later if before.rank([t], limit=1).abstained]
        category_of = dict(kept)
        results = []
        for gap in report.gaps[:most]:
            screen.print(f"round {number + 1}: {gap.examples[0]}", markup=False)
            started = time.perf_counter()
            gain = estimate_gain(before, gap, [g for g in report.gaps if g is not gap])
            seconds = time.perf_counter() - started
            meant = Counter(category_of[q.text] for q in gap.questions).most_common(1)[0][0]
            truth = _truth(snippets(known), gap, meant, encoder, home, unanswered)
            screen.print(f"  estimated {gain.share.value}, true {truth['share'].value}")
            results.append(
                {
                    "category": meant,
                    "volume": gap.volume,
                    "phrasings": len(gap.phrasings),
                    "pure": round(
                        sum(category_of[q.text] == meant for q in gap.questions) / gap.volume, 3
                    ),
                    "estimated_inside": asdict(gain.inside),
                    "estimated_share": asdict(gain.share),
                    "true_share": asdict(truth["share"]),
                    "of_its_category": asdict(truth["own"]),
                    "right": asdict(truth["right"]),
                    "seconds": round(seconds, 2),
                }
            )
        return results


def _truth(
    known: Sequence[Revision],
    gap: Gap,
    meant: str,
    encoder: RememberingEncoder,
    home: Home,
    questions: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """What a real build with the snippet answers of questions that were not answered before."""
    new = revision(
        "new.snippet",
        title=meant.replace("_", " "),
        text=meant.replace("_", " "),
        examples=gap.phrasings,
        revision_id=len(known) + 1,
    )
    after: Ranker
    after, _ = open_ranker([*known, new], encoder, home, risk=Risk())
    answered = []
    for text, category in questions:
        ranking = after.rank([text], limit=1)
        if not ranking.abstained and ranking.candidates[0].snippet_key == new.key:
            answered.append(category)
    own = sum(category == meant for _, category in questions)
    right = sum(category == meant for category in answered)
    return {
        "share": wilson(len(answered), len(questions)),
        "own": wilson(right, own),
        "right": wilson(right, len(answered)),
    }


def _total(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over all snippets, with a 95 % interval of the mean difference (Student's t)."""
    if len(results) < 2:
        return {}
    from scipy.stats import t  # type: ignore[import-untyped]  # comes with scikit-learn

    estimated = np.array([r["estimated_share"]["value"] or 0.0 for r in results])
    true = np.array([r["true_share"]["value"] or 0.0 for r in results])
    error = estimated - true
    spread = float(t.ppf(0.975, len(error) - 1) * error.std(ddof=1) / np.sqrt(len(error)))
    within = [
        r["true_share"]["low"] <= e <= r["true_share"]["high"]
        for r, e in zip(results, estimated, strict=True)
    ]
    return {
        "snippets": len(results),
        "estimated_share": round(float(estimated.mean()), 4),
        "true_share": round(float(true.mean()), 4),
        "mean_error": round(float(error.mean()), 4),
        "mean_error_interval": [
            round(float(error.mean()) - spread, 4),
            round(float(error.mean()) + spread, 4),
        ],
        "mean_absolute_error": round(float(np.abs(error).mean()), 4),
        "correlation": round(float(np.corrcoef(estimated, true)[0, 1]), 3),
        "estimate_within_interval_of_truth": f"{sum(within)} of {len(within)}",
        "right": round(float(np.mean([r["right"]["value"] or 0.0 for r in results])), 4),
    }


def _show(results: Mapping[str, Any]) -> None:
    screen = Console(highlight=False)
    for name, methods in results["grouping"].items():
        table = Table("grouping", "adjusted Rand", "its worst", "NMI", "groups", title=name)
        for method, figures in methods.items():
            table.add_row(
                method,
                f"{figures['adjusted_rand']:.3f}",
                f"{figures['worst_adjusted_rand']:.3f}",
                f"{figures['normalised_mutual_information']:.3f}",
                f"{figures['groups']:.0f} for {figures['categories']}",
            )
        screen.print(table)
    table = Table(
        "snippet", "asked", "estimate", "truth", "right", title="Gain of one snippet more"
    )
    for one in results["gain"]:
        estimate, truth = one["estimated_share"], one["true_share"]
        table.add_row(
            one["category"],
            str(one["volume"]),
            f"{estimate['value']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%})",
            f"{truth['value']:.1%} ({truth['low']:.1%} to {truth['high']:.1%})",
            f"{one['right']['value'] or 0:.0%}",
        )
    screen.print(table)
    screen.print(results["gain_total"])


if __name__ == "__main__":
    raise SystemExit(main())
