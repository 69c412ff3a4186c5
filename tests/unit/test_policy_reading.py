"""A text is read as a person would read it: disguises are undone, ordinary words are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import regex

from knowledge_base.policy import Judged, Outcome, judge
from knowledge_base.policy.disguises import plain_word, segmented
from knowledge_base.policy.lexis import vocabulary
from knowledge_base.policy.numerals import runs
from knowledge_base.safe_yaml import load
from tests.starter_policy import starter_policy

POLICY = starter_policy()
PACKS = Path(__file__).parents[2] / "knowledge_base" / "content" / "policy"


@pytest.mark.parametrize(
    "text",
    [
        "p a s s w o r d", "P.A.S.S.W.O.R.D", "pasword", "passwrod", "psswrd",
        "p. a. s. s. w. o. r. d", "pass\nword", "drowssap", "\u202edrowssap", "passvvord", "pass...word",
        "p a-s s.w o r d", "pa(ss)word", "p#ssword", "passwword", "pass_word",
        "p 4 s s w 0 r d", "p4$$w0rd", "p@ssword",
        "passsswooord", "pa**word", "pa ss word", "pass wo rd", "pass-word", "раsswоrd",
        "ᴘᴀꜱꜱᴡᴏʀᴅ", "ｐａｓｓｗｏｒｄ", "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝", "ⓟⓐⓢⓢⓦⓞⓡⓓ", "🅿🅰🆂🆂🆆🅾🆁🅳",
        "pa\u200bss\u2060word", "p\u0301assword", "🔑", "PASSWORD", "password's",
    ],
)  # fmt: skip
def test_every_disguise_of_a_password_is_seen_through(text: str) -> None:
    verdict = judge(POLICY, f"Please send us your {text} now", channel="generic")
    assert "CRED-ASK" in {finding.rule_id for finding in verdict.findings}


@pytest.mark.parametrize(
    "word",
    [
        "coffee",
        "Hi!",
        "16digit",
        "2fa",
        "aaa",
        "size",
        "M",
        "QH-1048213",
        "don't",
        "3-5",
        "日本語",
    ],
)
def test_ordinary_words_are_left_alone(word: str) -> None:
    read = "".join(Judged(word, "generic").texts)
    assert read == word.casefold().translate(str.maketrans("", "", "-!'"))


def test_an_exclamation_mark_between_words_is_no_letter() -> None:
    assert Judged("Thanks!we will look", "generic").texts == ("thanks", "we", "will", "look")


@pytest.mark.parametrize(
    ("word", "read"),
    [("p1n", "pin"), ("p!n", "pin"), ("cl0se", "close"), ("p***word", ""), ("****", "****")],
)
def test_signs_for_letters(word: str, read: str) -> None:
    assert plain_word(word) == (read if read else plain_word(word))


def test_spelled_letters_are_cut_into_known_words() -> None:
    assert [word for _, _, word in segmented("sendyourpin")] == ["send", "your", "pin"]
    assert segmented("xqzvv") == []


def test_what_the_words_point_at_is_the_original() -> None:
    text = "Send  p a s s w o r d!"
    word = Judged(text, "generic").words[-1]
    assert (word.text, text[word.start : word.end]) == ("password", "p a s s w o r d")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("four one one one", ["4111"]),
        ("double four triple one", ["44111"]),
        ("forty one and 22", ["4122"]),
        ("4o11 l1", ["401111"]),
        ("one red, two blue", ["1", "2"]),
        ("for you", []),
        ("oh well", []),
        ("nine oh two", ["902"]),
    ],
)
def test_numbers_are_read_in_any_spelling(text: str, digits: list[str]) -> None:
    found = runs(Judged(text, "generic").words)
    assert ["".join(n.digits for n in run.numerals) for run in found] == digits


@pytest.mark.parametrize(
    "text",
    [
        "four one one one one one one one one one one one one one one one",
        "4111 then 1111 then 1111 then 1111",
        "4lll llll llll llll",
        "forty one eleven double one double one double one double one double one double one",
        "4️⃣1️⃣1️⃣1️⃣ 1️⃣1️⃣1️⃣1️⃣ 1️⃣1️⃣1️⃣1️⃣ 1️⃣1️⃣1️⃣1️⃣",
    ],
)
def test_card_numbers_are_found_in_any_spelling(text: str) -> None:
    verdict = judge(POLICY, f"Card {text}", channel="generic")
    assert "PCI-PAN" in {finding.rule_id for finding in verdict.findings}


@pytest.mark.parametrize(
    "text",
    [
        "What is a one-time code?",
        "Tell us what you see after you enter your password.",
        "We need to reset your password for you.",
        "We want you to change your password in the app.",
        "No password is required.",
        "Your password is required to sign in.",
        "A friend can collect it if you give them the code from the email.",
    ],
)
def test_what_only_mentions_a_secret_passes(text: str) -> None:
    assert judge(POLICY, text, channel="generic").outcome is Outcome.pass_


def test_the_vocabulary_is_plain() -> None:
    assert all(word == word.casefold() and word.isascii() for word in vocabulary())


def _lists(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _lists(inner)
    elif isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, str))


def _phrases() -> Iterator[str]:
    for file in sorted(PACKS.glob("*.yaml")):
        pack = load(file.read_text(encoding="utf-8"))
        for rule in pack.get("rules", []):
            settings = rule.get("settings", {})
            for key in ("phrases", "objects", "near", "sets"):
                yield from _lists({key: settings.get(key)})
    lexicon = load((PACKS / "lexicon.yaml").read_text(encoding="utf-8"))
    yield from _lists(lexicon["asks_for"])
    yield from _lists(lexicon["says"])
    yield from _lists(lexicon["says"]["sets"])


def test_the_vocabulary_holds_every_word_that_the_packs_name() -> None:
    """Otherwise a disguise of that word would not be seen through."""
    named = {
        word.replace("'", "").casefold()
        for phrase in _phrases()
        for word in regex.findall(r"[\p{L}]+(?:'[\p{L}]+)*", phrase)
    }
    missing = {word for word in named - vocabulary() if len(word) > 2 and word.isascii()}
    assert missing <= {"asdf", "qwerty"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("YouShouldHave seen it", ("you", "should", "have", "seen", "it")),
        ("ihaveyourcardsaved", ("i", "have", "your", "card", "saved")),
        ("production and foundation", ("production", "and", "foundation")),
        ("therefore notwithstanding", ("therefore", "notwithstanding")),
    ],
)
def test_words_written_as_one_are_read_apart_and_real_ones_left_whole(
    text: str, words: tuple[str, ...]
) -> None:
    judged = Judged(text, "generic")
    assert judged.texts == words
    for word in judged.words:
        assert text[word.start : word.end].casefold() == word.text


def test_signs_for_a_lock_and_for_money_are_read_as_words() -> None:
    assert Judged("take the 🔒 off, 💷 only", "generic").texts == (
        *("take", "the", "lock", "off", "money", "only"),
    )
