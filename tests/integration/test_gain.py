"""The estimated gain of a snippet against a real build with it, and the command that shows both gaps and gains."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.ranking import Ranker
from knowledge_base.similarity import space
from knowledge_base.similarity.estimate import cross_fitted, estimate_gain
from knowledge_base.similarity.extended import Extended
from suggest_api.cli import build as command_line
from suggest_api.coverage import repository
from suggest_api.coverage.model import Unanswered, asked_key
from suggest_api.storage import unit_of_work
from suggest_api.values import Abstention, Use
from tests.fixtures_generation import build, revision
from tests.fixtures_generation import larger_shop as revisions
from tests.integration.test_gaps import PARKING, VEGAN, asked, find

MORE_PARKING = (
    "any parking spaces near you",
    "how much is parking",
    "where do i leave the car",
    "is parking free",
    "car park opening hours",
    "do you have disabled parking",
)
ELSE = ("what is your favourite film", "who won the match", "how tall is the queen")


@pytest.fixture(scope="module")
def ranker(larger_shop: Home) -> Ranker:
    return publish.open_ranker(larger_shop)


def test_the_estimate_asks_nearly_what_a_real_build_would_answer(
    ranker: Ranker, tmp_path: Path
) -> None:
    phrasings = [*PARKING, *MORE_PARKING[:2]]
    extended = Extended.learn(ranker, phrasings, space.positions(ranker, phrasings))
    new = revision("new.parking", title="", text="", examples=phrasings, revision_id=900)
    built = build(Home.at(tmp_path / "home"), [*revisions(), new], ranker.encoder)
    real = Ranker(built, ranker.encoder)
    questions = [*MORE_PARKING[2:], *VEGAN, *ELSE, "when do you open", "i forgot my password"]
    vectors = space.positions(ranker, questions)
    agreeing = 0
    for question, vector in zip(questions, vectors, strict=True):
        ranking = real.rank([question], limit=1)
        truly = not ranking.abstained and ranking.candidates[0].snippet_key == new.key
        agreeing += extended.answers(question, vector) == truly
    assert agreeing >= len(questions) - 2


def test_what_has_nothing_to_do_with_it_is_not_answered(ranker: Ranker) -> None:
    extended = Extended.learn(ranker, list(PARKING), space.positions(ranker, PARKING))
    for question in ("when do you open", "i forgot my password", *ELSE[:2]):
        assert not extended.answers(question, space.positions(ranker, [question])[0])


def test_a_gap_that_means_one_thing_brings_more_than_one_that_means_nothing(
    ranker: Ranker,
) -> None:
    parking = [*PARKING, *MORE_PARKING]
    one = cross_fitted(ranker, parking, space.positions(ranker, parking))
    nothing = (*ELSE, "the moon is made of cheese", "play some jazz", "seven times eight")
    other = cross_fitted(ranker, nothing, space.positions(ranker, nothing))
    assert one is not None
    assert other is not None
    assert one > 0.3
    assert one > other
    few = cross_fitted(ranker, PARKING[:3], space.positions(ranker, PARKING[:3]))
    assert few is None


def test_the_estimate_counts_its_own_and_others_questions(ranker: Ranker) -> None:
    report = find(ranker, [*asked(ELSE), *asked((*PARKING, *MORE_PARKING))])
    largest, *others = report.gaps
    gain = estimate_gain(ranker, largest, others)
    assert gain.gap_id == largest.gap_id
    assert gain.asked == sum(gap.volume for gap in report.gaps)
    assert gain.inside.total == largest.volume
    assert gain.inside.low is not None
    assert gain.inside.value is not None
    assert 0 <= gain.inside.low <= gain.inside.value
    assert gain.weekly == pytest.approx(gain.inside.value * largest.this_week / 2, abs=1)
    assert estimate_gain(ranker, largest, others) == gain
    small = estimate_gain(ranker, others[-1], [largest])
    assert small.inside.total == 0
    assert small.inside.value is None


@pytest.fixture
def home_with_questions(
    sqlite_engine: Engine, larger_shop: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLINE_HOME", str(larger_shop.root))
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", str(sqlite_engine.url))
    now = datetime.now(UTC)
    with unit_of_work.write(sqlite_engine) as session:
        for number, words in enumerate((*PARKING, *MORE_PARKING)):
            question = Unanswered(
                asked_key=asked_key(words, within=str(number)),
                question=words,
                channel="generic",
                locale="en",
                use=Use.AGENT,
                build_id="b",
                reason=Abstention.NO_CONFIDENT_MATCH,
                confidence=None,
                asked_at=now - timedelta(days=number),
            )
            repository.add(session, question)


@pytest.mark.usefixtures("home_with_questions")
def test_the_command_shows_the_gaps_and_exits_with_nought() -> None:
    words = ["kb", "coverage", "--json", "--estimate"]
    result = CliRunner().invoke(command_line(words), words)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["questions"] == 12
    gap = report["gaps"][0]
    assert gap["volume"] >= 8
    assert gap["gain"]["inside"]["total"] == gap["volume"]
    assert gap["this_week"] >= 1
    assert set(gap["phrasings"]) <= {*PARKING, *MORE_PARKING}
    plain = CliRunner().invoke(command_line(words), ["kb", "coverage", "--days", "3"])
    assert plain.exit_code == 0
    assert "questions without a suggestion in 3 days" in plain.output


@pytest.mark.usefixtures("home_with_questions")
def test_a_wrong_number_of_days_is_a_wrong_call() -> None:
    words = ["kb", "coverage", "--days", "0"]
    assert CliRunner().invoke(command_line(words), words).exit_code == 2


def test_without_a_generation_the_command_says_so(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", str(sqlite_engine.url))
    words = ["kb", "coverage", "--json"]
    result = CliRunner().invoke(command_line(words), words)
    assert result.exit_code == 1
    assert "kb build" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("number", [2, 5, 12])
def test_the_place_that_is_learnt_is_the_optimum(ranker: Ranker, number: int) -> None:
    """A few phrasings against many rows: its own come out likely, the others' not, however few there are."""
    phrasings = [*PARKING, *MORE_PARKING][:number]
    own = space.positions(ranker, phrasings)
    extended = Extended.learn(ranker, phrasings, own)
    mine = extended.head.log_probabilities(own)
    theirs = extended.head.log_probabilities(np.asarray(ranker.generation.vectors))
    assert mine is not None
    assert theirs is not None
    assert (np.exp(mine[:, -1]) > 0.5).all()
    assert float(np.exp(theirs[:, -1]).sum()) < number
