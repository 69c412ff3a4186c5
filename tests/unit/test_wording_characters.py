"""Which characters approved wording may hold, and what is left of hostile customer text."""

from __future__ import annotations

import time

import pytest

from knowledge_base.errors import WordingError
from knowledge_base.wording import UnusableText, clean_customer_text, normalise

USABLE = [
    "Thanks for waiting. We are checking your order now.",
    "Visit https://quillhaven.example.com/returns",
    "Ça va, Zoë? “Yes” – 5 €…",
    "non\u00a0breaking",
    "日本語のテキスト、はい。",
    "ありがとう\u3000ございます",
    "👨‍👩‍👧‍👦 👍🏽 ❤️ ❤︎ ❤️‍🔥 🏳️‍🌈",
    "1️⃣ #️⃣ 🇫🇷 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🏴󠁧󠁢󠁷󠁬󠁳󠁿",
    "می‌خواهم",  # Persian with a zero-width non-joiner
    "ක්‍ය",  # Sinhala with a zero-width joiner
    "র‍্য",  # Bengali
    "שָׁלוֹם",
    "🫨🩷🪿",
    "",
]

# text, position, code point, words of the reason
UNUSABLE = [
    ("a\x00b", 1, 0x00, "control"),
    ("a\tb", 1, 0x09, "control"),
    ("a\x1bb", 1, 0x1B, "control"),
    ("a\x9fb", 1, 0x9F, "control"),
    ("a\nb", 1, 0x0A, "line break"),
    ("a\r\nb", 1, 0x0D, "line break"),
    ("a\x85b", 1, 0x85, "line break"),
    ("a\u2028b", 1, 0x2028, "line break"),
    ("a\u2029b", 1, 0x2029, "line break"),
    ("Your parcel\u202e!", 11, 0x202E, "direction"),
    ("a\u200eb", 1, 0x200E, "direction"),
    ("a\u061cb", 1, 0x61C, "direction"),
    ("a\u2066b", 1, 0x2066, "direction"),
    ("pass\u200bword", 4, 0x200B, "zero-width"),
    ("pass\u2060word", 4, 0x2060, "zero-width"),
    ("\ufeffHello", 0, 0xFEFF, "zero-width"),
    ("pass\u200dword", 4, 0x200D, "zero-width"),
    ("pass\u200cword", 4, 0x200C, "zero-width"),
    ("👨\u200d", 1, 0x200D, "zero-width"),
    ("\u200d👨", 0, 0x200D, "zero-width"),
    ("👨\u200da", 1, 0x200D, "zero-width"),
    ("می\u200c ", 2, 0x200C, "zero-width"),
    ("a\ufe0fb", 1, 0xFE0F, "variation"),
    ("1\ufe0f", 1, 0xFE0F, "variation"),
    ("1\ufe0e\u20e3", 1, 0xFE0E, "variation"),
    ("👍\ufe0f\ufe0f", 2, 0xFE0F, "variation"),
    ("👍🏽\ufe0f", 2, 0xFE0F, "variation"),
    ("葛\U000e0100", 1, 0xE0100, "variation"),
    ("a\ufe00", 1, 0xFE00, "variation"),
    ("so\u00adft", 2, 0xAD, "invisible"),
    ("a\u3164b", 1, 0x3164, "invisible"),
    ("a\u034fb", 1, 0x34F, "invisible"),
    ("a\u2800b", 1, 0x2800, "invisible"),
    ("a\ufff9b", 1, 0xFFF9, "invisible"),
    ("\ud83d", 0, 0xD83D, "surrogate"),
    ("a\ude00", 1, 0xDE00, "surrogate"),
    ("a\uffffb", 1, 0xFFFF, "never a character"),
    ("a\ufdd0b", 1, 0xFDD0, "never a character"),
    ("a\U0010ffffb", 1, 0x10FFFF, "never a character"),
    ("a\ue000b", 1, 0xE000, "private-use"),
    ("a\u0378b", 1, 0x378, "not assigned"),
    ("hi\U000e0068\U000e0069", 2, 0xE0068, "tag"),
    ("🏴\U000e0075\U000e0073\U000e007f", 1, 0xE0075, "tag"),
    ("\u0301a", 0, 0x301, "without a letter"),
    ("  \u0301a", 2, 0x301, "without a letter"),
    ("e" + "\u0301" * 12, 9, 0x301, "more than 8"),
]


@pytest.mark.parametrize("text", USABLE)
def test_usable_text_is_kept_as_it_is(text: str) -> None:
    assert normalise(text) == text


@pytest.mark.parametrize(("text", "position", "code_point", "reason"), UNUSABLE)
def test_unusable_text_is_refused_with_place_and_reason(
    text: str, position: int, code_point: int, reason: str
) -> None:
    with pytest.raises(UnusableText, match=f"character {position + 1} ") as caught:
        normalise(text)
    assert caught.value.position == position
    assert caught.value.code_point == code_point
    assert reason in caught.value.reason
    assert f"U+{code_point:04X}" in str(caught.value)
    assert isinstance(caught.value, WordingError)


def test_only_nfc_and_outer_spaces_are_rewritten() -> None:
    assert normalise("  Cafe\u0301  au lait ") == "Café  au lait"
    assert normalise("\u212b") == "Å"


@pytest.mark.parametrize("text", [*USABLE, "two\nlines", "  spaces  stay  "])
def test_clean_text_is_not_changed(text: str) -> None:
    cleaned = clean_customer_text(text)
    assert cleaned.text == text
    assert not cleaned.was_changed
    assert cleaned.removed == {}
    assert not cleaned.truncated


@pytest.mark.parametrize(
    ("text", "expected", "removed"),
    [
        ("a\x00b\x07", "ab", {"control": 2}),
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne", {}),
        ("a\tb", "a b", {}),
        ("\u202eabc\u2066", "abc", {"bidi": 2}),
        ("pa\u200bss\ufeff", "pass", {"zero_width": 2}),
        ("\ud800a\udfff", "a", {"surrogate": 2}),
        ("a\U000e0041b", "ab", {"tag": 1}),
        ("so\u00adft\u3164", "soft", {"invisible": 2}),
        ("a\ufe0fb", "ab", {"variation": 1}),
        ("a\uffffb\ue000", "ab", {"noncharacter": 1, "private_use": 1}),
        ("Cafe\u0301", "Café", {}),
        ("e\u200b\u0301", "é", {"zero_width": 1}),
        ("q" + "\u0301" * 500, "q" + "\u0301" * 8, {"marks": 492}),
        ("👨\u200d👩\u200d👧\u200d", "👨\u200d👩\u200d👧", {"zero_width": 1}),
    ],
)
def test_hostile_text_is_cleaned(text: str, expected: str, removed: dict[str, int]) -> None:
    cleaned = clean_customer_text(text)
    assert cleaned.text == expected
    assert cleaned.was_changed
    assert dict(cleaned.removed) == removed
    cleaned.text.encode("utf-8")  # no lone surrogate is left


def test_long_text_is_cut_at_the_cap() -> None:
    cleaned = clean_customer_text("a" * 1001)
    assert cleaned.text == "a" * 1000
    assert cleaned.truncated
    assert cleaned.was_changed
    assert clean_customer_text("a" * 1000).truncated is False
    assert clean_customer_text("abc", cap=0).text == ""
    assert clean_customer_text("abc", cap=-1).text == ""


def test_a_cut_leaves_no_half_emoji_joiner() -> None:
    cleaned = clean_customer_text("ab👨\u200d👩", cap=4)
    assert cleaned.text == "ab👨"
    assert cleaned.truncated


@pytest.mark.parametrize(
    "unit",
    [
        "\u200d",
        "e\u0301\u0327",
        "\u0301\u0327",
        "👨\u200d",
        "\ud800",
        "a\u200b",
        "\U000e0067",
        "क\u200d",
        "a\r",
        "1\ufe0f",
        "🏴\U000e0067\U000e0062",
        "\x00",
    ],
)
def test_cleaning_is_linear(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        start = time.perf_counter()
        clean_customer_text(text)
        return time.perf_counter() - start

    clean_customer_text(unit)  # patterns are compiled on first use
    assert any(seconds(100_000) < 3 * seconds(50_000) + 0.05 for _ in range(3))
