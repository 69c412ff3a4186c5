"""The second look at a text: what it says when it is read aloud, and what it leaves alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.policy import Judged, Outcome, hearing, judge, spelling
from knowledge_base.policy.disguises import plain_word
from knowledge_base.policy.reading import LONGEST_HEARD, Word
from tests.starter_policy import starter_policy

POLICY = starter_policy()
_COUNTING = "at by first last level no number of page top"
_NUMBERS = "zero one two three four five six seven eight nine ten"


def _heard(text: str) -> str:
    judged = Judged(text, "generic")
    return " ".join((judged.heard or judged).texts)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        # text speak, and words of a region
        ("dats wot we sed 2 u b4", "thats what we said to you before"),
        ("gimmie da numba plz", "give me the number please"),
        ("goin out w yer parsel", "going out with your parcel"),
        # spelt by ear
        ("a kwick kwestion", "a quick question"),
        ("the rite adress, insteed", "the right address instead"),
        ("sekyurity cheks nevva stop", "security checks never stop"),
        ("just checkin our persnl notes", "just checking our personal notes"),
        # doubled and stretched letters
        ("the lasst parrt of your cardd", "the last part of your card"),
        ("a bus paas", "a bus pass"),
        ("dattt smooothh gooose cuuuz thxxx", "that smooth goose because thanks"),
        # words written as one, and one in pieces
        ("tellusnow", "tell us now"),
        ("readitbacktome", "read it back to me"),
        ("weknowuopenedthemail", "we know you opened the mail"),
        ("the stat-you-tory limit", "the statutory limit"),
        ("weee are leye-able", "wee are liable"),
        ("bio-dee-grade-able bags", "biodegradable bags"),
        ("your pas wurd", "your password"),
        ("kash bak waz heer", "cash back was here"),  # two words each
        ("your pas, wurd", "your pas word"),
        ("your pas of it-wurd", "your pas of it word"),
        ("the W-M-S plz", "the wms please"),
        ("re-enter it plz", "re enter it please"),
        ("it grew every yr so far", "it grew every your so far"),
        # a number at a word
        ("the last4 at6", "the last 4 at 6"),
        ("sent2u by 2factor or route2market", "sent to you by 2 factor or route 2 market"),
        ("use lol42 now", "use lol 42 now"),
        ("2 pay 4 it thx", "to pay for it thanks"),
        ("one of us 4 it thx", "one of us for it thanks"),
        ("ur code: 4 2 7, top 4", "your code 4 2 7 top 4"),
        # neighbours swapped
        ("the crad nubmer plzzz", "the card number please"),
        # a name begins with a capital inside a sentence, other words may begin it or stand in capitals
        ("Ask Kwestion. Kwestions are 4 ASHA", "ask kwestion questions are for asha"),
        ("ASK THE KWESTION. Ask Kwestion, Plz", "ask the question ask kwestion please"),
        # signs for words
        ("prices ⬆️⬆️ soon", "prices up soon"),
        ("⭐⭐⭐⭐ for us, ⭐ ⭐ for it", "four star for us two star for it"),
        ("⭐ for us, " + "⭐" * 10 + " for it", "star for us ten star for it"),
        ("⭐" * 11 + " for us", "star for us"),
        ("your card # is up#to us &#it ## now", "your card number is up to us it now"),
        ("⬆️ your pas wurd", "up your password"),
        ("👎 💯", "thumbs down 100 percent"),
        # other languages
        ("your Passwort and tarjeta", "your password and card"),
        ("your пароль", "your password"),
    ],
)
def test_what_is_heard(text: str, read: str) -> None:
    assert _heard(text) == read


@pytest.mark.parametrize(
    "text",
    [
        "Your parcel is on its way, thanks for waiting.",
        "Siobhan is on her break; ask for Asha or Niamh in Sligo.",
        "Use LOL42 at the till, or order QH-1048213.",
        "We apologise: the jewellery in two colours and the tealights cost £4 more than 2 litres of paint.",
        "Order 2 pillows for 4 beds.",
        "The app is down, see JIRA OPS-2291 or come thurs or fri.",
        "Choose CC for the captions, and the 2-day delivery.",
        "It opens at 9 a.m. and closes at 5 p.m., e.g. on Monday.",
        "",
    ],
)
def test_ordinary_texts_are_heard_as_they_are_read(text: str) -> None:
    assert Judged(text, "generic").heard is None


@pytest.mark.parametrize("counting", _COUNTING.split())
def test_a_digit_after_a_word_that_counts_is_a_number(counting: str) -> None:
    assert _heard(f"{counting} 4 it thx") == f"{counting} 4 it thanks"


def test_a_digit_beside_a_number_or_before_things_is_one() -> None:
    for number in (*_NUMBERS.split(), "77"):
        assert _heard(f"thx {number} 4 it 2") == f"thanks {number} 4 it to"
        assert _heard(f"thx 4 {number}") == f"thanks 4 {number}"
    assert _heard("thx 4 2nd") == "thanks 4 2nd"
    assert _heard("thx 4 beds 2 it") == "thanks 4 beds to it"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        # It may be meant as it stands,
        ("Ask the dr", None),
        ("Don't ask the dr, don’t", None),
        # but not where something else was misspelt,
        ("Ask ur dr", "ask your doctor"),
        ("Ask the dr 4 a kwestion", "ask the doctor for a question"),
        # or disguised,
        ("The p@ssword of the dr", "the password of the doctor"),
        # and never as a part of something else.
        ("Thx, choose CC, youarerite 22", "thanks choose cc you are rite 22"),
    ],
)
def test_an_ordinary_word_is_text_speak_beside_other_spellings(
    text: str, read: str | None
) -> None:
    heard = Judged(text, "generic").heard
    assert (" ".join(heard.texts) if heard else None) == read


def test_what_is_heard_belongs_to_the_sentence_in_which_it_stands() -> None:
    text = "⬆️ now, ur. Ok ⭐ ⭐ us, pas-wurd #. A b4"
    heard = Judged(text, "generic").heard
    assert heard is not None
    assert [
        (word.text, text[word.start : word.end], word.sentence, word.clause)
        for word in heard.words
    ] == [
        *(("up", "⬆", 0, 0), ("now", "now", 0, 0), ("your", "ur", 0, 1)),
        *(("ok", "Ok", 1, 2), ("two", "⭐ ⭐", 1, 2), ("star", "⭐ ⭐", 1, 2), ("us", "us", 1, 2)),
        *(("password", "pas-wurd", 1, 3), ("number", "#", 1, 3)),
        *(("a", "A", 2, 4), ("before", "b4", 2, 4)),
    ]


def test_a_sign_is_heard_where_there_is_no_word() -> None:
    heard = Judged("💩", "generic").heard
    assert heard is not None
    assert heard.words == (Word("shit", 0, 1, 0, 0),)
    assert "PROFANITY" in {f.rule_id for f in judge(POLICY, "💩", channel="generic").findings}


def test_tables_are_made_before_the_first_text_comes() -> None:
    modules = hearing, spelling
    for module in modules:
        for each in vars(module).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()
    hearing.prepare()
    tables = [hearing._shorthand, hearing._unsure, hearing._sign, hearing._signs]
    tables += [spelling._ranks, spelling._by_places, spelling._by_consonants, spelling._costs]
    assert [table for table in tables if not table.cache_info().currsize] == []


@pytest.mark.parametrize(
    ("word", "read"),
    [
        ("pɹoʍssɐd", "password"),
        ("fr€€", "free"),
        ("mone¥", "money"),
        ("last4", "last4"),
        ("carton", "carton"),
        ("$40", "$40"),
        ("p\u0338i\u0338n\u0338", "pin"),
    ],
)
def test_the_first_reading(word: str, read: str) -> None:
    assert Judged(word, "generic").texts[0] == read.removeprefix("$") or plain_word(word) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("the W-H-O-L-E 3 of them", "the whole 3 of them"),
        ("t h e  w h o l e  t e x t", "the whole text"),
        ("it costs 3 0 p e n c e", "it costs 3 0 pence"),
        ("s.n.o.r.k.l.e", "snorkle"),
        ("p-i-n n code", "pin n code"),
        ("s a v e 1 5", "save 15"),
        ("a b c", "abc"),
    ],
)
def test_letters_spelled_one_by_one(text: str, read: str) -> None:
    assert " ".join(Judged(text, "generic").texts) == read


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("giv us ur kard numba plz", "PCI-ASK"),
        ("tellusyourpassword", "CRED-ASK"),
        ("Send us your Passwort", "CRED-ASK"),
        ("whats ur pas wurd", "CRED-ASK"),
    ],
)
def test_a_rule_finds_what_is_heard_and_points_at_what_was_written(text: str, rule: str) -> None:
    finding = next(f for f in judge(POLICY, text, channel="generic").findings if f.rule_id == rule)
    assert finding.span is not None
    assert text[slice(*finding.span)].strip() == text[slice(*finding.span)] != ""


def test_the_reason_says_how_the_text_was_read() -> None:
    verdict = judge(POLICY, "giv us ur kard numba plz", channel="generic")
    finding = next(f for f in verdict.findings if f.rule_id == "PCI-ASK")
    assert "read as “give us your card number" in finding.reason


def test_what_a_rule_finds_at_first_is_not_told_twice() -> None:
    verdict = judge(POLICY, "Send us your password b4 noon, kwickly", channel="generic")
    assert [finding.rule_id for finding in verdict.findings].count("CRED-ASK") == 1


def test_a_negation_is_heard_as_well() -> None:
    assert (
        judge(POLICY, "Nevva send us ur kard numba.", channel="generic").outcome
        is not Outcome.block
    )


words = st.sampled_from(
    [
        "ur",
        "kard",
        "numba",
        "⭐",
        "⬆️",
        "#",
        "wot",
        "4",
        "last4",
        "p-i-n",
        "sendus",
        "Asha",
        "stat-you",
    ]
)


@given(st.lists(words, max_size=12), st.sampled_from([" ", "-", ".", "  ", ". "]))
def test_what_is_heard_stands_in_the_text_in_order(parts: list[str], between: str) -> None:
    text = between.join(parts)
    heard = Judged(text, "generic").heard
    for word in heard.words if heard else ():
        assert 0 <= word.start < word.end <= len(text)
    starts = [word.start for word in heard.words] if heard else []
    assert starts == sorted(starts)
    assert heard is None or heard.heard is None


UNITS = [
    "kwestshun ",
    "xk-",
    "ur ",
    "⭐ ",
    "⭐",
    "# ",
    "sendus",
    "a-b ",
    "zq ",
    "wurd-",
    "t.h.e ",
    "1a",
    "p a  s s ",
]


@pytest.mark.parametrize("unit", UNITS)
def test_listening_takes_no_longer_than_the_text_is_long(unit: str) -> None:
    def seconds(size: int) -> float:
        text = (unit * size)[:size]
        start = time.perf_counter()
        assert Judged(text, "generic").heard is None or text
        return time.perf_counter() - start

    seconds(LONGEST_HEARD)  # tables are made on first use
    # Half of it against the longest text: quadratic code takes four times as long.
    assert any(seconds(LONGEST_HEARD) < 3 * seconds(LONGEST_HEARD // 2) + 0.05 for _ in range(3))


def test_longer_texts_are_not_listened_to() -> None:
    assert Judged("ur " * LONGEST_HEARD, "generic").heard is None
