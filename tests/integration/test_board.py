"""The board and the review queue: where snippets stand, filters, search, paging; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from knowledge_base.curation import authoring
from knowledge_base.curation.board import PAGE_SIZE, Board, BoardFilter, Column, board, choices
from knowledge_base.curation.queue import review_queue
from knowledge_base.curation.verification import reverify
from knowledge_base.policy import Policy
from knowledge_base.snippet import Revision, SnippetContent
from knowledge_base.store import repository, review
from knowledge_base.store.engine import read_session, write_session
from tests.conftest import NOW
from tests.starter_policy import starter_policy

LATER = NOW + timedelta(days=80)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return starter_policy()


def content(key: str, text: str = "We open at nine.", **more) -> SnippetContent:
    return SnippetContent(key=key, text=text, **more)


class Team:
    """Writes, submits, approves and publishes in one engine."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self.engine, self.policy = engine, policy

    def draft(self, wanted: SnippetContent, *, author: str = "ana") -> Revision:
        with write_session(self.engine) as session:
            return repository.add_revision(session, wanted, author=author, now=NOW)

    def submitted(self, wanted: SnippetContent, *, author: str = "ana") -> Revision:
        draft = self.draft(wanted, author=author)
        with write_session(self.engine) as session:
            return authoring.submit(session, draft.id, by=author, now=NOW, policy=self.policy)

    def approved(self, wanted: SnippetContent) -> Revision:
        waiting = self.submitted(wanted)
        with write_session(self.engine) as session:
            return repository.approve(session, waiting.id, by="tomas", now=NOW, policy=self.policy)

    def live(self, *wanted: SnippetContent) -> None:
        ids = [self.approved(each).id for each in wanted]
        with write_session(self.engine) as session:
            kept = [r.id for r in repository.all_live(session)]
            repository.go_live(session, [*kept, *ids])

    def board(self, page: int = 1, *, at=NOW, **filters) -> Board:
        with read_session(self.engine) as session:
            return board(session, BoardFilter(**filters), now=at, page=page)

    def keys(self, **filters) -> list[str]:
        return [card.key for card in self.board(**filters).cards]


@pytest.fixture
def team(engine: Engine, policy: Policy) -> Team:
    return Team(engine, policy)


@pytest.fixture
def stocked(team: Team) -> Team:
    team.draft(content("a.draft"))
    team.submitted(content("b.review", topic="safety"))
    team.approved(content("c.waiting"))
    team.live(content("d.live"), content("e.edited"), content("f.gone"))
    team.draft(content("e.edited", "We open at ten."))
    with write_session(team.engine) as session:
        repository.recall(session, "f.gone", by="tomas", reason="wrong", now=NOW)
    return team


def test_each_stands_in_its_column_and_one_may_stand_in_two(stocked: Team) -> None:
    found = {column: stocked.keys(column=column) for column in Column}
    assert found == {
        Column.ALL: ["a.draft", "b.review", "c.waiting", "d.live", "e.edited", "f.gone"],
        Column.DRAFT: ["a.draft", "e.edited"],
        Column.IN_REVIEW: ["b.review"],
        Column.WAITING: ["c.waiting"],
        Column.LIVE: ["d.live", "e.edited"],
        Column.DUE: [],
        Column.RETIRED: ["f.gone"],
    }
    assert stocked.board().counts == {column: len(keys) for column, keys in found.items()}
    shown = {card.key: card.revision.content.text for card in stocked.board().cards}
    assert shown["e.edited"] == "We open at nine."  # what customers get comes first


def test_due_ones_are_listed_with_their_date_until_read_again(stocked: Team) -> None:
    cards = stocked.board(column=Column.DUE, at=LATER).cards
    assert [card.key for card in cards] == ["d.live", "e.edited"]
    assert cards[0].due_at == NOW + timedelta(days=90)
    assert not cards[0].overdue
    with write_session(stocked.engine) as session:
        reverify(session, cards[0].revision.id, by="tomas", now=LATER, days=5)
        reverify(session, cards[0].revision.id, by="tomas", now=LATER)
    assert [c.key for c in stocked.board(column=Column.DUE, at=LATER).cards] == ["e.edited"]
    assert stocked.board(column=Column.LIVE, at=LATER).cards[0].due_at == LATER + timedelta(
        days=90
    )


def test_a_card_in_review_names_the_step_and_the_team(stocked: Team) -> None:
    with write_session(stocked.engine) as session:
        review.set_path(session, "safety", ["legal", "press"], by="ruth", now=NOW)
        waiting = review_queue(session, by="lena", teams=["legal"])[0]
        assert waiting.mine
        repository.approve(
            session, waiting.revision.id, by="lena", teams=["legal"], now=NOW,
            policy=stocked.policy,
        )  # fmt: skip
    card = stocked.board(column=Column.IN_REVIEW).cards[0]
    assert (card.path, card.waits_for) == (("legal", "press"), "press")
    assert [step.by for step in card.signed] == ["lena"]
    assert stocked.board(column=Column.DRAFT).cards[0].waits_for is None


def test_the_queue_says_what_one_may_decide_and_why_not(stocked: Team) -> None:
    stocked.submitted(content("z.mine"), author="lena")

    def told(by: str, *teams: str) -> list[tuple[str, bool, str]]:
        with read_session(stocked.engine) as session:
            found = review_queue(session, by=by, teams=teams)
        return [(w.revision.key, w.mine, w.why_not) for w in found]

    first, second = told("lena", "*")
    assert first == ("b.review", True, "")
    assert second[:2] == ("z.mine", False)
    assert "written by lena" in second[2]
    assert {mine for _, mine, _ in told("ana")} == {False}
    with write_session(stocked.engine) as session:
        review.set_path(session, "safety", ["legal"], by="ruth", now=NOW)
    assert [(key, mine) for key, mine, _ in told("max", "press")] == [
        ("z.mine", True),
        ("b.review", False),
    ]
    assert "waits for legal" in told("max", "press")[1][2]


def test_filters_all_hold(team: Team) -> None:
    team.draft(content("a", topic="shop", tags=("x_y", "new"), owner="Ana", channels=("sms",)))
    team.draft(content("b", topic="shop", tags=("xzy",), locale="de", auto_send=True), author="bo")
    team.draft(content("c", channels=("x",)))
    assert team.keys(topic="shop") == ["a", "b"]
    assert team.keys(topic="shop", tag="x_y") == ["a"]
    assert team.keys(tag="x") == []
    assert team.keys(owner="Ana") == team.keys(channel="sms", topic="shop", locale="en") == ["a"]
    assert team.keys(channel="sms") == ["a", "b"]
    assert team.keys(locale="de") == team.keys(author="bo") == team.keys(auto_send=True) == ["b"]
    assert team.keys(keys=["a", "c"]) == team.keys(without=["b"]) == ["a", "c"]
    assert team.keys(keys=[]) == []
    many = [f"not.there-{number}" for number in range(40_000)]  # more than a statement can bind
    assert (
        team.keys(without=[*many, 'it\'s "b"', "b"])
        == team.keys(keys=["a", *many, "c"])
        == ["a", "c"]
    )
    assert team.keys(written_before=NOW) == []
    with read_session(team.engine) as session:
        found = choices(session)
    assert (found.topics, found.owners) == (("shop",), ("Ana",))
    assert found.tags == ("new", "x_y", "xzy")
    assert (found.channels, found.locales, found.authors) == (
        ("sms", "x"), ("de", "en"), ("ana", "bo"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("REFUND", ["a"]),
        ("refund paid", ["a"]),
        ("refund nothing", []),
        ("shop.b", []),
        ("100%", ["b"]),
        ("%", ["b"]),
        ("_", []),
        ("\\", ["c"]),
        ('"quoted"', ["c"]),
        ("ÄRGER", ["c"]),
        ("ärger", ["c"]),
        ("'; DROP TABLE revision; --", []),
        ("' OR 1=1", []),
        ("   ", ["a", "b", "c"]),
        ("x" * 5000, []),
    ],
)
def test_words_are_found_wherever_they_stand_and_are_only_words(
    team: Team, words: str, found: list[str]
) -> None:
    team.draft(content("a", "Your refund was paid.", title="Refunds"))
    team.draft(content("b", "You save 100% of it."))
    team.draft(content("c", examples=('a "quoted" word', "back\\slash", "so ein Ärger")))
    assert team.keys(words=words) == found


def test_pages_follow_each_other_and_none_lies_beyond_the_last(team: Team) -> None:
    with write_session(team.engine) as session:
        for number in range(PAGE_SIZE + 3):
            wanted = content(f"k.{number:03}", f"Number {number}.")
            repository.add_revision(session, wanted, author="ana", now=NOW)
    first, second = team.board(), team.board(2)
    assert (first.pages, len(first.cards), len(second.cards)) == (2, PAGE_SIZE, 3)
    assert [c.key for c in (*first.cards, *second.cards)] == sorted(
        f"k.{number:03}" for number in range(PAGE_SIZE + 3)
    )
    assert team.board(99) == second
    assert team.board(-1) == first
    assert team.board(words="nothing like it") == replace(
        first, cards=(), counts=dict.fromkeys(Column, 0), pages=1
    )
