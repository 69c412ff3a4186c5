"""Similar snippets while writing, and the report of duplicates, on a real database, encoder and generation."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from knowledge_base import publish
from knowledge_base.cli import kb_app
from knowledge_base.home import Home
from knowledge_base.ranking import Ranker
from knowledge_base.similarity.alike import find_similar, open_revisions
from knowledge_base.similarity.duplicates import find_duplicates
from knowledge_base.snippet import SnippetContent, Status
from knowledge_base.store import migrate, repository
from knowledge_base.store.engine import open_engine, read_session, write_session
from tests.conftest import NOW
from tests.fixtures_generation import CONTENT, exported_home
from tests.starter_policy import starter_policy

TWIN = SnippetContent(
    key="returns.period",
    title="Sending something back",
    text="You can return anything within 28 days. Start in the app under Orders.",
    examples=(
        "how can i send this back",
        "i want to return a dress",
        "what is the return process",
    ),
)
GERMAN = SnippetContent(
    key="returns.german",
    title="Returning something",
    text="You can return anything within 30 days. Start in the app under Orders.",
    examples=("how do i send this back", "want to return my boots", "return process?"),
    locale="de",
)
PARKING = SnippetContent(
    key="stores.parking",
    title="Parking",
    text="Most shops have a car park behind the building.",
    examples=("where can i park my car", "is there a car park", "do you have parking"),
)


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, encoders: Path
) -> Iterator[tuple[Home, Engine, Ranker]]:
    home = exported_home(Path(tmp_path_factory.mktemp("similar")) / "home", encoders)
    engine = open_engine(home.database_url)
    migrate.upgrade(engine)
    policy = starter_policy()
    with write_session(engine) as session:
        for content in (*small_shop(), TWIN, GERMAN):
            made = repository.add_revision(session, content, author="Ana", now=NOW)
            repository.submit(session, made.id, by="Ana", now=NOW)
            repository.approve(session, made.id, by="Noor", now=NOW, policy=policy)
    publish.build(home, engine, now=NOW)
    yield home, engine, publish.open_ranker(home)
    engine.dispose()


def small_shop() -> list[SnippetContent]:
    return [
        SnippetContent(key=key, title=title, text=text, examples=examples)
        for key, (title, text, examples) in CONTENT.items()
    ]


@pytest.fixture
def session(shop: tuple[Home, Engine, Ranker]) -> Iterator[Session]:
    with read_session(shop[1]) as opened:
        yield opened


@pytest.fixture
def ranker(shop: tuple[Home, Engine, Ranker]) -> Ranker:
    return shop[2]


def test_another_answer_to_the_same_question_is_found_with_the_words_that_contradict(
    session: Session, ranker: Ranker
) -> None:
    found = find_similar(session, ranker, TWIN)
    assert (found[0].key, found[0].sort) == ("returns.how", "contradiction")
    (clash,) = found[0].alikeness.clashes
    assert (clash.one, clash.other) == ("28 days", "30 days")
    assert found[0].revision.status is Status.APPROVED


def test_the_same_answer_is_a_duplicate(session: Session, ranker: Ranker) -> None:
    content = SnippetContent(
        key="new.returns",
        text="Anything can be returned within 30 days: start under Orders in the app.",
        examples=("how do i return this", "can i send back a dress", "want to give boots back"),
    )
    sorts = {one.key: one.sort for one in find_similar(session, ranker, content)}
    assert sorts["returns.how"] == "duplicate"
    assert sorts["returns.period"] == "contradiction"


def test_itself_its_variants_and_other_languages_are_left_out(
    session: Session, ranker: Ranker
) -> None:
    content = small_shop()[0]
    variant = SnippetContent(key="returns.how~short", text=content.text, examples=content.examples)
    for one in (content, variant):
        keys = {s.key for s in find_similar(session, ranker, one)}
        assert keys.isdisjoint({"returns.how", "returns.german"})


def test_another_channel_does_not_compete(session: Session, ranker: Ranker) -> None:
    plain = {"key": "new.returns", "text": TWIN.text, "examples": TWIN.examples}
    open_ = SnippetContent(**plain, channels=("instagram",))  # type: ignore[arg-type]
    assert find_similar(session, ranker, open_)[0].sort != "related"


def test_what_is_new_is_like_nothing(session: Session, ranker: Ranker) -> None:
    assert all(one.sort == "related" for one in find_similar(session, ranker, PARKING))


def test_a_content_that_is_only_begun_can_be_compared(session: Session, ranker: Ranker) -> None:
    begun = SnippetContent(key="new", title="How to return something", text="")
    assert "returns.how" in {one.key for one in find_similar(session, ranker, begun)}
    assert find_similar(session, ranker, SnippetContent(key="new", text="")) is not None


def test_drafts_of_others_are_compared_when_asked_for(
    shop: tuple[Home, Engine, Ranker], ranker: Ranker
) -> None:
    with write_session(shop[1]) as session:
        nested = session.begin_nested()
        repository.add_revision(session, PARKING, author="Kim", now=NOW)
        beside = open_revisions(session, but="new.parking")
        content = SnippetContent(
            key="new.parking",
            text="There is no car park behind the building.",
            examples=("can i park my car somewhere", "is there parking", "where is the car park"),
        )
        found = find_similar(session, ranker, content, beside=beside)
        nested.rollback()
    assert (found[0].key, found[0].sort) == ("stores.parking", "contradiction")
    assert found[0].revision.status is Status.DRAFT


def test_the_report_finds_the_pair_and_nothing_else(session: Session, ranker: Ranker) -> None:
    report = find_duplicates(session, ranker)
    assert [(p.one.key, p.other.key, p.alikeness.sort) for p in report.pairs] == [
        ("returns.how", "returns.period", "contradiction")
    ]
    assert (report.snippets, report.missing) == (7, ())
    assert json.loads(json.dumps(report.to_json()))["pairs"][0]["clashes"][0]["one"] == "30 days"


def test_the_command_reports_and_exits_with_one(
    shop: tuple[Home, Engine, Ranker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLINE_HOME", str(shop[0].root))
    monkeypatch.delenv("FIRSTLINE_DATABASE_URL", raising=False)
    plain = CliRunner().invoke(kb_app, ["duplicates"])
    assert plain.exit_code == 1
    assert "1 contradictions, 0 duplicates" in plain.output
    as_json = CliRunner().invoke(kb_app, ["duplicates", "--json"])
    assert as_json.exit_code == 1
    assert len(json.loads(as_json.stdout)["pairs"]) == 1


def test_comparing_takes_little_beyond_encoding(session: Session, ranker: Ranker) -> None:
    find_similar(session, ranker, TWIN)  # encoded from here on
    started = time.perf_counter()
    for _ in range(10):
        find_similar(session, ranker, TWIN)
    assert time.perf_counter() - started < 5  # a guard with a generous margin, not a measurement
