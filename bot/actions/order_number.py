"""Finds and normalises Quillhaven order numbers in what a customer wrote."""

from __future__ import annotations

import re
import unicodedata

# "QH-1048213" and what people make of it: qh1048213, QH 1048213, #1048213, 1048213.
# Seven digits, not part of a longer run.
ORDER_NUMBER = re.compile(r"(?<![0-9A-Z])(?:#[ ]?)?(?:QH[ \-_#]{0,3})?([0-9]{7})(?![0-9A-Z])")
DASHES = re.compile("[\u2010-\u2015\u2212]")  # what a phone's keyboard makes of a hyphen
MAX_CHARACTERS = 4000  # no longer text reaches the assistant


def find_order_number(text: object) -> str | None:
    """Return the one order number in the text as `QH-` and seven digits, or None.

    None also when the text names two different numbers: guessing could show somebody a wrong order.
    """
    numbers = find_order_numbers(text)
    return numbers.pop() if len(numbers) == 1 else None


def find_order_numbers(text: object) -> set[str]:
    """Return every order number in the text, each once, as `QH-` and seven digits."""
    if not isinstance(text, str):
        return set()
    plain = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).upper()
    plain = DASHES.sub("-", plain)
    return {f"QH-{digits}" for digits in ORDER_NUMBER.findall(plain)}
