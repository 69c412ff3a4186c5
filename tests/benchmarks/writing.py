"""How long the help while writing takes, on a home with content and a generation.

`python -m tests.benchmarks.writing --home .firstline` asks for help with live snippets, each once as it is and
once with a word added, as when somebody types; the golden questions of the starter content are added when there
are none.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from knowledge_base.curation import outlook as looking
from knowledge_base.policy import load_policy
from knowledge_base.ranking.evaluation import read_questions
from knowledge_base.store import golden, repository
from knowledge_base.store.engine import open_engine, read_session, write_session
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.flow import Desk
from suggest_api.flow.writing import help_with
from suggest_api.metrics import Metrics
from suggest_api.settings import Settings
from suggest_api.suggestions.service import GenerationHolder

GOLDEN = Path(__file__).parents[2] / "knowledge_base" / "content" / "golden.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".firstline"))
    parser.add_argument("--snippets", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    settings = Settings(home=given.home, demo=True)
    engine = open_engine(settings.place.database_url)
    desk = Desk(
        settings=settings,
        engine=engine,
        clock=lambda: datetime.now(UTC),
        policies=FixedPolicy(load_policy()),
        generations=GenerationHolder(settings.place),
        metrics=Metrics(),
        channels={},
    )
    with write_session(engine) as session:
        if not golden.in_use(session):
            for question in read_questions(GOLDEN).questions:
                golden.add(
                    session, question.text, expected_key=question.expected_key, by="maya",
                    now=datetime.now(UTC),
                )  # fmt: skip
    figures = measure(desk, snippets=given.snippets)
    engine.dispose()
    print(json.dumps(figures, indent=2))


def measure(desk: Desk, *, snippets: int) -> dict[str, float]:
    """Milliseconds of the first call for a snippet and of the next one, once the golden questions are read."""
    held = desk.generations.in_service
    assert held is not None, desk.generations.failure
    first, typing, changed, known, reading = [], [], 0, 0, []
    with read_session(desk.engine) as session:
        chosen = repository.all_live(session)[
            :: max(1, len(repository.all_live(session)) // snippets)
        ]
        questions = golden.in_use(session)
        for _ in range(-(-len(questions) // looking.READ_AT_ONCE)):
            started = time.perf_counter()
            help_with(desk, chosen[0].content, session=session)
            reading.append(1000 * (time.perf_counter() - started))
        for revision in chosen[:snippets]:
            held.encoder._cache.clear()
            started = time.perf_counter()
            unchanged = help_with(desk, revision.content, session=session)
            first.append(1000 * (time.perf_counter() - started))
            if unchanged.golden is not None:
                changed += len(unchanged.golden.won) + len(unchanged.golden.lost)
            text = f"{revision.content.text.rstrip('.')} today."
            started = time.perf_counter()
            help_with(desk, replace(revision.content, text=text), session=session)
            typing.append(1000 * (time.perf_counter() - started))
            # As if it were new: which of the questions that it answers now would the estimate give it?
            fresh = replace(revision.content, key="x.new")
            told = help_with(desk, fresh, session=session).golden
            known += 0 if told is None else sum(c.before == revision.key for c in told.lost)
    return {
        "snippets": len(first),
        "golden_questions": len(questions),
        "while_reading_worst_ms": round(max(reading), 1),
        "first_median_ms": round(statistics.median(first), 1),
        "first_worst_ms": round(max(first), 1),
        "typing_median_ms": round(statistics.median(typing), 1),
        "typing_worst_ms": round(max(typing), 1),
        "changes_for_unchanged_snippets": changed,
        "questions_taken_over_by_a_copy": known,
    }


if __name__ == "__main__":
    main()
