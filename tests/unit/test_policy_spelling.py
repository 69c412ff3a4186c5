"""Spellings that sound alike are the same to the second look at a text, and others are not."""

from __future__ import annotations

import pytest

from knowledge_base.policy.lexis import vocabulary
from knowledge_base.policy.spelling import (
    NEAR,
    distance,
    heard_as,
    sound,
    swapped,
    unglued_by_frequency,
)

ALIKE = (
    *("mention menshun", "mission misshun", "physician physishun", "watch wach", "school skool"),
    *("phone fone", "precious preshs", "ambitious ambishs", "special speshl", "night nite"),
    *("potential potenshl", "budget buget", "judge juge", "ghost gost", "see sea", "too tue"),
    *("quite kwite", "iraq irak", "next nekst", "thought thot", "daughter doter", "what wat"),
    *("back bak", "except eksept", "rhubarb rubarb", "decided desided", "come kome"),
    *("just gust", "crazy crasy", "guest gest"),
    *("guilty gilty", "remember rememer", "wrong rong", "know now", "really rilly"),
    *("believe belive", "being bing", "about abut", "maybe mebe", "said sed", "beyond beond"),
    *("road rod", "does dos", "because becose", "draw dro", "know kno", "knew knu"),
    *("european uropean", "building bulding", "true tru", "your iour", "number numba"),
)


@pytest.mark.parametrize("pair", ALIKE)
def test_these_sound_alike(pair: str) -> None:
    one, other = pair.split()
    assert sound(one) == sound(other)


@pytest.mark.parametrize(
    "pair", ["chin shin", "chin kin", "cyber kyber", "shin sin", "thin tin", "pot pit"]
)
def test_these_do_not(pair: str) -> None:
    one, other = pair.split()
    assert sound(one) != sound(other)


@pytest.mark.parametrize(
    ("spelt", "word"),
    [
        *(("kat", "cat"), ("kard", "card"), ("ka", "")),
        *(("fotograf", "photograph"), ("garantee", "guarantee"), ("fizzical", "physical")),
        *(
            ("lisence", "licence"),
            ("stord", "stored"),
            ("wurks", "works"),
            ("nashunal", "national"),
        ),
        ("garantee" + "e" * 12, "guarantee"),  # 20 letters: longer words are not looked for
        ("garantee" + "e" * 13, ""),
        # Consonants alone, if there are three of them.
        *(("crd", "card"), ("pnn", ""), ("zz", "")),
        # The first sound is never another.
        *(("gard", "guard"), ("xqzvbt", "")),
    ],
)
def test_the_word_that_a_spelling_sounds_like(spelt: str, word: str) -> None:
    assert heard_as(spelt) == word


@pytest.mark.parametrize(
    ("spelt", "word"),
    [
        ("cort", "court"),  # sounds the same, "card" only nearly
        ("liv", "live"),  # and "leave" sounds the same, but is spelt otherwise
        ("wurd", "word"),  # "ward" is as near, but not as frequent
    ],
)
def test_of_several_words_the_nearest_is_heard(spelt: str, word: str) -> None:
    assert heard_as(spelt) == word


def test_what_is_near_differs_by_a_vowel_at_most() -> None:
    assert heard_as("frum", farthest=NEAR) == "from"
    assert heard_as("persnl", farthest=NEAR) == ""
    assert heard_as("persnl") == "personal"


@pytest.mark.parametrize(
    "slip", ["sheat", "ars", "fuk", "hores", "whors", "kunt", "bich", "fuking", "pusy"]
)
def test_rude_words_are_not_heard_in_a_slip(slip: str) -> None:
    assert heard_as(slip) not in {
        *("shit", "shite", "arse", "fuck", "whores", "whore", "cunt", "bitch", "fucking", "pussy")
    }


@pytest.mark.parametrize(
    ("spelt", "word"),
    [
        *(("crad", "card"), ("emial", "email"), ("numbre", "number"), ("dera", "dear")),
        ("pni", ""),  # too short
        ("acrd", ""),  # the first letter stands
        ("sihtty", ""),  # no rude word
        ("identifictaion", "identification"),
    ],
)
def test_two_neighbours_that_are_swapped(spelt: str, word: str) -> None:
    assert swapped(spelt) == word


def test_no_word_is_too_long_to_find_it_with_letters_swapped() -> None:
    longest = max(vocabulary(), key=len)
    assert swapped(longest[:-2] + longest[-1] + longest[-2]) == longest


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        *(("same", "same", 0), ("card", "carb", 1), ("card", "cad", 1), ("crd", "crds", 1)),
        *(("card", "cord", 0.7), ("card", "crd", 0.7), ("cat", "cats", 1), ("cat", "cate", 0.7)),
        *(("card", "cart", 1), ("kard", "bord", 1.7), ("abc", "", 2.7), ("cat", "cst", 1)),
    ],
)
def test_distances_are_those_of_edits_and_vowels_count_for_less(
    one: str, other: str, far: float
) -> None:
    assert distance(one, other) == pytest.approx(far)
    assert distance(other, one) == pytest.approx(far)


@pytest.mark.parametrize("pair", ["shop chop", "shop op", "thin tin"])
def test_a_sound_written_with_two_letters_is_one_sound(pair: str) -> None:
    one, other = pair.split()
    assert distance(sound(one), sound(other)) == 1


@pytest.mark.parametrize(
    ("glued", "pieces"),
    [
        ("asksomebodyelse", "ask somebody else"),
        ("whichbankisit", "which bank is it"),
        ("uncharacteristicallynow", "uncharacteristically now"),
        ("imhere", "im here"),
        ("isnow", "is now"),
        ("ayou", ""),  # four letters are too few
        ("now" * 45 + "card", "now " * 45 + "card"),  # as long as a reply
        ("now" * 45 + "cards", ""),
        *(("siobhan", ""), ("mlxqzrtv", ""), ("qwxnow", "")),
    ],
)
def test_words_written_as_one(glued: str, pieces: str) -> None:
    assert unglued_by_frequency(glued) == tuple(pieces.split())
