"""The second reader: a linear model over words and their spelling that says which rule a text reads like breaking.

It stands beside the rules. What it finds only ever warns, and where it contradicts a block, that may become a
warning, if the policy says so (docs/adr/0013). What it learnt is one file of data, made by `firstline policy
learn` (knowledge_base/tuning/second_reader.py); a missing or damaged file means that there is no policy.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from knowledge_base.errors import PolicyError
from knowledge_base.policy.model import Finding, Rule, Severity
from knowledge_base.policy.reading import Judged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]

FORMAT = 1
WEIGHTS, MANIFEST = "weights.npz", "manifest.json"
BUCKETS = 1 << 16  # rows that words, runs of words and pieces of words are hashed to
SPELLING = (3, 4, 5)  # letters of the pieces of a word, its two edges included
_LONGEST_CACHED = 32  # code points; longer "words" are hostile and would only fill the cache
_LONGEST_SPELT = 64  # code points of a word that are cut into pieces
_CACHED_WORDS = 8192
_CACHED_TEXTS = 8  # those being judged: a text is asked about for each of its findings
_LONGEST_NUMBER = 4  # digits by which numbers are told apart: a year from an order number
# Odd multipliers (Knuth's, and those of xxHash) by which the hashes of neighbouring words are mixed.
_FIRST, _SECOND, _THIRD = 2654435761, 2246822519, 3266489917
_PAIR, _TRIPLE, _SKIPPED = 374761393, 668265263, 461845907
_SHIFT = 32 - BUCKETS.bit_length() + 1
_MASK = 0xFFFFFFFF
SHORT = 30  # rows, of words as of their pieces, by which a text counts as longer than it is
# Text speak, read as what it stands for.
_SHORTHAND_OF: Mapping[str, str] = {
    "you": "u",
    "your": "ur yr",
    "are": "r",
    "and": "n",
    "with": "w",
    "be": "b",
    "please": "pls plz",
    "thanks": "thx ty",
    "message": "msg",
    "account": "acc acct",
    "address": "addr",
    "number": "num",
    "tomorrow": "tmrw 2moro",
    "tonight": "2nite",
    "today": "2day",
    "going": "gonna",
    "want": "wanna",
    "card": "crd",
    "password": "pw pwd",
    "delivery": "del",
}
_SHORTHAND = MappingProxyType(
    {short: word for word, shorts in _SHORTHAND_OF.items() for short in shorts.split()}
)
# A text of fewer words is a fragment, which says little ("I have it now."): its score has to be higher by so much.
# Of 930 held-out fragments that break a rule 60 % were warned about at 0.25, of 63 ordinary and near ones none;
# at 0 they were 84 % and 10.
FEWEST_WORDS = 5
FRAGMENT = 0.25
# A score below which it is sure that a text keeps a rule; compliant texts are taught to give -1. Of 3,509 held-out
# texts that phrases blocked rightly 8 lay below it, of 116 that they blocked wrongly 58 (docs/adr/0013).
SURE = -0.6
LONGEST_QUOTE = 90  # code points of the example that a finding shows


@dataclass(frozen=True, slots=True)
class Features:
    """The rows of a text: of its words and runs of words, and of the pieces that each token is spelt with.

    `words` is the word each token is of, -1 for the end of a sentence.
    """

    runs: Places
    tokens: tuple[str, ...]
    words: tuple[int, ...]

    @property
    def owners(self) -> Places:
        """The tokens that each row of `runs` begins at."""
        import numpy as np

        length = len(self.tokens)
        return np.concatenate([np.arange(length)] * 2 + [np.arange(length - 1)] * 2)


def features(judged: Judged) -> Features:
    """What the reader sees of a text. Linear in it."""
    import numpy as np

    tokens, words = _tokens(judged)
    known = np.array([_START, *map(_hashed, tokens)], dtype=np.uint64)
    pairs = known[:-1] * _FIRST + known[1:] * _SECOND
    parts = (
        known[1:] * _THIRD,
        pairs + _PAIR,
        known[:-2] * _FIRST + known[2:] * _SECOND + _SKIPPED,
        pairs[:-1] * _FIRST + known[2:] * _SECOND + _TRIPLE,
    )
    runs = (np.concatenate(parts) & _MASK) >> _SHIFT
    return Features(runs.astype(np.int64), tokens, words)


def _tokens(judged: Judged) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The words, with the ends of sentences between them; numbers by how many digits they have."""
    tokens: list[str] = []
    words: list[int] = []
    sentence = 0
    for index, word in enumerate(judged.words):
        if word.sentence != sentence:
            tokens.append("?" if judged.asks_at_end(sentence) else ".")
            words.append(-1)
            sentence = word.sentence
        text = word.text
        tokens.append(
            "#" * min(len(text), _LONGEST_NUMBER) if text.isdigit() else _SHORTHAND.get(text, text)
        )
        words.append(index)
    tokens.append("?" if judged.asks_at_end(sentence) else ".")
    words.append(-1)
    return tuple(tokens), tuple(words)


def _crc(text: str) -> int:
    return zlib.crc32(text.encode())  # words hold no lone surrogates: the reading hides them


_hashed = lru_cache(maxsize=_CACHED_WORDS)(_crc)
_START = _crc("<")


def spelling(token: str) -> list[int]:
    """The rows of the pieces of a token."""
    edged = f"_{token[:_LONGEST_SPELT]}_"
    pieces = {edged[at : at + size] for size in SPELLING for at in range(len(edged) - size + 1)}
    return sorted((_crc(piece) * _FIRST & _MASK) >> _SHIFT for piece in pieces)


def share(rows: int) -> float:
    """What each of so many rows counts; those of a short text count for less, as they say less."""
    return 1 / math.sqrt(2 * (rows + SHORT))


def handicap(words: int) -> float:
    """What is taken from the score of a text of so many words before it is held against the threshold."""
    return FRAGMENT if words < FEWEST_WORDS else 0.0


class SecondReader:
    """A model that was learnt; safe to share between threads."""

    def __init__(
        self,
        weights: NDArray[np.int8],
        scales: Floats,
        *,
        rules: Sequence[str],
        threshold: float,
        examples: Mapping[str, Sequence[str]],
        sha256: str = "",
    ) -> None:
        """`weights` [BUCKETS, rules] times `scales` [rules] is how much a row speaks for a rule."""
        self.weights = weights
        self.scales = scales
        self.rules = tuple(rules)
        self.threshold = threshold
        self.examples = examples
        self.sha256 = sha256
        self._seen = lru_cache(maxsize=_CACHED_TEXTS)(self._see)
        self._spelt = lru_cache(maxsize=_CACHED_WORDS)(self._spelling)
        self._known_words = cache(self._words_of_examples)

    def scores(self, judged: Judged) -> Floats:
        """How much the text reads like breaking each of `rules` (shape [rules]); compliant texts are below 0."""
        return self._seen(judged)[1]

    def _see(self, judged: Judged) -> tuple[Features, Floats]:
        read = features(judged)
        return read, self._scores(read)

    def _scores(self, read: Features) -> Floats:
        import numpy as np

        # Whole numbers are added up in 32 bits, which no text is long enough to overflow.
        runs = self.weights.take(read.runs, axis=0).sum(axis=0, dtype=np.int32)
        spelt = [self._spelt_of(token) for token in read.tokens]
        pieces = sum(count for _, count in spelt)
        letters = np.add.reduce([row for row, _ in spelt])
        total = runs * share(len(read.runs)) + letters * share(pieces)
        scores: Floats = (total * self.scales).astype(np.float32)
        return scores

    def _spelt_of(self, token: str) -> tuple[NDArray[np.int32], int]:
        if len(token) > _LONGEST_CACHED:  # for speed alone
            return self._spelling(token)
        return self._spelt(token)

    def _spelling(self, token: str) -> tuple[NDArray[np.int32], int]:
        import numpy as np

        rows = spelling(token)
        summed: NDArray[np.int32] = self.weights[rows].sum(axis=0, dtype=np.int32)
        return summed, len(rows)

    def read(
        self, judged: Judged, rules: Mapping[str, Rule], told: Collection[str]
    ) -> Finding | None:
        """A warning about the rule that the text reads like breaking most, if it is on and not yet `told`."""
        if not judged.words:
            return None
        read, scores = self._seen(judged)
        if scores.max() - handicap(len(judged.words)) <= self.threshold:
            return None  # most texts end here
        # The best of all rules: a text that reads like breaking one that is off breaks none of the others.
        rule_id = self.rules[int(scores.argmax())]
        if rule_id not in rules or rule_id in told:
            return None
        rule = rules[rule_id]
        example = self.nearest(judged, rule)
        return Finding(
            rule_id=rule_id,
            severity=Severity.warn,
            span=self._span(judged, read, int(scores.argmax())),
            reason=f"{rule.reason}, as the second reader takes it; reads like: “{example}”",
            mend=rule.mend,
            pack=rule.pack,
        )

    def contradicts(self, judged: Judged, rule_id: str) -> bool:
        """Whether the text surely keeps the rule, as far as the reader knows it."""
        if len(judged.words) < FEWEST_WORDS or rule_id not in self.rules:
            return False
        return bool(self.scores(judged)[self.rules.index(rule_id)] < SURE)

    def _span(self, judged: Judged, read: Features, column: int) -> tuple[int, int]:
        """The run of words that speaks for the rule most: that of the largest sum above the average."""
        import numpy as np

        weighed = np.zeros(len(read.tokens))
        np.add.at(weighed, read.owners, self.weights[read.runs, column] * share(len(read.runs)))
        spelt = [self._spelt_of(token) for token in read.tokens]
        piece = share(sum(count for _, count in spelt))
        weighed += [row[column] * piece for row, _ in spelt]
        weighed -= weighed.mean()
        # The run that ends at a token has the largest sum if it begins where the sum before it is lowest.
        sums = np.concatenate(([0.0], weighed.cumsum()))
        before = sums[:-1]
        lowest = np.minimum.accumulate(before)
        last = int((sums[1:] - lowest).argmax())
        first = int((before == lowest[last]).argmax())
        inside = [w for w in read.words[first : last + 1] if w >= 0] or [0]
        return judged.words[inside[0]].start, judged.words[inside[-1]].end

    def nearest(self, judged: Judged, rule: Rule) -> str:
        """The known text breaking the rule that shares the most with this one, by words that few of them have."""
        mine = judged.vocabulary
        known = self._known_words(rule.id, rule.must_flag, rule.examples_channel)
        letters = _letters(mine)
        text, _, _ = max(known, key=lambda each: _alike(mine, letters, *each[1:]))
        return text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 1].rstrip()}…"

    def _words_of_examples(
        self, rule_id: str, must_flag: tuple[str, ...], channel: str
    ) -> tuple[tuple[str, frozenset[str], int], ...]:
        texts = dict.fromkeys((*must_flag, *self.examples.get(rule_id, ())))
        words = ((text, Judged(text, channel).vocabulary) for text in texts)
        return tuple((text, known, _letters(known)) for text, known in words)


def _letters(words: Iterable[str]) -> int:
    return sum(map(len, words))


def _alike(mine: frozenset[str], my_letters: int, other: frozenset[str], letters: int) -> float:
    """The shared letters of two sets of words, as a share: long words say more than short ones."""
    shared = _letters(mine & other)
    return shared / (my_letters + letters - shared)


@cache
def shipped() -> SecondReader:
    """The reader that comes with Firstline. Raises PolicyError when its file is missing or damaged."""
    return load(resources.files("knowledge_base").joinpath("content", "second_reader"))


def load(folder: Traversable) -> SecondReader:
    """Verify a reader against its manifest. Raises PolicyError, which names the file and how to mend it."""
    import numpy as np

    try:
        manifest: dict[str, Any] = json.loads(folder.joinpath(MANIFEST).read_text("utf-8"))
        content = folder.joinpath(WEIGHTS).read_bytes()
        if manifest["format"] != FORMAT or manifest["buckets"] != BUCKETS:
            raise PolicyError(f"{MANIFEST}: not of this release; run `firstline policy learn`")
        if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
            raise PolicyError(f"{WEIGHTS}: not the file of {MANIFEST}; take it from the release")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            weights, scales = arrays["weights"], arrays["scales"]
        if weights.shape != (BUCKETS, len(manifest["rules"])) or weights.dtype != np.int8:
            raise PolicyError(f"{WEIGHTS}: of the wrong shape; run `firstline policy learn`")
        return SecondReader(
            weights,
            scales.astype(np.float32),
            rules=manifest["rules"],
            threshold=float(manifest["threshold"]),
            examples=manifest["examples"],
            # The manifest decides as well: the threshold stands in it.
            sha256=hashlib.sha256(
                content + json.dumps(manifest, sort_keys=True).encode()
            ).hexdigest(),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        msg = f"the second reader cannot be read ({error!r}); take its folder from the release"
        raise PolicyError(msg, file=MANIFEST) from error
