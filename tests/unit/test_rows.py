"""Which texts become rows, and the way back from a row."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge_base.index.rows import IndexedSnippet, RowRef, RowTable, collect, encodable
from knowledge_base.index.sealed import SealBroken
from tests.fixtures_generation import revision, shop


def test_title_text_and_phrasings_become_rows_in_order_of_key() -> None:
    rows, texts = collect(
        [
            revision("b", title="B", text="text b", examples=["b1", "b2"], revision_id=7),
            revision("a", title="A", text="text a", revision_id=9),
        ]
    )
    assert texts == ["A", "text a", "B", "text b", "b1", "b2"]
    assert [s.key for s in rows.snippets] == ["a", "b"]
    assert [s.revision_id for s in rows.snippets] == [9, 7]
    assert rows.snippet.tolist() == [0, 0, 1, 1, 1, 1]
    assert rows.ref(1) == RowRef("text", 0)
    assert rows.ref(5) == RowRef("example", 1)
    assert rows.counts.tolist() == [2, 4]


def test_an_empty_title_and_repeated_words_make_no_row() -> None:
    rows, texts = collect(
        [revision("a", text="Hello", examples=["hello", "  ", "other", "Other"])]
    )
    assert texts == ["Hello", "other"]
    assert rows.ref(1) == RowRef("example", 2)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Hi {first_name}, all well?", "Hi , all well?"),
        ("Order {order_number} is late", "Order is late"),
        ("{product}", ""),
        ("no slot", "no slot"),
        ("a  b\n c", "a b c"),
    ],
)
def test_slots_are_left_out_before_encoding(text: str, plain: str) -> None:
    assert encodable(text) == plain


def test_a_snippet_of_nothing_but_a_slot_keeps_its_place_without_a_row() -> None:
    rows, texts = collect([revision("a", text="{product}"), revision("b", text="words")])
    assert texts == ["words"]
    assert rows.counts.tolist() == [0, 1]


def test_rows_json_comes_back_the_same() -> None:
    rows, _ = collect(shop())
    again = RowTable.from_json(rows.to_json())
    assert again.snippets == rows.snippets
    assert again.to_json() == rows.to_json()
    assert np.array_equal(again.place, rows.place)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b'{"snippets":[],"snippet":[0],"kind":[0],"place":[0]}',
        b'{"snippets":[["a",1,1,"h","",[]]],"snippet":[0],"kind":[],"place":[0]}',
        b'{"snippets":[["a",1]],"snippet":[],"kind":[],"place":[]}',
        b'{"snippets":[["a",1,1,"h","",[]]],"snippet":[-1],"kind":[0],"place":[0]}',
    ],
)
def test_rows_json_that_does_not_describe_rows_is_refused(raw: bytes) -> None:
    with pytest.raises(SealBroken):
        RowTable.from_json(raw)


def test_the_order_of_the_revisions_does_not_matter() -> None:
    forward, backward = collect(shop()), collect(list(reversed(shop())))
    assert forward[1] == backward[1]
    assert forward[0].to_json() == backward[0].to_json()
    assert forward[0].snippets[0] == IndexedSnippet(
        "delivery.late", 2, 1, shop()[1].content_hash, "", ("order_number", "first_name")
    )
