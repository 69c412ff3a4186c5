"""Takes personal data out of a customer's words before they are kept: marks such as ⟨email⟩ stand in its place.

The readers of the policy (cards, IBANs, telephone and national numbers, e-mail) tell what a place holds. Behind
them stand coarse patterns that let nothing with five digits, an @ or a link through: a question that is kept for
months may lose a word too many, but no number too few.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import regex

from knowledge_base.policy import Judged, Policy, numerals
from knowledge_base.wording import links_in

MOST_KEPT = 500  # code points of a kept question; nobody reads more of it in a list
OPEN, CLOSE = "⟨", "⟩"
MARKS = (
    "email",
    "card",
    "iban",
    "id",
    "account",
    "secret",
    "order",
    "phone",
    "address",
    "date",
    "link",
    "handle",
    "name",
    "reference",
    "number",
)  # of two that cover a place equally, the earlier one is more to the point

# What the rules of the shipped packs find. A policy without one of them leaves its places to the patterns below.
RULES: Mapping[str, str] = MappingProxyType(
    {
        "PCI-PAN": "card",
        "PII-EMAIL": "email",
        "PII-IBAN": "iban",
        "PII-NATIONAL-ID": "id",
        "PII-ACCOUNT": "account",
        "PII-PHONE": "phone",
        "PII-ADDRESS": "address",
    }
)

_NUMBER = r"[0-9](?:[^\p{L}\p{N}]{0,4}+[0-9])"
_MAIL_HOSTS = "gmail|googlemail|hotmail|outlook|yahoo|icloud|msn|aol|proton(?:mail)?|gmx"
_STREETS = (
    "street|st|road|rd|avenue|ave|lane|ln|drive|close|crescent|court|gardens|terrace|way|square|place"
    "|boulevard"
)
_POSTCODE = r"[a-z]{1,2}[0-9][a-z0-9]?\s?[0-9][abd-hjlnp-uw-z]{2}"  # of the United Kingdom
_DATE = r"[0-9]{4}[./-][0-9]{1,2}[./-][0-9]{1,2}|[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}"
_CODE = r"pin|cvv2?|cvc2?|cv2|otp|security code|one.time code"
_CASE = r"order|parcel|tracking|reference|invoice|booking|case|ticket"
# Over the folded text: lower case, digits of any script as 0-9, nothing hidden. Each is linear.
_PATTERNS: tuple[tuple[str, regex.Pattern[str]], ...] = tuple(
    (mark, regex.compile(pattern))
    for mark, pattern in (
        ("email", r"[^\s@]++@[^\s]*+"),
        (
            "email",
            r"[^\s@]{1,64}+\s{1,3}@\s{0,3}+[^\s@]{1,250}+|[^\s@]{1,64}+@\s{1,3}[^\s@]{1,250}+",
        ),
        (
            "email",
            (
                rf"[\p{{L}}\p{{N}}._%+-]{{1,64}}+\s?[(\[]?\bat\b[)\]]?\s?(?:{_MAIL_HOSTS})\b"
                r"(?:\s?(?:\.|dot)\s?\p{L}{2,10})*+"
            ),
        ),
        ("handle", r"@[^\s@]++"),
        ("link", r"(?:https?://|www\.)\S++"),
        ("secret", r"\b(?:pass\s?word|passcode|pass\s?phrase)\s?(?:is|:|=)\s?\S++"),
        (
            "secret",
            rf"\b(?:{_CODE})\b[^\p{{L}}\p{{N}}]{{0,3}}(?:is|number|no|code)?[^\p{{L}}\p{{N}}]{{0,3}}[0-9]{{3,8}}",
        ),
        ("order", r"#?(?<![\p{L}\p{N}])qh[^\p{L}\p{N}]{0,2}+[0-9]{3,12}|#\s?[0-9]{3,12}"),
        ("order", r"(?<![0-9])[0-9]{7}(?![0-9])"),
        (
            "order",
            (
                rf"\b(?:{_CASE})\b\s?(?:number|num|nr|no\.?|id|ref|reference)?\s?(?:is|:|=|#)?\s?#?"
                r"\p{L}{0,4}-?[0-9]{3,}+"
            ),
        ),
        (
            "address",
            (
                r"(?<![\p{L}\p{N}])[0-9]{1,5}+\p{L}?+,?\s(?:[\p{L}'’]{2,20}+\s){1,3}"
                rf"(?:{_STREETS})\b"
            ),
        ),
        ("account", r"\bending (?:in |with |on )?[0-9]{3,6}(?![0-9])"),
        ("address", rf"(?<![\p{{L}}\p{{N}}]){_POSTCODE}(?![\p{{L}}\p{{N}}])"),
        ("date", rf"(?<![0-9])(?:{_DATE})(?![0-9])"),
        ("number", rf"[+(]{{0,3}}+{_NUMBER}{{4,}}+"),
    )
)
_TOKEN = regex.compile(r"[\p{L}\p{N}](?:[\p{L}\p{N}]|[-_./:=+](?=[\p{L}\p{N}]))*+")
_DIGITS_OF_REFERENCE = 4  # with a letter beside them: "b12" is a word, "LX1204" a number
_DIGITS_OF_NUMBER = 5  # also where they are spelled out
# Over the text as written, where a capital letter tells a name.
_NAME = r"\p{Lu}[\p{L}\p{M}'’-]{1,29}+"
_SIGNED = "regards|cheers|thanks|thank you|yours|best|love|signed|from"
_NAMES = (
    regex.compile(
        r"(?i:\bmy (?:full |first |last |sur)?name(?:['’]?s| is)?|\bi am called|\bi['’]?m called|\bname\s?:)"
        rf"[\s:,]++([\p{{L}}\p{{M}}'’-]{{2,30}}+(?:\s{_NAME}){{0,3}})"
    ),
    regex.compile(rf"(?i:\b(?:{_SIGNED}))[\s,.!–-]+({_NAME}(?:\s{_NAME}){{0,2}})\s*[.!]?\s*$"),
    regex.compile(
        rf"\b(?i:mr|mrs|ms|miss|mx|dr|herr|frau|mme|sr|sra)\b\.?\s({_NAME}(?:\s{_NAME})?)"
    ),
    regex.compile(rf"(?i:\b(?:this is|i am|i['’]?m))\s({_NAME}\s{_NAME})"),
)
_WORD = regex.compile(r"[\p{L}\p{M}]++")
_SHORTEST_NAME = 2  # letters: a single one is in every text
_MARK = regex.compile(rf"{OPEN}[a-z]+{CLOSE}")
_LOOSE = regex.compile(r"\s+([,.;:!?)])")  # punctuation that has lost its word

Place = tuple[int, int, str]
Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Masker:
    """Masks texts by the readers of one policy; safe to share between threads."""

    policy: Policy

    def mask(
        self,
        text: str,
        *,
        names: Iterable[str] = (),
        known: Iterable[str] = (),
        locale: str = "en",
    ) -> str:
        """The text on one line with a mark for each place of personal data, at most MOST_KEPT code points.

        `names` are names of people that are known to the caller, matched word by word without regard to case
        and accents; `known` are other values of this customer (an order number), matched as they stand. What the
        rules of the policy raise passes: a text that could not be read must not be kept.
        """
        judged = Judged(text, "generic", locale=locale)
        places = [*self._by_policy(judged), *_by_pattern(judged), *_named(text, names)]
        places += _known(judged, known)
        return _cut(" ".join(_replaced(text, _merged(places)).split()))

    def _by_policy(self, judged: Judged) -> Iterator[Place]:
        for rule in self.policy.rules:
            mark = RULES.get(rule.id)
            if mark is None:
                continue
            for finding in rule.judge(judged):
                if finding.span is not None:
                    yield (*finding.span, mark)


def without_marks(text: str) -> str:
    """The words that remain beside the marks: what is encoded, and what becomes a phrasing."""
    if OPEN not in text:
        return " ".join(text.split())
    rest = " ".join(_MARK.sub(" ", text).split())
    return _LOOSE.sub(r"\1", rest).strip(" ,;:-–(")


def _by_pattern(judged: Judged) -> Iterator[Place]:
    folded = judged.folded
    for mark, pattern in _PATTERNS:
        for match in pattern.finditer(folded.text):
            yield (*folded.span(*match.span()), mark)
    for match in _TOKEN.finditer(folded.text):
        found = match.group()
        digits = sum(character.isdigit() for character in found)
        if digits >= _DIGITS_OF_REFERENCE and any(c.isalpha() for c in found):
            yield (*folded.span(*match.span()), "reference")
    for run in numerals.runs(judged.words):
        if sum(len(numeral.digits) for numeral in run.numerals) >= _DIGITS_OF_NUMBER:
            yield run.numerals[0].start, run.numerals[-1].end, "number"
    for start, end in links_in(judged.text):
        yield start, end, "link"


def _named(text: str, names: Iterable[str]) -> Iterator[Place]:
    """Words of the given names, and names that the customer tells."""
    given = {_plain(word) for name in names for word in _WORD.findall(name)}
    given = {name for name in given if len(name) >= _SHORTEST_NAME}
    if given:
        for match in _WORD.finditer(text):
            if _plain(match.group()) in given:
                yield *match.span(), "name"
    for pattern in _NAMES:
        for match in pattern.finditer(text):
            yield *match.span(1), "name"


def _known(judged: Judged, values: Iterable[str]) -> Iterator[Place]:
    folded = judged.folded
    for value in values:
        wanted = Judged(value.strip(), "generic").folded.text
        if len(wanted) < _SHORTEST_NAME:
            continue
        start = folded.text.find(wanted)
        while start >= 0:
            yield (*folded.span(start, start + len(wanted)), "reference")
            start = folded.text.find(wanted, start + len(wanted))


def _plain(word: str) -> str:
    """Without accents and case."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _merged(places: Iterable[Place]) -> list[Place]:
    """Places without overlap, in order: of those that overlap the whole, marked as the longest of them is."""
    ordered = sorted(places, key=lambda p: (p[0], p[0] - p[1], MARKS.index(p[2])))
    merged: list[tuple[Place, int]] = []  # with the length of the place that gave the mark
    for start, end, mark in ordered:
        if not merged or start >= merged[-1][0][1]:
            merged.append(((start, end, mark), end - start))
            continue
        (first, last, before), length = merged[-1]
        better = (end - start, -MARKS.index(mark)) > (length, -MARKS.index(before))
        kept = mark if better else before
        merged[-1] = ((first, max(last, end), kept), max(length, end - start))
    return [place for place, _ in merged]


def _replaced(text: str, places: list[Place]) -> str:
    pieces, position = [], 0
    for start, end, mark in places:
        pieces += [text[position:start], f"{OPEN}{mark}{CLOSE}"]
        position = end
    return "".join([*pieces, text[position:]])


def _cut(text: str) -> str:
    """At most MOST_KEPT code points, ended between two words."""
    if len(text) <= MOST_KEPT:
        return text
    end = text.rfind(" ", 0, MOST_KEPT - 1)
    return text[: end if end > 0 else 0].rstrip() + "…"
