"""From the bytes of an import file to its text: which encoding it is, named, and what cannot be text at all."""

from __future__ import annotations

import re
from dataclasses import dataclass

from knowledge_base.errors import UnreadableFile

UTF8, UTF8_MARK, UTF16, CP1252 = (
    "UTF-8",
    "UTF-8 with a byte order mark",
    "UTF-16",
    "Windows-1252",
)
SAVE_AS = "save it as UTF-8 (in Excel: 'CSV UTF-8')"

# The first bytes of what people rename to .csv; https://en.wikipedia.org/wiki/List_of_file_signatures
_NO_TEXT = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (.xlsx)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_UTF32_MARKS = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")

# UTF-8 that some programs write and the standard forbids (RFC 3629): overlong forms, surrogate halves, and what
# lies above U+10FFFF. As Windows-1252 it would read as plausible nonsense.
_FORBIDDEN = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xed[\xa0-\xbf][\x80-\xbf]|\xf4[\x90-\xbf]")
_LONG_FORM = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xe0[\xa0-\xbf][\x80-\xbf]"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|[\xf1-\xf3][\x80-\xbf]{3}"
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file, the name of its encoding, and what to look at when that was a guess."""

    text: str
    encoding: str
    remark: str = ""


def decode(data: bytes, *, name: str) -> Decoded:
    """UTF-8 and UTF-16 with or without a byte order mark, else Windows-1252.

    Only a file that holds no valid UTF-8 beyond ASCII counts as Windows-1252: in any other one a wrong byte is
    damage, and guessing would hide it. Raises UnreadableFile for anything else, with the line where there is one.
    """
    for start, what in _NO_TEXT:
        if data.startswith(start):
            msg = f"{name}: this is {what}, not text: {SAVE_AS}"
            raise UnreadableFile(msg)
    wide = _wide(data, name=name)
    if wide is not None:
        return wide
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _windows(data, error, name=name)
    return Decoded(text, UTF8_MARK if data.startswith(b"\xef\xbb\xbf") else UTF8)


def _wide(data: bytes, *, name: str) -> Decoded | None:
    """UTF-16, told by its mark or by where the zero bytes of the first two characters stand; None if it is not."""
    head = data[:4]
    if data.startswith(_UTF32_MARKS) or head.count(0) > 2 or (head[:2] == b"\0\0"):
        msg = f"{name}: this is UTF-32 text: {SAVE_AS}"
        raise UnreadableFile(msg)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        codec = "utf-16"
    elif b"\x00" in head[1::2] and b"\x00" not in head[::2]:
        codec = "utf-16-le"
    elif b"\x00" in head[::2] and b"\x00" not in head[1::2]:
        codec = "utf-16-be"
    else:
        return None
    try:
        return Decoded(data.decode(codec), UTF16)
    except UnicodeDecodeError as error:
        msg = f"{name}: broken UTF-16 at byte {error.start:,} (cut short?): {SAVE_AS}"
        raise UnreadableFile(msg) from error


def _windows(data: bytes, error: UnicodeDecodeError, *, name: str) -> Decoded:
    byte, line = data[error.start], _line(data, error.start)
    if b"\x00" in data:
        msg = f"{name}: holds zero bytes, so it is not text: {SAVE_AS}"
        raise UnreadableFile(msg)
    if _FORBIDDEN.search(data) or _LONG_FORM.search(data):
        msg = (
            f"{name}, line {line}: broken UTF-8 (byte 0x{byte:02X}) among characters that are right:"
            f" mend this line, or {SAVE_AS}"
        )
        raise UnreadableFile(msg) from error
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as second:
        at = _line(data, second.start)
        msg = (
            f"{name}, line {at}: byte 0x{data[second.start]:02X} is a character neither in UTF-8 nor in"
            f" Windows-1252: {SAVE_AS}"
        )
        raise UnreadableFile(msg) from second
    special = [character for character in text if not character.isascii()]
    remark = (
        f"read as Windows-1252, because it is not UTF-8: look whether '{special[0]}' in line {line}"
        f" is right ({len(special):,} such characters); if not, {SAVE_AS}"
    )
    return Decoded(text, CP1252, remark)


def _line(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1
