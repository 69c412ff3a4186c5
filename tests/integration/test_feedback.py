"""From drafts that agents decided to the next generation, on the real tables."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.index import generation
from knowledge_base.store import feedback
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.tables import RevisionRow
from suggest_api.storage.tables import DraftRow
from tests.fixtures_generation import WordHashEncoder, shop
from tests.tuning_home import NOW, approve

HOURS, RETURNS, THANKS = "stores.hours", "returns.how", "praise.thanks"
# A request each: the keys offered in their order, the states of their drafts, and for whom.
TAKEN = ((HOURS, RETURNS, THANKS), ("sent", "proposed", "proposed"), "agent")
SECOND = ((RETURNS, HOURS), ("dismissed", "edited"), "agent")
UNSEEN = ((HOURS, THANKS), ("proposed", "proposed"), "agent")
ALONE = ((THANKS,), ("sent",), "assistant")


@pytest.fixture
def filled(engine: Engine) -> Engine:
    approve(engine, [revision.content for revision in shop()])
    return engine


def offer(engine: Engine, *requests: tuple[tuple[str, ...], tuple[str, ...], str]) -> None:
    """Store such requests as the service does."""
    with write_session(engine) as session:
        rows = session.execute(select(RevisionRow.snippet_key, RevisionRow.id))
        known = {row.snippet_key: row.id for row in rows}
        held = len(session.scalars(select(DraftRow.id)).all())
        for number, (keys, states, use) in enumerate(requests, start=held):
            for rank, (key, state) in enumerate(zip(keys, states, strict=True), start=1):
                decided = {} if state == "proposed" else {"decided_by": "ana", "decided_at": NOW}
                identity = hashlib.sha256(f"{number} {rank}".encode()).hexdigest()
                session.execute(
                    insert(DraftRow).values(
                        id=identity[:32],
                        request_id=f"request-{number}",
                        channel="generic",
                        use=use,
                        rank=rank,
                        snippet_key=key,
                        revision_id=known[key],
                        text="x",
                        text_sha256=identity,
                        proof={},
                        proof_sha256=identity,
                        state=state,
                        created_at=NOW,
                        **decided,
                    )
                )


def test_only_what_agents_looked_at_is_counted(filled: Engine) -> None:
    assert feedback.choices(filled) == {}
    offer(filled, TAKEN, SECOND, UNSEEN, ALONE)
    assert feedback.choices(filled) == {
        HOURS: {1: (1, 1), 2: (1, 1)},
        RETURNS: {1: (1, 0), 2: (1, 0)},
        THANKS: {3: (1, 0)},
    }


def test_choices_make_another_generation_that_says_so(filled: Engine, tmp_path: Path) -> None:
    home, encoder = Home.at(tmp_path / "home"), WordHashEncoder()
    before = publish.build(home, filled, now=NOW, encoder=encoder)
    offer(filled, UNSEEN, ALONE)
    same = publish.build(home, filled, now=NOW, encoder=encoder)
    assert (same.build_id, same.built) == (before.build_id, False)
    offer(filled, *[TAKEN, ((RETURNS, HOURS, RETURNS), TAKEN[1], "agent")] * 10)
    offer(filled, *[((THANKS, RETURNS), ("dismissed", "sent"), "agent")] * 10)
    after = publish.build(home, filled, now=NOW, encoder=encoder)
    assert after.build_id != before.build_id
    priors = generation.load(home).manifest["parameters"]["priors"]
    assert set(priors) <= {HOURS, RETURNS, THANKS}
    assert priors[THANKS] < 0
    again = publish.build(home, filled, now=NOW, encoder=encoder)
    assert (again.build_id, again.built) == (after.build_id, False)
    plain = publish.build(home, filled, now=NOW, encoder=encoder, choices={})
    assert plain.build_id == before.build_id


def test_counts_are_read_in_one_statement_of_any_size(filled: Engine) -> None:
    offer(filled, *[SECOND] * 40)
    assert feedback.choices(filled)[HOURS] == {2: (40, 40)}
    with read_session(filled) as session:
        assert len(session.scalars(select(DraftRow.id)).all()) == 80
