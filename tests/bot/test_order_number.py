"""Order numbers as customers write them, and texts that hold none."""

from __future__ import annotations

import time

import pytest

from bot.actions.order_number import find_order_number

WANTED = "QH-1048213"


@pytest.mark.parametrize(
    "text",
    [
        "QH-1048213",
        "qh1048213",
        "#1048213",
        "1048213",
        "QH 1048213",
        "Qh_1048213",
        "qh - 1048213",
        "#QH-1048213",
        "qh#1048213",
        "# 1048213",
        "my order is QH-1048213.",
        "(1048213)",
        "order no:1048213!!!",
        "1048213 yes 1048213",
        "QH-1048213 / 1048213",
        "QH\u20131048213",  # en dash
        "QH\u22121048213",  # minus sign
        "\uff11\uff10\uff14\uff18\uff12\uff11\uff13",  # full-width digits
        "it says\n1048213\nthere",
        "order=1048213&x",
    ],
)
def test_a_number_is_found_and_normalised(text: str) -> None:
    assert find_order_number(text) == WANTED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no number",
        "104821",  # six digits
        "10482134",  # eight
        "QH-104821",
        "QH-10482134",
        "07700 900123",  # a phone number
        "077009001234",
        "4111111111111111",  # a card number
        "AB1048213",  # somebody else's prefix
        "1048213X",
        "1048213 or 1048214",  # two: guessing could name a wrong order
        "\u0661\u0660\u0664\u0668\u0662\u0661\u0663",  # Arabic digits: not what we print on anything
        None,
        1048213,
        ["1048213"],
    ],
)
def test_no_number_is_made_up(text: object) -> None:
    assert find_order_number(text) is None


@pytest.mark.parametrize("piece", ["QH-", "# ", "1", "QH 104821", "1048213 ", "#QH_-# ", "\ufdfa"])
def test_any_text_is_searched_in_linear_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.perf_counter()
    find_order_number(text)
    assert time.perf_counter() - started < 1.0  # milliseconds, unless something grows faster
