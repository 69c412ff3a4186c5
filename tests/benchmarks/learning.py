"""Measures what a build costs beyond encoding, and a search: 1,000 to 100,000 snippets.

    python -m tests.benchmarks.learning [--snippets 1000,10000,100000] [--phrasings 3] [--json]

Processor seconds of learning (head, words, calibration) and of writing the index, on one thread, the peak of the
memory, and the milliseconds of ranking a question. The snippets are those of tests/benchmarks/large, the vectors
are made of their words, the ones that tell snippets apart with more weight, and noise. No database takes part.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from knowledge_base.exchange import COLUMNS
from knowledge_base.home import Home
from knowledge_base.index import generation
from knowledge_base.index.encoder import Encoder, EncoderInfo, Vectors
from knowledge_base.index.rows import collect
from knowledge_base.progress import silent
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.fitting import Recipe, fit
from knowledge_base.snippet import Revision
from tests.benchmarks import large
from tests.fixtures_generation import revision

TELLING, COMMON, NOISE = (
    2.0,
    0.4,
    0.3,
)  # weights of a word that tells snippets apart, of others, and of noise
SEARCHES = 200


class WordEncoder(Encoder):
    """Vectors that are the sum of the words' directions, and some noise that is the same for the same text."""

    def __init__(self) -> None:
        self.info = EncoderInfo("0" * 64, "made up", large.DIMENSION, "mean", 256, "fp32")
        names = [*large.THINGS, *large.PLACES, *large.DISTRICTS]
        names += [word for topic, verb, _ in large.MATTERS for word in (topic, *verb.split())]
        self._telling = {name.lower() for name in names if len(name) > 2}
        self._known: dict[str, Vectors] = {}

    def encode(self, texts: Sequence[str], *, progress: Any = silent) -> Vectors:
        """Vectors of many texts ([n, d])."""
        vectors = np.empty((len(texts), self.info.dimension), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self.encode_one(text)
        return vectors

    def encode_one(self, text: str) -> Vectors:
        """The vector of one text."""
        vector = NOISE * _direction(text, self.info.dimension)
        for word in re.findall(r"\w+", text.lower()):
            if word not in self._known:
                weight = TELLING if word in self._telling else COMMON
                self._known[word] = weight * _direction(word, self.info.dimension)
            vector = vector + self._known[word]
        result: Vectors = (vector / np.linalg.norm(vector)).astype(np.float32)
        return result


def main() -> int:
    """0 when every size was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--snippets", default="1000,10000,100000")
    parser.add_argument("--phrasings", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False)
    lines: list[dict[str, Any]] = []
    for size in (int(part) for part in options.snippets.split(",")):
        screen.print(f"{size:,} snippets ...")
        # A process of its own, so that the peak of the memory is this size's.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            lines.append(pool.apply(measure, (size, options.phrasings)))
        screen.print(lines[-1])
    report = {"cores": os.cpu_count(), "load": list(os.getloadavg()), "runs": lines}
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        table = Table(*(name for name in lines[0] if name != "sample"), box=None)
        for line in lines:
            table.add_row(*(str(value) for name, value in line.items() if name != "sample"))
        Console(highlight=False, width=170).print(table)
    return 0


def measure(snippets: int, phrasings: int) -> dict[str, Any]:
    """One line of the report."""
    cases = list(itertools.islice(revisions(phrasings), snippets))
    made = [one for one, _ in cases]
    encoder = WordEncoder()
    rows, texts = collect(made)
    vectors = encoder.encode(texts)
    before = _peak_mb()
    fit_s, fitted = _cpu(lambda: fit(rows, vectors, texts))
    recipe = Recipe()
    build_id = generation.make_build_id(
        made, encoder_fingerprint=encoder.fingerprint, parameters=recipe.parameters()
    )
    with tempfile.TemporaryDirectory(prefix="firstline-learning-") as folder:
        home = Home.at(Path(folder))
        write_s, _ = _cpu(
            lambda: generation.write(
                home,
                build_id=build_id,
                encoder_fingerprint=encoder.fingerprint,
                rows=rows,
                vectors=fitted.vectors,
                artefacts=fitted.files(),
                parameters=recipe.parameters(),
            )
        )
        open_s, ranker = _cpu(lambda: Ranker(generation.load(home, build_id), encoder))
        asked = cases[:: max(1, snippets // SEARCHES)]
        times: list[float] = []
        right = 0
        for one, question in asked:
            began = time.perf_counter()
            ranking = ranker.rank([question], limit=3)
            times.append((time.perf_counter() - began) * 1000)
            right += ranking.candidates[0].snippet_key == one.key
    report = fitted.calibration.report
    return {
        "snippets": snippets,
        "vectors": len(texts),
        "learning_cpu_s": fit_s,
        "index_cpu_s": write_s,
        "opening_cpu_s": open_s,
        "peak_mb": _peak_mb(),
        "peak_mb_before": before,
        "search_p50_ms": round(float(np.quantile(times, 0.5)), 1),
        "search_p99_ms": round(float(np.quantile(times, 0.99)), 1),
        "right_first": round(right / len(asked), 3),
        "index": ranker.generation.manifest["index"]["kind"],
        "questions": report["questions"],
        "held_out_hit_1": report["hit_at_1"],
        "calibration_error": report["expected_calibration_error"],
        "sample": report.get("sample"),
    }


def revisions(phrasings: int) -> Iterator[tuple[Revision, str]]:
    """The snippets of tests/benchmarks/large with so many phrasings, and a question for each."""
    for number, (cells, question) in enumerate(large.make(), start=1):
        row = dict(zip(COLUMNS, cells, strict=True))
        examples = row["examples"].split("\n")[:phrasings]
        yield (
            revision(
                row["key"],
                title=row["title"],
                text=row["text"],
                examples=examples,
                revision_id=number,
            ),
            question,
        )


def _direction(text: str, dimension: int) -> Vectors:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    result: Vectors = np.random.default_rng(seed).standard_normal(dimension, dtype=np.float32)
    return result


def _cpu(work: Any) -> tuple[float, Any]:
    """Processor seconds of a call, and what it returned."""
    began = time.process_time()
    found = work()
    return round(time.process_time() - began, 1), found


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


if __name__ == "__main__":
    sys.exit(main())
