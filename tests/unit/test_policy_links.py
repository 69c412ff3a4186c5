"""Links: which are told, why, and where they begin and end."""

from __future__ import annotations

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.detectors import Settings
from knowledge_base.policy.links import allowed_links

AWAY = "leads to a host that is not on the list of allowed hosts"

IMITATES = ", and it may imitate one"

ALIKE = "is written with characters that only look like the address"

TOLD = "is not written as https and one of the allowed hosts"

UNSEEN = "is not on the list of allowed hosts"  # what X links although it is no host

SECOND = "has a second address inside"

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


@pytest.mark.parametrize(("text", "found"), LINKS)
def test_links(text: str, found: list[tuple[str, str]]) -> None:
    settings = {
        "hosts": ["Shop.example.com", "m.example.org"],
        "schemes": ["mailto", "tel", "sms"],
    }
    hits = allowed_links(Settings(settings))(Judged(text, "generic"))
    shown = [(text[slice(*hit.span)] if hit.span else None, hit.reason) for hit in hits]
    assert shown == [(link, f"the link {reason}") for link, reason in found]
