"""Each network's own count of a text, against lengths worked out by hand."""

from __future__ import annotations

import pytest

from knowledge_base.wording import NETWORKS, network_lengths
from knowledge_base.wording.networks import graphemes, is_gsm_7, sms_parts, utf16_units

FAMILY = "👨‍👩‍👧‍👦"  # seven code points: four people and three joiners
SAMPLE = f"Ça va {FAMILY} 語 https://quillhaven.example.com/returns"


@pytest.mark.parametrize(
    ("network", "used"),
    [
        ("x", [6 + 2 + 1 + 2 + 1 + 23]),
        ("instagram", [7 + 25 + 1 + 3 + 1 + 38]),
        ("messenger", [6 + 7 + 1 + 1 + 1 + 38]),
        ("whatsapp", [54]),
        ("telegram", [54 + 4]),
        ("bluesky", [6 + 1 + 1 + 1 + 1 + 38, 75]),
        ("mastodon", [54]),
        ("sms", [1]),
    ],
)
def test_every_network_counts_in_its_own_unit(network: str, used: list[int]) -> None:
    assert [length.used for length in network_lengths(SAMPLE, network)] == used


def test_every_network_has_a_row_above() -> None:
    rows = {"x", "instagram", "messenger", "whatsapp", "telegram", "bluesky", "mastodon", "sms"}
    assert set(NETWORKS) == rows


@pytest.mark.parametrize(
    ("network", "unit", "size"),
    [
        ("x", "a", 10_000),
        ("instagram", "é", 500),
        ("messenger", "a", 2_000),
        ("whatsapp", "語", 4_096),
        ("telegram", "😀", 2_048),
        ("bluesky", "a", 1_000),
        ("bluesky", FAMILY, 400),  # 25 bytes each
        ("mastodon", "a", 500),
        ("sms", "a", 459),  # 3 parts of 153
        ("sms", "語", 201),  # 3 parts of 67
    ],
)
def test_the_cap_itself_fits_and_one_more_does_not(network: str, unit: str, size: int) -> None:
    assert all(length.fits for length in network_lengths(unit * size, network))
    assert not all(length.fits for length in network_lengths(unit * (size + 1), network))


def test_composed_and_decomposed_letters_count_the_same() -> None:
    assert network_lengths("e\u0301", "instagram") == network_lengths("\u00e9", "instagram")


def test_a_channel_without_caps_has_no_length() -> None:
    assert network_lengths("a" * 100_000, "generic") == ()


def test_a_channel_belongs_to_its_network() -> None:
    assert network_lengths("a", "sms-uk")[0].network == "sms"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # two septets each
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # the escaped sign is not split, so a septet is lost
        ("語" * 70, 1),
        ("語" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("語" * 66 + "😀" + "語" * 66, 3),  # nor is a surrogate pair
        ("ç", 1),
    ],
)
def test_sms_parts(text: str, parts: int) -> None:
    assert sms_parts(text) == parts


def test_the_gsm_alphabet_has_capital_but_not_small_c_cedilla() -> None:
    assert is_gsm_7("Ça? [€] {é} Ω")
    assert not is_gsm_7("ç")
    assert not is_gsm_7("’")


def test_units() -> None:
    assert utf16_units("a😀") == 3
    assert graphemes(f"a{FAMILY}e\u0301🇬🇧") == 4
    assert network_lengths("\ud800", "instagram")[0].used == 3
