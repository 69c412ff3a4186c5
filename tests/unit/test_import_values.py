"""Cells to values: what is accepted, and what each complaint says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from knowledge_base.exchange import values
from knowledge_base.exchange.model import Cell
from knowledge_base.exchange.values import Fault


def cell(value: str | tuple[str, ...] | None) -> Cell:
    return Cell(value, 1)


@pytest.mark.parametrize("key", ["a", "orders.track", "a-b_c.9.x", "0", f"{'k' * 120}"])
def test_keys(key: str) -> None:
    assert values.key(cell(f" {key} ")) == key


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("", "is empty"),
        (None, "is empty"),
        ("Orders", "'Orders' is not a key"),
        ("a..b", "is not a key"),
        (".a", "is not a key"),
        ("a b", "is not a key"),
        ("a\x00b", r"'a\\x00b' is not a key"),
        ("\u0430", "is not a key"),
        ("k" * 121, "has 121 characters: at most 120"),
        (("a",), "is a list"),
    ],
)
def test_bad_keys(key: str | tuple[str, ...] | None, complaint: str) -> None:
    with pytest.raises(Fault, match=complaint):
        values.key(cell(key))


def test_a_text_is_normalised() -> None:
    assert values.approved_text(cell("  Cafe\u0301 ")) == "Caf\u00e9"


def test_a_text_is_measured_in_its_worst_case() -> None:
    # 20 letters of a name may weigh 40 as X counts.
    assert values.approved_text(cell("{first_name} " + "x" * 98))
    with pytest.raises(Fault, match=r"can become 120 characters long \(140 as X counts them\)"):
        values.approved_text(cell("{first_name} " + "x" * 99))
    with pytest.raises(Fault, match="can become 140 characters"):
        values.approved_text(cell("x" * 140))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty: write what the customer will read"),
        ("   ", "is empty"),
        ("Hello {nickname}", "no slot {nickname}"),
        ("Hello {first_name", "a { that is no slot"),
        ("two\nlines", "a line break"),
        ("\u202egnp", "direction of writing"),
        ("nul\x00", "a control character"),
        ("x" * 5000, "is 5,000 bytes long: at most 4 KB"),
        ("\u00e9" * 2049, "is 4,098 bytes long"),
        (("a", "b"), "is a list"),
    ],
)
def test_bad_texts(text: str | tuple[str, ...], complaint: str) -> None:
    with pytest.raises(Fault, match=complaint):
        values.approved_text(cell(text))


@pytest.mark.parametrize(
    "written",
    [
        "where is it\nwhere my parcel",
        "where is it | where my parcel",
        "where is it\r\n\r\n  where   my\tparcel  \n",
        "where is it\nwhere is it | where my parcel",
        ("where is it", "where my parcel"),
        ("where is it | where my parcel", ""),
        "where\u200b is it\nwhere my parcel",
    ],
)
def test_phrasings_are_separated_folded_and_kept_once(written: str | tuple[str, ...]) -> None:
    assert values.phrasings(cell(written)) == ("where is it", "where my parcel")


def test_a_bar_without_spaces_separates_nothing() -> None:
    assert values.phrasings(cell("a|b | c| d")) == ("a|b", "c| d")


def test_phrasings_have_limits() -> None:
    assert len(values.phrasings(cell("\n".join(f"phrasing {n}" for n in range(10_000))))) == 10_000
    with pytest.raises(Fault, match="at most 256 KB"):
        values.phrasings(cell("\n".join(["x" * 900] * 300)))
    with pytest.raises(Fault, match="one phrasing has 1,001 characters"):
        values.phrasings(cell("x" * 1001))


def test_tags_and_channels() -> None:
    assert values.tags(cell("b, a; b | c\nd")) == ("b", "a", "c", "d")
    assert values.tags(cell(("Two words", "x"))) == ("Two words", "x")
    assert values.channels(cell("x, generic,x")) == ("generic", "x")
    assert values.channels(cell(None)) == ()
    with pytest.raises(Fault, match="'X!' is not a channel's name"):
        values.channels(cell("generic, X!"))
    with pytest.raises(Fault, match="at most 60"):
        values.tags(cell("t" * 61))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", "en"),
        ("EN", "en"),
        ("en-gb", "en-GB"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
    ],
)
def test_locales(written: str, kept: str) -> None:
    assert values.locale(cell(written)) == kept


@pytest.mark.parametrize("written", ["english", "e", "en_GB", "en-", "en-GB-x-y"])
def test_bad_locales(written: str) -> None:
    with pytest.raises(Fault, match="is not a language tag"):
        values.locale(cell(written))


@pytest.mark.parametrize(
    ("written", "meant"), [("TRUE", True), ("yes", True), ("1", True), ("", False), ("No", False)]
)
def test_booleans(written: str, meant: bool) -> None:
    assert values.boolean(cell(written)) is meant


def test_bad_boolean() -> None:
    with pytest.raises(Fault, match="'maybe' is neither true nor false"):
        values.boolean(cell("maybe"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-05-31", datetime(2026, 5, 31, tzinfo=UTC)),
        ("2026-05-31T18:00Z", datetime(2026, 5, 31, 18, tzinfo=UTC)),
        ("2026-05-31 18:00:30+02:00", datetime(2026, 5, 31, 16, 0, 30, tzinfo=UTC)),
        ("2026-05-31t18:00:00.25z", datetime(2026, 5, 31, 18, 0, 0, 250000, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_times(written: str | None, meant: datetime | None) -> None:
    assert values.time(cell(written)) == meant


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("2026-05-31T18:00", "has no time zone: add Z"),
        ("31/05/2026", "is not a time: write 2026-05-31"),
        ("20260531", "is not a time"),
        ("2026-02-30", "is not a time of the calendar"),
        ("2026-05-31T25:00Z", "is not a time of the calendar"),
        ("0001-01-01T00:00+14:00", "is not a time of the calendar"),
        ("tomorrow", "is not a time"),
    ],
)
def test_bad_times(written: str, complaint: str) -> None:
    with pytest.raises(Fault, match=complaint):
        values.time(cell(written))
