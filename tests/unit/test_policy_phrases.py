"""The language of phrases: its elements, the endings of words, gaps, and which of several phrases is found."""

from __future__ import annotations

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.detectors import SettingsError
from knowledge_base.policy.phrases import PhraseTable, forms, is_number, needs_of_all, needs_of_any
from tests.starter_policy import starter_policy

POLICY = starter_policy()


def _found(phrase: str, text: str, **sets: list[str]) -> list[str]:
    judged = Judged(text, "generic")
    spans = PhraseTable([phrase], sets).spans(judged.words)
    return [" ".join(judged.texts[start:end]) for start, end in spans]


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("full refund", "A full refund.", ["full refund"]),
        ("full refund", "A full. Refund it.", []),
        ("full ~ refund", "full and final refund", ["full and final refund"]),
        ("full ~ refund", "full of this or that refund", []),
        ("full ~ refund", "full refund and one refund", ["full refund and one refund"]),
        ("refund|money back", "your money back", ["money back"]),
        ("refund|money back", "your refund back", ["refund back"]),
        (
            "(refund|money back) now",
            "refund now, money back now",
            ["refund now", "money back now"],
        ),
        ("very? good", "good and very good", ["good", "very good"]),
        ("refund+", "refunds refunded refunding refunder", ["refunds", "refunded", "refunding"]),
        ("in # <unit>", "in 2 hours, in two days, in 48h", ["in 2 hours", "in two days"]),
        ("# hours", "in 12 hours", ["12 hours"]),
        ("don't", "Don’t", ["dont"]),
        ("full ~~ refund", "full of this or that refund", ["full of this or that refund"]),
        ("full ~~ refund", "full of this and that and more or less than refund", []),
        ("^ sell", "Please just sell. We sell. Now, sell.", ["sell", "sell"]),
        ("cool it $", "Cool it, please. Cool it now.", ["cool it"]),
        ("^ wait $", "Wait. We wait. Wait here.", ["wait"]),
        ("send+", "send sends sent sending sender", ["send", "sends", "sent", "sending"]),
        ("pay+", "paid paying payed", ["paid", "paying"]),
    ],
)
def test_the_phrase_language(phrase: str, text: str, found: list[str]) -> None:
    assert _found(phrase, text, unit=["hours", "days"]) == found


@pytest.mark.parametrize("phrase", ["", "~ a", "a ~", "<nowhere>", "a%", "x-ray", "a? b?", "a||b"])
def test_what_is_no_phrase_is_refused(phrase: str) -> None:
    with pytest.raises(SettingsError, match="the phrase"):
        PhraseTable([phrase])


@pytest.mark.parametrize(
    ("word", "some"),
    [
        ("promise", {"promise", "promises", "promised", "promising"}),
        ("stop", {"stops", "stopped", "stopping"}),
        ("apply", {"applies", "applied", "applying"}),
        ("fix", {"fixes", "fixed", "fixing"}),
    ],
)
def test_regular_endings(word: str, some: set[str]) -> None:
    assert some <= forms(word)


FORMS = [
    ('apply', 'applied applies apply applyed applying applys'),
    ('play', 'play played playing plays'),
    ('delay', 'delay delayed delaying delays'),
    ('stop', 'stop stoped stoping stopped stopping stops'),
    ('refund', 'refund refunded refunding refunds'),
    ('fix', 'fix fixed fixes fixing fixs'),
    ('be', 'am are be been being bes bing is was were'),
    ('set', 'set seting sets setted setting'),
    ('cancel', 'cancel canceled canceling cancelled cancelling cancels'),
    ('do', 'did do does doing done dos'),
    ('go', 'go goes going gone gos went'),
    ('pass', 'pass passed passes passing passs'),
    ('buzz', 'buzz buzzed buzzes buzzing buzzs'),
    ('watch', 'watch watched watches watching watchs'),
    ('wash', 'wash washed washes washing washs'),
    ('help', 'help helped helping helps'),
    ('plan', 'plan planed planing planned planning plans'),
    ('ax', 'ax axed axes axing axs'),
    ('up', 'up uped uping ups'),
    ('see', 'saw see seen sees seing'),
    ('beat', 'beat beating beats'),
    ('become', 'became become becomes becoming'),
    ('begin', 'began begin begining beginned beginning begins begun'),
    ('break', 'break breaking breaks broke broken'),
    ('bring', 'bring bringing brings brought'),
    ('buy', 'bought buy buying buys'),
    ('catch', 'catch catches catching catchs caught'),
    ('choose', 'choose chooses choosing chose'),
    ('come', 'came come comes coming'),
    ('cut', 'cut cuting cuts cutted cutting'),
    ('fall', 'fall fallen falling falls fell'),
    ('feel', 'feel feeling feels felt'),
    ('find', 'find finding finds found'),
    ('forget', 'forget forgeting forgets forgetted forgetting forgot forgotten'),
    ('get', 'get geting gets getted getting got gotten'),
    ('give', 'gave give given gives giving'),
    ('grow', 'grew grow growing grown grows'),
    ('have', 'had has have haves having'),
    ('hear', 'hear heard hearing hears'),
    ('hit', 'hit hiting hits hitted hitting'),
    ('hold', 'held hold holding holds'),
    ('hurt', 'hurt hurting hurts'),
    ('keep', 'keep keeping keeps kept'),
    ('know', 'knew know knowing known knows'),
    ('leave', 'leave leaves leaving left'),
    ('let', 'let leting lets letted letting'),
    ('lie', 'lie lied lies liing lying'),
    ('lose', 'lose loses losing lost'),
    ('make', 'made make makes making'),
    ('pay', 'paid pay paying pays'),
    ('put', 'put puting puts putted putting'),
    ('read', 'read reading reads'),
    ('rise', 'rise risen rises rising rose'),
    ('run', 'ran run runing runned running runs'),
    ('say', 'said say saying says'),
    ('sell', 'sell selling sells sold'),
    ('send', 'send sending sends sent'),
    ('shrink', 'shrank shrink shrinking shrinks'),
    ('speak', 'speak speaking speaks spoke spoken'),
    ('spend', 'spend spending spends spent'),
    ('sue', 'sue sues suing'),
    ('take', 'take taken takes taking took'),
    ('tell', 'tell telling tells told'),
    ('think', 'think thinking thinks thought'),
    ('throw', 'threw throw throwing thrown throws'),
    ('understand', 'understand understanding understands understood'),
    ('wear', 'wear wearing wears wore'),
    ('win', 'win wining winned winning wins won'),
    ('write', 'write writes writing written wrote'),
]  # fmt: skip

PHRASES = [
    ('red ~ blue', 'red one two three blue', ['red one two three blue']),
    ('red ~ blue', 'red one two three four blue', []),
    ('red ~~ blue', 'red one two three four five six seven blue', ['red one two three four five six seven blue']),
    ('red ~~ blue', 'red one two three four five six seven eight blue', []),
    ('red ~ blue', 'red one. Two blue', []),
    ('red ~ blue', 'red one two. Blue', []),
    ('red blue', 'red. Blue', []),
    ('pink? red blue?', 'pink red blue, red blue, red', ['pink red blue', 'red blue', 'red']),
    ('pink? ~ red', 'pink so red', ['pink so red']),
    ('^ red', 'so please just red', ['red']),
    ('^ red', 'so please just now red', []),
    ('^ red', 'pink red', []),
    ('^ red', 'go. Red', ['red']),
    ('red $', 'red, pink red', ['red', 'red']),
    ('# red', '48h red', ['48h red']),
    ('# red', 'few red', ['few red']),
    ('#|pink red', 'pink red', ['pink red']),
    ('red|pink+ blue', 'pinked blue pinking blue', ['pinked blue', 'pinking blue']),
    ('(red|pink green) blue', 'red blue pink green blue', ['red blue', 'pink green blue']),
    ('red blue?', 'red blue', ['red blue']),
    ('red ~ blue ~ green', 'red one blue two green', ['red one blue two green']),
    ("Don't <w>", 'DONT Go', ['dont go']),
    ('red ~ blue', 'red blue blue', ['red blue blue']),
    ('red', 'red red', ['red', 'red']),
    ('red pink', 'red', []),
    ('red ~ # days', 'red so 3 days', ['red so 3 days']),
    ('red ~ blue', 'red red blue', ['red red blue']),
    ('red blue $', 'red blue', ['red blue']),
    ('red|# blue', 'blue 3 blue', ['3 blue']),
    ('pink? ~ red', 'so red', []),
    ('red ~ blue?', 'red so', ['red']),
    ('pink', 'red', []),
    ('red ~ blue', 'red', []),
    ('red blue? pink', 'red so', []),
    ('red #|pink', 'red 3', ['red 3']),
    ('pink (red|blue green) so', 'pink red so pink blue green so', ['pink red so', 'pink blue green so']),
]  # fmt: skip

OPENERS = [
    "also",
    "always",
    "and",
    "but",
    "first",
    "hello",
    "hi",
    "honestly",
    "instead",
    "just",
    "kindly",
    "maybe",
    "next",
    "no",
    "now",
    "oh",
    "ok",
    "okay",
    "or",
    "perhaps",
    "please",
    "pls",
    "plz",
    "simply",
    "so",
    "sorry",
    "still",
    "sure",
    "thanks",
    "then",
    "well",
    "yes",
    "yet",
]

NUMBER_WORDS = [
    "couple",
    "eight",
    "eleven",
    "few",
    "fifteen",
    "fifty",
    "five",
    "forty",
    "four",
    "hundred",
    "nine",
    "one",
    "seven",
    "six",
    "sixty",
    "ten",
    "thirty",
    "three",
    "twelve",
    "twenty",
    "two",
]


@pytest.mark.parametrize(("word", "endings"), FORMS)
def test_a_word_has_these_endings(word: str, endings: str) -> None:
    assert " ".join(sorted(forms(word))) == endings


@pytest.mark.parametrize(("phrase", "text", "found"), PHRASES)
def test_phrases_are_found_where_they_are(phrase: str, text: str, found: list[str]) -> None:
    judged = Judged(text, "generic")
    table = PhraseTable([phrase], {"w": ["Go"]})
    spans = table.spans(judged.words)
    assert [" ".join(judged.texts[start:end]) for start, end in spans] == found
    assert table.spans(judged.words, judged.vocabulary) == spans  # which only saves time
    anywhere = dict(table.spans(judged.words, overlapping=True))
    for place in range(len(judged.words)):
        assert table.end_at(judged.words, place) == anywhere.get(place, 0)


def test_of_several_phrases_that_begin_alike_the_longest_is_found() -> None:
    table = PhraseTable(
        ["red gone", "^ red pink so", "red blue $", "red", "red pink", "#", "3 red"]
    )
    found = {
        "go red pink so": ["red pink"],
        "red pink so": ["red pink so"],
        "red blue": ["red blue"],
        "red blue so": ["red"],
        "go 3 red": ["3 red"],
    }
    for text, phrases in found.items():
        judged = Judged(text, "generic")
        for spans in (table.spans(judged.words), table.spans(judged.words, judged.vocabulary)):
            assert [" ".join(judged.texts[start:end]) for start, end in spans] == phrases


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("", "the phrase '' must begin and end with a word"),
        ("~ red", "the phrase '~ red' must begin and end with a word"),
        ("red ~~", "the phrase 'red ~~' must begin and end with a word"),
        ("red? pink?", "the phrase 'red? pink?' must have a word that may not be missing"),
        ("<w>", "the phrase '<w>' names the set 'w'; known: none"),
        ("a%", "the phrase 'a%': 'a%' is not one word as texts are read"),
    ],
)
def test_a_phrase_that_is_none_is_explained(phrase: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        PhraseTable([phrase])
    assert str(caught.value) == message
    with pytest.raises(SettingsError, match="known: a, b$"):
        PhraseTable(["<w>"], {"b": [], "a": []})


def test_a_clause_begins_behind_its_openers() -> None:
    table = PhraseTable(["^ sell"])
    for word in OPENERS:
        assert len(table.spans(Judged(f"{word} sell", "generic").words)) == 1, word
    assert table.spans(Judged("red sell", "generic").words) == []


def test_numbers_and_number_words_are_numbers() -> None:
    words = [*NUMBER_WORDS, "4", "48h"]
    assert [word for word in words if not is_number(word)] == []
    assert not any(is_number(word) for word in ("h4", "to", "red"))


def test_a_text_needs_a_word_of_the_rarest_place_of_a_phrase() -> None:
    table = PhraseTable(["the shop? is|was amethyst|opal", "# the parcel", "card"])
    needs = frozenset({"amethyst", "opal", "parcel", "card"})
    assert table.needs == needs
    assert PhraseTable([]).needs == frozenset()
    assert PhraseTable(["card", "# #"]).needs is None
    pins, common = frozenset({"pin"}), frozenset({"you", "pins"})
    assert needs_of_any(needs, pins) == needs | pins
    assert needs_of_any(needs, None) is None
    assert needs_of_any() == frozenset()
    assert needs_of_all(None, common, pins, frozenset({"we"})) == pins
    assert needs_of_all(None) is None


def test_overlapping_phrases_are_told_when_asked_for() -> None:
    words = Judged("red blue red blue red", "generic").words
    table = PhraseTable(["red blue red"])
    assert table.spans(words) == [(0, 3)]
    assert table.spans(words, overlapping=True) == [(0, 3), (2, 5)]


def test_a_gap_does_not_pass_over_a_stop() -> None:
    table = PhraseTable(["red ~ blue"], stops=frozenset({"no"}))
    found = {
        "red so blue": 1,
        "red no blue": 0,
        "red so no blue": 0,
        "red blue no": 1,
        "no red blue": 1,
    }
    assert {text: len(table.spans(Judged(text, "generic").words)) for text in found} == found
