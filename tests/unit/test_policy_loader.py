"""Packs that are not exactly right are refused with file, key and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.errors import PolicyError
from knowledge_base.policy import Finding, Judged, Outcome, Severity, judge, load_policy, loader

RULE = """
  - id: {id}
    severity: {severity}
    title: "T"
    reason: "R"
    mend: "M"
    source: "S"
    detector: {detector}
    settings: {settings}
    must_flag: {examples}
    must_pass: {examples}
"""
DEFAULTS = {
    "id": "TEST-1",
    "severity": "warn",
    "detector": "characters",
    "settings": "{}",
    "examples": '["a", "b", "c", "d", "e"]',
}


def _pack(folder: Path, *rules: str, head: str = "format: 1\npack: test\nrules:") -> Path:
    folder.joinpath("test.yaml").write_text(head + "".join(rules), encoding="utf-8")
    return folder


def _with(**changes: str) -> str:
    return RULE.format(**{**DEFAULTS, **changes})


def test_a_small_pack_is_loaded(tmp_path: Path) -> None:
    policy = load_policy(_pack(tmp_path, _with()))
    assert [(rule.id, rule.pack) for rule in policy.rules] == [("TEST-1", "test")]
    assert judge(policy, "a\tb", channel="generic").outcome is Outcome.warn


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    first = load_policy(_pack(tmp_path, _with())).version
    assert len(first) == 64
    assert load_policy(_pack(tmp_path, _with() + "\n# a comment")).version == first
    assert load_policy(_pack(tmp_path, _with(severity="block"))).version != first
    assert load_policy().version == load_policy().version != first


def test_the_version_follows_the_switches_and_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [load_policy(_pack(tmp_path, _with())).version]
    for brand in ("One", "Two"):
        switches = f"format: 1\nbrand: {brand}\npacks: {{test: true}}\n"
        tmp_path.joinpath("packs.yaml").write_text(switches, encoding="utf-8")
        versions.append(load_policy(tmp_path).version)
    monkeypatch.setattr(loader, "code_hash", lambda: "another release")
    versions.append(load_policy(tmp_path).version)
    assert len(set(versions)) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"severity": "fatal"}, "TEST-1: severity must be warn or block"),
        ({"examples": '["a", "b", "c", "d", 5]'}, "must_flag must be a list of texts"),
        ({"detector": "magic"}, "detector must be one of"),
        ({"detector": "allowed_links"}, "settings.hosts must be a list"),
        ({"settings": "{x: 1}"}, "settings.x is not known"),
        ({"settings": "[]"}, "settings must be a mapping"),
        ({"examples": '["a"]'}, "must_flag needs at least 5"),
        ({"examples": "[1, 2, 3, 4, 5]"}, "must_flag must be a list of texts"),
        ({"id": '""'}, "id must be text"),
        ({"detector": "card_number", "settings": '{issuers: ["4: x"]}'}, "TEST-1"),
    ],
)
def test_bad_rules_are_named(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(PolicyError, match=r"^test\.yaml: ") as caught:
        load_policy(_pack(tmp_path, _with(**changes)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not readable YAML"),
        ("- 1", "must be a mapping"),
        ("format: 2\npack: x\nrules: []", "format must be 1"),
        ("format: 1\npack: x\nrules: {}", "rules a list"),
        ("format: 1\npack: x\nrules: []\nextra: 1", "unknown key 'extra'"),
        ("format: 1\npack: &a x\nrules: []", "line 2: anchors and aliases are not allowed"),
        ("format: 1\nformat: 1", "'format' is there twice"),
        ("format: !!python/object:os.system 1", "not readable YAML"),
        ("format: 1\npack: x\nrules: [1]", "rule 1 must be a mapping"),
    ],
)
def test_bad_packs_are_named(tmp_path: Path, text: str, message: str) -> None:
    tmp_path.joinpath("bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"^bad\.yaml: ") as caught:
        load_policy(tmp_path)
    assert message in str(caught.value)


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("bad.yaml").write_bytes(b"format: \xff\xfe")
    with pytest.raises(PolicyError, match=r"bad\.yaml: this is not readable YAML in UTF-8"):
        load_policy(tmp_path)


def test_an_id_is_used_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="TEST-1 is used twice"):
        load_policy(_pack(tmp_path, _with(), _with()))


def test_empty_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no policy pack"):
        load_policy(tmp_path)
    with pytest.raises(PolicyError, match="not a directory"):
        load_policy(tmp_path / "nowhere")


def test_shared_words_are_settings_of_known_detectors(tmp_path: Path) -> None:
    _pack(tmp_path, _with(detector="says", settings="{phrases: [red]}"))
    shared = tmp_path / "lexicon.yaml"
    shared.write_text("format: 1\nsays: {negations: [not], sets: {a: [b], c: [d1]}}\n")
    policy = load_policy(tmp_path)
    assert judge(policy, "It is not red.", channel="generic").outcome is Outcome.pass_
    assert judge(policy, "It is red.", channel="generic").outcome is Outcome.warn
    _pack(tmp_path, _with(detector="says", settings='{phrases: ["<a> <c>"], sets: {a: [x1]}}'))
    policy = load_policy(tmp_path)
    texts = {"b d1": Outcome.pass_, "x1 d1": Outcome.warn, "x1 b": Outcome.pass_}
    assert {text: judge(policy, text, channel="generic").outcome for text in texts} == texts
    for content in ("says: []", "sings: {}"):
        shared.write_text(f"format: 1\n{content}\n")
        with pytest.raises(PolicyError, match=content[:4]):
            load_policy(tmp_path)


def test_a_rule_keeps_what_its_pack_says(tmp_path: Path) -> None:
    (rule,) = load_policy(_pack(tmp_path, _with(id="A", severity="block"))).rules
    assert (rule.id, rule.pack, rule.severity) == ("A", "test", Severity.block)
    assert (rule.title, rule.reason, rule.mend, rule.source) == ("T", "R", "M", "S")
    assert rule.must_flag == rule.must_pass == ("a", "b", "c", "d", "e")
    assert rule.examples_channel == "generic"
    assert list(rule.judge(Judged("a\tb", "generic"))) == [
        Finding("A", Severity.block, (1, 2), "U+0009 is a control character", "M", "test")
    ]
    assert list(load_policy(_pack(tmp_path, _with())).rules[0].judge(Judged("a", "x"))) == []


def test_a_rule_may_be_about_another_channel(tmp_path: Path) -> None:
    channel = "    examples_channel: sms\n"
    (rule,) = load_policy(_pack(tmp_path, _with() + channel)).rules
    assert rule.examples_channel == "sms"


def test_rules_come_by_file_name_and_in_their_order(tmp_path: Path) -> None:
    _pack(tmp_path, _with(id="B"), _with(id="A"))
    tmp_path.joinpath("a.yaml").write_text("format: 1\npack: first\nrules:" + _with(id="C"))
    tmp_path.joinpath("notes.txt").write_text("no pack")
    assert [rule.id for rule in load_policy(tmp_path).rules] == ["C", "B", "A"]
