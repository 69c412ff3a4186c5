"""The second reader learns the same from the same texts, only ever warns, and is never missing unnoticed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge_base.errors import PolicyError, UnreadableFile
from knowledge_base.policy import Judged, Outcome, Policy, Severity, judge, load_policy, loader
from knowledge_base.policy import second_reader as reader_module
from knowledge_base.policy.second_reader import BUCKETS, MANIFEST, WEIGHTS, features, load, shipped
from knowledge_base.tuning import second_reader as teaching
from knowledge_base.tuning.second_reader import Lesson, learn, lessons, write

POLICY = load_policy()
RULES = {rule.id: rule for rule in POLICY.rules}
ODD = ["", "?", "👍", "\ud800", "a" * 5000, "ﬃ Ｈｅｌｌｏ", "1 2 3", "x. y! z?", "{first_name}"]


def _taught() -> list[Lesson]:
    chosen = ("CRED-ASK", "BLAME", "PROMO-IN-CARE")
    return [
        *(
            Lesson(text, frozenset({id_}), "plain")
            for id_ in chosen
            for text in RULES[id_].must_flag
        ),
        *(Lesson(text, frozenset(), "near") for id_ in chosen for text in RULES[id_].must_pass),
    ]


@pytest.fixture(scope="module")
def learnt() -> teaching.Learnt:
    return learn(_taught())


@pytest.fixture(scope="module")
def folder(learnt: teaching.Learnt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("reader")
    write(learnt, written)
    return written


def _judge(policy: Policy, text: str) -> Any:
    return judge(policy, text, channel="generic")


def test_the_same_texts_give_the_same_files(folder: Path, tmp_path: Path) -> None:
    write(learn(_taught()), tmp_path)
    for name in (WEIGHTS, MANIFEST):
        assert tmp_path.joinpath(name).read_bytes() == folder.joinpath(name).read_bytes()


def test_what_was_written_reads_as_what_was_learnt(learnt: teaching.Learnt, folder: Path) -> None:
    read = load(folder)
    assert read.rules == ("BLAME", "CRED-ASK", "PROMO-IN-CARE")
    assert read.threshold == learnt.reader.threshold
    for text in ("Tell me the secret word you sign in with", *ODD[3:]):
        judged = Judged(text, "generic")
        assert np.array_equal(read.scores(judged), learnt.reader.scores(judged))


def test_held_out_texts_are_counted_by_kind(learnt: teaching.Learnt) -> None:
    taught = _taught()
    assert learnt.lessons == len(taught)
    for kind in ("plain", "near"):
        row = learnt.figures[kind]
        assert row["texts"] == sum(lesson.kind == kind for lesson in taught)
        assert 0 <= row["right"] <= row["warned"] <= row["texts"]
    assert (
        learnt.figures["near"]["warned"] <= teaching.FALSE_ALARMS * learnt.figures["near"]["texts"]
    )
    assert learnt.figures["plain"]["right"] > 0


@pytest.mark.parametrize("text", ODD)
def test_any_text_can_be_read(text: str) -> None:
    judged = Judged(text, "generic")
    read = features(judged)
    assert len(read.runs) == len(read.owners)
    assert read.runs.min() >= 0
    assert read.runs.max() < BUCKETS
    assert np.isfinite(shipped().scores(judged)).all()
    assert all(finding.rule_id != "ENGINE-ERROR" for finding in _judge(POLICY, text).findings)


class _Sure(reader_module.SecondReader):
    """A reader that is sure of one rule."""

    def __init__(self, rule_id: str) -> None:
        real = shipped()
        super().__init__(
            real.weights, real.scales, rules=real.rules, threshold=-9.0, examples=real.examples
        )
        self.only = rule_id

    def _scores(self, read: reader_module.Features) -> reader_module.Floats:
        return np.array([float(rule == self.only) for rule in self.rules], dtype=np.float32)


GOOD = "Thanks for waiting. We are checking your order now."


def test_a_finding_warns_and_says_why() -> None:
    rule = RULES["CRED-ASK"]
    assert rule.severity is Severity.block
    verdict = _judge(replace(POLICY, second_reader=_Sure(rule.id)), GOOD)
    (finding,) = verdict.findings
    assert verdict.outcome is Outcome.warn
    assert (finding.rule_id, finding.severity, finding.pack) == (
        rule.id,
        Severity.warn,
        "security",
    )
    assert finding.mend == rule.mend
    assert finding.reason.startswith(
        f"{rule.reason}, as the second reader takes it; reads like: “"
    )
    start, end = finding.span
    assert 0 <= start < end <= len(GOOD)


def test_what_a_rule_has_found_is_not_said_twice() -> None:
    text = "Please send us your password."
    alone = _judge(replace(POLICY, second_reader=None), text)
    assert alone.outcome is Outcome.block
    assert (
        _judge(replace(POLICY, second_reader=_Sure("CRED-ASK")), text).findings == alone.findings
    )


class _Unmoved(_Sure):
    """A reader that is sure that every text keeps one rule, and has nothing to say of the others."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(rule_id)
        self.threshold = 1.0

    def _scores(self, read: reader_module.Features) -> reader_module.Floats:
        sure = reader_module.SURE - 0.001
        return np.array([sure * (rule == self.only) for rule in self.rules], dtype=np.float32)


SIDE = "A judge would side with you on the broken chair."


def _opinion(reader: reader_module.SecondReader, *names: str) -> Policy:
    switches = replace(POLICY.switches, second_opinion=frozenset(names))
    return replace(POLICY, second_reader=reader, switches=switches)


@pytest.mark.parametrize("name", ["LEGAL-ADVICE", "legal"])
def test_a_block_that_the_reader_contradicts_warns_where_its_opinion_is_asked_for(
    name: str,
) -> None:
    reader = _Unmoved("LEGAL-ADVICE")
    (block,) = _judge(_opinion(reader), SIDE).findings
    assert (block.rule_id, block.severity) == ("LEGAL-ADVICE", Severity.block)
    verdict = _judge(_opinion(reader, name), SIDE)
    assert verdict.outcome is Outcome.warn
    reason = f"{block.reason}, or only seems to: the second reader takes it to keep this rule"
    assert verdict.findings == (replace(block, severity=Severity.warn, reason=reason),)


def test_a_block_stays_where_the_reader_is_not_sure_enough_or_not_asked() -> None:
    for policy in (
        _opinion(_Unmoved("LEGAL-ADVICE"), "brand", "SECRECY"),
        _opinion(_Unmoved("SECRECY"), "legal"),
    ):
        assert _judge(policy, SIDE).outcome is Outcome.block


def test_a_block_stays_for_a_fragment_and_for_a_rule_that_the_reader_does_not_know() -> None:
    fragment = "You have no case."
    assert _judge(_opinion(_Unmoved("LEGAL-ADVICE"), "legal"), fragment).outcome is Outcome.block
    links = "Please look at https://elsewhere.example.net/returns for all of the steps."
    everything = _opinion(_Unmoved("URL-ALLOW"), *{rule.pack for rule in POLICY.rules})
    assert _judge(everything, links).outcome is Outcome.block


def test_a_block_stays_where_it_only_shows_in_what_is_heard() -> None:
    policy = _opinion(_Unmoved("LEGAL-ADVICE"), "legal")
    disguised = "Aa juhdge wud syde with u on the brokn chair."
    assert _judge(policy, SIDE).outcome is Outcome.warn
    assert _judge(policy, disguised).outcome is Outcome.block


def test_a_rule_that_was_contradicted_is_tried_again_on_what_is_heard() -> None:
    policy = _opinion(_Unmoved("LEGAL-ADVICE"), "legal")
    both = f"{SIDE} Aa juhdge wud syde with u."
    found = _judge(policy, both).findings
    assert [(f.rule_id, f.severity.name) for f in found if f.rule_id == "LEGAL-ADVICE"] == [
        ("LEGAL-ADVICE", "warn"),
        ("LEGAL-ADVICE", "block"),
    ]


def test_a_reader_that_fails_softens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise ValueError

    policy = _opinion(_Unmoved("LEGAL-ADVICE"), "legal")
    monkeypatch.setattr(reader_module.SecondReader, "contradicts", fail)
    assert _judge(policy, SIDE).outcome is Outcome.block


def test_no_example_of_a_rule_is_let_through_by_the_reader_that_comes_with_it() -> None:
    for rule in POLICY.rules:
        if rule.severity is Severity.block:
            for text in rule.must_flag:
                found = [
                    finding
                    for finding in judge(POLICY, text, channel=rule.examples_channel).findings
                    if finding.rule_id == rule.id and "second reader" not in finding.reason
                ]
                assert all(finding.severity is Severity.block for finding in found), text


def test_a_rule_that_is_off_has_no_second_reader() -> None:
    policy = replace(POLICY, second_reader=_Sure("MED-ADVICE"))
    assert _judge(policy, GOOD).findings == ()
    everything = Policy(policy.version, policy.rules, second_reader=policy.second_reader)
    assert [f.rule_id for f in _judge(everything, GOOD).findings] == ["MED-ADVICE"]


def test_a_fragment_needs_a_higher_score() -> None:
    for text in (
        "I have it now.",
        "Nothing is blocked, Amina.",
        "On its way!",
        "All done, thanks.",
    ):
        assert _judge(POLICY, text).findings == ()
    sure = _Sure("BLAME")  # its score is 1
    five = "I have it now, Ana."
    for threshold, told in ((0.74, [1, 1]), (0.76, [0, 1]), (1.0, [0, 0])):
        sure.threshold = threshold
        policy = replace(POLICY, second_reader=sure)
        found = [len(_judge(policy, each).findings) for each in ("I have it now.", five)]
        assert found == told


def test_a_text_without_words_is_not_read() -> None:
    for text in ("👍", "?", "", "..."):
        assert _Sure("BLAME").read(Judged(text, "generic"), RULES, ()) is None


def test_a_reader_that_fails_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("secret text")

    monkeypatch.setattr(reader_module.SecondReader, "read", fail)
    verdict = _judge(POLICY, GOOD)
    assert verdict.outcome is Outcome.block
    assert [finding.rule_id for finding in verdict.findings] == ["ENGINE-ERROR"]
    assert "secret text" not in verdict.findings[0].reason


def test_the_nearest_example_shares_words_with_the_text() -> None:
    rule = RULES["CRED-ASK"]
    for text in rule.must_flag[:5]:
        assert shipped().nearest(Judged(text, "generic"), rule)[:20] == text[:20]


def _changed(folder: Path, target: Path, **changes: object) -> Path:
    manifest = json.loads(folder.joinpath(MANIFEST).read_text("utf-8"))
    target.joinpath(MANIFEST).write_text(json.dumps({**manifest, **changes}), "utf-8")
    target.joinpath(WEIGHTS).write_bytes(folder.joinpath(WEIGHTS).read_bytes())
    return target


@pytest.mark.parametrize(
    "changes",
    [{"format": 9}, {"buckets": 3}, {"sha256": "0" * 64}, {"rules": ["A"]}, {"threshold": "x"}],
)
def test_a_manifest_that_does_not_fit_is_refused(
    folder: Path, tmp_path: Path, changes: Mapping[str, object]
) -> None:
    with pytest.raises(PolicyError):
        load(_changed(folder, tmp_path, **changes))


def test_missing_and_damaged_files_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="second reader cannot be read"):
        load(tmp_path)
    _changed(folder, tmp_path)
    content = bytearray(folder.joinpath(WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    tmp_path.joinpath(WEIGHTS).write_bytes(content)
    with pytest.raises(PolicyError, match="not the file of"):
        load(tmp_path)
    tmp_path.joinpath(MANIFEST).write_text("{", "utf-8")
    with pytest.raises(PolicyError, match="second reader cannot be read"):
        load(tmp_path)


def test_another_threshold_is_another_policy(folder: Path, tmp_path: Path) -> None:
    assert load(_changed(folder, tmp_path, threshold=0.9)).sha256 != load(folder).sha256


def test_without_its_reader_there_is_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise PolicyError("the second reader cannot be read")

    monkeypatch.setattr(loader, "shipped", missing)
    with pytest.raises(PolicyError, match="second reader"):
        load_policy()


def test_the_shipped_reader_knows_every_rule_that_other_words_can_break() -> None:
    known = set(shipped().rules)
    assert known <= set(RULES)
    assert known == {r.id for r in POLICY.rules if teaching.is_taught(r.detector, r.id)}
    assert known.isdisjoint(
        {"LEN-139", "PCI-PAN", "PII-IBAN", "PII-EMAIL", "URL-ALLOW", "SHOUTING"}
    )


def test_the_shipped_reader_disturbs_one_ordinary_reply_in_a_hundred_at_most() -> None:
    folder = Path(reader_module.__file__).parents[1] / "content" / "second_reader"
    held_out = json.loads(folder.joinpath(MANIFEST).read_text("utf-8"))["held_out"]
    ordinary, near = held_out["ordinary"], held_out["near"]
    assert ordinary["warned"] <= 0.01 * ordinary["texts"]
    assert near["warned"] <= 0.02 * near["texts"]  # written to come near a rule


def test_replies_set_the_threshold_and_sentences_of_rules_only_where_there_are_none() -> None:
    taught = [
        Lesson("a", frozenset(), kind) for kind in ("must_pass", "near", "ordinary", "snippet")
    ]
    taught.append(Lesson("b", frozenset({"BLAME"}), "plain"))
    assert teaching._compliant(taught).tolist() == [False, False, True, False, False]
    assert teaching._compliant([taught[0], taught[4]]).tolist() == [True, False]


def test_lessons_are_read_from_files_and_rules(tmp_path: Path) -> None:
    replies = tmp_path / "a.csv"
    replies.write_text(
        "label,kind,text,near\nBLAME|PCI-PAN,plain,your doing,\nPCI-PAN,plain,4111,\n,near,ok then,BLAME\n"
    )
    fine = tmp_path / "b.txt"
    fine.write_text("ok then\n\nAll is well.\n")
    found = {each.text: each for each in lessons(POLICY, [replies, fine], ["Hi there."])}
    assert found["your doing"] == Lesson("your doing", frozenset({"BLAME"}), "plain")
    assert "4111" not in found
    assert found["ok then"].kind == "near"
    assert found["All is well."].rules == found["Hi there."].rules == frozenset()
    assert RULES["BLAME"].must_flag[0] in found
    replies.write_text("text\nx\n")
    with pytest.raises(UnreadableFile, match="must name label, kind and text"):
        lessons(POLICY, [replies])
