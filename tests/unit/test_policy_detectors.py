"""Each detector points at what it looks for, at all of it, and at nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.cards import card_number
from knowledge_base.policy.detectors import Detector, Settings, SettingsError
from knowledge_base.policy.links import allowed_links
from knowledge_base.policy.personal import email_address, iban, national_number, telephone
from knowledge_base.policy.shape import characters, length, network_length, unfilled
from knowledge_base.policy.style import (
    emoji_limit,
    mixed_scripts,
    pattern,
    shouting,
    styled_letters,
)

AWAY = "leads to a host that is not on the list of allowed hosts"
IMITATES = ", and it may imitate one"
ALIKE = "is written with characters that only look like the address"
TOLD = "is not written as https and one of the allowed hosts"
UNSEEN = "is not on the list of allowed hosts"  # what X links although it is no host
SECOND = "has a second address inside"
MEASURES = "at most 139 are allowed by both measures"
NO_LINK = "; if it is no link, put a space after the full stop"

LINKS = [
    ('See https://shop.example.com/a?b=c#d.', []),
    ('See shop.example.com/x.', []),
    ('HTTPS://SHOP.EXAMPLE.COM', []),
    ('http://shop.example.com', [('http://shop.example.com', 'uses http:// and not https://')]),
    ('https:/shop.example.com', [('https:/shop.example.com', 'uses https:/ and not https://')]),
    ('ftp://shop.example.com/x', [('ftp://shop.example.com/x', 'uses ftp:// and not https://')]),
    ('https://jo@shop.example.com', [('https://jo@shop.example.com', 'has a user name before its host')]),
    ('https://shop.example.com:443/a', [('https://shop.example.com:443/a', 'names a port')]),
    ('shop.example.com:8080', [('shop.example.com:8080', 'names a port')]),
    ('https://evil.test.com/', [('https://evil.test.com/', AWAY)]),
    ('https://éxample.com/', [('https://éxample.com/', AWAY + IMITATES)]),
    ('https://xn--bcher-kva.com/', [('https://xn--bcher-kva.com/', AWAY + IMITATES)]),
    ('https://shop.example.com/?u=https://a.com', [('https://shop.example.com/?u=https://a.com', SECOND)]),
    ('https://shop.example.com//a.com', [('https://shop.example.com//a.com', SECOND)]),
    ('https://shop.example.com/a@b.com', [('https://shop.example.com/a@b.com', SECOND)]),
    ('https://shop.example.com/%2F%2Fevil', [('https://shop.example.com/%2F%2Fevil', SECOND)]),
    ('https://shop.example.com/\\x', [('https://shop.example.com/\\x', SECOND)]),
    ('https://shop.example.com/a%5cb', [('https://shop.example.com/a%5cb', SECOND)]),
    ('bit.ly/x!', [('bit.ly/x', AWAY + NO_LINK)]),
    ('See bit.ly.', [('bit.ly', AWAY + NO_LINK)]),
    ('end.Start of it', []),
    ('It is e.g. ok', []),
    ('jo@shop.example.com', []),
    ('jo@evil.com now', [('evil.com', 'is an e-mail address elsewhere')]),
    ('1.2.3.4', [('1.2.3.4', AWAY + NO_LINK)]),
    ('1.2.3.4/a', [('1.2.3.4/a', AWAY + NO_LINK)]),
    ('http://1.2.3.4', [('http://1.2.3.4', 'uses http:// and not https://')]),
    ('1.2.3', []),
    ('mailto:jo@x.com', [('mailto:jo@x.com', 'uses mailto: and not https')]),
    ('tel:123', [('tel:123', 'uses tel: and not https')]),
    ('Hotel: yes', []),
    ('see mailto: x', []),
    ('bit[.]ly/x', [('bit[.]ly/x', AWAY + NO_LINK)]),
    ('bit(dot)ly/x', [('bit(dot)ly/x', AWAY + NO_LINK)]),
    ('bit {dot} ly', [('bit {dot} ly', AWAY + NO_LINK)]),
    ('bit dot ly/x', [('bit dot ly/x', AWAY + NO_LINK)]),
    ('bit . ly', [('bit . ly', AWAY + NO_LINK)]),
    ('a dot b', []),
    ('bit。ly', [('bit。ly', AWAY + NO_LINK)]),
    ('bit-dot-ly', [('bit-dot-ly', AWAY + NO_LINK)]),
    ('http colon slash slash bit', [('http', TOLD)]),
    ('https : bit', [('https :', TOLD)]),
    ('www evil site', [('www evil', TOLD)]),
    ('hxxps evil', [('hxxps', TOLD)]),
    ('www.shop.example.com', [('www.shop.example.com', AWAY + NO_LINK)]),
    ('shop.example.com.evil.com', [('shop.example.com.evil.com', AWAY + NO_LINK)]),
    ('shop.example.com, m.example.org', []),
    ('a.com b.net', [('a.com', AWAY + NO_LINK), ('b.net', AWAY + NO_LINK)]),
    ('(m.example.org)', []),
    ('m.example.org/a.com', []),
    ('x.com=y.net', [('x.com=y.net', AWAY + NO_LINK), ('y.net', AWAY + NO_LINK)]),
    ('evil.com…', [('evil.com', AWAY + NO_LINK)]),
    ('see xn--abc.xn--p1ai now', [('xn--abc.xn--p1ai', AWAY + IMITATES + NO_LINK)]),
    ('a..com', []),
    ('go to x.écom', []),
    ('.com', []),
    ('https://', [('https://', AWAY)]),
    ('https://?x', [('https://?x', AWAY)]),
    ('shop.example.com?next=//a', [('shop.example.com?next=//a', SECOND)]),
    ('https:shop.example.com', [('https:shop.example.com', 'uses https: and not https://')]),
    ('[x](https://evil.com)', [('https://evil.com', AWAY)]),
    ('https://shop.example.com]evil', [('https://shop.example.com]evil', AWAY)]),
    ('https://shop\u200b.example.com/', [('https://shop\u200b.example.com/', ALIKE)]),
    ('ｓhop.example.com', [('ｓhop.example.com', ALIKE)]),
    ('a.com/b.com', [('a.com/b.com', AWAY + NO_LINK), ('b.com', AWAY + NO_LINK)]),
    ('x@y.com@z.com', [('y.com', 'is an e-mail address elsewhere'), ('z.com', 'is an e-mail address elsewhere')]),
    ('x.coß', [('x.co', UNSEEN)]),
    ('m.example.org x.coß m.example.org', [('x.co', UNSEEN)]),
    ('a.com x.coß b.net', [('a.com', AWAY + NO_LINK), ('b.net', AWAY + NO_LINK), ('x.co', UNSEEN)]),
    ('shop.example.com x.coß. b.net', [('b.net', AWAY + NO_LINK), ('x.co', UNSEEN)]),
    ('bit｡ly', [('bit｡ly', AWAY + NO_LINK)]),
    ('bit．ly', [('bit．ly', AWAY + NO_LINK)]),
    ('https://shop.example.com/?u=https:a.com', [('https://shop.example.com/?u=https:a.com', SECOND)]),
    ('https :a.com', [('a.com', AWAY + NO_LINK), ('https :', TOLD)]),
    ('www evil.com a.net', [('evil.com', AWAY + NO_LINK), ('a.net', AWAY + NO_LINK)]),
    ('a.com ftp', [('a.com', AWAY + NO_LINK), ('ftp', TOLD)]),
    ('bit[.] dot ly a[.]com', [('bit[.] dot', AWAY + NO_LINK), ('a[.]com', AWAY + NO_LINK)]),
    ('(mailto:jo@x.com)', [('(mailto:jo@x.com)', 'uses mailto: and not https')]),
    ('u=a.com', [('a.com', AWAY + NO_LINK)]),
    ('m.example.org/a:1', []),
    ('x.y.z.qq', []),
    ('go a.xn--zzzz now', [('a.xn--zzzz', AWAY + IMITATES + NO_LINK)]),
    ('a.zzxn--', []),
    ('evil.comの', [('evil.comの', AWAY + NO_LINK)]),
    ('See https://shop.example.com.', []),
    ('m.example.org m.example.org m.example.org', []),
    ('a.com/https : b', [('a.com/https', AWAY + NO_LINK)]),
    ('see t.co/abc, t.me/x', [('t.co/abc', AWAY + NO_LINK), ('t.me/x', AWAY + NO_LINK)]),
]  # fmt: skip

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
    ('Order 12 or zero seven nine double one 123456', ['zero seven nine double one 123456']),
    ('(212) 5552368', ['(212) 5552368']),
    (' or '.join(f'07911 12345{n}' for n in range(9)), [f'07911 12345{n}' for n in range(8)]),
]  # fmt: skip

UNFILLED = [
    ('Hi {first_name}', ['{first_name}']),
    ('Hi {{x}}', ['{{x}}']),
    ('${x}', ['${x}']),
    ('{', ['{']),
    ('a } b', ['}']),
    ('Hi [name]', ['[name]']),
    ('Hi ( Name )', ['( Name )']),
    ('Hi [Anna]', []),
    ('[ORDER_ID]', ['[ORDER_ID]']),
    ('(ORDER_ID)', ['ORDER_ID']),
    ('[S-XL]', []),
    ('[XL]', []),
    ('[insert your name]', ['[insert your name]']),
    ('(add the link here)', ['(add the link here)']),
    ('[put]', []),
    ('<name>', ['<name>']),
    ('< 3', []),
    ('%(name)s', ['%(name)s']),
    ('%s', ['%s']),
    ('%d%', ['%d']),
    ('%small', []),
    ('[ ]', ['[ ]']),
    ('[..]', ['[..]']),
    ('[x]', ['[x]']),
    ('[_]', ['[_]']),
    ('[?]', ['[?]']),
    ('first_name', ['first_name']),
    ('my_first_name', []),
    ('order_id', ['order_id']),
    ('a@order_id', []),
    ('%%NAME%%', ['%%NAME%']),
    ('%name%', ['%name%']),
    ('XXX', ['XXX']),
    ('£XX', ['£XX']),
    ('£X.XX', ['£X.XX']),
    ('XX/XX', ['XX/XX']),
    ('Size XXL', []),
    ('%NAME', ['%NAME']),
    ('[your first name]', ['[your first name]']),
    ('[delivery date]', ['[delivery date]']),
    ('___', ['___']),
    ('###', ['###']),
    ('hm.....', ['.....']),
    ('hm....', []),
    ('????', ['????']),
    ('???', []),
    ('$name', ['$name']),
    ('US$name', []),
    ('@name@', ['@name@']),
    ('#name#', ['#name#']),
    ('*|FNAME|*', ['*|FNAME|*']),
    ('~name~', ['~name~']),
    ('TODO', ['TODO']),
    ('TBC', ['TBC']),
    ('todo', []),
    ('DD/MM/YYYY', ['DD/MM/YYYY']),
    ('HH:MM', ['HH:MM']),
    ('undefined', ['undefined']),
    ('NaN', ['NaN']),
    ('null', []),
    ('Null', ['Null']),
    ('N/A', ['N/A']),
    ('£null', ['£null']),
    ('Hi ,', ['Hi ,']),
    ('Hello !', ['Hello !']),
    ('Dear customer name', ['Dear customer name']),
    ('Hi null', ['Hi null']),
    ('hi name', ['hi name']),
    ('00000', ['00000']),
    ('QH-00000', []),
    ('0000', []),
    ('insert your link here', ['insert your link here']),
    ('put it here', ['put it here']),
    ('your name here', ['your name here']),
    ('«first name»', ['«first name»']),
    ('‹name›', ['‹name›']),
    ('{a}{b}', ['{a}', '{b}']),
    ('[a [name] b]', ['[name]']),
]  # fmt: skip

LEN = [
    ('', [None]),
    ('  ', [None]),
    (' ' * 200, [None]),
    ('a' * 139, []),
    ('a' * 140, [None]),
    ('語' * 70, [None]),
    ('語' * 69, []),
]  # fmt: skip

SHOUT = [
    ('PLEASE READ', ['PLEASE READ']),
    ('PLEASE read', []),
    ('PLEASE read THIS', []),
    ('PLEASE, READ THIS NOW', ['PLEASE, READ']),
    ('NHS UK', []),
    ('PLEASE NHS READ', ['PLEASE NHS READ']),
    ('PLEASE. READ', ['PLEASE. READ']),
    ('Wow!!', ['!!']),
    ('Wow! Really?', []),
    ('what?!', ['?!']),
    ('ok ! !', ['! !']),
    ('I A', []),
    ("DON'T GO", ["DON'T GO"]),
    ('XX-1 YY', []),
    ('A1B CD EF', ['CD EF']),
    ('PLEASE 2 READ', ['PLEASE 2 READ']),
    ('AAA bbb CCC DDD EEE FFF', ['CCC DDD']),
]  # fmt: skip

EMOJI = [
    ('😀', []),
    ('😀😀', [None]),
    ('a', []),
    ('é', []),
    ('😀 😀 😀', [None]),
]  # fmt: skip

MIXED = [
    ('pаy now', ['pаy']),
    ('рау now', ['рау']),
    ('рау', []),
    ('naïve', []),
    ('привет friend', []),
    ('é', []),
    ('раssword', ['раssword']),
    ('а b', []),
    ('α test', []),
    ('pay раss', ['раss']),
    ('xж', []),
    ('Ивану pay', []),
    ('рqx now', ['рqx']),
    ('call ме', ['ме']),
    ('naïve раss', ['раss']),
    ('Ивану раss', ['раss']),
]  # fmt: skip

STYLED = [
    ('ａ', ['ａ']),
    ('ok', []),
    ('𝐩𝐚𝐲', ['𝐩']),
    ('ⅳ', []),
    ('ⅳⅳ', ['ⅳⅳ']),
    ('٤', ['٤']),
    ('ᴘᴀʏ', ['ᴘᴀʏ']),
    ('ᴘᴀ', []),
    ('m²', []),
    ('so 𝐩𝐚𝐲', ['𝐩']),
    ('①', ['①']),
    ('é', []),
]  # fmt: skip

PATTERN = [
    ('order ref 12', ['ref 12']),
    ('ref 12', []),
    ('REFX order', ['REFX']),
    ('refx order', []),
    ('order REF 12 ref 13', ['REF 12', 'ref 13']),
    ('order ref 12 test', []),
    ('order', []),
]  # fmt: skip

PATTERN2 = [
    ('Ref', ['Ref']),
    ('ref', []),
    ('ﬀ Ref', ['Ref']),
]  # fmt: skip


def _shown(detector: Detector, text: str, *, template: bool = False) -> list[str | None]:
    hits = detector(Judged(text, "generic", template))
    return [None if hit.span is None else text[slice(*hit.span)] for hit in hits]


@pytest.mark.parametrize(("text", "found"), LINKS)
def test_links(text: str, found: list[tuple[str, str]]) -> None:
    settings = {
        "hosts": ["Shop.example.com", "m.example.org"],
        "schemes": ["mailto", "tel", "sms"],
    }
    hits = allowed_links(Settings(settings))(Judged(text, "generic"))
    shown = [(text[slice(*hit.span)] if hit.span else None, hit.reason) for hit in hits]
    assert shown == [(link, f"the link {reason}") for link, reason in found]


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
    "unfilled": (unfilled(Settings({"placeholder_words": ["Name", "order number"]})), UNFILLED),
    "length": (length(Settings({})), LEN),
    "characters": (
        characters(Settings({})),
        [("a\tb", ["\t"]), ("é\tb", ["\t"]), ("e\u0301\tb", [None]), ("ab", [])],
    ),
    "shouting long": (
        shouting(Settings({"words": 3, "allowed": ["NHS"]})),
        [
            ("PLEASE READ THIS NOW", ["PLEASE READ THIS"]),
            ("PLEASE READ this NOW AND HERE", ["NOW AND HERE"]),
            ("PLEASE NHS READ", []),
        ],
    ),
    "shouting": (shouting(Settings({"words": 2, "allowed": ["NHS", "UK"]})), SHOUT),
    "emoji": (emoji_limit(Settings({"most": 1})), EMOJI),
    "mixed scripts": (mixed_scripts(Settings({})), MIXED),
    "styled": (styled_letters(Settings({})), STYLED),
    "pattern": (
        pattern(
            Settings(
                {
                    "patterns": ["ref [0-9]+"],
                    "cased_patterns": ["REF[A-Z]"],
                    "near": ["order|parcel"],
                    "unless": ["test"],
                }
            )
        ),
        PATTERN,
    ),
    "cased pattern": (pattern(Settings({"patterns": ["Ref"], "case": True})), PATTERN2),
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
    account = "1" * (size - 4)
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


@pytest.mark.parametrize(
    ("text", "template", "reason", "mend"),
    [
        ("", False, "the text is empty", "write something"),
        (
            "a" * 141, False,
            f"the text has 141 characters and weighs 141; {MEASURES}",
            "shorten it by 2",
        ),
        (
            "語" * 70, False,
            f"the text has 70 characters and weighs 140; {MEASURES}",
            "shorten it by 1",
        ),
        (
            "a" * 126 + "{order_number}", True,
            f"the text has in its worst case 140 characters and weighs 140; {MEASURES}",
            "shorten it by 1",
        ),
    ],
)  # fmt: skip
def test_the_length_says_by_how_much(text: str, template: bool, reason: str, mend: str) -> None:
    (hit,) = DETECTORS["length"][0](Judged(text, "generic", template))
    assert (hit.span, hit.reason, hit.mend) == (None, reason, mend)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hi {first_name}.", []),
        ("Hi [name] {first_name}", ["[name]"]),
        ("Hi {surname}.", [None]),
        ("{first_name", [None]),
        ("Hi \x07", []),
    ],
)
def test_a_template_may_have_its_slots(text: str, found: list[str | None]) -> None:
    assert _shown(DETECTORS["unfilled"][0], text, template=True) == found


def test_a_slot_that_is_none_is_explained() -> None:
    (malformed,) = DETECTORS["unfilled"][0](Judged("{first_name", "generic", True))
    assert malformed.reason == "a slot is not written as it must be"
    assert malformed.mend.startswith("character 1: a { that is no slot")
    (unknown,) = DETECTORS["unfilled"][0](Judged("{surname}", "generic", True))
    assert unknown.reason.startswith("there is no slot {surname}")


def test_what_a_detector_does_not_know_is_refused() -> None:
    for factory in (characters, iban, length, mixed_scripts, network_length, styled_letters):
        with pytest.raises(SettingsError, match=r"settings\.more is not known here; known: none"):
            factory(Settings({"more": 1}))
    for factory, settings in (
        (card_number, {"issuers": ["4: 16"]}),
        (email_address, {"hosts": ["a.com"]}),
        (national_number, {"kinds": ["uk_nhs"]}),
        (telephone, {"regions": {}}),
        (unfilled, {"placeholder_words": ["x"]}),
        (shouting, {"words": 2}),
        (emoji_limit, {"most": 2}),
        (pattern, {"patterns": ["x"]}),
        (allowed_links, {"hosts": ["a.com"], "schemes": ["tel"]}),
    ):
        factory(Settings(settings))
        with pytest.raises(SettingsError, match=r"settings\.more is not known here; known: \w"):
            factory(Settings({**settings, "more": 1}))
    with pytest.raises(SettingsError, match=r"settings\.kinds: 'x' is not known: uk_nino, uk_nhs"):
        national_number(Settings({"kinds": ["x"]}))
    with pytest.raises(SettingsError, match=r"settings\.patterns: "):
        pattern(Settings({"patterns": ["("]}))


def test_the_pattern_says_nothing_without_its_phrases_near() -> None:
    detector = pattern(Settings({"patterns": ["x[0-9]"], "near": []}))
    assert _shown(detector, "x1") == []
    assert _shown(pattern(Settings({"patterns": ["x[0-9]"]})), "x1") == ["x1"]


@pytest.mark.parametrize(
    ("settings", "method", "message"),
    [
        ({}, "phrases", "settings.a must be a list of phrases"),
        ({"a": []}, "phrases", "settings.a must be a list of phrases"),
        ({"a": "x"}, "phrases", "settings.a must be a list of phrases"),
        ({"a": ["x", " "]}, "phrases", "settings.a: every entry must be text; put it in quotes"),
        ({"a": [1]}, "phrases", "settings.a: every entry must be text; put it in quotes"),
        ({"a": []}, "sets", "settings.a must map names to lists of words"),
        ({"a": {"x": "y"}}, "sets", "settings.a must map names to lists of words"),
        (
            {"a": {"x": [1]}},
            "sets",
            "settings.a: every name and word must be text; put it in quotes",
        ),
        (
            {"a": {1: ["x"]}},
            "sets",
            "settings.a: every name and word must be text; put it in quotes",
        ),
        ({}, "number", "settings.a must be a whole number above 0"),
        ({"a": True}, "number", "settings.a must be a whole number above 0"),
        ({"a": "1"}, "number", "settings.a must be a whole number above 0"),
        ({"a": 0}, "number", "settings.a must be a whole number above 0"),
    ],
)
def test_settings_of_another_kind_are_named(
    settings: dict[str, Any], method: str, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        getattr(Settings(settings), method)("a")
    assert str(caught.value) == message


def test_settings_are_read() -> None:
    settings = Settings({"a": ["x"], "b": [], "c": {"n": ["w"]}, "d": 1, "e": True})
    assert settings.phrases("a") == ("x",)
    assert settings.phrases("b", required=False) == settings.phrases("z", required=False) == ()
    assert (settings.sets("c"), settings.sets("z")) == ({"n": ["w"]}, {})
    assert settings.number("d") == 1
    assert settings.flag("e", default=False) is True
    assert [settings.flag("z", default=default) for default in (True, False)] == [True, False]
    settings.expect("a", "b", "c", "d", "e")
    with pytest.raises(SettingsError, match=r"settings\.a is not known here; known: b, z$"):
        settings.expect("b", "z")
    with pytest.raises(SettingsError, match=r"settings\.d must be true or false"):
        settings.flag("d", default=True)


def test_a_hit_says_no_more_than_its_detector_does() -> None:
    (hit,) = DETECTORS["iban"][0](Judged("GB82 WEST 1234 5698 7654 32", "x"))
    assert (hit.reason, hit.mend) == ("", "")
    (hit,) = DETECTORS["characters"][0](Judged("a\tb", "x"))
    assert (hit.reason, hit.mend) == ("U+0009 is a control character", "")


def test_too_many_emoji_are_counted() -> None:
    (hit,) = DETECTORS["emoji"][0](Judged("😀 😀", "x"))
    assert hit.reason == "the text has 2 emoji; at most 1 are allowed"


def test_a_network_says_what_it_takes() -> None:
    (hit,) = network_length(Settings({}))(Judged("a" * 10_001, "x"))
    assert (hit.span, hit.mend) == (None, "")
    assert hit.reason.startswith("x takes 10,000 weighted")
    assert ", this is 10,001 (" in hit.reason


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("red|[0-9]", "red"),
        ("(?:[0-9]|r)ed", "red"),
        ("(?:red(?:[0-9]))?ed", "red"),
        ("red[0-9]?", "red"),
        ("red[0-9]*", "red"),
        ("red[0-9]{0,2}", "red"),
        ("(?<![0-9])red(?![0-9])", "red"),
        ("[^0-9]ed", "red"),
        ("[]0-9r]ed", "red"),
        (r"[\][0-9]ed", "[ed"),
        (r"red\([0-9]?\)", "red()"),
        ("(?V1)[[r]~~[0-9]]ed", "red"),
        ("(?x)red # [0-9]", "red"),
    ],
)
def test_a_pattern_that_needs_no_digit_is_tried_on_every_text(expression: str, text: str) -> None:
    assert len(_shown(pattern(Settings({"patterns": [expression]})), text)) == 1


@pytest.mark.parametrize(
    "expression", ["red[0-9]", "red[0-9]{1,2}+", "(?:red|blue)[0-9]+", r"(?i)[a-z\]]{3}\s?[0-9]"]
)
def test_a_pattern_that_needs_a_digit_is_found_with_one(expression: str) -> None:
    detector = pattern(Settings({"patterns": [expression]}))
    assert _shown(detector, "red7") == ["red7"]
    assert _shown(detector, "red seven") == []
