"""Snippets that say the same: found by the phrasings they share, and ranked as one answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from knowledge_base.home import Home
from knowledge_base.index.rows import collect
from knowledge_base.ranking import Ranker
from knowledge_base.ranking.variants import COMMON, find_variants
from knowledge_base.snippet import Revision
from tests.fixtures_generation import WordHashEncoder, build, revision, shop


def _found(*revisions: Revision) -> list[int]:
    return find_variants(*collect(revisions)).tolist()


def test_most_snippets_are_variants_of_themselves_alone() -> None:
    assert _found(*shop()) == [0, 1, 2, 3, 4]
    assert find_variants(*collect([])).tolist() == []


def test_half_of_the_smaller_ones_rows_make_a_variant() -> None:
    a = revision("a", text="Come by.", examples=("when do you open", "opening hours", "open now?"))
    same = revision("b", text="Drop in!", examples=("When do you OPEN", "opening hours", "open?"))
    other = revision("c", text="Hello.", examples=("opening hours", "who are you", "name please"))
    assert _found(a, same, other) == [0, 0, 2]


def test_variants_of_variants_are_all_one() -> None:
    chain = [
        revision(key, text=f"text {key}", examples=examples)
        for key, examples in (("a", ("one", "two")), ("b", ("two", "three")), ("c", ("three",)))
    ]
    assert _found(*chain) == [0, 1, 1]
    chain[0] = revision("a", text="text b", examples=("one", "two"))
    assert _found(*chain) == [0, 0, 0]


def test_snippets_that_share_a_key_up_to_the_tilde_are_variants() -> None:
    plain = revision("returns.how", text="Bring it back.", examples=("how do i return it",))
    formal = revision(
        "returns.how~formal", text="You may return it.", examples=("a return, please",)
    )
    other = revision("returns.how_long", text="30 days.", examples=("how long do i have",))
    assert _found(plain, formal, other) == [0, 1, 0]  # in the order of the keys


def test_words_that_very_many_snippets_share_tell_nothing() -> None:
    many = [revision(f"k{n:03}", text="Thank you!") for n in range(COMMON + 1)]
    assert _found(*many) == list(range(COMMON + 1))
    assert set(_found(*many[:3])) == {0}


def _with_a_variant(folder: Path) -> Ranker:
    hours = shop()[2]
    copy = revision(
        "stores.zz", title=hours.content.title, text="Nine.", examples=hours.content.examples
    )
    return Ranker(build(Home.at(folder), [*shop(), copy], WordHashEncoder()), WordHashEncoder())


def test_a_variant_does_not_lower_the_confidence_of_the_other(tmp_path: Path) -> None:
    alone = Ranker(
        build(Home.at(tmp_path / "a"), shop(), WordHashEncoder()), WordHashEncoder()
    ).rank(["are you open on sunday"], limit=3)
    both = _with_a_variant(tmp_path / "b").rank(["are you open on sunday"], limit=3)
    first, second = both.candidates[:2]
    assert {first.snippet_key, second.snippet_key} == {"stores.hours", "stores.zz"}
    assert first.confidence == second.confidence
    assert first.confidence > alone.candidates[0].confidence - 0.1
    assert not both.abstained


def test_the_variant_that_may_be_offered_has_the_confidence_of_both(tmp_path: Path) -> None:
    ranker = _with_a_variant(tmp_path)

    def eligible(keys: Sequence[str]) -> set[str]:
        return set(keys) - {"stores.hours"}

    every = ranker.rank(["are you open on sunday"], limit=3)
    some = ranker.rank(["are you open on sunday"], limit=3, eligible=eligible)
    assert some.candidates[0].snippet_key == "stores.zz"
    assert some.candidates[0].confidence == every.candidates[0].confidence
