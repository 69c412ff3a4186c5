"""Personal data and card numbers: each detector points at all of what it looks for and at nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.cards import card_number
from knowledge_base.policy.detectors import Detector, Settings, SettingsError
from knowledge_base.policy.personal import email_address, iban, national_number, telephone

CARDS = [
    ('4111 1111 1111 1111', ['4111 1111 1111 1111']),
    ('4111-1111-1111-1112', []),
    ('+4222222222222', []),
    ('+ 4222222222222', []),
    ('+(4222222222222)', []),
    ('4222222222222 +', ['4222222222222']),
    ('4222222222222 006', ['4222222222222 006']),
    ('+ (4222222222222', ['4222222222222']),
    ('4222222222222', ['4222222222222']),
    ('a+ 4222222222222', []),
    ('+4111111111111111', ['4111111111111111']),
    ('+378282246310005', []),
    ('378282246310005', ['378282246310005']),
    ('Ref 12 4111111111111111 34', ['4111111111111111']),
    ('124111111111111111134', []),
    ('4111111111111111 5555555555554444', ['4111111111111111', '5555555555554444']),
    ('4111 - 1111 - 1111 - 1111', ['4111 - 1111 - 1111 - 1111']),
    ('4111 -- 1111 -- 1111 -- 1111', []),
    ('4111\n1111\n1111\n1111', []),
    ('2221000000000009 2720990000000007', ['2221000000000009', '2720990000000007']),
    ('2220000000000000', []),
    ('5105105105105100', ['5105105105105100']),
    ('5610591081018250', []),
    ('four one one one 1111 1111 1111', ['four one one one 1111 1111 1111']),
    ('Card: 4111 then 1111 then 1111 then 1111 now', ['4111 then 1111 then 1111 then 1111']),
    ('4012 8888 8888 1881 and 41', ['4012 8888 8888 1881', '4012 8888 8888 1881']),
    ('4111a1111a1111a1111', []),
    ('4222 2222 2222 2 4111 1111 1111 1111', ['4222 2222 2222 2', '4111 1111 1111 1111']),
    ('4000000000000000006', ['4000000000000000006']),
    ('+4222222222222 or 4111 1111 1111 1111', ['4111 1111 1111 1111']),
    ('12 or four one one one 1111 1111 1111', ['four one one one 1111 1111 1111']),
    ('Ref 12 then 4111 then 1111 then 1111 then 1111', ['4111 then 1111 then 1111 then 1111']),
]  # fmt: skip

IBAN = [
    ('GB82 WEST 1234 5698 7654 32', ['GB82 WEST 1234 5698 7654 32']),
    ('GB82WEST12345698765433', []),
    ('gb82-west-1234-5698-7654-32', ['gb82-west-1234-5698-7654-32']),
    ('DE89370400440532013000', ['DE89370400440532013000']),
    ('DE89 3704 0044 0532 0130 0', []),
    ('XGB82WEST12345698765432', []),
    ('GB82 WEST and then 1234 5698 7654 32 now', ['GB82 WEST and then 1234 5698 7654 32']),
    ('G B 8 2 WEST12345698765432', ['G B 8 2 WEST12345698765432']),
    ('GB82 / WEST / 1234569876543 2', ['GB82 / WEST / 1234569876543 2']),
    ('GB82    WEST12345698765432', []),
    ('ZZ82WEST12345698765432', []),
    ('GB82WESTé2345698765432', []),
    ('GB82 WEST 1234 5698 7654 329', ['GB82 WEST 1234 5698 7654 32']),
    ('GB82 WEST and then - /1234 5698 7654 32', ['GB82 WEST and then - /1234 5698 7654 32']),
    ('NO93 8601 1117 947', ['NO93 8601 1117 947']),
    ('GB82 WEST and then - / 1234 5698 7654 32', []),
    ('GB 82 WEST 1234, the rest is 5698 7654 32', ['GB 82 WEST 1234, the rest is 5698 7654 32']),
    ('Our Dayton shop is at 418 Maple Street, open 10 to 8.', []),
    ('The warmest, at 13.5 tog, as the product page shows.', []),
    ('IT60 X054 2811 1010 0000 0123 456', ['IT60 X054 2811 1010 0000 0123 456']),
]  # fmt: skip

EMAIL = [
    ('jo@shop.example.com', []),
    ('Jo@Evil.com', []),
    ('ann@evil.com', ['ann@evil.com']),
    ('ann at evil dot com', ['ann at evil dot com']),
    ('ann (at) evil (dot) com', ['ann (at) evil (dot) com']),
    ('ann[at]evil[dot]com', ['ann[at]evil[dot]com']),
    ('ann@localhost', []),
    ('ann@evil.example', ['ann@evil.example']),
    ('meet at noon. com', []),
    ('look at shop . com', []),
    ('ann at home.com', ['ann at home.com']),
    ('me at evil.com', ['me at evil.com']),
    ('ann -at- evil.com', ['ann -at- evil.com']),
    ('x@y.zz', ['x@y.zz']),
    ('ann@mail.evil.co.uk!', ['ann@mail.evil.co.uk']),
    ('see us at shop.example.com', []),
    ('ann @ evil . zz', []),
    ('ann at evil.zz', []),
    ('ann at evil dot zz', ['ann at evil dot zz']),
    ('ann@evil.co. uk', ['ann@evil.co. uk']),
    ('x @ y. com', ['x @ y. com']),
    ('ann @ evil.com', ['ann @ evil.com']),
    ("a" * 70 + "@evil.com", []),
    ('ann@evil . com', ['ann@evil . com']),
    ('ann at evil.invalid', ['ann at evil.invalid']),
    ('ann at evil.test', ['ann at evil.test']),
    ('ann at evil.example', ['ann at evil.example']),
    ('ann at home . com', []),
    ('ann at home. com now', []),
    ('jo@shop.example. com', []),
    ('ann at my.localhost', ['ann at my.localhost']),
    ('{ann}@evil.com', []),
    ('jo at shop dot example dot com', []),
    ('meet at noon. com, ann@evil.com', ['ann@evil.com']),
    ('write to ann@evil.com and bob@evil.org', ['ann@evil.com', 'bob@evil.org']),
]  # fmt: skip

NATIONAL = [
    ('QQ 12 34 56 C', []),
    ('AB123456C', ['AB123456C']),
    ('AB 12 34 56 E', []),
    ('BG123456A', []),
    ('943 476 5919', ['943 476 5919']),
    ('943 476 5918', []),
    ('400 000 0020', ['400 000 0020']),
    ('400 000 0098', ['400 000 0098']),
    ('400 000 0021', []),
    ('078-05-1120', ['078-05-1120']),
    ('000-05-1120', []),
    ('666-05-1120', []),
    ('912-05-1120', []),
    ('123-00-1234', []),
    ('123-45-0000', []),
    ('12345678Z', ['12345678Z']),
    ('12345678A', []),
    ('12345678-z', ['12345678-z']),
    ('1 85 05 78 006 084 91', ['1 85 05 78 006 084 91']),
    ('185057800608436', []),
    ('2 55 08 14 168 025 38', ['2 55 08 14 168 025 38']),
    ('RSSMRA85T10A562S', ['RSSMRA85T10A562S']),
    ('RSSMRA85G10A562S', []),
    ('xAB123456C', []),
    ('AB123456Cx', []),
]  # fmt: skip

TEL = [
    ('Call 07911 123456.', ['07911 123456']),
    ('+44 7911 123456', ['+44 7911 123456']),
    ('020 7946 0958', []),
    ('+442079460958', []),
    ('0044 20 7946 0958', []),
    ('0800 123 4567', []),
    ('0300 123 1234', []),
    ('QH-1048213', []),
    ('#07911123456', []),
    ('1048213000', []),
    ('212 555 2368', ['212 555 2368']),
    ('(212) 555-2368', ['(212) 555-2368']),
    ('2125552368', []),
    ('+49 151 23456789', ['+49 151 23456789']),
    ('0151 23456789', []),
    ('oh seven nine one one one two three four five six', []),
    ('zero two zero seven nine four six zero nine five eight', []),
    ('+1 900 555 0123', []),
    ('+44 3', []),
    ('2026-03-02', []),
    ('1-2-3-4-5-6-7', []),
    ('order 10 48 21 3 5 6', []),
    ('+44 70 1234 5678', ['+44 70 1234 5678']),
    ('+44 7640 123456', ['+44 7640 123456']),
    ('+44 56 1234 5678', ['+44 56 1234 5678']),
    ('+44 55 1234 5678', []),
    ('+44 412345678', ['+44 412345678']),
    ('+44 41234567', []),
    ('+44 3999 123456', []),
    ('040 1234 5678', ['040 1234 5678']),
    ('seven nine one one one two three four five six oh', []),
    ('zero seven nine double one 123456', ['zero seven nine double one 123456']),
    ('07911 12', []),
    ('07911123456 0 7911 123457', ['0 7911 123457']),
    ('161 555 2368 44', []),
    ('212 5552368', []),
    ('+44 20 7946 0111, +44 20 7946 0222', ['+44 20 7946 0111', '+44 20 7946 0222']),
    ('020 7946 0958 or 07911 123456', ['07911 123456']),
    ('+442079460958 or 07911 123456', ['07911 123456']),
    ('Order 12 or zero seven nine double one 123456', ['zero seven nine double one 123456']),
    ('(212) 5552368', ['(212) 5552368']),
    (' or '.join(f'07911 12345{n}' for n in range(9)), [f'07911 12345{n}' for n in range(8)]),
]  # fmt: skip


def _shown(detector: Detector, text: str, *, template: bool = False) -> list[str | None]:
    hits = detector(Judged(text, "generic", template))
    return [None if hit.span is None else text[slice(*hit.span)] for hit in hits]


DETECTORS: dict[str, tuple[Detector, list[tuple[str, list[Any]]]]] = {
    "cards": (
        card_number(
            Settings(
                {"issuers": ["4: 13,16,19", "51-55: 16", "2221-2720: 16", "34: 15", "37: 15"]}
            )
        ),
        CARDS,
    ),
    "iban": (iban(Settings({})), IBAN),
    "email": (
        email_address(Settings({"hosts": ["shop.example.com"], "allowed": ["Jo@evil.com"]})),
        EMAIL,
    ),
    "national": (
        national_number(
            Settings(
                {
                    "kinds": [
                        *("uk_nino", "uk_nhs", "us_ssn", "es_dni", "fr_nir"),
                        "it_codice_fiscale",
                    ]
                }
            )
        ),
        NATIONAL,
    ),
    "telephone": (
        telephone(
            Settings(
                {
                    "regions": {"en": ["GB", "US"], "de": ["DE"]},
                    "allowed": ["+44 20 7946 0958"],
                }
            )
        ),
        TEL,
    ),
}


@pytest.mark.parametrize(
    ("detector", "text", "found"),
    [
        pytest.param(detector, text, found, id=f"{name}-{number}")
        for name, (detector, rows) in DETECTORS.items()
        for number, (text, found) in enumerate(rows)
    ],
)
def test_places(detector: Detector, text: str, found: list[str | None]) -> None:
    assert _shown(detector, text) == found


def test_a_telephone_number_is_read_in_the_regions_of_the_locale() -> None:
    detector = DETECTORS["telephone"][0]
    number = "0151 23456789"  # a German mobile number, and no British one
    assert [bool(list(detector(Judged(number, "x", False, locale)))) for locale in
            ("de", "de-AT", "en", "fr")] == [True, True, False, False]  # fmt: skip


def _iban(country: str, size: int) -> str:
    """An IBAN of a length with its right check digits (ISO 13616)."""
    account = ("X" if country in ("it", "sm") else "1") + "1" * (size - 5)
    digits = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country.upper()}{98 - int(digits) % 97:02}{account}"


LENGTHS = (
    "no15 be16 dk18 fi18 fo18 gl18 nl18 mk19 si19 at20 ba20 ee20 lt20 xk20 ch21 hr21 li21 lv21 bg22 de22"
    " gb22 ge22 ie22 me22 rs22 ae23 gi23 il23 ad24 cz24 es24 md24 pk24 ro24 sa24 se24 sk24 tn24 pt25 is26"
    " tr26 fr27 gr27 it27 mc27 sm27 mt31 al28 az28 cy28 hu28 lb28 pl28 br29 ps29 qa29 ua29 jo30 kw30"
)  # ISO 13616 registry


def test_every_country_has_its_length_of_an_iban() -> None:
    detector = DETECTORS["iban"][0]
    for entry in LENGTHS.split():
        country, size = entry[:2], int(entry[2:])
        right, shorter, longer = (_iban(country, n) for n in (size, size - 1, size + 1))
        assert _shown(detector, f"to {right} now") == [right], entry
        assert _shown(detector, f"to {shorter} now") == [], entry
        assert _shown(detector, f"to {longer} now") != [longer], entry
    assert _shown(detector, _iban("us", 22)) == []


@pytest.mark.parametrize(
    ("country", "at"), [("at", 4), ("pt", 24), ("it", 4), ("it", 5), ("sm", 14)]
)
def test_what_only_passes_the_check_of_an_iban_is_none(country: str, at: int) -> None:
    """Every IBAN with another kind of character at one place, and check digits that are right for it."""
    account = _iban(country, {"at": 20, "pt": 25, "it": 27, "sm": 27}[country])[4:]
    other = "1" if account[at - 4] == "X" else "A"
    changed = account[: at - 4] + other + account[at - 3 :]
    digits = "".join(str(int(character, 36)) for character in f"{changed}{country}00")
    whole = f"{country.upper()}{98 - int(digits) % 97:02}{changed}"
    assert _shown(DETECTORS["iban"][0], whole) == []


@pytest.mark.parametrize(
    ("issuer", "message"),
    [
        ("41111: 16", "'41111: 16' needs prefixes of one to four digits"),
        ("51-5: 16", "needs prefixes of one to four digits"),
        ("a: 16", "needs prefixes of one to four digits"),
    ],
)
def test_issuers_that_are_none_are_named(issuer: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        card_number(Settings({"issuers": [issuer]}))


def test_an_issuer_takes_its_prefixes_and_lengths_and_no_others() -> None:
    detector = card_number(Settings({"issuers": ["6759: 12-13, 15", "30-31: 14"]}))
    numbers = {
        "675911111119": True,
        "6759111111113": True,
        "67591111111116": False,
        "675911111111110": True,
        "6759111111111113": False,
        "30111111111117": True,
        "31111111111116": True,
        "32111111111115": False,
        "29111111111110": False,
    }
    assert {n: bool(_shown(detector, n)) for n in numbers} == numbers
