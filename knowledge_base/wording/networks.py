"""The length of a text as each network counts it: characters, bytes, graphemes or SMS parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import regex

from knowledge_base.wording.emoji import emoji_pattern
from knowledge_base.wording.length import measure, nfc

# The default alphabet of GSM 03.38 (7 bits a character) and its extension table (an escape and 7 bits).
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM_ALONE, _GSM_JOINED = 160, 153  # septets of one part, and of a part among several
_UCS2_ALONE, _UCS2_JOINED = 70, 67  # UTF-16 code units, likewise
_ASTRAL = 0xFFFF  # code points above take two UTF-16 code units

_GRAPHEME = regex.compile(r"\X")


@dataclass(frozen=True, slots=True)
class NetworkLength:
    """One length of one text: how much of which unit, and the most that the network takes.

    `explanation` says in words how the network counts.
    """

    network: str
    unit: str
    used: int
    cap: int
    explanation: str

    @property
    def fits(self) -> bool:
        """Whether the network takes it."""
        return self.used <= self.cap


@dataclass(frozen=True, slots=True)
class _Cap:
    unit: str
    cap: int
    count: Callable[[str], int]
    explanation: str


def utf16_units(text: str) -> int:
    """UTF-16 code units: what JavaScript and SMS count."""
    return len(text) + sum(ord(character) > _ASTRAL for character in text)


def graphemes(text: str) -> int:
    """Extended grapheme clusters (UAX #29): what a person sees as one character."""
    return sum(1 for _ in _GRAPHEME.finditer(text))


def count_emoji(text: str) -> int:
    """Emoji, each with all that is joined to it."""
    return sum(1 for _ in emoji_pattern().finditer(text))


def is_gsm_7(text: str) -> bool:
    """Whether an SMS can hold the text in 7 bits a character."""
    return all(character in _GSM or character in _GSM_EXTENSION for character in text)


def sms_parts(text: str) -> int:
    """Parts an SMS is sent in: 160 septets, or 153 each when there are several; 70 and 67 UTF-16 units when one
    character is outside the GSM alphabet. Neither an escaped character nor a surrogate pair is split (3GPP TS
    23.040). An empty text is one part.
    """
    if is_gsm_7(text):
        return _parts((1 + (c in _GSM_EXTENSION) for c in text), _GSM_ALONE, _GSM_JOINED)
    return _parts((1 + (ord(c) > _ASTRAL) for c in text), _UCS2_ALONE, _UCS2_JOINED)


def _parts(sizes: Iterable[int], alone: int, joined: int) -> int:
    listed = list(sizes)
    if sum(listed) <= alone:
        return 1
    parts, room = 1, joined
    for size in listed:
        if size > room:
            parts, room = parts + 1, joined
        room -= size
    return parts


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _weighted(text: str) -> int:
    return measure(text).weighted


# The caps the networks document for direct messages. X's own is 10,000; its weighing is that of posts.
_CAPS: Mapping[str, tuple[_Cap, ...]] = MappingProxyType(
    {
        "x": (
            _Cap(
                "weighted characters",
                10_000,
                _weighted,
                "a link counts 23, an emoji or a Chinese, Japanese or Korean character 2",
            ),
        ),
        "instagram": (_Cap("bytes", 1_000, _bytes, "bytes of UTF-8: é is 2, 語 is 3, 😀 is 4"),),
        "messenger": (_Cap("characters", 2_000, len, "code points: an emoji can be several"),),
        "whatsapp": (_Cap("characters", 4_096, len, "code points: an emoji can be several"),),
        "telegram": (
            _Cap("UTF-16 units", 4_096, utf16_units, "UTF-16 code units: most emoji are 2"),
        ),
        "bluesky": (
            _Cap("graphemes", 1_000, graphemes, "what is seen as one character counts 1"),
            _Cap("bytes", 10_000, _bytes, "bytes of UTF-8: é is 2, 語 is 3, 😀 is 4"),
        ),
        "mastodon": (_Cap("characters", 500, len, "code points; the server may allow more"),),
        "sms": (
            _Cap(
                "parts",
                3,  # house rule: what 139 characters need at most, each part is paid for
                sms_parts,
                "160 characters of the GSM alphabet (153 a part when several), else 70 (67)",
            ),
        ),
    }
)
NETWORKS = tuple(_CAPS)


def network_lengths(text: str, channel: str) -> tuple[NetworkLength, ...]:
    """The lengths of the final text in NFC as the channel's network counts them; none for a channel without caps.

    A channel is named by its network, with anything after a dash ignored ("sms-uk").
    """
    network = channel.partition("-")[0]
    text = nfc(text)
    return tuple(
        NetworkLength(network, cap.unit, cap.count(text), cap.cap, cap.explanation)
        for cap in _CAPS.get(network, ())
    )
