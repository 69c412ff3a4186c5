"""The starter content keeps its own rules: shape, lengths, links, tone, and facts that agree with its README."""

from __future__ import annotations

import re
import string
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import regex
import yaml

from knowledge_base.snippet import KEY_PATTERN, SnippetContent
from knowledge_base.wording import SLOTS, links_in, measure, normalise, slots_in, worst_case

CONTENT = Path(__file__).parents[2] / "knowledge_base" / "content"
FILES = sorted((CONTENT / "snippets").glob("*.yaml"))
FIELDS = [
    "key", "title", "text", "examples", "topic", "tags", "locale", "channels",
    "auto_send", "valid_from", "valid_until", "owner",
]  # fmt: skip
HOST = "https://quillhaven.example.com/"
BUNDLED = yaml.CSafeLoader  # the same language as SafeLoader, ten times as fast

ASSISTANT_KEYS = {
    f"assistant.{name}"
    for name in (
        "hello", "are_you_a_bot", "ask_order_number", "order_number_unclear", "checking_order",
        "hand_over", "hand_over_outage", "opted_out", "opted_in", "thanks_reply", "goodbye",
        "anything_else", "still_here", "sorry_hear",
    )
}  # fmt: skip
# What the assistant says of its own accord, at a step of the dialogue: no customer asks for it.
UNASKED = {
    f"assistant.{name}"
    for name in (
        "ask_order_number", "order_number_unclear", "checking_order", "hand_over",
        "hand_over_outage", "opted_out", "opted_in", "anything_else", "sorry_hear",
    )
}  # fmt: skip
CAPITALS = {"BSL", "HS", "NHS", "PIN", "QH", "QR", "START", "UK", "VAT"}  # words, not shouting
MAX_EXAMPLES_BYTES = 256 * 1024  # what an import accepts in the `examples` field


class Row(NamedTuple):
    """One snippet and the file it stands in."""

    file: Path
    fields: dict[str, Any]

    @property
    def key(self) -> str:
        return str(self.fields["key"])

    @property
    def text(self) -> str:
        return str(self.fields["text"])

    @property
    def examples(self) -> list[str]:
        return list(self.fields["examples"])


def _rows() -> list[Row]:
    return [
        Row(file, fields)
        for file in FILES
        # The safe loader, in C: it builds plain values only.
        for fields in yaml.load(file.read_text(encoding="utf-8"), Loader=BUNDLED)  # noqa: S506
    ]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return _rows()


def _same(phrasing: str) -> str:
    """A phrasing without what does not make it another one: case, spaces, ASCII punctuation."""
    bare = phrasing.casefold().translate(str.maketrans("", "", string.punctuation))
    return " ".join(bare.split()) or phrasing


def _repeated(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def _broken(rows: list[Row], pattern: str, *, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Keys whose text matches `pattern` (any case), apart from the allowed ones."""
    rule = re.compile(pattern, re.IGNORECASE)
    return [row.key for row in rows if rule.search(row.text) and row.key not in allowed]


def test_there_is_enough_to_start_with(rows):
    assert len(rows) >= 120
    assert len({row.fields["topic"] for row in rows}) >= 12


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_one_plain_yaml_document(file):
    source = file.read_bytes()
    assert not source.startswith(b"\xef\xbb\xbf"), "no byte order mark"
    events = list(yaml.parse(source.decode("utf-8"), Loader=BUNDLED))
    assert sum(isinstance(event, yaml.DocumentStartEvent) for event in events) == 1
    # Aliases carry their anchor's name too.
    assert [event for event in events if getattr(event, "anchor", None)] == []


def test_every_snippet_has_exactly_the_import_columns_in_their_types(rows):
    for row in rows:
        fields = row.fields
        assert list(fields) == FIELDS, row.key
        for name in ("key", "title", "text", "topic", "locale", "owner"):
            assert isinstance(fields[name], str), (row.key, name)
            assert fields[name].strip() == fields[name] != "", (row.key, name)
        for name in ("examples", "tags", "channels"):
            assert isinstance(fields[name], list), (row.key, name)
            assert all(isinstance(value, str) for value in fields[name]), (row.key, name)
        assert isinstance(fields["auto_send"], bool), row.key
        assert fields["tags"], row.key
        assert fields["locale"] == "en", row.key
        assert fields["channels"] == [], row.key
        assert fields["valid_from"] is fields["valid_until"] is None, row.key


def test_keys_are_valid_and_name_their_topic_and_file(rows):
    for row in rows:
        assert KEY_PATTERN.fullmatch(row.key), row.key
        assert row.key.startswith(f"{row.fields['topic']}."), row.key
        assert row.file.stem == row.fields["topic"], row.key


def test_no_two_snippets_share_a_key_title_text_or_content_hash(rows):
    assert _repeated([row.key for row in rows]) == []
    assert _repeated([_same(row.fields["title"]) for row in rows]) == []
    assert _repeated([_same(row.text) for row in rows]) == []
    lists = ("examples", "tags", "channels")
    contents = [
        SnippetContent(**{**row.fields, **{name: tuple(row.fields[name]) for name in lists}})
        for row in rows
    ]
    assert _repeated([content.content_hash for content in contents]) == []


def test_every_snippet_has_at_least_six_phrasings_unless_nobody_asks_for_it(rows):
    few = {row.key for row in rows if len(row.examples) < 6}
    assert few == UNASKED
    assert all(row.examples == [] for row in rows if row.key in UNASKED)


def test_no_phrasing_stands_twice_not_even_with_other_case_or_punctuation(rows):
    assert _repeated([_same(phrasing) for row in rows for phrasing in row.examples]) == []


def test_phrasings_survive_an_export_and_an_import(rows):
    for row in rows:
        for phrasing in row.examples:
            assert phrasing.strip() == phrasing != "", row.key
            assert "|" not in phrasing, "the separator of the CSV column"
            assert "\n" not in phrasing, "the separator of the CSV column"
            assert normalise(phrasing) == phrasing, row.key
        assert len("\n".join(row.examples).encode()) <= MAX_EXAMPLES_BYTES, row.key


def test_phrasings_hold_no_address_phone_or_card_number(rows):
    personal = re.compile(r"@|\d{8,}|(?:\d[ -]?){9,}")
    assert [p for row in rows for p in row.examples if personal.search(p)] == []


def test_every_text_fits_in_the_worst_case_of_its_slots(rows):
    assert {row.key: worst_case(row.text) for row in rows if not worst_case(row.text).fits} == {}


def test_every_text_is_one_normalised_line_and_fits_as_it_stands(rows):
    for row in rows:
        assert normalise(row.text) == row.text, row.key
        assert len(row.text.splitlines()) == 1, row.key
        assert measure(row.text).fits, row.key


def test_slots_are_known_and_stand_apart_from_letters_links_and_each_other(rows):
    touching = re.compile(r"[^\s(]\{|\}(?![\s,!?.]|$)|\}\.\S|\}\S*\{")
    for row in rows:
        names = re.findall(r"\{(\w+)\}", row.text)
        assert set(names) <= set(SLOTS), row.key
        assert len(list(slots_in(row.text))) == len(names), row.key
        assert not touching.search(row.text), row.key


def test_slots_are_used_but_most_answers_need_none(rows):
    with_slot = [row for row in rows if "{" in row.text]
    used = {name for row in with_slot for name in re.findall(r"\{(\w+)\}", row.text)}
    assert used == {"first_name", "order_number", "product", "agent_name"}
    assert len(with_slot) < len(rows) / 5


def test_only_the_assistants_own_facts_fill_a_slot_in_what_it_sends_alone(rows):
    alone = {row.key for row in rows if row.fields["auto_send"] and "{" in row.text}
    assert alone == {"assistant.checking_order"}


def test_links_lead_to_the_brands_help_pages_only(rows):
    page = re.compile(re.escape(HOST) + r"[a-z]+(?:-[a-z]+)*")
    linked = 0
    for row in rows:
        for start, end in links_in(row.text):
            assert page.fullmatch(row.text[start:end]), row.key
            linked += 1
        assert row.text.count("://") == len(links_in(row.text)), row.key
    assert linked > 0


def test_the_assistant_has_its_words_and_may_say_all_of_them(rows):
    assistant = {row.key: row for row in rows if row.fields["topic"] == "assistant"}
    assert set(assistant) == ASSISTANT_KEYS
    assert all(row.fields["auto_send"] for row in assistant.values())
    for key in ("assistant.hello", "assistant.are_you_a_bot", "assistant.still_here"):
        assert "automated assistant" in assistant[key].text, key
    assert "{order_number}" in assistant["assistant.checking_order"].text


def test_a_person_answers_complaints_safety_and_whatever_asks_for_details(rows):
    alone = [row for row in rows if row.fields["auto_send"]]
    assert {row.fields["topic"] for row in alone}.isdisjoint({"complaints", "safety"})
    asks = r"(?:tell|send) (?:us|me)|let us know"
    # The form of the assistant is the one place where it asks, and for the order number only.
    assert _broken(alone, asks, allowed=frozenset({"assistant.ask_order_number"})) == []
    others = [row for row in rows if row.fields["topic"] not in {"assistant", "complaints"}]
    share = sum(row.fields["auto_send"] for row in others) / len(others)
    assert 0.4 < share < 0.7


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bguarantee|\bpromise|\bdefinitely|\bimmediately|\bwithout fail|\b100 ?%",
        r"\byou will (?:get|receive) (?:a|your) (?:full )?refund",
        r"\bwithin \d+ (?:hours|minutes) (?:we|a colleague)",
        r"\bour fault|\bliab|\bnegligen|\bwe accept|\bcompensat",
        r"\byou should have|\bcalm down|\bas (?:we|i) (?:already )?(?:said|told)",
        r"\b(?:sir|madam|dear customer)\b",
        r"\b(?:real|actual) (?:person|human)",
        r"\b(?:ticket|escalated|tier|SOP|INC-\d|CRM)\b",
        r"\b(?:send|tell|give|share) (?:us|me) your (?:card|password|code|pin|e-?mail|phone|address|name|date)",
        r"!.*!|\?\?|!!",
        r"\b(?:color|favorite|apologize|center|canceled|shipping)\b",
        r"\bbit\.ly|\bwww\.|http://",
    ],
)
def test_no_text_breaks_the_house_style(rows, pattern):
    assert _broken(rows, pattern) == []


def test_texts_do_not_shout_and_use_an_emoji_rarely(rows):
    emoji = regex.compile(r"\p{Extended_Pictographic}")
    for row in rows:
        capitals = re.findall(r"\b[A-Z]{2,}\b", row.text)
        assert set(capitals) <= CAPITALS, row.key
        assert len(emoji.findall(row.text)) <= 1, row.key
    assert sum(bool(emoji.search(row.text)) for row in rows) <= len(rows) / 50


def test_every_sum_of_money_in_a_text_is_a_fact_of_the_readme(rows):
    facts = set(re.findall(r"£\d+(?:\.\d\d)?", (CONTENT / "README.md").read_text("utf-8")))
    for row in rows:
        assert set(re.findall(r"£\d+(?:\.\d\d)?", row.text)) <= facts, row.key


def test_every_measure_of_time_in_a_text_is_a_fact_of_the_readme(rows):
    readme = (CONTENT / "README.md").read_text("utf-8")
    # "3-5 working days", "24 months", "2-year": the number is what two answers could disagree on.
    span = re.compile(r"(\d+(?:-\d+)?)(?= (?:extra )?(?:working )?(?:days|minutes|months)|-year)")
    for row in rows:
        for number in span.findall(row.text):
            assert re.search(rf"(?<![\d-]){number}(?![\d])", readme), (row.key, number)
