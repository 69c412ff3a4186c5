"""The parts of the second reader: the rows of a text, what they add up to, the place and the example it names."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from knowledge_base.errors import PolicyError
from knowledge_base.policy import Judged, Rule, Severity
from knowledge_base.policy.second_reader import (
    BUCKETS,
    FORMAT,
    LONGEST_QUOTE,
    MANIFEST,
    WEIGHTS,
    SecondReader,
    features,
    load,
    share,
    spelling,
)
from knowledge_base.tuning import second_reader as teaching

RULE = Rule("A", "p", Severity.block, "T", "R", "M", "S", ("red",), (), lambda _: ())
ONE_OF_EACH = "Is order 1048213 here, Jo? It is. Thanks for your 24 kind words!"


def _judged(text: str) -> Judged:
    return Judged(text, "generic")


def _reader(
    words: Mapping[str, int] = MappingProxyType({}),
    *,
    rules: int = 1,
    threshold: float = -1e9,
    examples: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> SecondReader:
    """A reader for which each piece of these words speaks so much, and nothing else."""
    weights = np.zeros((BUCKETS, rules), dtype=np.int8)
    for word, weight in words.items():
        weights[spelling(word)] = weight
    scales = np.arange(1, rules + 1, dtype=np.float32)
    return SecondReader(
        weights, scales, rules="ABC"[:rules], threshold=threshold, examples=examples
    )


def _random(rules: int = 2) -> SecondReader:
    made = _reader(rules=rules)
    made.weights[:] = np.random.default_rng(7).integers(-99, 99, made.weights.shape)
    return made


def test_words_marks_and_numbers_are_what_is_read() -> None:
    read = features(_judged("Is it 12345 or 7? Ok. Thanks"))
    assert read.tokens == ("is", "it", "####", "or", "#", "?", "ok", ".", "thanks", ".")
    assert read.words == (0, 1, 2, 3, 4, -1, 5, -1, 6, -1)
    assert features(_judged("Ok?")).owners.tolist() == [*(0, 1), *(0, 1), 0, 0]


def test_text_speak_reads_as_what_it_stands_for() -> None:
    short = "pls plz msg yr acc n ur acct num, u r going 2day w ur crd, thx ty"
    long = (
        "please please message your account and your account number, you are going today with your"
        " card, thanks thanks"
    )
    more = "gonna b 2moro tmrw 2nite, wanna pw pwd del addr"
    meant = "going be tomorrow tomorrow tonight, want password password delivery address"
    for spoken, written in ((short, long), (more, meant)):
        assert features(_judged(spoken)).tokens == features(_judged(written)).tokens


def test_the_rows_of_a_text_stay_those_that_weights_were_learnt_for() -> None:
    """Other rows make every file of weights worthless: whoever changes them raises FORMAT and teaches anew."""
    read = features(_judged(ONE_OF_EACH))
    rows = [read.runs.tolist(), read.owners.tolist(), *map(spelling, read.tokens)]
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    assert (FORMAT, digest[:16]) == (1, "203de1b56e6549c9")


def test_a_word_is_spelt_by_its_first_letters() -> None:
    word = "abcdefgh" * 8
    assert spelling(word + "xyz") == spelling(word) != spelling(word[:-1])


def test_the_rows_of_a_text_count_less_the_more_there_are_and_those_of_a_short_one_less_still() -> (
    None
):
    assert share(20) == 0.1  # 1 / sqrt(2 * (20 + 30)): as if there were 30 more
    assert share(170) == 0.05


def test_the_reader_adds_up_what_its_teacher_counted() -> None:
    reader = _random()
    texts = [ONE_OF_EACH, "Send us your p1n", "x" * 40 + " is long", "ok"]
    counted, handicaps = teaching._rows(texts, lambda *_: None)
    assert handicaps.tolist() == [0.0, 0.25, 0.25, 0.25]
    expected = (counted @ reader.weights.astype(np.float32)) * reader.scales
    scores = np.array([reader.scores(_judged(text)) for text in texts])
    assert np.allclose(scores, expected, rtol=1e-4, atol=1e-3)


def _place(reader: SecondReader, text: str) -> str:
    finding = reader.read(_judged(text), {"A": RULE}, ())
    assert finding is not None
    assert finding.span is not None
    return text[slice(*finding.span)]


@pytest.mark.parametrize(
    ("words", "text", "place"),
    [
        ({"red": 90}, "We saw the red house today.", "red"),
        ({"we": 90}, "We saw the red house today.", "We"),
        ({"red": 90, "house": 90}, "We saw the red house today.", "red house"),
        ({"red": 99, "today": 99}, "We saw the red house today and then we left.", "red house today"),
        ({"red": 90, "go": 90}, "We saw what is red. Go there today.", "red. Go"),
        ({"saw": 99, "today": 40}, "We saw the house that we know well today.", "saw"),
        ({"red": -90}, "Red is what we saw today.", "is what we saw today"),
        ({"?": 90}, "Is that the red house?", "Is"),
    ],
)  # fmt: skip
def test_a_finding_points_at_the_words_that_speak_for_the_rule(
    words: dict[str, int], text: str, place: str
) -> None:
    assert _place(_reader(words), text) == place


@pytest.mark.parametrize(
    "text", [ONE_OF_EACH, "Red. Blue? Green and pink. Ok.", "Ana, Bo, Cy and Dee left."]
)
def test_no_other_run_of_words_says_more(text: str) -> None:
    reader, judged = _random(1), _judged(text)
    read = features(judged)
    pieces = share(sum(len(spelling(token)) for token in read.tokens))
    weights = [
        share(len(read.runs)) * reader.weights[read.runs[read.owners == at], 0].sum(dtype=int)
        + pieces * reader.weights[spelling(token), 0].sum(dtype=int)
        for at, token in enumerate(read.tokens)
    ]
    above = np.array(weights) - np.mean(weights)
    sums = {
        (first, last): above[first : last + 1].sum()
        for first in range(len(above))
        for last in range(first, len(above))
    }
    first, last = max(sums, key=lambda run: sums[run])
    words = [judged.words[at] for at in read.words[first : last + 1] if at >= 0]
    assert _place(reader, text) == text[words[0].start : words[-1].end]


def test_only_what_reads_worse_than_the_threshold_is_told() -> None:
    judged = _judged("We saw the red house today.")
    score = float(_reader({"red": 90}, rules=3).scores(judged).max())
    assert score > 0
    for threshold, told in ((score, False), (0.999 * score, True)):
        reader = _reader({"red": 90}, rules=3, threshold=threshold)
        assert (reader.read(judged, {"C": replace(RULE, id="C")}, ()) is not None) is told


def test_the_rule_that_a_text_breaks_most_is_told_or_none() -> None:
    reader = _reader({"red": 90}, rules=3)  # of three columns alike, the last is worth most
    judged = _judged("We saw the red house today.")
    rules = {name: replace(RULE, id=name) for name in "ABC"}
    found = reader.read(judged, rules, ("A", "B"))
    assert found is not None
    assert (found.rule_id, found.reason) == (
        "C",
        "R, as the second reader takes it; reads like: “red”",
    )
    assert reader.read(judged, rules, ("C",)) is None
    assert reader.read(judged, {"A": rules["A"]}, ()) is None


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("Our delivery is at five or so", "A delivery man"),
        ("We say what it is to you", "Say what it is"),
        ("Blue and no more", "It is the blue one"),
        ("Nothing of that kind", "Say what it is"),
    ],
)
def test_the_example_shares_the_most_letters_with_the_text(text: str, example: str) -> None:
    rule = replace(RULE, must_flag=("Say what it is", "A delivery man"))
    reader = _reader(examples={"A": ["It is the blue one", "Is at or we"], "B": ["Blue and no"]})
    assert reader.nearest(_judged(text), rule) == example


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" * LONGEST_QUOTE, "a" * LONGEST_QUOTE),
        ("a" * (LONGEST_QUOTE + 1), "a" * (LONGEST_QUOTE - 1) + "…"),
        (" " + "a" * (LONGEST_QUOTE - 3) + " bcd", " " + "a" * (LONGEST_QUOTE - 3) + "…"),
    ],
)
def test_a_long_example_is_cut(text: str, shown: str) -> None:
    assert _reader().nearest(_judged("ok"), replace(RULE, must_flag=(text,))) == shown


def _written(folder: Path, weights: np.ndarray, **more: object) -> Path:
    packed = io.BytesIO()
    np.savez(packed, weights=weights, scales=np.ones(1, dtype=np.float64))
    content = packed.getvalue()
    manifest = {
        "format": FORMAT,
        "buckets": BUCKETS,
        "sha256": hashlib.sha256(content).hexdigest(),
        "threshold": 1,
        "rules": ["A"],
        "examples": {"A": ["red"]},
        **more,
    }
    folder.joinpath(WEIGHTS).write_bytes(content)
    folder.joinpath(MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_a_written_reader_is_read(tmp_path: Path) -> None:
    weights = np.zeros((BUCKETS, 1), dtype=np.int8)
    first = load(_written(tmp_path, weights))
    assert (first.rules, first.threshold, first.examples) == (("A",), 1.0, {"A": ["red"]})
    assert first.scales.dtype == np.float32
    assert len(first.sha256) == 64
    manifest = json.loads(tmp_path.joinpath(MANIFEST).read_text("utf-8"))
    turned = json.dumps(dict(reversed(manifest.items())))
    tmp_path.joinpath(MANIFEST).write_text(turned, encoding="utf-8")
    assert load(tmp_path).sha256 == first.sha256  # the order of the keys decides nothing
    weights[0, 0] = 1
    assert load(_written(tmp_path, weights)).sha256 != first.sha256
    assert _reader().sha256 == ""


class _Trap:
    """Pickled, it makes a folder where it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.mkdir, (self.folder,)


def test_weights_of_another_kind_are_refused_and_never_run(tmp_path: Path) -> None:
    wide = np.zeros((BUCKETS, 1), dtype=np.int16)
    with pytest.raises(PolicyError, match="of the wrong shape"):
        load(_written(tmp_path, wide))
    with pytest.raises(PolicyError, match="of the wrong shape"):
        load(_written(tmp_path, wide.astype(np.int8)[1:]))
    trap = tmp_path / "trap"
    with pytest.raises(PolicyError, match="cannot be read"):
        load(_written(tmp_path, np.array([_Trap(trap)], dtype=object)))
    assert not trap.exists()


def test_what_is_missing_is_said_and_how_to_mend_it(tmp_path: Path) -> None:
    _written(tmp_path, np.zeros((BUCKETS, 1), dtype=np.int8), examples=None)
    manifest = json.loads(tmp_path.joinpath(MANIFEST).read_text("utf-8"))
    del manifest["threshold"]
    tmp_path.joinpath(MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        "the second reader cannot be read (KeyError('threshold'));"
        " take its folder from the release"
    )
    assert caught.value.file == MANIFEST
