"""What in a customer's words needs a person: every phrasing of the file, how it is read, what a file must be."""

from __future__ import annotations

import pytest

from knowledge_base.errors import PolicyError
from suggest_api.compliance.signals import Signal, Signals, load_signals

SIGNALS = load_signals()
FLAGGED = [(s, text) for s in SIGNALS.every for text in s.must_flag]
PASSED = [(s, text) for s in SIGNALS.every for text in s.must_pass]
FILE = """
format: 1
signals:
  - id: fire
    title: fire
    reason: vulnerable
    phrases: ["house|home ... burn*"]
    unless: ["home burner"]
    must_flag: [a, b, c, d, e, f, g, h]
    must_pass: [a, b, c, d, e, f, g, h]
"""


def ids(messages: list[str], signals: Signals = SIGNALS) -> list[str]:
    return [signal.id for signal in signals.read(messages)]


def test_the_file_names_what_a_person_has_to_answer() -> None:
    assert {signal.id for signal in SIGNALS.every} >= {
        "self_harm",
        "bereavement",
        "abuse",
        "medical",
        "minor",
        "legal",
        "press",
    }
    reasons = {signal.id: signal.reason for signal in SIGNALS.every}
    assert reasons["self_harm"] == "vulnerable"
    assert reasons["legal"] == "complaint"


@pytest.mark.parametrize(("signal", "text"), FLAGGED, ids=[t for _, t in FLAGGED])
def test_what_must_show_shows(signal: Signal, text: str) -> None:
    assert signal.id in ids([text])


@pytest.mark.parametrize(("signal", "text"), PASSED, ids=[t for _, t in PASSED])
def test_what_must_pass_shows_nothing_at_all(signal: Signal, text: str) -> None:
    assert ids([text]) == []


@pytest.mark.parametrize(
    "text",
    [
        "I WANT TO KILL MYSELF",
        "i want to... kill  myself!!",
        "i want to kill\nmyself",
        "I wan\u200bt to kill myself",  # an invisible character inside a word
        "\uff29 want to kill myself",  # a full-width letter
        "I can’t go on like this",
        "hello. I can`t go on like this, sorry",
    ],
)
def test_case_marks_and_disguises_change_nothing(text: str) -> None:
    assert ids([text]) == ["self_harm"]


def test_one_sentence_in_two_messages_is_read_as_one() -> None:
    assert ids(["i want to kill", "myself"]) == ["self_harm"]
    assert ids(["i want to kill", "where is my parcel", "myself"]) == []


def test_several_signals_come_with_the_most_urgent_first() -> None:
    assert ids(["my solicitor will write to you", "I want to die"]) == ["self_harm", "legal"]


def test_an_idiom_beside_the_real_thing_hides_nothing() -> None:
    assert ids(["That lamp is to die for, but I want to kill myself"]) == ["self_harm"]


def test_nothing_to_read_is_no_signal() -> None:
    assert ids([]) == []
    assert ids(["", "  ", "\u200b"]) == []


def test_an_endless_message_is_read_as_far_as_it_is_kept() -> None:
    assert ids(["a " * 50_000]) == []
    assert ids(["my mum " * 5_000 + "died"]) == []


def test_alternatives_gaps_and_open_ends() -> None:
    fire = load_signals(FILE)
    assert ids(["my home is burning"], fire) == ["fire"]
    assert ids(["the house is really going to burn"], fire) == []  # four words in between
    assert ids(["a home burner"], fire) == []
    assert ids(["homework burns"], fire) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("format: 1", "format: 2", "format must be 1"),
        ("signals:", "signs:", "a list named signals"),
        ("id: fire", "name: fire", "keys must be"),
        ("id: fire", "id: ''", "id must be text"),
        ("reason: vulnerable", "reason: urgent", "vulnerable or complaint"),
        ("must_flag: [a, b,", "must_flag: [a,", "at least 8"),
        ("must_flag: [a,", "must_flag: [1,", "list of texts"),
        ('"home burner"', '"Home Burner"', "is not a phrase"),
        ('"home burner"', '"... burner"', "is not a phrase"),
        ('"home burner"', '"home burner ..."', "is not a phrase"),
        ('"home burner"', '"home (burner)+"', "is not a phrase"),
        ("format: 1", "format: 1\nx: [", "not readable YAML"),
    ],
)
def test_a_file_that_is_not_right_is_refused_with_the_place(old: str, new: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        load_signals(FILE.replace(old, new, 1))


def test_two_signals_of_one_name_are_refused() -> None:
    twice = FILE + FILE.split("signals:\n", 1)[1]
    with pytest.raises(PolicyError, match="same id"):
        load_signals(twice)
