"""The ranker on small knowledge bases: order, eligibility, confidence, and silence with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from knowledge_base.home import Home
from knowledge_base.index.rows import RowRef
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.fitting import wants_head
from knowledge_base.snippet import Revision
from tests.fixtures_generation import WordHashEncoder, build, revision, shop


def _ranker(folder: Path, revisions: Sequence[Revision]) -> Ranker:
    return Ranker(build(Home.at(folder), revisions, WordHashEncoder()), WordHashEncoder())


@pytest.fixture
def ranker(tmp_path: Path) -> Ranker:
    return _ranker(tmp_path, shop())


def test_a_phrasing_finds_its_own_snippet_and_names_it(ranker: Ranker) -> None:
    ranking = ranker.rank(["are you open on sunday"], limit=3)
    first = ranking.candidates[0]
    assert first.snippet_key == "stores.hours"
    assert first.revision_id == 3
    assert first.matched == RowRef("example", 1)
    assert not ranking.abstained
    assert ranking.reason is None
    assert ranking.build_id == ranker.build_id


def test_candidates_come_best_first_and_no_more_than_asked_for(ranker: Ranker) -> None:
    for limit in (1, 2, 3, 5, 50):
        candidates = ranker.rank(["where is my parcel"], limit=limit).candidates
        assert len(candidates) == min(limit, 5)
        assert len({c.snippet_key for c in candidates}) == len(candidates)
        scores = [c.score for c in candidates]
        confidences = [c.confidence for c in candidates]
        assert scores == sorted(scores, reverse=True)
        assert confidences == sorted(confidences, reverse=True)
        assert all(0.0 <= c <= 1.0 for c in confidences)


def test_the_same_question_gives_the_same_answer_to_the_last_bit(ranker: Ranker) -> None:
    one, other = (ranker.rank(["gift card balance??"], limit=5) for _ in range(2))
    assert one.candidates == other.candidates


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "nothing_asked"),
        ([""], "nothing_asked"),
        (["   \n"], "nothing_asked"),
        (["👍"], "no_words"),
        (["😡😡😡"], "no_words"),
        (["1048213"], "no_words"),
        (["?!"], "no_words"),
        (["https://quillhaven.example.com/returns"], "no_words"),
        (["www.example.com/a?b=c 👍"], "no_words"),
        (["where is my parcel", "👍"], "no_words"),
    ],
)
def test_without_words_it_abstains_and_says_why(
    ranker: Ranker, messages: list[str], reason: str
) -> None:
    ranking = ranker.rank(messages, limit=3)
    assert ranking.abstained
    assert ranking.reason == reason
    assert ranking.candidates == ()


@pytest.mark.parametrize(
    "message",
    ["a" * 10_000, "help " * 2_000, "\ud800 where", "a\x00b", "配達はいつ届きますか", "x"],
)
def test_odd_messages_get_an_answer_or_a_reason(ranker: Ranker, message: str) -> None:
    ranking = ranker.rank([message.encode("utf-8", "replace").decode()], limit=3)
    assert ranking.abstained is (ranking.reason is not None)


def test_words_of_no_snippet_are_left_unanswered(ranker: Ranker) -> None:
    ranking = ranker.rank(["zebra quantum festival umbrella"], limit=3)
    assert ranking.abstained
    assert ranking.reason == "low_confidence"
    assert ranking.candidates[0].confidence < ranking.threshold


def test_only_eligible_snippets_come_back(ranker: Ranker) -> None:
    asked: list[str] = []

    def eligible(keys: Sequence[str]) -> set[str]:
        asked.extend(keys)
        return {"praise.thanks", "returns.how"}

    ranking = ranker.rank(["are you open on sunday"], limit=3, eligible=eligible)
    assert {c.snippet_key for c in ranking.candidates} == {"praise.thanks", "returns.how"}
    assert set(asked) == {r.key for r in shop()}


def test_the_next_best_is_not_made_right_by_the_best_being_ineligible(ranker: Ranker) -> None:
    ranking = ranker.rank(
        ["are you open on sunday"], limit=3, eligible=lambda keys: set(keys) - {"stores.hours"}
    )
    assert ranking.abstained
    assert ranking.reason == "low_confidence"


def test_nothing_eligible_is_a_reason_of_its_own(ranker: Ranker) -> None:
    ranking = ranker.rank(["are you open"], limit=3, eligible=lambda _keys: ())
    assert (ranking.abstained, ranking.reason) == (True, "nothing_eligible")


def test_the_assistant_needs_at_least_the_confidence_that_an_agent_needs(ranker: Ranker) -> None:
    agent = ranker.rank(["are you open on sunday"], limit=1)
    assistant = ranker.rank(["are you open on sunday"], limit=1, use="assistant")
    assert assistant.threshold >= agent.threshold
    assert assistant.candidates == agent.candidates


def test_an_earlier_message_decides_where_the_last_one_leaves_it_open(ranker: Ranker) -> None:
    about_cards = ranker.rank(["gift card balance??", "and how do i see that"], limit=5)
    about_parcels = ranker.rank(["where is my parcel", "and how do i see that"], limit=5)

    def place(key: str, ranking_keys: list[str]) -> int:
        return ranking_keys.index(key)

    cards = [c.snippet_key for c in about_cards.candidates]
    parcels = [c.snippet_key for c in about_parcels.candidates]
    assert place("delivery.late", parcels) <= place("delivery.late", cards)
    assert place("gift_cards.balance", cards) <= place("gift_cards.balance", parcels)


def test_a_new_question_is_not_drowned_by_the_earlier_ones(ranker: Ranker) -> None:
    messages = ["where is my parcel", "my order is late", "are you open on sunday"]
    assert ranker.rank(messages, limit=1).candidates[0].snippet_key == "stores.hours"


def test_one_snippet_alone_answers_its_own_question_and_no_other(tmp_path: Path) -> None:
    ranker = _ranker(tmp_path, shop()[2:3])
    assert not ranker.rank(["are you open on sunday"], limit=3).abstained
    ranking = ranker.rank(["zebra quantum festival umbrella"], limit=3)
    assert (ranking.abstained, ranking.reason) == (True, "low_confidence")


def test_one_snippet_without_title_and_phrasings_can_be_found(tmp_path: Path) -> None:
    ranker = _ranker(tmp_path, [revision("only", text="Our shops open at nine.")])
    ranking = ranker.rank(["Our shops open at nine."], limit=3)
    assert ranking.candidates[0].matched == RowRef("text", 0)
    assert ranker.calibration.agent.basis == "prior"


def test_snippets_without_phrasings_are_served_beside_others(tmp_path: Path) -> None:
    bare = revision("parking", title="Parking garage", text="Free parking garage behind us.")
    ranker = _ranker(tmp_path, [*shop(), bare])
    ranking = ranker.rank(["free parking garage"], limit=3)
    assert ranking.candidates[0].snippet_key == "parking"


def test_two_snippets_with_the_same_phrasings_share_the_confidence(tmp_path: Path) -> None:
    twin = shop()[2]
    copy = revision(
        "stores.zz",
        title=twin.content.title,
        text=twin.content.text,
        examples=twin.content.examples,
    )
    ranking = _ranker(tmp_path, [*shop(), copy]).rank(["are you open on sunday"], limit=3)
    first, second = ranking.candidates[:2]
    assert {first.snippet_key, second.snippet_key} == {"stores.hours", "stores.zz"}
    assert second.confidence == pytest.approx(first.confidence, rel=0.05)


def test_two_identical_snippets_alone_come_in_order_of_key(tmp_path: Path) -> None:
    ranker = _ranker(
        tmp_path, [revision("b", text="same words"), revision("a", text="same words")]
    )
    keys = [c.snippet_key for c in ranker.rank(["same words"], limit=3).candidates]
    assert keys == ["a", "b"]


def test_a_snippet_without_any_row_does_not_break_the_others(tmp_path: Path) -> None:
    ranker = _ranker(tmp_path, [*shop(), revision("slot.only", text="{product}")])
    assert (
        ranker.rank(["are you open on sunday"], limit=1).candidates[0].snippet_key
        == "stores.hours"
    )


@pytest.mark.parametrize(
    ("rows", "examples", "snippets", "wanted"),
    [
        (7, 5, 1, False),
        (14, 10, 2, True),
        (25, 5, 10, True),
        (24, 4, 10, False),
        (10**6, 10**6, 10**5, False),
    ],
)
def test_a_head_is_trained_only_where_it_can_learn(
    rows: int, examples: int, snippets: int, wanted: bool
) -> None:
    assert wants_head(rows, examples, snippets) is wanted


def test_a_snippet_with_few_phrasings_is_not_drowned_by_one_with_many(tmp_path: Path) -> None:
    """The number of phrasings says who wrote some, not what is asked."""
    many = tuple(f"where is the parcel number {n} of mine" for n in range(60))
    parcels = revision("parcels", title="Parcels", text="We look for it.", examples=many)
    lamps = revision(
        "lamps", title="Lamp parcel", text="We look at it.", examples=("a dark lamp",)
    )
    ranker = _ranker(tmp_path, [*shop(), parcels, lamps])
    # At the centre of all rows, where no snippet is near, the head would guess the one with the most rows.
    guess = ranker._head.log_probabilities(np.zeros(len(ranker._head.centre), np.float32))
    assert guess is not None
    keys = [snippet.key for snippet in ranker._generation.rows.snippets]
    assert guess[keys.index("parcels")] < guess.mean()
    asked = ranker.rank(["my lamp is dark"], limit=1)
    assert asked.candidates[0].snippet_key == "lamps"


def test_one_phrasing_each_is_enough_for_a_head(tmp_path: Path) -> None:
    snippets = [revision(key, text=key, examples=(f"about {key}",)) for key in "abcdefghijklmnop"]
    ranker = _ranker(tmp_path, snippets)
    assert ranker._head.trained
    assert ranker.rank(["about c"], limit=1).candidates[0].snippet_key == "c"


def test_timings_are_reported(ranker: Ranker) -> None:
    timings = ranker.rank(["are you open"], limit=1).timings
    assert timings.encode > 0
    assert timings.search > 0
    assert timings.rank > 0
