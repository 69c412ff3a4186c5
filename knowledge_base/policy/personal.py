"""Rules on personal data in a text: bank accounts, telephone numbers, e-mail addresses, national numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

import regex

from knowledge_base.policy import numerals
from knowledge_base.policy.detectors import Detector, Hit, Settings, SettingsError
from knowledge_base.policy.reading import Judged
from knowledge_base.wording import top_level_domains

_SEPARATORS = (
    " \u00a0-\u2010\u2011\u2012\u2013\u2014./_:*|\u00b7,\n"  # between the groups of a number
)
_DIGIT = regex.compile(r"[0-9]")
_IBAN_START = regex.compile(
    r"(?<![\p{L}\p{N}])[a-z](?:[^\p{L}\p{N}]?[a-z])(?:[^\p{L}\p{N}]{0,2}[0-9]){2}"
)
# Lengths by country (ISO 13616 registry): those of SEPA and a few more.
_IBAN_LENGTHS: Mapping[str, int] = MappingProxyType(
    {
        country: length
        for length, countries in (
            *(
                (15, ("no",)),
                (16, ("be",)),
                (18, ("dk", "fi", "fo", "gl", "nl")),
                (19, ("mk", "si")),
            ),
            *((20, ("at", "ba", "ee", "lt", "xk")), (21, ("ch", "hr", "li", "lv"))),
            *((22, ("bg", "de", "gb", "ge", "ie", "me", "rs")), (23, ("ae", "gi", "il"))),
            *((24, ("ad", "cz", "es", "md", "pk", "ro", "sa", "se", "sk", "tn")), (25, ("pt",))),
            *((26, ("is", "tr")), (27, ("fr", "gr", "it", "mc", "sm")), (31, ("mt",))),
            *((28, ("al", "az", "cy", "hu", "lb", "pl")), (29, ("br", "ps", "qa", "ua"))),
            *((30, ("jo", "kw")),),
        )
        for country in countries
    }
)
# Words between the parts of a number that is told in pieces: "... and then goes on ..."
_IBAN_WORDS = regex.compile(
    r"[,.;]?(?:\s(?:and|then|goes|on|the|rest|is|ends|with|next|followed|by|it|continues|plus|finally)){1,6}+\s"
)
# Countries whose accounts are digits alone (the registry of ISO 13616). Many begin like a word ("at 41 Maple
# Street"), and one text in 97 would pass the check by chance.
_ALL_DIGITS = frozenset(
    {
        *("ae", "at", "ba", "be", "cz", "de", "dk", "ee", "es"),
        *("fi", "fo", "gl", "hr", "hu", "il", "is", "lt", "me"),
        *("no", "pl", "pt", "rs", "se", "si", "sk", "tn", "xk"),
    }
)
_A_LETTER_FIRST = frozenset({"it", "sm"})  # one letter, ten digits of bank and branch, then either
_LONGEST_GAP = 3  # separators in a row inside an IBAN: " / "
_SHORTEST_UNASSIGNED = 9  # digits; shorter ones are dates and references
_MOST_TELEPHONES = 8  # candidates looked at in one text; more are no conversation
_TELEPHONE = regex.compile(
    r"(?<![\p{L}\p{N}]|\p{L}-|#)(?:\+|00)?+\(?[0-9](?:[ ().\-/\u2010-\u2015_*|\u00b7\u2022]{0,3}+[0-9]){6,16}+"
    r"(?![\p{L}\p{N}])"
)
# "@" and "." as people write them to get past a filter: "(at)", "[dot]", "-at-", " dot ".
_AT_SIGN = r"\s?@\s?|\s?[(\[{<](?:at|@|a)[)\]}>]\s?|\s?[-_*]at[-_*]\s?"
_DOT_SIGN = r"\s?[(\[{<](?:dot|\.|punkt|point)[)\]}>]\s?|\s?[-_*]dot[-_*]\s?|\s+dot\s+"
_EMAIL = regex.compile(
    rf"(?<![\p{{L}}\p{{N}}])[\p{{L}}\p{{N}}._%+-]{{1,64}}+(?:{_AT_SIGN}|\s+(?P<spoken>at)\s+)"
    rf"(?P<host>[\p{{L}}\p{{N}}-]{{1,63}}+(?:(?:\s?\.\s?|{_DOT_SIGN})[\p{{L}}\p{{N}}-]{{2,63}}+){{1,4}}+)"
)
_DOT = regex.compile(_DOT_SIGN)
_RESERVED_DOMAINS = frozenset({"test", "example", "invalid", "localhost"})  # RFC 2606


def iban(settings: Settings) -> Detector:
    """An IBAN: a country, its length, digits where it has only digits, and 1 modulo 97 (ISO 13616)."""
    settings.expect()

    def detect(judged: Judged) -> Iterator[Hit]:
        text = judged.folded.text
        if not _DIGIT.search(text):
            return  # for speed alone
        for match in _IBAN_START.finditer(text):
            country = "".join(character for character in match.group() if character.isalpha())
            length = _IBAN_LENGTHS.get(country)
            if length and (end := _iban_end(text, match.start(), length)):
                yield Hit(judged.folded.span(match.start(), end))

    return detect


def _iban_end(text: str, start: int, length: int) -> int | None:
    """End of a valid IBAN of `length` characters that starts here, None if there is none."""
    characters: list[str] = []
    gap = 0
    resume = start
    for index in range(start, len(text)):
        if index < resume:
            continue
        if words := _IBAN_WORDS.match(text, index):
            resume, gap = words.end(), 0
            continue
        character = text[index]
        if character.isascii() and character.isalnum():
            characters.append(character)
            gap = 0
            if len(characters) == length:
                account = "".join(characters)
                return index + 1 if _has_its_form(account) and _mod_97(account) else None
        elif character not in _SEPARATORS or (gap := gap + 1) > _LONGEST_GAP:
            return None
    return None


def _has_its_form(account: str) -> bool:
    country, bank = account[:2], account[4:]
    if country in _ALL_DIGITS:
        return bank.isdigit()
    return country not in _A_LETTER_FIRST or (bank[0].isalpha() and bank[1:11].isdigit())


def _mod_97(account: str) -> bool:
    digits = "".join(str(int(character, 36)) for character in account[4:] + account[:4])
    return int(digits) % 97 == 1


def telephone(settings: Settings) -> Detector:
    """A valid telephone number of a person: mobile, fixed line or voice over IP.

    Freephone and service numbers are how customers reach a company and pass, and so does any of `allowed`.
    Numbers without a country code are read in each of the locale's `regions`, and only when they begin with 0
    or are written in groups, so that references are left alone.
    """
    # Imported here: it reads tables of every country, which only a process that judges needs.
    import phonenumbers

    settings.expect("regions", "allowed")
    regions = settings.sets("regions")
    ours = settings.phrases("allowed", required=False)
    allowed = {_digits(number) for number in ours}
    kinds = phonenumbers.PhoneNumberType
    personal = {kinds.MOBILE, kinds.FIXED_LINE, kinds.FIXED_LINE_OR_MOBILE, kinds.VOIP}
    personal |= {kinds.PERSONAL_NUMBER, kinds.PAGER}

    own = set()
    for number in ours:
        try:
            known = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException as error:
            message = f"settings.allowed: {number!r} must be a number with its country code"
            raise SettingsError(message) from error
        own.add((known.country_code, known.national_number))

    def parsed_in(number: str, region: str | None) -> Any:
        try:
            return phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            return None

    def is_anybodys(number: str, locale: str) -> bool:
        in_regions = (parsed_in(number, each) for each in _regions(number, regions, locale))
        readings = [each for each in in_regions if each is not None]
        if any((each.country_code, each.national_number) in own for each in readings):
            return False
        return any(is_personal(number, each) for each in readings)

    def is_personal(number: str, parsed: Any) -> bool:
        kind = phonenumbers.number_type(parsed)
        # Ranges not given out yet look like real ones; service numbers begin with 3, 8 or 9 in many plans.
        is_dialled = number.startswith(("+", "0"))
        national = str(parsed.national_number)
        is_unassigned = kind == kinds.UNKNOWN and national[0] in "124567"
        is_unassigned = is_unassigned and len(national) >= _SHORTEST_UNASSIGNED
        return kind in personal or (
            is_unassigned and is_dialled and phonenumbers.is_possible_number(parsed)
        )

    def detect(judged: Judged) -> Iterator[Hit]:
        folded = judged.folded
        has_digits = _DIGIT.search(folded.text)  # for speed alone
        candidates = _TELEPHONE.finditer(folded.text) if has_digits else iter(())
        for match in islice(candidates, _MOST_TELEPHONES):
            number = match.group()
            if _digits(number) in allowed:
                continue
            if is_anybodys(number, judged.locale):
                yield Hit(folded.span(*match.span()))
        for run in islice(numerals.runs(judged.words), _MOST_TELEPHONES):
            number = "".join(numeral.digits for numeral in run.numerals)
            if not run.is_disguised or not number.startswith("0") or number in allowed:
                continue  # what is written in plain digits was seen above
            if is_anybodys(number, judged.locale):
                yield Hit((run.numerals[0].start, run.numerals[-1].end))

    is_anybodys("+442079460000", "")  # for speed alone: loads tables before the first customer
    return detect


def _digits(number: str) -> str:
    return "".join(character for character in number if character.isdigit())


def _regions(number: str, regions: Mapping[str, list[str]], locale: str) -> tuple[str | None, ...]:
    if number.startswith("+"):
        return (None,)
    if not (number.startswith(("0", "(")) or len(regex.findall(r"[0-9]+", number)) > 2):
        return ()
    return tuple(regions.get(locale.partition("-")[0], ()))


def email_address(settings: Settings) -> Detector:
    """An e-mail address, also written with "at" and "dot", that is not on one of `hosts` nor in `allowed`."""
    settings.expect("hosts", "allowed")
    allowed = frozenset(a.casefold() for a in settings.phrases("allowed", required=False))
    hosts = frozenset(host.casefold() for host in settings.phrases("hosts"))
    known = top_level_domains() | _RESERVED_DOMAINS

    def detect(judged: Judged) -> Iterator[Hit]:
        folded = judged.folded
        for match in _EMAIL.finditer(folded.text):
            host = _DOT.sub(".", match.group("host"))
            is_named = "dot" in match.group("host") or host.rpartition(".")[2].strip() in known
            is_loose = bool(match.group("spoken")) and (" ." in host or ". " in host)
            if is_loose or ((match.group("spoken") or " " in host) and not is_named):
                continue  # "we open at 9.30", "find us @ home. Thanks" are no addresses
            host = host.replace(" ", "")
            if host not in hosts and match.group() not in allowed:
                yield Hit(folded.span(*match.span()))

    return detect


def _nhs(number: str) -> bool:
    """The check digit of the NHS number: weights 10 to 2, modulo 11."""
    digits = [int(digit) for digit in _digits(number)]
    total = sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    return (11 - total % 11) % 11 == digits[9]


def _dni(number: str) -> bool:
    """The letter of the Spanish DNI: the number modulo 23 in a fixed alphabet."""
    return "trwagmyfpdxbnjzsqvhlcke"[int(_digits(number)) % 23] == number[-1]


def _nir(number: str) -> bool:
    """The key of the French NIR: 97 minus the number modulo 97."""
    digits = _digits(number)
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


def _always(number: str) -> bool:
    return True


_NATIONAL: Mapping[str, tuple[str, Callable[[str], bool]]] = MappingProxyType(
    {
        "uk_nino": (
            r"(?!bg|gb|nk|kn|tn|nt|zz)[a-ceghj-prtw-z][a-ceghj-nprtw-z](?:[ -]?[0-9]{2}){3}[ -]?[a-d]",
            _always,
        ),
        "uk_nhs": (r"[0-9]{3}[ -][0-9]{3}[ -][0-9]{4}", _nhs),
        "us_ssn": (r"(?!000|666|9)[0-9]{3}[- ](?!00)[0-9]{2}[- ](?!0000)[0-9]{4}", _always),
        "es_dni": (r"[0-9]{8}[ -]?[a-hj-np-tv-z]", _dni),
        "fr_nir": (
            r"[12][ ]?[0-9]{2}[ ]?[0-9]{2}[ ]?[0-9]{2}[ ]?[0-9]{3}[ ]?[0-9]{3}[ ]?[0-9]{2}",
            _nir,
        ),
        "it_codice_fiscale": (r"[a-z]{6}[0-9]{2}[a-ehlmpr-t][0-9]{2}[a-z][0-9]{3}[a-z]", _always),
    }
)


def national_number(settings: Settings) -> Detector:
    """A national number of one of `kinds`: UK National Insurance and NHS, US SSN, ES DNI, FR NIR, IT codice
    fiscale, with its check where it has one.
    """
    settings.expect("kinds")
    patterns = []
    for kind in settings.phrases("kinds"):
        if kind not in _NATIONAL:
            raise SettingsError(f"settings.kinds: {kind!r} is not known: {', '.join(_NATIONAL)}")
        pattern, is_valid = _NATIONAL[kind]
        bounded = regex.compile(rf"(?<![\p{{L}}\p{{N}}])(?:{pattern})(?![\p{{L}}\p{{N}}])")
        patterns.append((bounded, is_valid))

    def detect(judged: Judged) -> Iterator[Hit]:
        folded = judged.folded
        for pattern, is_valid in patterns if _DIGIT.search(folded.text) else ():  # for speed alone
            for match in pattern.finditer(folded.text):
                if is_valid(match.group()):
                    yield Hit(folded.span(*match.span()))

    return detect
