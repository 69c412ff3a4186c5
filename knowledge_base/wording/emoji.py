"""Which runs of code points are one emoji: the grammar of UTS #51, with the sequences that networks draw as one
picture.
"""

from __future__ import annotations

from functools import cache

import regex

ZERO_WIDTH_JOINER = "\u200d"
TEXT_STYLE = "\ufe0e"
EMOJI_STYLE = "\ufe0f"

# The longest sequences recommended for interchange (families, kisses with skin tones) join four elements. A
# longer chain is not one picture anywhere, so it is counted as several: X does the same with joins it does not
# know.
LONGEST_JOIN = 4

# Region codes that have a flag (Unicode emoji 16): first letter, then every second letter. Other pairs are
# drawn as two letters, and X counts them as two.
_FLAGS = (
    "A:CDEFGILMOQRSTUWXZ B:ABDEFGHIJLMNOQRSTVWYZ C:ACDFGHIKLMNOPQRUVWXYZ D:EGJKMOZ E:ACEGHRSTU "
    "F:IJKMOR G:ABDEFGHILMNPQRSTUWY H:KMNRTU I:CDELMNOQRST J:EMOP K:EGHIMNPRWYZ L:ABCIKRSTUVY "
    "M:ACDEFGHKLMNOPQRSTUVWXYZ N:ACEFGILOPRUZ O:M P:AEFGHKLMNRSTWY Q:A R:EOSUW "
    "S:ABCDEGHIJKLMNORSTVXYZ T:ACDFGHJKLMNORTVWZ U:AGMNSYZ V:ACEGINU W:FS X:K Y:ET Z:AMW"
)
# The three subdivision flags recommended for interchange: England, Scotland, Wales.
_SUBDIVISIONS = ("gbeng", "gbsct", "gbwls")

# Any code point that is an emoji by itself; reserved pictographs are those of versions after our Unicode
# tables.
_BASE = r"[[[\p{Emoji}--[0-9#*]]--[\p{RI}]]||[\p{Extended_Pictographic}&&\p{Cn}]]"
_ELEMENT = rf"(?:\p{{Emoji_Modifier_Base}}\p{{Emoji_Modifier}}|{_BASE}{EMOJI_STYLE}?+)"


def _indicator(letter: str) -> str:
    """The regional indicator symbol of a capital letter."""
    return chr(0x1F1E6 + ord(letter) - ord("A"))  # U+1F1E6 is the indicator of A


def _tagged(subdivision: str) -> str:
    """A subdivision flag: black flag, the letters as tags (U+E0000 above ASCII), cancel tag."""
    return "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in subdivision) + "\U000e007f"


@cache
def emoji_pattern() -> regex.Pattern[str]:
    """A pattern that matches one emoji, longest first; it never backtracks, so a search is linear in the text."""
    flags = "|".join(
        f"{_indicator(first)}[{''.join(map(_indicator, second))}]"
        for first, second in (entry.split(":") for entry in _FLAGS.split())
    )
    tagged = "|".join(map(_tagged, _SUBDIVISIONS))
    joined = rf"{_ELEMENT}(?:{ZERO_WIDTH_JOINER}{_ELEMENT}){{0,{LONGEST_JOIN - 1}}}+"
    keycap = rf"[0-9#*]{EMOJI_STYLE}?+\u20e3"
    return regex.compile(rf"(?V1)(?>{tagged}|{keycap}|{joined}|{flags})")
