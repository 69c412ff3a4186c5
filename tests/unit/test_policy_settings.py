"""The settings of a rule are read with checks: what is unknown, missing or of another kind is named."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge_base.policy.cards import card_number
from knowledge_base.policy.detectors import Settings, SettingsError
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
