"""From unanswered questions to gaps and a snippet begun from one, with a real encoder and generation."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.ranking import Ranker
from knowledge_base.similarity.gaps import Asked, GapReport, choose_phrasings, find_gaps
from knowledge_base.similarity.prefill import prefill
from knowledge_base.snippet import KEY_PATTERN
from tests.conftest import NOW

PARKING = (
    "is there parking at your shops",
    "where can i park my car",
    "do you have a car park",
    "where do customers park their cars",
    "parking for customers?",
    "is the car park free of charge",
)
VEGAN = (
    "do you repair broken lamps",
    "can you fix my lamp",
    "is there a repair service for lamps",
)


@pytest.fixture(scope="module")
def ranker(larger_shop: Home) -> Ranker:
    return publish.open_ranker(larger_shop)


def asked(texts: tuple[str, ...], *, days_ago: float = 1, agent: bool = True) -> list[Asked]:
    return [
        Asked(
            text=text,
            at=NOW - timedelta(days=days_ago, minutes=len(texts) - place),
            agent=agent,
            channel="generic",
            locale="en",
        )
        for place, text in enumerate(texts)
    ]


def find(ranker: Ranker, questions: list[Asked], **more: object) -> GapReport:
    since: datetime = NOW - timedelta(days=30)
    return find_gaps(ranker, questions, since=since, until=NOW, **more)  # type: ignore[arg-type]


def test_questions_that_mean_the_same_are_one_gap_largest_first(ranker: Ranker) -> None:
    report = find(ranker, [*asked(VEGAN), *asked(PARKING)])
    assert [set(gap.examples) <= set(PARKING) for gap in report.gaps[:2]] == [True, False]
    assert report.gaps[0].volume == 6
    assert [gap.volume for gap in report.gaps] == sorted(
        (g.volume for g in report.gaps), reverse=True
    )
    assert sum(gap.volume for gap in report.gaps) + report.answered_now == report.questions == 9


def test_a_question_that_is_answered_by_now_is_in_no_gap(ranker: Ranker) -> None:
    report = find(
        ranker, [*asked(PARKING), *asked(("are you open on sunday", "when do you open"))]
    )
    assert report.answered_now == 2
    assert all("open" not in example for gap in report.gaps for example in gap.examples)


def test_what_may_not_be_offered_answers_nothing(ranker: Ranker) -> None:
    report = find(ranker, asked(("when do you open",)), eligible=lambda _keys: ())
    assert (report.answered_now, len(report.gaps)) == (0, 1)


def test_weeks_and_first_and_last_are_counted(ranker: Ranker) -> None:
    questions = [
        *asked(PARKING[:1], days_ago=20),
        *asked(PARKING[1:3], days_ago=9),
        *asked(PARKING[3:], days_ago=2, agent=False),
    ]
    gap = find(ranker, questions).gaps[0]
    assert (gap.volume, gap.this_week, gap.week_before, gap.trend) == (6, 3, 2, 1)
    assert (gap.first_seen, gap.last_seen) == (questions[0].at, questions[-1].at)
    assert (gap.by_agents, gap.channels, gap.locale) == (3, ("generic",), "en")


def test_the_same_questions_give_the_same_report_and_ids_stay(ranker: Ranker) -> None:
    first = find(ranker, asked(PARKING))
    assert find(ranker, asked(PARKING)) == first
    more = find(ranker, [*asked(PARKING), *asked(("park my van?",), days_ago=0.5)])
    assert more.gap(first.gaps[0].gap_id) is not None
    assert more.gap("nothing") is None


def test_nothing_asked_is_no_gap(ranker: Ranker) -> None:
    assert find(ranker, []).gaps == ()


def test_marks_do_not_show_in_phrasings_but_in_examples(ranker: Ranker) -> None:
    gap = find(ranker, asked(("where can ⟨name⟩ park the car", *PARKING))).gaps[0]
    assert not any("⟨" in phrasing for phrasing in gap.phrasings)


def test_phrasings_differ(ranker: Ranker) -> None:
    gap = find(ranker, asked((*PARKING, *(text.upper() + "!" for text in PARKING)))).gaps[0]
    assert gap.volume == 12
    assert len({phrasing.casefold().strip("?!") for phrasing in gap.phrasings}) == len(
        gap.phrasings
    )
    assert len(gap.phrasings) <= 6


def test_a_snippet_is_begun_from_a_gap_without_a_text(ranker: Ranker) -> None:
    gap = find(ranker, asked(PARKING)).gaps[0]
    topics = {"stores.hours": "stores", "returns.how": "returns"}
    begun = prefill(ranker, gap, topics=topics, taken={"stores.hours"})
    assert begun.topic == "stores"
    assert begun.key.startswith("stores.")
    assert "park" in begun.key
    assert KEY_PATTERN.fullmatch(begun.key)
    assert begun.examples == gap.phrasings
    assert begun.locale == "en"
    assert not hasattr(begun, "text")
    again = prefill(ranker, gap, topics=topics, taken={begun.key})
    assert again.key == f"{begun.key}_2"


def test_a_snippet_can_be_begun_where_no_neighbour_has_a_topic(ranker: Ranker) -> None:
    gap = find(ranker, asked(("¿¿¿ ⟨order⟩ ñandú???",))).gaps[0]
    begun = prefill(ranker, gap, topics={}, taken=())
    assert KEY_PATTERN.fullmatch(begun.key)
    assert begun.topic == ""


def test_phrasings_are_chosen_far_from_each_other() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 2]]
    assert sorted(choose_phrasings(["a", "b", "c", "d"], vectors)) == [0, 2, 3]
    assert choose_phrasings([], np.zeros((0, 4), np.float32)) == ()
    assert len(choose_phrasings(["a", "b", "c", "d"], vectors, most=2)) == 2
