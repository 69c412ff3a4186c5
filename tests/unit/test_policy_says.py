"""What counts as telling: phrases whole or in parts, and what excuses or negates them."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.detectors import Settings, SettingsError
from knowledge_base.policy.says import says

NEGATABLE = {
    "phrases": ["we ~ guarantee it"],
    "negations": ["not|never|cannot"],
    "transparent": ["say", "that"],
    "stops": ["not", "never", "cannot"],
    "no_negation": ["why"],
}


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("We guarantee it.", True),
        ("We cannot guarantee it.", False),
        ("I would never say that we guarantee it.", False),
        ("Never mind, we guarantee it.", True),
        ("Do not worry: we guarantee it.", True),
        ("Do not worry we guarantee it.", True),
        ("Why not say we guarantee it?", True),
        ("Never. We guarantee it.", True),
    ],
)
def test_a_negation_counts_where_it_negates(text: str, flagged: bool) -> None:
    assert bool(list(says(Settings(NEGATABLE))(Judged(text, "generic")))) is flagged


TOGETHER = {
    "phrases": ["disable|off & antivirus", "win|get & voucher & review"],
    "negations": ["not|never"],
    "transparent": ["switch", "your"],
    "stops": ["not", "never"],
}


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("Please disable the antivirus.", True),
        ("Your antivirus has to be off.", True),
        ("Disable it. The antivirus stays.", False),
        ("Do not disable your antivirus.", False),
        ("Off it goes, but never your antivirus.", False),
        ("Never switch your antivirus off.", False),
        ("Get a voucher for every review.", True),
        ("A review lets you win a voucher.", True),
        ("Get a voucher.", False),
        ("Off " + "and on " * 6 + "antivirus", False),
    ],
)
def test_parts_joined_by_and_stand_in_any_order(text: str, flagged: bool) -> None:
    assert bool(list(says(Settings(TOGETHER))(Judged(text, "generic")))) is flagged


def test_a_negated_phrase_hides_what_is_inside_it_and_nothing_else() -> None:
    settings = {
        **NEGATABLE,
        "phrases": ["take control of your phone", "control of your", "your phone", "phone now"],
    }
    found = [
        hit.span
        for text in ("never take control of your phone", "never take control of your phone now")
        for hit in says(Settings(settings))(Judged(text, "generic"))
    ]
    assert found == [(27, 36)]


def test_a_rule_may_excuse_questions_and_say_when_it_does_not_hold() -> None:
    detector = says(
        Settings({"phrases": ["tomorrow"], "unless": ["usually"], "in_questions": False})
    )
    texts = ("It comes tomorrow.", "Tomorrow?", "It usually comes tomorrow.", "Usually. Tomorrow.")
    assert [bool(list(detector(Judged(text, "generic")))) for text in texts] == [
        True,
        False,
        False,
        True,
    ]


SAID = [
    ('we promise', ['we promise']),
    ('not that we promise', []),
    ('not that that that that that that that we promise', []),
    ('not that that that that that that that that we promise', ['we promise']),
    ('why not we promise', ['we promise']),
    ('never say we promise', []),
    ('why never say we promise', []),
    ('not, we promise', ['we promise']),
    ('not pink we promise', ['we promise']),
    ('maybe we promise', []),
    ('we promise. maybe', ['we promise']),
    ('we. promise', []),
    ('blue so red', ['blue so red']),
    ('red a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 blue', ['red a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 blue']),
    ('red a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 blue', []),
    ('red no blue', []),
    ('red. Blue', []),
    ('red so red go blue', ['red so red go blue']),
    ('blue red blue', ['blue red']),
    ('not blue so red', []),
    ('red not blue', []),
    ('we promise we promise', ['we promise', 'we promise']),
    ('red', []),
    ('old so new is big', ['old so new is big']),
    ('big and new', []),
    ('big old new old', ['big old new']),
    ('new. Old big', []),
    ('red blue we promise', ['red blue', 'we promise']),
    ('not red we promise', ['we promise']),
    ('old no new big', []),
    ('so blue, red', ['blue, red']),
    ('red blue so blue and blue', ['red blue']),
    ('blue so blue red', ['blue red']),
    ('red a. so red blue', ['red blue']),
    ('not that we promise, we promise', ['we promise']),
    ('maybe we promise. we promise', ['we promise']),
    ('not red blue, red', ['blue, red']),
]  # fmt: skip

SETTINGS = {
    "phrases": ["we promise", "red & blue", "big & old & new"],
    "negations": ["not", "never say"],
    "transparent": ["that", "i"],
    "stops": ["no"],
    "no_negation": ["why"],
    "unless": ["maybe"],
}


@pytest.mark.parametrize(("text", "said"), SAID)
def test_what_is_said(text: str, said: list[str]) -> None:
    hits = says(Settings(SETTINGS))(Judged(text, "generic"))
    assert [text[slice(*hit.span)] for hit in hits if hit.span] == said


@pytest.mark.parametrize(
    ("settings", "text", "found"),
    [
        ({}, "not that we promise", 0),
        ({"negatable": False}, "not that we promise", 1),
        ({"negatable": False}, "red no blue", 1),
        ({}, "we promise?", 1),
        ({"in_questions": False}, "we promise?", 0),
        ({"in_questions": False}, "we promise. Ok?", 1),
        ({"warnings": ["from us"]}, "we promise is not from us", 0),
        ({"warnings": ["from us"]}, "we promise. It is from us", 1),
        ({"in_questions": False}, "we promise? we promise.", 1),
    ],
)
def test_what_a_rule_may_leave_alone(settings: dict[str, Any], text: str, found: int) -> None:
    hits = says(Settings({**SETTINGS, **settings}))(Judged(text, "generic"))
    assert len(list(hits)) == found


@pytest.mark.parametrize(
    ("phrases", "text", "said"),
    [
        ("red ~ blue & so|big", "red so blue big", ["red so blue big"]),
        ("red blue & blue green", "red blue green", []),
        ("red blue & blue green", "red blue and blue green", ["red blue and blue green"]),
        ("no way & blue", "no way so blue", ["no way so blue"]),
        ("red blue;blue;green", "red blue green", ["red blue", "green"]),
    ],
)
def test_phrases_that_overlap_are_told_once(phrases: str, text: str, said: list[str]) -> None:
    hits = says(Settings({"phrases": phrases.split(";"), "stops": ["no"]}))(
        Judged(text, "generic")
    )
    assert [text[slice(*hit.span)] for hit in hits if hit.span] == said


@pytest.mark.parametrize(
    ("settings", "text", "said"),
    [
        ({"phrases": ["red blue", "blue green"]}, "not red blue green", ["blue green"]),
        ({"phrases": ["red blue", "blue"]}, "not red blue", []),
        ({"phrases": ["<shade> blue"], "sets": {"shade": ["red"]}}, "so red blue", ["red blue"]),
        ({"phrases": ["red"], "sets": {"no": ["not"]}, "unless": ["<no>"]}, "red not", []),
        ({"phrases": ["red & <shade>"], "sets": {"shade": ["big"]}}, "big red", ["big red"]),
    ],
)
def test_what_a_negation_hides_and_sets_stand_for(
    settings: dict[str, Any], text: str, said: list[str]
) -> None:
    hits = says(Settings({"negations": ["not"], **settings}))(Judged(text, "generic"))
    assert [text[slice(*hit.span)] for hit in hits if hit.span] == said


def test_a_rule_that_says_needs_phrases_alone() -> None:
    assert list(says(Settings({"phrases": ["red"]}))(Judged("not red", "generic")))
    with pytest.raises(SettingsError, match=r"settings\.phrases must be a list"):
        says(Settings({}))
    with pytest.raises(
        SettingsError, match=r"settings\.more is not known here; known: phrases, unless"
    ):
        says(Settings({"phrases": ["red"], "more": []}))
