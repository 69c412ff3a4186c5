"""What the ranker makes of a conversation: turns that only state something, known facts, the topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.home import Home
from knowledge_base.ranking import Context, Ranker, Ranking, query, scoring
from knowledge_base.ranking.context import FILLED, TOPIC, UNFILLED, Surroundings
from knowledge_base.snippet import Revision
from tests.fixtures_generation import WordHashEncoder, build, revision, shop

ORDER = "QH-1048213"
KNOWN = Context(facts={"order_number": ORDER, "first_name": "Ana"})


def _with_an_order() -> list[Revision]:
    """The shop, with an answer to a late parcel for when its order is known and one for when it is not."""
    named = revision(
        "delivery.late_order",
        title="Late delivery",
        text="I am asking about order {order_number}.",
        examples=("my parcel is late", "my order is late again"),
        revision_id=8,
    )
    asking = revision(
        "delivery.late",
        title="Late delivery",
        text="Please send us your order number.",
        examples=("my parcel is late", "where is my parcel today"),
        revision_id=9,
    )
    others = [r for r in shop() if r.key != "delivery.late"]
    return [*others, *(_about(r, "delivery") for r in (named, asking))]


def _about(one: Revision, topic: str) -> Revision:
    return replace(one, content=replace(one.content, topic=topic))


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Ranker:
    home = Home.at(tmp_path_factory.mktemp("home"))
    return Ranker(build(home, _with_an_order(), WordHashEncoder()), WordHashEncoder())


def _keys(ranker: Ranker, said: Sequence[str], context: Context | None = None) -> list[str]:
    return [c.snippet_key for c in ranker.rank(said, limit=10, context=context).candidates]


def test_a_snippet_that_the_known_facts_fill_comes_before_one_that_they_do_not(
    ranker: Ranker,
) -> None:
    known = _keys(ranker, ["my parcel is late"], KNOWN)
    unknown = _keys(ranker, ["my parcel is late"], Context())
    assert known.index("delivery.late_order") < known.index("delivery.late")
    assert unknown.index("delivery.late") < unknown.index("delivery.late_order")


def test_a_question_by_itself_is_ranked_as_ever(ranker: Ranker) -> None:
    nothing = Surroundings(ranker.generation.rows.snippets)
    alone = ranker.rank(["my parcel is late"], limit=10)
    neutral = Context(facts={"order_number": ORDER, "first_name": "Ana"}, topic="of no snippet")
    assert nothing.scores(neutral).max() == FILLED
    assert (
        alone.candidates == ranker.rank(["my parcel is late"], limit=10, context=None).candidates
    )


def test_a_known_order_does_not_turn_another_question_into_one_about_it(ranker: Ranker) -> None:
    assert _keys(ranker, ["are you open on sunday"], KNOWN)[0] == "stores.hours"


def test_the_topic_tips_the_balance_and_no_more(ranker: Ranker) -> None:
    vague = ranker.rank(["when"], limit=10, context=Context(facts=KNOWN.facts))
    about = replace(KNOWN, topic="delivery")
    told = ranker.rank(["when"], limit=10, context=about)

    def confidence(key: str, ranking: Ranking) -> float:
        return next(c.confidence for c in ranking.candidates if c.snippet_key == key)

    assert confidence("delivery.late", told) > confidence("delivery.late", vague)
    assert _keys(ranker, ["are you open on sunday"], about)[0] == "stores.hours"


def test_what_each_snippet_gets(ranker: Ranker) -> None:
    snippets = ranker.generation.rows.snippets
    added = Surroundings(snippets).scores(replace(KNOWN, topic="delivery"))
    got = {s.key: round(float(a), 6) for s, a in zip(snippets, added, strict=True)}
    assert got["delivery.late_order"] == FILLED + TOPIC
    assert got["delivery.late"] == TOPIC
    assert got["stores.hours"] == 0.0
    missing = Surroundings(snippets).scores(Context())
    assert missing[[s.key for s in snippets].index("delivery.late_order")] == UNFILLED


@given(
    total=st.lists(st.floats(-30, 0), min_size=1, max_size=20),
    context=st.lists(st.floats(-2, 4), min_size=20, max_size=20),
)
@settings(max_examples=50)
def test_the_context_leaves_alone_how_likely_any_answer_is(
    total: list[float], context: list[float]
) -> None:
    size = len(total)
    hits = scoring.Hits(np.arange(size), np.zeros(size, np.float32))
    score = partial(
        scoring.score,
        hits,
        snippet=np.arange(size, dtype=np.int32),
        counts=np.ones(size, np.int64),
        log_head=np.array(total),
    )
    without, with_it = score(), score(context=np.array(context[:size]))
    assert np.logaddexp.reduce(with_it.total) == pytest.approx(
        np.logaddexp.reduce(without.total), abs=1e-9
    )


@pytest.mark.parametrize(
    "stating",
    [
        ORDER,
        "1048213",
        "#1048213",
        "its qh1048213",
        "Order number: QH-1048213, thanks!",
        "here you are: qh 1048213",
        "yes please",
        "ok",
    ],
)
def test_a_turn_that_only_states_something_leaves_its_place_to_the_question(
    ranker: Ranker, stating: str
) -> None:
    assert query.weighted(["my parcel is late", stating]) == [(1.0, "my parcel is late")]
    asked = ranker.rank(["my parcel is late"], limit=3).candidates
    assert ranker.rank(["my parcel is late", stating], limit=3).candidates == asked


@pytest.mark.parametrize(
    ("said", "looked_up"),
    [
        ("cancel QH-1048213", "cancel"),
        ("where is order qh1048213 please", "where is order please"),
        ("no refund yet", "no refund yet"),
        ("QH-1048213", "QH-1048213"),
        ("ok", "ok"),
        ("the 7 digits are 12345678", "the 7 digits are 12345678"),
    ],
)
def test_whatever_else_is_said_is_looked_up_without_the_number(said: str, looked_up: str) -> None:
    assert query.weighted([said])[0] == (1.0, looked_up)


def test_a_number_after_nothing_or_a_sign_alone_is_still_no_question() -> None:
    assert query.why_unanswerable(["1048213"]) == query.NO_WORDS
    assert query.why_unanswerable(["👍", "1048213"]) == query.NO_WORDS
    assert query.why_unanswerable(["where is my parcel", "👍"]) == query.NO_WORDS
    assert query.why_unanswerable(["where is my parcel", "1048213"]) is None


def test_the_product_is_one_more_turn_unless_it_was_just_named() -> None:
    plain = [(1.0, "is it dimmable")]
    assert query.weighted(["is it dimmable"], product="Fern lamp") == [
        *plain,
        (query.PRODUCT, "Fern lamp"),
    ]
    named = ["is the fern lamp dimmable"]
    assert query.weighted(named, product="Fern lamp") == [(1.0, named[0])]
    assert query.weighted(["is it dimmable"], product=" ") == plain


@given(st.text(max_size=80), st.text(max_size=30))
@settings(max_examples=100)
def test_any_turn_and_any_product_give_turns_with_words(said: str, product: str) -> None:
    if query.why_unanswerable([said]) is None:
        turns = query.weighted([said], product=product)
        assert turns[0][0] == 1.0
        assert all(text and "\n" not in text for _, text in turns)


def test_a_million_digits_and_signs_are_read_in_no_time() -> None:
    said = "#" * 5_000 + "qh-" * 5_000 + "1" * 10_000
    assert query.weighted(["my parcel is late", said])
