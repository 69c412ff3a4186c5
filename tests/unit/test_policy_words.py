"""How words are read: disguises undone, letters put together, pieces joined."""

from __future__ import annotations

from itertools import pairwise

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.disguises import cut_word, plain_word, segmented, unglued

WORDS = [
    ('password', 'password'),
    ('passsword', 'password'),
    ('pasword', 'password'),
    ('passwrod', 'password'),
    ('psswrd', 'password'),
    ('drowssap', 'password'),
    ('passvvord', 'password'),
    ('p4ssw0rd', 'password'),
    ('p@ssw0rd', 'password'),
    ('p***word', 'password'),
    ('pa**word', 'password'),
    ('f***', ''),
    ('sh*t', 'shit'),
    ('s**t', 'shit'),
    ('b****', ''),
    ('****', '****'),
    ('p!n', 'pin'),
    ('p1n', 'pin'),
    ('c1ose', 'close'),
    ('acc0unt', 'account'),
    ('2fa', '2fa'),
    ('16digit', '16digit'),
    ('3d', '3d'),
    ('cafe', 'cafe'),
    ('café', 'cafe'),
    ('naïve', 'naive'),
    ('раssword', 'password'),
    ("don't", 'dont'),
    ('o’clock', 'oclock'),
    ('thhhanks', 'thanks'),
    ('aaa', 'aaa'),
    ('coool', 'cool'),
    ('pleeease', 'please'),
    ('xyzzzy', 'xyzzzy'),
    ('phuck', 'phuck'),
    ('kard', 'card'),
    ('cardd', 'cardd'),
    ('refnud', 'refund'),
    ('ferund', 'ferund'),
    ('rfnd', 'refund'),
    ('refundd', 'refunded'),
    ('refond', 'refund'),
    ('sdnuferx', 'sdnuferx'),
    ('dnufer', 'refund'),
    ('nip', 'nip'),
    ('form', 'form'),
    ('from', 'from'),
    ('1', '1'),
    ('l0ve', 'love'),
    ('i0', 'io'),
    ('0', '0'),
    ('a!', ''),
    ('!a', ''),
    ('ref|und', 'refund'),
    ('r€fund', 'refund'),
    ('££', '££'),
    ('hell+', ''),
    ('pin', 'pin'),
    ('p|n', 'pin'),
    ('lllll', 'lllll'),
    ('!!!!!a', ''),
    ('ca$h', 'cash'),
    ('re£und', 'refund'),
    ('zend', 'send'),
    ('zorry', 'sorry'),
    ('qick', 'qick'),
    ('clear', 'clear'),
    ('modern', 'modern'),
    ('corn', 'corn'),
    ('passwordx', 'password'),
    ('xpassword', 'xpassword'),
    ('pazsword', 'password'),
    ('pass_word', 'pass_word'),
    ('pa55w0rd', 'password'),
    ('passwo', 'passwd'),
    ('passworrd', 'password'),
    ('pssword', 'password'),
    ('passswrd', 'passswrd'),
    ('paswwrd', 'paswwrd'),
    ('refun', 'refund'),
    ('refnd', 'refund'),
    ('refuns', 'refunds'),
    ('tefund', 'tefund'),
    ('5end', 'send'),
    ('send5', 'sends'),
    ('h3llo', 'hello'),
    ('|||||||a', ''),
    ('ref*nd', 'refund'),
    ('ref#nd', 'refund'),
    ('r*f*nd', 'refund'),
    ('re***d', ''),
    ('a*b*', ''),
    ('scarn', 'scam'),
    ('cl0thes', 'clothes'),
    ('vvord', 'word'),
    ('nnail', 'nnail'),
    ('rnail', 'mail'),
    ('phone', 'phone'),
    ('psswrda', 'psswrda'),
    ('crds', 'crds'),
    ('trnsfr', 'transfer'),
    ('zay', 'zay'),
    ('clelivery', 'delivery'),
    ('chekk', 'check'),
    ('cheq', 'check'),
    ('phorm', 'form'),
    ('rfnda', 'rfnda'),
    ('j1ra', 'jira'),
    ('$5off', '5off'),
    ('psxsword', 'psxsword'),
    ('tnega', 'agent'),
    ('knab', 'knab'),
    ('ʞuɐq', 'bank'),
    ('ʎnq', 'ʎnq'),
    ('ɐɯɐ', 'ama'),
    ('piiin', 'pin'),
    ('meee', 'meee'),
]  # fmt: skip

SEGMENTS = [
    ('sendyourpin', 'send your pin'),
    ('xqzvv', ''),
    ('s3ndyourpin', 'send your pin'),
    ('p1n', 'pin'),
    ('sendxqpin', 'send xq pin'),
    ('pin', 'pin'),
    ('zzpin', 'zz pin'),
    ('pinzz', 'pin zz'),
    ('xqpinzz', 'xq pin zz'),
    ('sendxqyourzz', 'send xq your zz'),
    ('c1ose', 'close'),
    ('areaction', 'a reaction'),
    ('pin1', 'pin 1'),
    ('pin12send', 'pin 1 2 send'),
    ('1pin', 'i pin'),
    ('send1pin', 'send i pin'),
    ('sendacidaged', 'send acid aged'),
    ('sendeeleke', 'send eeleke'),
    ('nowepay', 'no we pay'),
    ('refundibank', 'refund i bank'),
]  # fmt: skip

CUTS = [
    ('pass wo rd', False, [3, 0, 0]),
    ('pass word', False, [0, 0]),
    ('pass word', True, [2, 0]),
    ('pa ss', False, [0, 0]),
    ('fu ck', True, [2, 0]),
    ('fu ck', False, [0, 0]),
    ('p a s s w o r d', False, [8, 0, 0, 0, 0, 0, 0, 0]),
    ('p a s s w o r d s', False, [8, 0, 0, 0, 5, 0, 0, 0, 0]),
    ('send pass wo rd', False, [0, 3, 0, 0]),
    ('re fund', True, [2, 0]),
    ('pa y', True, [0, 0]),
    ('p ay', True, [0, 0]),
    ('pa ss word s', False, [4, 0, 2, 0]),
    ('p as sw or ds', False, [5, 0, 0, 0, 0]),
    ('co nfir med', False, [3, 0, 0]),
    ('send your', False, [0, 0]),
    ('ref und ed', False, [3, 0, 0]),
    ('re fund', False, [2, 0]),
]  # fmt: skip

READ = [
    ('Hi. You! Ok? Go; no…', [
        ('hi', 'Hi', 0, 0),
        ('you', 'You', 1, 1),
        ('ok', 'Ok', 2, 2),
        ('go', 'Go', 3, 3),
        ('no', 'no', 4, 5),
    ]),
    ('a.b c. d', [('abc', 'a.b c', 0, 0), ('d', 'd', 0, 0)]),
    ('p. a. s. s', [('pass', 'p. a. s. s', 0, 0)]),
    ('one\n\ntwo', [('one', 'one', 0, 0), ('two', 'two', 1, 1)]),
    ('red, blue: pink (old) new', [
        ('red', 'red', 0, 0),
        ('blue', 'blue', 0, 1),
        ('pink', 'pink', 0, 2),
        ('old', 'old', 0, 3),
        ('new', 'new', 0, 4),
    ]),
    ('a; red – big - all', [('a', 'a', 0, 0), ('red', 'red', 1, 2), ('big', 'big', 1, 3), ('all', 'all', 1, 4)]),
    ('red-blue', [('red', 'red', 0, 0), ('blue', 'blue', 0, 0)]),
    ('P.I.N. now', [('pin', 'P.I.N', 0, 0), ('now', 'now', 1, 1)]),
    ('c v v 2', [('cvv', 'c v v', 0, 0), ('2', '2', 0, 0)]),
    ('a b', [('a', 'a', 0, 0), ('b', 'b', 0, 0)]),
    ('1 2 3', [('1', '1', 0, 0), ('2', '2', 0, 0), ('3', '3', 0, 0)]),
    ('a 1 b', [('a', 'a', 0, 0), ('i', '1', 0, 0), ('b', 'b', 0, 0)]),
    ('🔑 is', [('password', '🔑', 0, 0), ('is', 'is', 0, 0)]),
    ('pa ss. wo rd', [('pa', 'pa', 0, 0), ('ss', 'ss', 0, 0), ('wo', 'wo', 1, 1), ('rd', 'rd', 1, 1)]),
    ('I. am', [('i', 'I', 0, 0), ('am', 'am', 1, 1)]),
    ('Thanks!we', [('thanks', 'Thanks', 0, 0), ('we', 'we', 0, 0)]),
    ('U S A is. b c d', [('us', 'U S', 0, 0), ('a', 'A', 0, 0), ('is', 'is', 0, 0), ('bcd', 'b c d', 1, 1)]),
    ('🅿🅰🆂🆂', [('pass', '🅿🅰🆂🆂', 0, 0)]),
    ('ⓐⓑⓒ', [('abc', 'ⓐⓑⓒ', 0, 0)]),
    ('🅐🅑🅒', [('abc', '🅐🅑🅒', 0, 0)]),
    ('🄰🄱🄲', [('abc', '🄰🄱🄲', 0, 0)]),
    ('🇦🇧🇨', [('abc', '🇦🇧🇨', 0, 0)]),
    ('🅰🅱🅾', [('abo', '🅰🅱🅾', 0, 0)]),
    ('٤٥', [('45', '٤٥', 0, 0)]),
    ('ﬀi', [('ffi', 'ﬀi', 0, 0)]),
    ('a\u200bb', [('ab', 'a\u200bb', 0, 0)]),
    ('pass...word', [('password', 'pass...word', 0, 0)]),
    ('pass....word', [('pass', 'pass', 0, 0), ('word', 'word', 0, 0)]),
    ('pass word', [('pass', 'pass', 0, 0), ('word', 'word', 0, 0)]),
    ('pass - word', [('pass', 'pass', 0, 0), ('word', 'word', 0, 1)]),
    ('S E N D. red', [('send', 'S E N D', 0, 0), ('red', 'red', 1, 1)]),
    ('p a s s. w o r d', [('password', 'p a s s. w o r d', 0, 0)]),
    ('red\n\n\nblue', [('red', 'red', 0, 0), ('blue', 'blue', 1, 1)]),
    ('I am. A b c', [('i', 'I', 0, 0), ('am', 'am', 0, 0), ('abc', 'A b c', 1, 1)]),
    ("it's o’clock", [('its', "it's", 0, 0), ('oclock', 'o’clock', 0, 0)]),
    ('x q 7', [('x', 'x', 0, 0), ('q', 'q', 0, 0), ('7', '7', 0, 0)]),
    ('c, v, v now', [('cvv', 'c, v, v', 0, 0), ('now', 'now', 0, 2)]),
    ('pass. wo rd', [('pass', 'pass', 0, 0), ('wo', 'wo', 1, 1), ('rd', 'rd', 1, 1)]),
    ('pass wo. rd', [('pass', 'pass', 0, 0), ('wo', 'wo', 0, 0), ('rd', 'rd', 1, 1)]),
    ('a@b c$d', [('aab', 'a@b', 0, 0), ('csd', 'c$d', 0, 0)]),
]  # fmt: skip

SPELLED = [
    ('s e n d  y o u r  p i n', 'send your pin'),
    ('s e n  d y o u r  p i n', 'send your pin'),
    ('p-i-n c-o-d-e', 'pin code'),
    ('x-q-z--p-k-t', 'xqzpkt'),
    ('x-q-z p-k-t', 'xqz pkt'),
    ('x-q-z- p-k-t', 'xqz pkt'),
    ('x q z  p k t', 'xqz pkt'),
    ('x q z  p k', 'xqz pk'),
    ('x q  z p', 'xqzp'),
    ('x q p i  n z k', 'xqp i nzk'),
    ('n o w  e a r', 'no wear'),
    ('x p i n', 'x pin'),
    ('x- p- i- n', 'x pin'),
    ('x-p-i-n', 'xpin'),
    ('x-p -i -n', 'xpin'),
    ('s-e-n-d-p-i-n', 'send pin'),
    ('m i s u n d e r s t a n d i n g', 'misunderstanding'),
    ('p i n  4 2', 'pin 4 2'),
    ('2 x q z 2', '2 xqz 2'),
    ('2 2 x q z', '2 2 xqz'),
    ('2-x-q-z-2', '2xqz2'),
    ('x 2 q z', 'x 2 q z'),
    ('2 x q 2', '2 x q 2'),
    ('2 x 2 q z 2', '2 x 2 q z 2'),
    ('2 f a', '2fa'),
    ('x q\n\nz k', 'x q z k'),
    ('e-g is', 'e g is'),
    ('cod€ now', 'code now'),
    ('🅩🆉🇿', 'zzz'),
]  # fmt: skip


@pytest.mark.parametrize(("word", "read"), WORDS)
def test_words_are_read_plainly(word: str, read: str) -> None:
    assert plain_word(word) == read


@pytest.mark.parametrize(
    ("masked", "meant"),
    [
        *(("b***h", "bitch"), ("ba****d", "bastard"), ("b******s", "bollocks"), ("c*a*", "crap")),
        *(("b******t", "bullshit"), ("d**n", "damn"), ("f**k", "fuck"), ("p**s", "piss")),
        *(("p*ss*d", "pissed"), ("s**t", "shit"), ("s***ty", "shitty")),
    ],
)
def test_a_masked_word_is_the_rude_one_even_if_others_fit(masked: str, meant: str) -> None:
    assert plain_word(masked) == meant


@pytest.mark.parametrize(
    "text", ["wehaveit", "youhaveit", "haveyourpin", "havemypin", "haveourpin", "havethepin"]
)
def test_words_written_as_one_are_read_apart_by_a_small_one_among_them(text: str) -> None:
    assert len(Judged(text, "generic").words) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wehaveit", 3),
        ("wesayit", 0),
        ("thepassword", 0),
        ("havecardpin", 0),
        ("wehavexqxpin", 0),
        ("iwehavepin", 4),
        ("weihavepin", 0),
        ("wehavepini", 0),
        ("i" + "wehaveyourpin" * 3, 13),
        ("my" + "wehaveyourpin" * 3, 0),
        ("wehaveit9", 0),
        ("wehaveité", 0),
    ],
)
def test_words_written_as_one_are_many_and_known_and_none_inside_is_a_letter(
    text: str, words: int
) -> None:
    pieces = unglued(text)
    assert len(pieces) == words
    assert "".join(word for _, _, word in pieces) == (text if words else "")
    assert isinstance(pieces, tuple)


def test_a_word_too_long_for_the_cache_is_read_as_well() -> None:
    assert plain_word("é" * 40) == "e" * 40


@pytest.mark.parametrize(("letters", "words"), SEGMENTS)
def test_spelled_letters_are_cut(letters: str, words: str) -> None:
    found = segmented(letters)
    assert " ".join(word for _, _, word in found) == words
    if found:
        assert [start for start, _, _ in found] == [0, *(end for _, end, _ in found[:-1])]
        assert found[-1][1] == len(letters)


@pytest.mark.parametrize(("text", "is_tight", "counts"), CUTS)
def test_pieces_are_put_together(text: str, is_tight: bool, counts: list[int]) -> None:
    texts = text.split()
    assert [cut_word(texts, place, lambda _: is_tight) for place in range(len(texts))] == counts


@pytest.mark.parametrize(("text", "words"), READ)
def test_words_know_where_they_stand(text: str, words: list[tuple[str, str, int, int]]) -> None:
    found = Judged(text, "generic").words
    assert [(w.text, text[w.start : w.end], w.sentence, w.clause) for w in found] == words


@pytest.mark.parametrize(("text", "read"), SPELLED)
def test_letters_one_by_one_are_read_as_the_words_that_gaps_and_sense_make_of_them(
    text: str, read: str
) -> None:
    words = Judged(text, "generic").words
    assert " ".join(word.text for word in words) == read
    gaps = [text[one.end : other.start] for one, other in pairwise(words)]
    assert "".join(c for gap in gaps for c in gap if c.isalnum()) == ""
    assert (words[0].start, words[-1].end) == (0, len(text))


def test_a_sentence_knows_whether_it_asks() -> None:
    judged = Judged("Is it red? Yes! It is. And blue", "generic")
    assert [judged.asks_at_end(sentence) for sentence in range(5)] == [True, *[False] * 4]


def test_only_the_letters_of_a_pictured_alphabet_are_read_as_letters() -> None:
    assert Judged("\U0001f149\U0001f14a", "generic").folded.text == "zhv"
