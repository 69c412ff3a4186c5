"""The evidence of words: the naive Bayes of its formula, silent with few rows, sealed with the lexicon."""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.index.sealed import SealBroken
from knowledge_base.ranking import evidence
from knowledge_base.ranking.evidence import HALF, LEAST_ROWS, SMOOTHING, STRENGTH, terms_of
from knowledge_base.ranking.lexicon import EVIDENCE, Lexicon, make_lexicon, words

TEXTS = (
    ["card has not arrived yet", "where is my card", "waiting for the card"] * 8,
    ["top up failed", "why was my top up declined", "card top up failed again"] * 8,
)
ROWS = [words(text) for some in TEXTS for text in some]
OWNER = np.repeat(np.arange(2, dtype=np.int32), [len(some) for some in TEXTS])


def by_the_formula(asked: Sequence[str], snippet: int) -> float:
    told = [terms_of(row) for row in ROWS]
    mine = [row for row, owner in zip(told, OWNER, strict=True) if owner == snippet]
    total = 0.0
    for term in terms_of(asked):
        share = sum(term in row for row in told) / len(told)
        if share:
            within = (sum(term in row for row in mine) + SMOOTHING * share) / (
                len(mine) + SMOOTHING
            )
            total += log(within / share)
    mean = len(ROWS) / 2
    return total * STRENGTH * mean / (mean + HALF)


@given(st.lists(st.sampled_from(sorted({w for row in ROWS for w in row})), max_size=8))
@settings(max_examples=60)
def test_it_is_the_formula_written_out(asked: list[str]) -> None:
    made = evidence.make_evidence(ROWS, OWNER, 2)
    found = np.broadcast_to(made.scores(asked), 2)
    assert found == pytest.approx([by_the_formula(asked, s) for s in (0, 1)], abs=1e-4)


def test_pairs_tell_what_words_leave_open() -> None:
    assert terms_of(["top", "up"]) == {"top", "up", "top up"}
    scores = evidence.make_evidence(ROWS, OWNER, 2).scores(words("top up"))
    assert isinstance(scores, np.ndarray)
    assert scores[1] > 0 > scores[0]


def test_unknown_words_say_nothing() -> None:
    made = evidence.make_evidence(ROWS, OWNER, 2)
    assert made.scores([]) == made.scores(["zebra"]) == 0.0
    known = make_lexicon(ROWS, OWNER, 2).scores("zebra", 2)
    assert not known.any()


def test_with_few_rows_a_snippet_it_is_left_out() -> None:
    few = 2 * LEAST_ROWS - 1
    made = evidence.make_evidence(ROWS[:few], OWNER[:few], 2)
    assert not made.terms
    assert made.fits(2)
    assert made.scores(words("top up failed")) == 0.0


def test_with_too_much_to_hold_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_WORK", len(ROWS) * 2 - 1)
    assert not evidence.make_evidence(ROWS, OWNER, 2).terms


def test_it_is_read_back_with_the_lexicon_to_the_last_bit() -> None:
    made = make_lexicon(ROWS, OWNER, 2)
    again = Lexicon.from_bytes(made.to_bytes(), snippets=2)
    assert again.to_bytes() == made.to_bytes() == make_lexicon(ROWS, OWNER, 2).to_bytes()
    asked = "why was the card declined"
    assert (again.scores(asked, 2) == made.scores(asked, 2)).all()
    assert again.scores(asked, 2).any()


@pytest.mark.parametrize("part", EVIDENCE)
def test_a_part_that_does_not_fit_is_refused(part: str) -> None:
    with np.load(io.BytesIO(make_lexicon(ROWS, OWNER, 2).to_bytes())) as data:
        parts = {name: data[name] for name in data.files}
    cut = np.frombuffer(b'["top"]', np.uint8) if part == "terms" else parts[part][:-1]
    for broken in ({**parts, part: cut}, {n: a for n, a in parts.items() if n != part}):
        buffer = io.BytesIO()
        np.savez(buffer, **broken)
        with pytest.raises(SealBroken):
            Lexicon.from_bytes(buffer.getvalue(), snippets=2)
