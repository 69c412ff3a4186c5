"""Spellings that sound alike are the same to the second look at a text, and others are not."""

from __future__ import annotations

import pytest

from knowledge_base.policy.spelling import heard_as, sound

ALIKE = (
    *("mention menshun", "mission misshun", "physician physishun", "watch wach", "school skool"),
    *("phone fone", "precious preshs", "ambitious ambishs", "special speshl", "captured capchad"),
    *("potential potenshl", "budget bugt", "judge juge", "quite kwite", "iraq irak", "next nekst"),
    *("thought thot", "daughter doter", "what wat", "back bak"),
    *("except exsept", "decided desided", "come kome", "just gust", "crazy crasy", "guest gest"),
    *("guilty gilty", "remember rememer", "wrong rong", "know now", "really rilly"),
    *("believe belive", "being bing", "about abut", "maybe mebe", "said sed", "beyond beond"),
    *("road rod", "does dos", "because becose", "draw dro", "know kno", "knew knu"),
    *("european uropean", "building bulding", "true tru", "your iour", "number numba"),
)


@pytest.mark.parametrize("pair", ALIKE)
def test_these_sound_alike(pair: str) -> None:
    one, other = pair.split()
    assert sound(one) == sound(other)


@pytest.mark.parametrize("pair", ["chin shin", "chin kin", "shin sin", "thin tin", "pot pit"])
def test_these_do_not(pair: str) -> None:
    one, other = pair.split()
    assert sound(one) != sound(other)


@pytest.mark.parametrize(
    ("spelt", "word"),
    [
        ("kat", "cat"),
        ("kard", "card"),
        ("ka", ""),
        ("garantee" + "e" * 12, "guarantee"),
        ("g" * 21, ""),
    ],
)
def test_words_of_three_to_twenty_letters_are_heard(spelt: str, word: str) -> None:
    assert heard_as(spelt) == word
