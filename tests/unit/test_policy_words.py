"""The small parts of reading: words and their forms, numbers, disguises, phrases, what negates them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from knowledge_base.policy import Judged
from knowledge_base.policy.cards import card_number
from knowledge_base.policy.detectors import Settings, SettingsError
from knowledge_base.policy.disguises import cut_word, plain_word, segmented, unglued
from knowledge_base.policy.numerals import runs
from knowledge_base.policy.phrases import PhraseTable, forms, is_number, needs_of_all, needs_of_any
from knowledge_base.policy.reading import Word
from knowledge_base.policy.says import says

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

NUMBERS = [
    ('4111', [(['4111'], '4111', False)]),
    ('4 1', [(['4', '1'], '4 1', False)]),
    ('four one', [(['4', '1'], 'four one', True)]),
    ('forty one', [(['41'], 'forty one', True)]),
    ('forty zero', [(['40', '0'], 'forty zero', True)]),
    ('40 one', [(['41'], '40 one', True)]),
    ('10 one', [(['10', '1'], '10 one', True)]),
    ('forty eleven', [(['40', '11'], 'forty eleven', True)]),
    ('4 then 1', [(['4', '1'], '4 then 1', True)]),
    ('4 then red', [(['4'], '4', True)]),
    ('double 4 1', [(['44', '1'], '4 1', True)]),
    ('double triple 4', [(['444'], '4', True)]),
    ('double x 4', [(['44'], '4', True)]),
    ('treble two', [(['222'], 'two', True)]),
    ('4 double', [(['4'], '4', False)]),
    ('twenty one two', [(['21', '2'], 'twenty one two', True)]),
    ('41o', [(['410'], '41o', True)]),
    ('o41', []),
    ('4 ooo', [(['4', '000'], '4 ooo', True)]),
    ('4 oil', [(['4'], '4', False)]),
    ('41oilszb', [(['41011528'], '41oilszb', True)]),
    ('oilszb1 red', []),
    ('4 oilszb1', [(['4', '0115281'], '4 oilszb1', True)]),
    ('1o11111111111111111', [(['1011111111111111111'], '1o11111111111111111', True)]),
    ('1o111111111111111111', []),
    ('4x', []),
    ('red', []),
    ('4 for 4', [(['4', '4', '4'], '4 for 4', True)]),
    ('for 4', [(['4'], '4', False)]),
    ('4 won ate tree oh 1', [(['4', '1', '8', '3', '0', '1'], '4 won ate tree oh 1', True)]),
    ('four. one', [(['1'], 'one', True)]),
    ('forty one 4 double x 4 5', [(['41', '4', '44', '5'], 'forty one 4 double x 4 5', True)]),
    ('one hundred', [(['1'], 'one', True)]),
    ('4 forty one', [(['4', '41'], '4 forty one', True)]),
    ('4 double red 5', [(['4'], '4', False), (['5'], '5', False)]),
    ('forty 1', [(['40', '1'], 'forty 1', True)]),
    ('forty one one', [(['41', '1'], 'forty one one', True)]),
    ('1 x 1', [(['1', '1'], '1 x 1', True)]),
    ('4 red 5', [(['4'], '4', False), (['5'], '5', False)]),
    ('red 4 five red', [(['4', '5'], '4 five', True)]),
    ('nine red nine', [(['9'], 'nine', True), (['9'], 'nine', True)]),
]  # fmt: skip

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
SPOKEN = [
    "zero=0",
    "one=1",
    "two=2",
    "three=3",
    "four=4",
    "five=5",
    "six=6",
    "seven=7",
    "eight=8",
    "nine=9",
    "ten=10",
    "eleven=11",
    "twelve=12",
    "thirteen=13",
    "fourteen=14",
    "fifteen=15",
    "sixteen=16",
    "seventeen=17",
    "eighteen=18",
    "nineteen=19",
    "twenty=20",
    "thirty=30",
    "forty=40",
    "fifty=50",
    "sixty=60",
    "seventy=70",
    "eighty=80",
    "ninety=90",
    "nought=0",
    "naught=0",
    "nein=9",
    "niner=9",
    "fife=5",
]
HOMOPHONES = ["ate=8", "for=4", "nil=0", "null=0", "o=0", "oh=0", "tree=3", "won=1"]
FILLERS = ["and", "by", "comma", "dash", "dot", "followed", "hyphen", "space", "then", "x"]


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


def _words(text: str) -> list[Word]:
    """The words of a text as they stand, without any reading."""
    words, end = [], 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        words.append(Word(word, start, end, 0))
    return words


@pytest.mark.parametrize(("text", "found"), NUMBERS)
def test_numbers_run_on(text: str, found: list[tuple[list[str], str, bool]]) -> None:
    assert [
        (
            [numeral.digits for numeral in run.numerals],
            text[run.numerals[0].start : run.numerals[-1].end],
            run.is_disguised,
        )
        for run in runs(_words(text))
    ] == found


def test_each_number_of_a_run_knows_its_place() -> None:
    (run,) = runs(_words("4 forty one double 7"))
    assert [(n.digits, n.start, n.end) for n in run.numerals] == [
        ("4", 0, 1),
        ("41", 2, 11),
        ("77", 19, 20),
    ]


def _digits(text: str) -> list[str]:
    return ["".join(numeral.digits for numeral in run.numerals) for run in runs(_words(text))]


def test_every_number_word_stands_for_its_digits() -> None:
    for entry in SPOKEN:
        word, digits = entry.split("=")
        assert _digits(f"red {word} red") == [digits]
    for entry in HOMOPHONES:
        word, digits = entry.split("=")
        assert _digits(f"red {word} red") == []
        assert _digits(f"7 {word} 7") == [f"7{digits}7"]
    for word in FILLERS:
        assert _digits(f"7 {word} 8") == ["78"]


def test_a_doubled_digit_is_a_disguise() -> None:
    detector = card_number(Settings({"issuers": ["4: 16"]}))
    text = "Card 4111 1111 1111 double 1 double 1 ok"
    assert [text[slice(*hit.span)] for hit in detector(Judged(text, "generic")) if hit.span]


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
