"""Whether two answers to one question contradict each other, told by fixed rules that name the words.

Three rules: a quantity of the same kind with another size, a statement that one text makes and the other denies
(a negation or a pair of opposites, unless two of them cancel), and an "only" that leaves no place for the other.
Nothing here decides that two texts answer the same question; see `knowledge_base.similarity.alike`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from knowledge_base.similarity.quantities import Kind, Quantity, quantities

# Of the smaller statement's words that the other one has to share before they are held to say or deny the same.
SHARED = 0.5
SAME_SIZE = 0.03  # share by which sizes may differ: 30 days and a month, 52 weeks and a year
# Texts, and words, that are kept read (some 20 MB at most): a report compares each with dozens of others.
TEXTS = 10_000
LISTED = 3  # weekdays: a text that names so many means no others

# Turns of phrase whose "no" or "not" denies nothing.
_IDLE = re.compile(
    r"\b(?:no (?:problem|worries|matter|later than|sooner than|less than|more than|longer than|hurry|rush)"
    r"|not (?:only|sure|yet sure|least|to worry)|whether or not|or not|if not|why not|never too"
    r"|(?:do not|don't) (?:worry|hesitate|forget|panic))\b"
)
_FREE = re.compile(
    r"\b(?:free of charge|for free|(?:at )?no (?:\w+ )?(?:charge|cost|fee)s?|without (?:a )?(?:charge|cost|fee))\b"
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|cannot|nor|neither|nobody|nothing|without|\w+n't|cant|wont|dont|doesnt|isnt|arent)\b"
)
_CLAUSE = re.compile(r"[.!?;]\s|[.!?;]$|,\s(?=but\b|and (?:you|we|it|they)\b)|\bbut\b")
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")

# Opposites, by stem; each may have several words on a side.
_OPPOSITES: tuple[tuple[frozenset[str], frozenset[str]], ...] = tuple(
    (frozenset(one.split()), frozenset(other.split()))
    for one, other in (
        ("open", "clos shut"),
        ("befor until", "after onc sinc"),
        ("includ", "exclud"),
        ("accept allow permit welcom", "refus declin reject forbid forbidden prohibit ban"),
        ("alway every all", "never sometim some none"),
        ("possibl", "impossibl"),
        ("availabl", "unavailabl"),
        ("valid", "invalid"),
        ("need must requir mandatory", "optional unneed voluntary"),
        ("with", "without"),
        ("any all every", "only"),
        ("one onc singl", "several many multipl unlimit any"),
        ("full fully whol", "partial part"),
        ("fre", "pay charg cost fee"),
        ("sam", "differ differnt other"),
        ("increas rais", "decreas reduc lower"),
        ("early earli", "lat"),
        ("first", "last"),
        ("minimum least", "maximum most"),
        ("enabl", "disabl"),
        ("keep", "delet remov los"),
        ("ye", "no"),
    )
)
_PLACES = {
    "onlin": "online", "app": "app", "websit": "online", "web": "online", "sit": "online", "shop": "shop",
    "stor": "shop", "till": "shop", "phon": "phone", "post": "post", "mail": "post", "email": "email",
}  # fmt: skip
_STOP_WORDS = (
    "a an the you your yours we our us it its they them their i my me he she is are was were be been being am do"
    " does did can could may might will would shall should must have has had to of in on at by for from and or as"
    " that this these those there here then so if when while which who what where how please sorry thank thanks"
    " yes also too just very need needs needed not no within up than about around usually already still again"
)
_STOP = frozenset(_STOP_WORDS.split())


@dataclass(frozen=True, slots=True)
class Clash:
    """Words of one text that contradict words of the other. `kind` is that of the quantity, or "negation",
    "opposite", "only".
    """

    kind: str
    one: str
    other: str

    @property
    def reason(self) -> str:
        """In a sentence."""
        return f"one says “{self.one}”, the other “{self.other}”"


@dataclass(frozen=True, slots=True)
class _Statement:
    """One clause: what it names a size of, the words that carry it (stems), all of its words, those that deny."""

    sizes: tuple[Quantity, ...]
    stems: frozenset[str]
    words: tuple[str, ...]
    denials: tuple[str, ...]


def contradictions(one: str, other: str) -> tuple[Clash, ...]:
    """Where two answers to the same question contradict each other; empty when no rule finds anything."""
    (mine, sizes), (theirs, others) = _read(one), _read(other)
    found = [*_denied(mine, theirs), *_elsewhere(mine, theirs)]
    turned = any(clash.kind == "opposite" for clash in found)
    found += _sizes(mine, theirs)
    found += _times(sizes, others)
    if not turned:  # "open on Saturday" and "closed on Sunday" go together
        found += _weekdays(sizes, others)
    return tuple(dict.fromkeys(found))


def _sizes(mine: Sequence[_Statement], theirs: Sequence[_Statement]) -> Iterable[Clash]:
    """Kinds of which both texts name sizes and none agrees, where the clauses are about the same."""
    alone = len(mine) == len(theirs) == 1
    kinds: list[Kind] = ["amount", "percentage", "duration", "frequency", "date", "number"]
    for kind in kinds:
        a = [(q, s) for s in mine for q in s.sizes if q.kind == kind]
        b = [(q, s) for s in theirs for q in s.sizes if q.kind == kind]
        if any(_agree(x, y) for x, _ in a for y, _ in b):
            continue
        about = [(x, y) for x, s in a for y, t in b if alone or s.stems & t.stems]
        if about:
            yield Clash(kind, about[0][0].words, about[0][1].words)


def _agree(x: Quantity, y: Quantity) -> bool:
    """The same size, or ranges of which one ends where the other does ("3 to 5 days" and "up to 5 days")."""
    margin = SAME_SIZE * max(abs(x.high), abs(y.high)) if x.kind == "duration" else 1e-9
    return abs(x.high - y.high) <= margin or (
        x.low != x.high and y.low != y.high and x.low <= y.high and y.low <= x.high
    )


def _times(mine: Sequence[Quantity], theirs: Sequence[Quantity]) -> Iterable[Clash]:
    a = {q.high: q.words for q in mine if q.kind == "time"}
    b = {q.high: q.words for q in theirs if q.kind == "time"}
    if a and b and not (a.keys() <= b.keys() or b.keys() <= a.keys()):
        mine_only, theirs_only = min(a.keys() - b.keys()), min(b.keys() - a.keys())
        yield Clash("time", a[mine_only], b[theirs_only])


def _weekdays(mine: Sequence[Quantity], theirs: Sequence[Quantity]) -> Iterable[Clash]:
    a = next((q for q in mine if q.kind == "day"), None)
    b = next((q for q in theirs if q.kind == "day"), None)
    if a is None or b is None:
        return
    days, others = int(a.high), int(b.high)
    listed = min(days.bit_count(), others.bit_count()) >= LISTED
    if not days & others or (listed and days != others):
        yield Clash("day", a.words, b.words)


def _denied(mine: Sequence[_Statement], theirs: Sequence[_Statement]) -> Iterable[Clash]:
    """Statements on the same thing of which one has a denial or an opposite more than the other."""
    for a in mine:
        for b in theirs:
            turns = _opposites(a, b)
            if not _same_matter(a, b, turns):
                continue
            handled = {word for turn in turns for word in (turn.one, turn.other)}
            denials = [w for w in a.denials if w not in handled]
            others = [w for w in b.denials if w not in handled]
            if len(denials) % 2 != len(others) % 2:
                word = (denials or others)[0]
                shared = " ".join(w for w in a.words if _stem(w) in b.stems) or "it"
                with_word = f"{word} … {shared}"
                pair = (with_word, shared) if denials else (shared, with_word)
                turns = [*turns, Clash("negation", *pair)]
            if len(turns) % 2:
                yield turns[-1]


def _same_matter(a: _Statement, b: _Statement, turns: Sequence[Clash]) -> bool:
    turned = {_stem(word) for turn in turns for word in (turn.one, turn.other)}
    mine, theirs = a.stems - turned, b.stems - turned
    shared = len(mine & theirs)
    return shared > 0 and shared >= SHARED * min(len(mine), len(theirs))


def _opposites(a: _Statement, b: _Statement) -> list[Clash]:
    """Pairs of opposites of which each statement has one side only."""
    mine, theirs = ({_stem(w): w for w in reversed(s.words)} for s in (a, b))
    found = []
    for one, other in _OPPOSITES:
        for left, right in ((one, other), (other, one)):
            x = next((mine[s] for s in mine if s in left), None)
            y = next((theirs[s] for s in theirs if s in right), None)
            if x and y and not (mine.keys() & right or theirs.keys() & left):
                found.append(Clash("opposite", x, y))
                break
    return found


def _elsewhere(mine: Sequence[_Statement], theirs: Sequence[_Statement]) -> Iterable[Clash]:
    """An "only" with a place in one text, and another place alone in the other."""
    a, b = _places(mine), _places(theirs)
    only = any("only" in s.words for s in mine), any("only" in s.words for s in theirs)
    if a and b and any(only) and not a.keys() & b.keys():
        x, y = next(iter(a.values())), next(iter(b.values()))
        yield Clash("only", f"{x} only" if only[0] else x, f"{y} only" if only[1] else y)


def _places(statements: Sequence[_Statement]) -> dict[str, str]:
    return {_PLACES[_stem(w)]: w for s in statements for w in s.words if _stem(w) in _PLACES}


@lru_cache(maxsize=TEXTS)
def _read(text: str) -> tuple[tuple[_Statement, ...], tuple[Quantity, ...]]:
    return _statements(text), quantities(text)


def _statements(text: str) -> tuple[_Statement, ...]:
    plain = _FREE.sub(" free ", _IDLE.sub(" ", text.casefold().replace("’", "'")))
    statements = []
    for clause in _CLAUSE.split(plain):
        words = tuple(_WORD.findall(clause))
        if not words:
            continue
        denials = tuple(_NEGATION.findall(clause))
        stems = {
            _stem(w) for w in words if w not in _STOP and w not in denials and not w.isdigit()
        }
        statements.append(_Statement(quantities(clause), frozenset(stems), words, denials))
    return tuple(statements)


@lru_cache(maxsize=TEXTS)
def _stem(word: str) -> str:
    """The word without its ending, so that return, returns, returned and returning are one."""
    word = word.removesuffix("'s").replace("'", "")
    for ending in ("ies", "ing", "ed", "es", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    double = len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiousl"
    return word[:-1] if double else word
