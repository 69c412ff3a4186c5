"""What a proposed policy must show, and what it would weaken: pure, on small packs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from knowledge_base.errors import PolicyRefused
from knowledge_base.governance import checks
from knowledge_base.governance.effect import preview
from knowledge_base.governance.model import canonical, canonical_files
from knowledge_base.policy import Policy
from tests.policy_sets import CLEAN, FILES, SHIPPED, pack, rule, switches, with_files


def faults(**texts: str | None) -> list[checks.Fault]:
    files = canonical_files(with_files(**texts))
    policy, found = checks.loaded(files)
    return list(found) if policy is None else checks.faults(policy, files)


def policy_of(**texts: str | None) -> Policy:
    policy, found = checks.loaded(canonical_files(with_files(**texts)))
    assert policy is not None, found
    return policy


@pytest.mark.parametrize(
    ("files", "where", "problem"),
    [
        ({"core": "format: 1\npack: core\nrules: ["}, ("core.yaml", 4), "not readable YAML"),
        ({"core": pack("core", rule("RED", "red", severity="no"))}, ("core.yaml", 6), "severity"),
        (
            {"packs": switches(core=False, brand=True)},
            ("packs.yaml", None),
            "cannot be switched off",
        ),
        (
            {"core": pack("core", rule("RED", "red", flag=["red", "a red"]))},
            ("core.yaml", 14),
            "must_flag needs at least 5",
        ),
        (
            {"core": pack("core", rule("RED", "red", flag=["red"] * 4 + ["blue"]))},
            ("core.yaml", 14),
            "does not flag its example: blue",
        ),
        (
            {"core": pack("core", rule("RED", "red", clean=[*CLEAN[1:], "a red one"]))},
            ("core.yaml", 15),
            "flags a text that must pass: a red one",
        ),
    ],
)
def test_what_does_not_hold_is_named_with_its_line(
    files: dict[str, str], where: tuple[str, int | None], problem: str
) -> None:
    (fault,) = faults(**files)
    assert (fault.where.file, fault.where.line) == where
    assert problem in fault.problem
    assert fault.mend
    assert fault.to_json()["line"] == where[1]


def test_our_small_packs_hold() -> None:
    assert faults() == []


def pattern(expression: str, *, flag: str) -> str:
    written = rule("PATTERN", "x", flag=[f"{n} {flag}" for n in range(5)])
    return written.replace("says", "pattern").replace(
        "phrases: ['x']", f"patterns: ['{expression}']"
    )


def test_a_pattern_that_takes_too_long_is_refused() -> None:
    (fault,) = faults(brand=pack("brand", pattern("(a|aa)+$", flag="a")))
    assert (fault.rule_id, fault.where.line) == ("PATTERN", 13)
    assert "takes too long" in fault.problem


def test_a_rule_that_breaks_down_is_named() -> None:
    found = faults(brand=pack("brand", pattern("z*$", flag="z")))
    assert found
    assert {(fault.rule_id, fault.where.file) for fault in found} == {("PATTERN", "brand.yaml")}
    assert all("breaks down" in fault.problem for fault in found)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"core": pack("core", rule("RED", "red", "scarlet"))}, ["removed:BLUE"]),
        (
            {
                "core": pack(
                    "core", rule("RED", "red", "scarlet", severity="warn"), rule("BLUE", "blue")
                )
            },
            ["severity:RED"],
        ),
        ({"packs": switches(core=True, brand=False)}, ["off:brand"]),
        (
            {"packs": switches(core=True, brand=True) + "second_opinion: [TEAL, brand]\n"},
            ["second_opinion:TEAL", "second_opinion:brand"],
        ),
        (
            {"core": pack("core", rule("RED", "red"), rule("BLUE", "blue"))},
            ["missed:RED", "narrower:RED"],
        ),
        ({"brand": None, "packs": switches(core=True)}, ["removed:TEAL"]),
    ],
)
def test_a_weakening_is_named(files: dict[str, Any], names: list[str]) -> None:
    found = checks.weakenings(SHIPPED.policy, policy_of(**files))
    assert [weakening.name for weakening in found] == names
    assert all(weakening.detail for weakening in found)


def test_what_only_adds_weakens_nothing() -> None:
    more = FILES["core.yaml"] + rule("GOLD", "gold")
    assert checks.weakenings(SHIPPED.policy, policy_of(core=more)) == ()


def test_a_contact_that_may_be_named_is_a_weakening() -> None:
    mail = rule("MAIL", "x", flag=[f"a{n}@other.example" for n in range(5)])
    mail = mail.replace("detector: says", "detector: email_address")
    mail = mail.replace("phrases: ['x']", "hosts: ['quillhaven.example.com']")
    core = FILES["core.yaml"] + mail
    named = (
        switches(core=True, brand=True)
        + "contacts:\n  source: s\n  emails: ['a0@other.example']\n"
    )
    (found,) = [
        weakening
        for weakening in checks.weakenings(policy_of(core=core), policy_of(core=core, packs=named))
        if weakening.name == "narrower:MAIL"
    ]
    assert "allowed gets a0@other.example" in found.detail


def test_ordinary_replies_that_it_would_block_are_shown() -> None:
    wide = policy_of(
        brand=pack("brand", rule("TEAL", "teal"), rule("LATE", "late", clean=["On time."] * 5))
    )
    (found,) = preview(SHIPPED.policy, wide, []).examples
    assert (found.text, found.rules) == ("It is late.", ("LATE",))


def test_texts_are_kept_in_one_spelling() -> None:
    assert canonical("\ufeffa: 1  \r\nb: 2\r\n\r\n") == "a: 1\nb: 2\n"


@pytest.mark.parametrize(
    "files",
    [{"Core.yaml": "x"}, {"../x.yaml": "x"}, {"core.yaml": "\x00"}, {"a.yaml": "x" * 500_001}],
)
def test_names_and_sizes_have_limits(files: Mapping[str, str]) -> None:
    with pytest.raises(PolicyRefused):
        canonical_files(files)


def test_no_more_files_than_anybody_reads() -> None:
    with pytest.raises(PolicyRefused, match="at most 60 files"):
        canonical_files({f"a{n}.yaml": "x" for n in range(61)})
