"""Each detector points at what it looks for, at all of it, and at nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.detectors import Detector, Settings
from knowledge_base.policy.shape import characters, length, network_length, unfilled
from knowledge_base.policy.style import (
    emoji_limit,
    mixed_scripts,
    pattern,
    shouting,
    styled_letters,
)

MEASURES = "at most 139 are allowed by both measures"

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


DETECTORS: dict[str, tuple[Detector, list[tuple[str, list[Any]]]]] = {
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


def test_the_pattern_says_nothing_without_its_phrases_near() -> None:
    detector = pattern(Settings({"patterns": ["x[0-9]"], "near": []}))
    assert _shown(detector, "x1") == []
    assert _shown(pattern(Settings({"patterns": ["x[0-9]"]})), "x1") == ["x1"]


def test_a_hit_says_no_more_than_its_detector_does() -> None:
    (hit,) = DETECTORS["styled"][0](Judged("ａ", "x"))
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
