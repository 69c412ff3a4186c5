"""The labelled drafts that measure the policy rules keep their form: columns, labels, split and counts."""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from knowledge_base.wording import LIMIT, count_emoji, links_in, measure

TESTS = Path(__file__).resolve().parents[1]
DRAFTS = TESTS / "benchmarks" / "policy_set" / "drafts.csv"
TAUGHT = TESTS.parent / "training_data" / "policy_replies"
TOO_ALIKE = 0.8  # of all the words of two texts
COLUMNS = ["id", "split", "kind", "violates", "text", "note"]
LEAST_PER_KIND = {"ordinary": 300, "violation": 260, "adversarial": 120}
LEAST_NEAR_A_RULE = 100
LEAST_PER_RULE = 6
LEAST_DISGUISED_PER_RULE = 2
DEV_SHARE = (0.27, 0.33)  # about three in ten, in every kind
RULES = frozenset(
    {
        "LEN-140",
        "CTRL-CHARS",
        "CONFUSABLE",
        "URL-ALLOW",
        "URL-SCHEME",
        "PLACEHOLDER",
        "PCI-ASK",
        "PCI-CVV",
        "PCI-PAN",
        "CRED-ASK",
        "CRED-OTP",
        "ID-DOC",
        "ID-NUMBER",
        "PII-EMAIL",
        "PII-PHONE",
        "PII-IBAN",
        "PII-ADDRESS",
        "ACCT-DISCLOSE",
        "PHI-CONFIRM",
        "PHI-RESULT",
        "MED-ADVICE",
        "FIN-PROMISE",
        "FIN-ADVICE",
        "FIN-PREDICT",
        "ABSOLUTE",
        "REFUND-PROMISE",
        "TIME-PROMISE",
        "REVIEW-INCENTIVE",
        "PROMO-IN-CARE",
        "COMPETITOR",
        "LIABILITY",
        "LEGAL-ADVICE",
        "DEBT-THREAT",
        "HUMAN-CLAIM",
        "BLAME",
        "CALM-DOWN",
        "PROFANITY",
        "SHOUTING",
        "EMOJI-LIMIT",
        "INTERNAL-REF",
        "GENDERED",
        "REMOTE-TOOL",
        "SECURITY-WEAKEN",
        "SPECIAL-CATEGORY",
    }
)
BRAND_PAGES = "https://quillhaven.example.com/"
INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp"})
LINE_BREAK_AND_EMOJI_JOINER = frozenset("\n\u200d")

Row = dict[str, str]


def labels(row: Row) -> list[str]:
    return row["violates"].split("|") if row["violates"] else []


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with DRAFTS.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        read = list(reader)
    assert reader.fieldnames == COLUMNS
    # No cell too many (DictReader's None key) or too few (its None value).
    assert all(None not in row and None not in row.values() for row in read)
    return read


def test_ids_and_texts_are_unique(rows: list[Row]) -> None:
    for column in ("id", "text"):
        counts = Counter(row[column] for row in rows)
        assert [value for value, count in counts.items() if count > 1] == []
    folded = Counter(re.sub(r"\s+", " ", row["text"]).strip().casefold() for row in rows)
    assert max(folded.values()) == 1


def test_every_id_says_its_kind(rows: list[Row]) -> None:
    for row in rows:
        assert re.fullmatch(f"{row['kind'][0]}[0-9]{{3}}", row["id"]), row["id"]


def test_each_kind_has_enough_drafts_and_is_split_alike(rows: list[Row]) -> None:
    assert {row["kind"] for row in rows} == set(LEAST_PER_KIND)
    assert {row["split"] for row in rows} == {"dev", "test"}
    low, high = DEV_SHARE
    for kind, least in LEAST_PER_KIND.items():
        splits = [row["split"] for row in rows if row["kind"] == kind]
        assert len(splits) >= least, kind
        assert low <= splits.count("dev") / len(splits) <= high, kind


def test_only_known_rules_are_named_once_each(rows: list[Row]) -> None:
    for row in rows:
        assert set(labels(row)) <= RULES, row["id"]
        assert len(set(labels(row))) == len(labels(row)), row["id"]


def test_ordinary_drafts_break_nothing_and_all_others_something(rows: list[Row]) -> None:
    assert [row["id"] for row in rows if bool(labels(row)) == (row["kind"] == "ordinary")] == []


def test_many_ordinary_drafts_come_near_a_known_rule(rows: list[Row]) -> None:
    near = [row for row in rows if row["note"].startswith("near ")]
    assert len(near) >= LEAST_NEAR_A_RULE
    assert {row["kind"] for row in near} == {"ordinary"}
    assert {row["note"].split(";")[0].removeprefix("near ") for row in near} <= RULES


def test_every_disguise_is_named(rows: list[Row]) -> None:
    assert [row["id"] for row in rows if row["kind"] == "adversarial" and not row["note"]] == []


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_has_enough_drafts_in_both_splits(rows: list[Row], rule: str) -> None:
    breaking = [row for row in rows if rule in labels(row)]
    assert len(breaking) >= LEAST_PER_RULE
    assert sum(row["kind"] == "adversarial" for row in breaking) >= LEAST_DISGUISED_PER_RULE
    assert {row["split"] for row in breaking} == {"dev", "test"}


def test_length_is_labelled_exactly_where_it_is_broken(rows: list[Row]) -> None:
    for row in rows:
        length = measure(row["text"])
        too_long = max(length.code_points, length.weighted) > LIMIT
        assert too_long == ("LEN-140" in labels(row)), (row["id"], length)


def test_invisible_characters_are_labelled_exactly_where_they_are(rows: list[Row]) -> None:
    for row in rows:
        hidden = {char for char in row["text"] if unicodedata.category(char) in INVISIBLE}
        found = bool(hidden - LINE_BREAK_AND_EMOJI_JOINER)
        assert found == ("CTRL-CHARS" in labels(row)), row["id"]


def test_emoji_are_labelled_by_their_number(rows: list[Row]) -> None:
    for row in rows:
        emoji = count_emoji(row["text"])
        assert emoji != 2, row["id"]  # two are not judged: see the set's README
        assert (emoji > 2) == ("EMOJI-LIMIT" in labels(row)), (row["id"], emoji)


def test_ordinary_links_lead_to_the_brand_alone(rows: list[Row]) -> None:
    for row in rows:
        if row["kind"] == "ordinary":
            for start, end in links_in(row["text"]):
                assert row["text"][start:end].startswith(BRAND_PAGES), row["id"]


def test_the_readme_states_the_counts(rows: list[Row]) -> None:
    readme = (DRAFTS.parent / "README.md").read_text(encoding="utf-8")
    assert f"{len(rows)} reply drafts" in readme
    counts = Counter((row["kind"], row["split"]) for row in rows)
    for kind in LEAST_PER_KIND:
        dev, test = counts[kind, "dev"], counts[kind, "test"]
        assert f"| `{kind}` | {dev + test} | {dev} | {test} |" in readme


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


@pytest.fixture(scope="module")
def reported(rows: list[Row]) -> dict[str, list[frozenset[str]]]:
    """The words of the drafts for reporting, by their rarest words: what is alike shares one of these."""
    drafts = [words for row in rows if row["split"] == "test" and (words := _words(row["text"]))]
    often = Counter(word for words in drafts for word in words)
    found: dict[str, list[frozenset[str]]] = {}
    for words in drafts:
        fewest = len(words) - math.ceil(TOO_ALIKE * len(words)) + 1
        for word in sorted(words, key=lambda word: (often[word], word))[:fewest]:
            found.setdefault(word, []).append(words)
    return found


@pytest.mark.parametrize(
    "file",
    [*sorted(TAUGHT.glob("*.csv")), TESTS / "unit" / "compliant_replies.txt"],
    ids=lambda file: str(file.name),
)
def test_nothing_is_learnt_from_a_draft_that_is_for_reporting_only(
    reported: dict[str, list[frozenset[str]]], file: Path
) -> None:
    """Authors who never saw the drafts do write the same short reply now and then; theirs is taken out."""
    with file.open(newline="", encoding="utf-8") as opened:
        texts = (
            [row["text"] for row in csv.DictReader(opened)]
            if file.suffix == ".csv"
            else opened.read().splitlines()
        )
    assert texts
    for number, words in enumerate(map(_words, texts), start=1):
        for other in (other for word in words for other in reported.get(word, ())):
            alike = len(words & other) / len(words | other)
            assert alike < TOO_ALIKE, f"reply {number} says what a draft for reporting says"
