"""Rules on how a text looks: shouting, emoji, letters of mixed scripts, styled letters; and patterns of packs."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from knowledge_base.policy.detectors import Detector, Hit, Settings, SettingsError
from knowledge_base.policy.lexis import lookalikes, vocabulary
from knowledge_base.policy.phrases import PhraseTable
from knowledge_base.policy.reading import Judged
from knowledge_base.wording import count_emoji

_LATIN_WORD = regex.compile(r"[\p{L}\p{M}]++")
_LATIN = regex.compile(r"\p{Latin}")
_CAPITALS = regex.compile(
    r"(?<![\p{L}\p{N}])\p{Lu}[\p{Lu}'’]++(?![\p{L}\p{N}-])|(?P<lower>\p{Lowercase}++)"
)
_TWO_CAPITALS = regex.compile(r"\p{Lu}[\p{Lu}'’]")
_SHOUTED_MARKS = regex.compile(r"[!?](?:\s?[!?])++")
_STYLED = regex.compile(
    # full width, circled, mathematical, squared, parenthesised, superscript and Roman letters; digits likewise
    r"[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\u2460-\u24ff\U0001d400-\U0001d7ff\U0001f130-\U0001f189]"
    r"|[\u1d2c-\u1d6a\u2071\u207f\u2090-\u209c\u2160-\u2188\u2776-\u2793]{2,}+|[\p{Nd}--[0-9]]"
    r"|[ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ]{3,}+",
    regex.V1,
)
_DIGIT = regex.compile(r"[0-9]")
# Of patterns themselves: what is written for other characters, a group without groups, and a digit that is needed.
_ESCAPED_OR_CLASS = regex.compile(r"\\.|\[(?!0-9\])\^?\]?(?:\\.|[^\]\\])*+\]")
_INNERMOST_GROUP = regex.compile(r"\([^()]*+\)")
_DIGIT_OUTSIDE = regex.compile(r"\[0-9\](?![?*{])|\[0-9\]\{[1-9]")


def shouting(settings: Settings) -> Detector:
    """`words` or more words in capitals in a row, or several exclamation or question marks together.

    Words of `allowed` (brand names, abbreviations) do not count.
    """
    settings.expect("words", "allowed")
    most = settings.number("words")
    allowed = frozenset(settings.phrases("allowed", required=False))

    def detect(judged: Judged) -> Iterator[Hit]:
        run: list[tuple[int, int]] = []
        has_capitals = _TWO_CAPITALS.search(judged.text)  # for speed alone
        for match in _CAPITALS.finditer(judged.text) if has_capitals else ():
            if match.group("lower"):
                run = []
            elif match.group() not in allowed:
                run.append(match.span())
                if len(run) == most:
                    yield Hit((run[0][0], match.end()))
        for match in _SHOUTED_MARKS.finditer(judged.text):
            yield Hit(match.span())

    return detect


def emoji_limit(settings: Settings) -> Detector:
    """More than `most` emoji."""
    settings.expect("most")
    most = settings.number("most")

    def detect(judged: Judged) -> Iterator[Hit]:
        if judged.text.isascii():
            return  # for speed alone: the text has none
        found = count_emoji(judged.text)
        if found > most:
            yield Hit(None, reason=f"the text has {found} emoji; at most {most} are allowed")

    return detect


def mixed_scripts(settings: Settings) -> Detector:
    """A word with Latin letters and letters of another script that only look like Latin ones."""
    settings.expect()

    def detect(judged: Judged) -> Iterator[Hit]:
        if judged.text.isascii():
            return  # for speed alone: the text has none
        table = lookalikes()
        for match in _LATIN_WORD.finditer(judged.text):
            word = match.group()
            if word.isascii():
                continue
            if _LATIN.search(word) is None:
                # "рау": a whole word in look-alikes, among Latin ones
                read = word.casefold().translate(table)
                if len(read) > 1 and read in vocabulary() and _LATIN.search(judged.text):
                    yield Hit(match.span())
                continue
            others = (c for c in word.casefold() if ord(c) in table and not _LATIN.fullmatch(c))
            if any(others):
                yield Hit(match.span())

    return detect


def styled_letters(settings: Settings) -> Detector:
    """Letters from blocks for mathematics, circles or full width: screen readers stumble, filters are dodged."""
    settings.expect()

    def detect(judged: Judged) -> Iterator[Hit]:
        if not judged.text.isascii() and (match := _STYLED.search(judged.text)):
            yield Hit(match.span())

    return detect


def pattern(settings: Settings) -> Detector:
    """A regular expression of the pack over the folded text (lower case, nothing hidden).

    `cased_patterns` are tried over the text as it stands. With `near`, one of these phrases must be in the
    text; with `unless`, none may be. Patterns must be linear; the tests try each against hostile repetition.
    """
    settings.expect("patterns", "cased_patterns", "near", "unless", "case")
    keep_case = settings.flag("case", default=False)
    try:
        compiled = [regex.compile(text) for text in settings.phrases("patterns")]
        cased = settings.phrases("cased_patterns", required=False)
        compiled_cased = [regex.compile(text) for text in cased]
    except regex.error as error:
        raise SettingsError(f"settings.patterns: {error}") from error
    without_digits = [each for each in compiled if not _needs_digit(each)]
    near = PhraseTable(settings.phrases("near", required=False))
    unless = PhraseTable(settings.phrases("unless", required=False))
    needs_near = "near" in settings.values

    def detect(judged: Judged) -> Iterator[Hit]:
        folded = judged.folded
        view = judged.text if keep_case else folded.text
        likely = compiled if _DIGIT.search(view) else without_digits  # for speed alone
        hits = [match.span() for found in likely for match in found.finditer(view)]
        if not keep_case:
            hits = [folded.span(*hit) for hit in hits]
        for found in compiled_cased:
            hits += [match.span() for match in found.finditer(judged.text)]
        if not hits or (needs_near and not near.spans(judged.words)):
            return
        if unless.spans(judged.words):
            return
        for span in hits:
            yield Hit(span)

    return detect


def _needs_digit(pattern: regex.Pattern[str]) -> bool:
    """Whether it surely matches nothing without a digit: [0-9] stands outside of groups and alternatives."""
    if pattern.flags & (regex.VERBOSE | regex.V1):
        return False  # brackets may then stand in remarks and in sets of sets
    outside = _ESCAPED_OR_CLASS.sub("x", pattern.pattern)
    while _INNERMOST_GROUP.search(outside):
        outside = _INNERMOST_GROUP.sub("x", outside)
    return "|" not in outside and _DIGIT_OUTSIDE.search(outside) is not None
