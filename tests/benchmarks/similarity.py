"""Measures finding similar snippets and duplicates in a large knowledge base, with made-up vectors.

    python -m tests.benchmarks.similarity [--snippets 10000] [--phrasings 10] [--json]

The rows are real in number and layout (a title, a text and the phrasings of each snippet) and lie around a centre
for each snippet; one snippet in a hundred is a copy of another with other phrasings. The database is a real SQLite
file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from knowledge_base.home import Home
from knowledge_base.index import generation
from knowledge_base.index.encoder import Encoder, EncoderInfo, Vectors
from knowledge_base.index.rows import collect
from knowledge_base.policy import load_policy
from knowledge_base.ranking import Calibration, Ranker, Threshold, scoring
from knowledge_base.ranking import confidence as conf
from knowledge_base.ranking.lexicon import make_lexicon
from knowledge_base.ranking.scoring import Head
from knowledge_base.similarity.alike import compare, find_similar, indexed_rows, row_edges
from knowledge_base.similarity.duplicates import find_duplicates
from knowledge_base.snippet import Revision
from knowledge_base.store import migrate
from knowledge_base.store.batch import Step, apply_steps, lock_snippets
from knowledge_base.store.engine import open_engine, read_session, write_session
from knowledge_base.store.people import ensure_person
from knowledge_base.store.repository import approved_revisions, go_live
from tests.fixtures_generation import revision

DIMENSION = 384
COPIES = 100  # one snippet in so many says the same as the one before it
SPREAD = 0.9  # length of the noise around a snippet's centre: phrasings of one are at a cosine of about 0.55
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TIMES = 50


class MadeUp(Encoder):
    """Vectors that are made up by the first word of a text: its snippet."""

    def __init__(self) -> None:
        self.info = EncoderInfo("0" * 64, "made up", DIMENSION, "mean", 256, "fp32")

    def encode(self, texts: Any, *, progress: Any = None) -> Vectors:
        """Vectors of many texts."""
        return np.stack([self.encode_one(text) for text in texts])

    def encode_one(self, text: str) -> Vectors:
        """The vector of one text."""
        owner = int(text.split()[0].removeprefix("s"))
        centre = np.random.default_rng(owner).standard_normal(DIMENSION)
        noise = np.random.default_rng(abs(hash(text)) % 2**32).standard_normal(DIMENSION)
        vector = centre / np.linalg.norm(centre) + SPREAD * noise / np.linalg.norm(noise)
        result: Vectors = (vector / np.linalg.norm(vector)).astype(np.float32)
        return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--snippets", type=int, default=10_000)
    parser.add_argument("--phrasings", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="firstline-similarity-") as folder:
        results = measure(Home.at(Path(folder)), options.snippets, options.phrasings)
    print(json.dumps(results, indent=2) if options.json else results)
    return 0


def measure(home: Home, snippets: int, phrasings: int) -> dict[str, Any]:
    """Seconds for one content, and for all of them."""
    engine = open_engine(home.database_url)
    migrate.upgrade(engine)
    revisions = _store(engine, snippets, phrasings)
    encoder = MadeUp()
    ranker = _ranker(home, revisions, encoder)
    with read_session(engine) as session:
        content = replace(revisions[1].content, key="new.one")
        find_similar(session, ranker, content)
        seconds = []
        for _ in range(TIMES):
            started = time.perf_counter()
            vectors = encoder.encode([*content.examples, content.text])
            encoding = time.perf_counter() - started
            started = time.perf_counter()
            found = find_similar(session, ranker, content)
            seconds.append(time.perf_counter() - started - encoding)
        started = time.perf_counter()
        report = find_duplicates(session, ranker)
        whole = time.perf_counter() - started
    edges = row_edges(ranker)
    a, b = indexed_rows(ranker, 0, edges), indexed_rows(ranker, 1, edges)
    engine.dispose()
    return {
        "snippets": snippets,
        "rows": len(ranker.generation.rows.snippet),
        "index": dict(ranker.generation.manifest["index"]),
        "similar_ms_beyond_encoding": {
            "median": round(1000 * float(np.median(seconds)), 1),
            "p95": round(1000 * float(np.quantile(seconds, 0.95)), 1),
        },
        "similar_found": [one.sort for one in found],
        "duplicates_seconds": round(whole, 1),
        "copies": snippets // COPIES,
        "pairs_found": len(report.pairs),
        "of_one_pair": compare(revisions[0].content, a, revisions[1].content, b).questions,
        "vectors": len(vectors),
    }


def _store(engine: Any, snippets: int, phrasings: int) -> list[Revision]:
    version = load_policy().version
    made = []
    for number in range(snippets):
        owner = number - 1 if number % COPIES == 1 else number
        made.append(
            replace(
                revision(
                    f"topic{number % 50}.s{number:06d}",
                    title=f"s{owner} title {number}",
                    text=f"s{owner} text of {number}, We are glad to help.",
                    examples=[f"s{owner} phrasing {number} {n}" for n in range(phrasings)],
                ),
                author="Ana",
                approved_by="Noor",
                policy_version=version,
                submitted_at=NOW,
            )
        )
    with write_session(engine) as session:
        for person in ("Ana", "Noor"):
            ensure_person(session, person, now=NOW)
        lock_snippets(session, [r.key for r in made], now=NOW)
        apply_steps(session, [Step(before=None, after=r) for r in made], now=NOW)
        go_live(session, [r.id for r in approved_revisions(session)])
    with read_session(engine) as session:
        return approved_revisions(session)


def _ranker(home: Home, revisions: list[Revision], encoder: MadeUp) -> Ranker:
    rows, texts = collect(revisions)
    vectors = encoder.encode(texts)
    size = len(revisions)
    # Nothing is learnt: similarity needs the index and the centre only.
    centre = scoring.centre_of(vectors, rows.snippet, size)
    head = Head(
        centre,
        np.zeros((0, DIMENSION), np.float32),
        np.zeros(0, np.float32),
        np.full(size, scoring.TYPICAL, np.float32),
        np.arange(size, dtype=np.int32),
        np.zeros(size, np.float32),
    )
    none = Threshold(1.0, 0.05, None, None, None, 0, "prior")
    calibration = Calibration(tuple(conf.PRIOR.tolist()), conf.TEMPERATURE, none, none, {})
    build_id = generation.make_build_id(
        revisions, encoder_fingerprint=encoder.fingerprint, parameters={}
    )
    generation.write(
        home,
        build_id=build_id,
        encoder_fingerprint=encoder.fingerprint,
        rows=rows,
        vectors=head.project(vectors),
        artefacts={
            "classifier.npz": head.to_bytes(),
            "lexicon.npz": make_lexicon([["word"]], np.zeros(1, np.int32), size).to_bytes(),
            "calibration.json": calibration.to_json(),
        },
        parameters={},
    )
    return Ranker(generation.load(home, build_id), encoder)


if __name__ == "__main__":
    raise SystemExit(main())
