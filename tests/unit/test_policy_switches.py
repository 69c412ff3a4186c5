"""Which packs are on, who has a second opinion, and the contacts of the brand."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.errors import PolicyError
from knowledge_base.policy import Policy, Switches, judge, load_policy
from knowledge_base.policy.switches import read_contacts, read_switches
from tests.starter_policy import starter_policy

POLICY = starter_policy()


SWITCHES = Switches(
    packs={"brand": True, "legal": False},
    channels={"sms": {"brand": False}},
    locales={"de": {"legal": True}, "en-GB": {"brand": False}},
)


@pytest.mark.parametrize(
    ("pack", "channel", "locale", "is_on"),
    [
        ("brand", "generic", "en", True),
        ("brand", "sms", "en", False),
        ("legal", "generic", "en", False),
        ("legal", "sms", "de-AT", True),
        ("brand", "generic", "en-GB", False),
        ("unnamed", "generic", "en", True),
    ],
)
def test_the_locale_wins_over_the_channel(
    pack: str, channel: str, locale: str, is_on: bool
) -> None:
    assert SWITCHES.is_on(pack, channel=channel, locale=locale) is is_on


def test_a_pack_that_is_off_does_not_judge() -> None:
    text = "This fund is guaranteed to return 8% a year."
    ids = {finding.rule_id for finding in judge(POLICY, text, channel="generic").findings}
    assert "FIN-PROMISE" not in ids
    everything = Policy(POLICY.version, POLICY.rules)
    ids = {finding.rule_id for finding in judge(everything, text, channel="generic").findings}
    assert "FIN-PROMISE" in ids


RULE = """format: 1
pack: core
rules:
  - {id: A, severity: block, title: T, reason: R, mend: M, source: S, detector: characters,
     must_flag: [a, b, c, d, e], must_pass: [a, b, c, d, e]}
"""


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ("packs: {}", "must say true or false for core"),
        ("packs: {core: false}", "core cannot be switched off"),
        ("packs: {core: maybe}", "must map packs to true or false"),
        ("packs: {core: true, other: true}", "there is no pack 'other'"),
        ("packs: {core: true}\nlocales: []", "locales must map names to packs"),
        ("packs: {core: true}\nchannels: {sms: {core: false}}", "core cannot be switched off"),
        ("packs: {core: true}\nmore: 1", "unknown key 'more'"),
    ],
)
def test_wrong_switches_are_named(tmp_path: Path, switches: str, message: str) -> None:
    tmp_path.joinpath("core.yaml").write_text(RULE, encoding="utf-8")
    tmp_path.joinpath("packs.yaml").write_text(f"format: 1\n{switches}\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"^packs\.yaml: ") as caught:
        load_policy(tmp_path)
    assert message in str(caught.value)


def test_every_pack_is_on_unless_it_is_switched_off() -> None:
    nothing = Switches()
    assert (nothing.brand, nothing.packs, nothing.channels, nothing.locales) == ("", {}, {}, {})
    rules = Policy("v", POLICY.rules[:3]).rules_for(channel="x")
    assert rules == POLICY.rules[:3]


def test_switches_are_read_with_the_brand_they_are_for() -> None:
    chosen = {
        "format": 1,
        "brand": "B",
        "packs": {"core": True, "pci": False},
        "channels": {"sms": {"pci": True}},
        "locales": {"de": {"pci": True}},
        "contacts": {},
        "second_opinion": ["brand", "ID-DOC"],
    }
    chosen["packs"] |= {"brand": True, "privacy": True}
    rules = {"PCI-ASK": "pci", "ID-DOC": "privacy", "INSULT": "brand"}
    read = read_switches(chosen, {"core", "pci", "brand", "privacy"}, rules=rules)
    assert read == Switches(
        "B",
        {"core": True, "pci": False, "brand": True, "privacy": True},
        {"sms": {"pci": True}},
        {"de": {"pci": True}},
        frozenset({"brand", "ID-DOC"}),
    )
    few = read_switches({"packs": {"core": True}}, {"core"}, rules={})
    assert few == Switches("", {"core": True})
    assert read_switches(None, {"core"}, rules={}) == Switches()


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("brand", "must be a list of packs and rule ids"),
        ([1], "must be a list of packs and rule ids"),
        (["brad"], "there is no pack or rule 'brad'"),
        (["pci"], "pci cannot have one"),
        (["PCI-ASK"], "PCI-ASK cannot have one, as no rule of core, pci, vulnerable can"),
    ],
)
def test_a_second_opinion_is_asked_about_packs_and_rules_that_there_are_and_never_about_cards(
    named: object, message: str
) -> None:
    chosen = {"packs": {"core": True, "pci": True, "brand": True}, "second_opinion": named}
    with pytest.raises(PolicyError, match="packs.yaml: second_opinion") as caught:
        read_switches(chosen, {"core", "pci", "brand"}, rules={"PCI-ASK": "pci"})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({}, "packs.yaml: packs must map packs to true or false"),
        ({"packs": {}}, "packs.yaml: packs must say true or false for core, pci"),
        (
            {"more": 1},
            (
                "packs.yaml: unknown key 'more'; known: brand, channels, contacts, format, locales,"
                " packs, second_opinion"
            ),
        ),
        (
            {"packs": {"core": True, "pci": True}, "channels": []},
            "packs.yaml: channels must map names to packs",
        ),
        (
            {"packs": {"core": True, "pci": True}, "locales": {"de": {"x": True}}},
            "packs.yaml: locales.de: there is no pack 'x'",
        ),
        (
            {"packs": {"core": True, "pci": True}, "locales": {"de": 1}},
            "packs.yaml: locales.de must map packs to true or false",
        ),
        (
            {"packs": {"core": False, "pci": True}},
            "packs.yaml: packs: core cannot be switched off",
        ),
    ],
)
def test_what_is_wrong_with_switches_is_said(switches: dict[str, object], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_switches(switches, {"core", "pci"}, rules={})
    assert str(caught.value) == message


def test_contacts_are_read_by_detector() -> None:
    contacts = {"source": "S", "phones": ["+44"], "sites": ["a.example"]}
    assert read_contacts({"contacts": contacts}) == {
        "telephone": {"allowed": ["+44"]},
        "email_address": {"allowed": []},
        "allowed_links": {"hosts": ["a.example"]},
    }
    nobody: dict[str, dict[str, list[str]]] = {
        "telephone": {"allowed": []},
        "email_address": {"allowed": []},
    }
    assert read_contacts(None) == read_contacts({}) == {**nobody, "allowed_links": {"hosts": []}}


@pytest.mark.parametrize(
    ("contacts", "message"),
    [
        ([], "contacts must be a mapping of phones, emails, sites, source"),
        (
            {"source": "S", "fax": []},
            "contacts must be a mapping of phones, emails, sites, source",
        ),
        ({"phones": ["1"]}, "contacts.source must say who gave them and when"),
        ({"source": " ", "phones": ["1"]}, "contacts.source must say who gave them and when"),
        ({"source": "S", "phones": "1"}, "contacts.phones must be a list of texts in quotes"),
        ({"source": "S", "emails": [""]}, "contacts.emails must be a list of texts in quotes"),
        ({"source": "S", "sites": [1]}, "contacts.sites must be a list of texts in quotes"),
    ],
)
def test_what_is_wrong_with_contacts_is_said(contacts: object, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_contacts({"contacts": contacts})
    assert str(caught.value) == f"packs.yaml: {message}"


def test_switches_change_the_version(tmp_path: Path) -> None:
    tmp_path.joinpath("core.yaml").write_text(RULE, encoding="utf-8")
    without = load_policy(tmp_path).version
    tmp_path.joinpath("packs.yaml").write_text("format: 1\npacks: {core: true}\n")
    assert load_policy(tmp_path).version != without


OURS = """
contacts:
  source: "Customer relations"
  phones: ["+44 20 7946 0958"]
  emails: ["jo@evil.test"]
  sites: ["a.example.net"]
"""

EXAMPLES = "must_flag: [a, b, c, d, e], must_pass: [a, b, c, d, e]"

TEXTS = "severity: block, title: T, reason: R, mend: M, source: S"

CONTACT_RULES = f"""format: 1
pack: core
rules:
  - {{id: A, {TEXTS}, detector: telephone, settings: {{regions: {{en: [GB]}}}}, {EXAMPLES}}}
  - {{id: B, {TEXTS}, detector: email_address, settings: {{hosts: [x.example]}}, {EXAMPLES}}}
  - {{id: C, {TEXTS}, detector: allowed_links, settings: {{hosts: [x.example], schemes: [tel]}}, {EXAMPLES}}}
"""


def _with_contacts(folder: Path, contacts: str) -> Policy:
    folder.joinpath("core.yaml").write_text(CONTACT_RULES, encoding="utf-8")
    switches = f"format: 1\npacks: {{core: true}}\n{contacts}"
    folder.joinpath("packs.yaml").write_text(switches, encoding="utf-8")
    return load_policy(folder)


@pytest.mark.parametrize(
    ("text", "rule_ids"),
    [
        ("Call 020 7946 0958.", ["A"]),
        ("Call +44 20 7946 0958.", ["A"]),
        ("Call 020 7946 0111.", None),
        ("Write to jo@evil.test now", ["B"]),
        ("See https://a.example.net/x now", ["C"]),
    ],
)
def test_the_brands_own_contacts_pass(
    tmp_path: Path, text: str, rule_ids: list[str] | None
) -> None:
    def found(contacts: str) -> list[str]:
        verdict = judge(_with_contacts(tmp_path, contacts), text, channel="generic")
        return [finding.rule_id for finding in verdict.findings]

    assert found("") == (rule_ids or ["A"])
    assert found(OURS) == ([] if rule_ids else ["A"])


@pytest.mark.parametrize(
    ("contacts", "message"),
    [
        ("contacts: []", "contacts must be a mapping"),
        ("contacts: {faxes: []}", "contacts must be a mapping"),
        ("contacts: {phones: []}", "contacts.source must say"),
        ("contacts: {source: S, phones: [1]}", "contacts.phones must be a list of texts"),
        ('contacts: {source: S, phones: ["020 1"]}', "must be a number with its country code"),
    ],
)
def test_wrong_contacts_are_named(tmp_path: Path, contacts: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        _with_contacts(tmp_path, contacts)
    assert message in str(caught.value)
