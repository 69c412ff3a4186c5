"""The words that the reading of texts knows, and which words with an ending count as ordinary ones."""

from __future__ import annotations

from importlib import resources

import pytest

from knowledge_base.policy.lexis import (
    DATA_FILES,
    data_lines,
    emoji_words,
    is_ordinary,
    lookalikes,
    ordinary_words,
    real_words,
    vocabulary,
)


@pytest.fixture
def tables_read_anew() -> None:
    for table in (lookalikes, emoji_words, vocabulary, ordinary_words, real_words):
        table.cache_clear()


@pytest.mark.parametrize(
    "word",
    [
        *("desks", "hourly", "fairness", "contactless"),
        # "es", "ed", "ing", "er", "ers" and "y": at the word, for its last e, after its last letter doubled
        *("swatches", "opted", "mailing", "builder", "builders", "bulky"),
        *("personalised", "sizing", "blazer", "savers", "nosy"),
        *("clogged", "spotting", "shredder", "thinners", "biggy"),
        # a last y is an i before an ending
        *("penalties", "healthier", "funnily"),
        # stems of three letters, and short words
        *("aims", "opting", "car", "us", "a", "if"),
    ],
)
def test_ordinary_words_are_known_with_their_endings(word: str) -> None:
    assert is_ordinary(word)


@pytest.mark.parametrize(
    "word",
    [
        *("kwestion", "passwrd", "xq", "ofs", "desksed"),
        "cardxes",  # a letter before an ending is only taken away when it is doubled
        "citoes",  # and only an i stands for a y
        *("sizly", "clogglly"),  # "ly" takes no letter
    ],
)
def test_other_words_are_not(word: str) -> None:
    assert not is_ordinary(word)


def test_every_file_of_the_reading_is_named_and_has_lines_that_are_no_remarks() -> None:
    folder = resources.files("knowledge_base").joinpath("content", "reading")
    assert set(DATA_FILES) == {file.name for file in folder.iterdir()}
    for name in DATA_FILES:
        lines = list(data_lines(name))
        assert lines
        assert not [line for line in lines if not line or line.startswith("#")]


@pytest.mark.usefixtures("tables_read_anew")
def test_a_look_alike_and_an_emoji_are_known_by_what_they_stand_for() -> None:
    assert "раѕѕ".translate(lookalikes()) == "pass"
    assert (emoji_words()["🔑"], emoji_words()["🗝"], emoji_words()["💳"]) == (
        *("password", "password"),
        "card",
    )
    assert not [emoji for emoji in emoji_words() if emoji.isascii()]


@pytest.mark.usefixtures("tables_read_anew")
def test_words_are_read_from_all_lines_the_most_frequent_first() -> None:
    words = ordinary_words()
    assert words.index("the") < words.index("card") < words.index("reliable")
    assert len(set(words)) == len(words) > len(list(data_lines("ordinary.txt")))
    assert {"card", "password"} <= vocabulary()
    assert {"accents", "adverts"} <= real_words()
