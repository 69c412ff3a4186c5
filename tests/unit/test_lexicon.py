"""Shared words: the builder's weights are the library's, and names and codes decide between alike snippets."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.home import Home
from knowledge_base.index.sealed import SealBroken
from knowledge_base.ranking import Ranker, query
from knowledge_base.ranking.lexicon import ENOUGH, LONGEST, Lexicon, make_lexicon, words
from tests.fixtures_generation import WordHashEncoder, build, revision

DOCUMENTS = (
    "Warranty of the Aldra lamp",
    "the Brisk lamp has two years",
    "sofa delivery by two people",
    "opening hours of the shop",
    "gift card balance",
    "the app and its orders",
)


def lexicon(texts: Sequence[str]) -> Lexicon:
    rows = [words(text) for text in texts]
    return make_lexicon(rows, np.arange(len(texts), dtype=np.int32), len(texts))


def test_the_weights_are_the_librarys() -> None:
    made = lexicon(DOCUMENTS)
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index([words(text) for text in DOCUMENTS], show_progress=False)
    assert made.vocabulary
    for word in made.vocabulary:
        found = made.scores(word, len(DOCUMENTS))
        assert found == pytest.approx(index.get_scores([word]), abs=1e-6)
    both = made.scores("aldra warranty", len(DOCUMENTS))
    assert both == pytest.approx(index.get_scores(["aldra", "warranty"]), abs=1e-6)


def test_the_library_says_nothing_while_a_build_runs(caplog: pytest.LogCaptureFixture) -> None:
    chatty = logging.getLogger("bm25s")
    chatty.setLevel(logging.DEBUG)  # as its import does
    with caplog.at_level(logging.DEBUG):
        lexicon(DOCUMENTS)
    assert [record for record in caplog.records if record.name == "bm25s"] == []


def test_rows_of_a_snippet_are_one_document() -> None:
    rows = [words(text) for text in ("aldra lamp", "warranty", "sofa", "hours", "card", "app")]
    apart = make_lexicon(rows, np.array([0, 0, 1, 2, 3, 4], np.int32), 5)
    together = lexicon(["aldra lamp warranty", "sofa", "hours", "card", "app"])
    assert apart.to_bytes() == together.to_bytes()


def test_words_of_many_snippets_tell_nothing() -> None:
    made = lexicon(DOCUMENTS)
    assert "the" not in made.vocabulary  # four of six
    assert not made.scores("the of", len(DOCUMENTS)).any()


def test_a_word_counts_once_and_its_case_does_not_matter() -> None:
    made = lexicon(DOCUMENTS)
    once, often = (made.scores(text, len(DOCUMENTS)) for text in ("aldra", "ALDRA Aldra, aldra!"))
    assert (once == often).all()
    assert once[0] > 0


@given(
    st.lists(st.sampled_from([w for d in DOCUMENTS for w in d.split()]), max_size=60), st.text()
)
def test_no_message_weighs_more_than_its_share_of_words(asked: list[str], more: str) -> None:
    made = lexicon(DOCUMENTS)
    found = made.scores(" ".join([*asked, more]), len(DOCUMENTS))
    assert (found >= 0).all()
    assert found.max() <= ENOUGH * made.weights.max() + 1e-6


def test_a_flood_of_words_counts_for_less() -> None:
    made = lexicon(DOCUMENTS)
    flood = " ".join(f"word{n}" for n in range(10 * ENOUGH))
    short, long = (made.scores(t, len(DOCUMENTS))[0] for t in ("aldra", f"aldra {flood}"))
    assert 0 < long < short / 5


@pytest.mark.parametrize("text", ["", "?!", "👍", "a 1", "x" * (LONGEST + 1), "配", "\x00"])
def test_a_text_without_usable_words_says_nothing(text: str) -> None:
    assert words(text) == []
    assert not lexicon(DOCUMENTS).scores(text, len(DOCUMENTS)).any()


def test_snippets_without_any_word_make_an_empty_lexicon() -> None:
    made = lexicon(["", "?"])
    assert not made.scores("anything at all", 2).any()
    assert not Lexicon.from_bytes(made.to_bytes(), snippets=2).vocabulary


def test_it_is_read_back_to_the_last_bit() -> None:
    made = lexicon([*DOCUMENTS, "Größe und Maße", "配達はいつ届きますか"])
    again = Lexicon.from_bytes(made.to_bytes(), snippets=8)
    assert again.to_bytes() == made.to_bytes()
    assert (again.scores("größe", 8) == made.scores("größe", 8)).all()
    assert again.scores("größe", 8)[6] > 0


def test_another_number_of_snippets_or_a_cut_file_is_refused() -> None:
    raw = lexicon(DOCUMENTS).to_bytes()
    for broken in (raw[:50], b"", raw[: len(raw) // 2]):
        with pytest.raises(SealBroken):
            Lexicon.from_bytes(broken, snippets=len(DOCUMENTS))
    with pytest.raises(SealBroken, match="does not fit"):
        Lexicon.from_bytes(raw, snippets=2)
    with np.load(io.BytesIO(raw)) as data:
        parts = {name: data[name] for name in data.files}
    buffer = io.BytesIO()
    np.savez(buffer, **{**parts, "starts": parts["starts"][:-1]})
    with pytest.raises(SealBroken, match="does not fit"):
        Lexicon.from_bytes(buffer.getvalue(), snippets=len(DOCUMENTS))


class Blind(WordHashEncoder):
    """Every text has the same vector: only words are left to go by."""

    def encode(self, texts: Sequence[str], **_: object) -> np.ndarray:
        return np.full((len(texts), self.dimension), self.dimension**-0.5, np.float32)


def test_a_code_decides_between_snippets_that_are_otherwise_alike(tmp_path: Path) -> None:
    codes = ("bx200", "bx300", "kt71", "kt72", "aldra", "brisk")
    snippets = [
        revision(code, text=f"How to set up the {code}.", revision_id=n)
        for n, code in enumerate(codes, start=1)
    ]
    ranker = Ranker(build(Home.at(tmp_path), snippets, Blind()), Blind())
    for code in codes:
        ranking = ranker.rank([f"pls tell me how i set up my {code.upper()}"], limit=3)
        assert ranking.candidates[0].snippet_key == code
    # An earlier turn's word counts where the last one names nothing, and an address is not words.
    assert ranker.rank(["my kt72", "set up?"], limit=1).candidates[0].snippet_key == "kt72"
    linked = query.lexical(lexicon(codes), [(1.0, "https://x.example.com/kt72 hello")], 6)
    assert not linked.any()
