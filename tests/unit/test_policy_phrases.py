"""The phrase language, what negates a phrase, and the switches of packs."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge_base.errors import PolicyError
from knowledge_base.policy import Judged, Policy, Switches, judge, load_policy
from knowledge_base.policy.detectors import Settings, SettingsError
from knowledge_base.policy.phrases import PhraseTable, forms
from knowledge_base.policy.says import says
from knowledge_base.policy.switches import read_contacts, read_switches
from tests.starter_policy import starter_policy

POLICY = starter_policy()


def _found(phrase: str, text: str, **sets: list[str]) -> list[str]:
    judged = Judged(text, "generic")
    spans = PhraseTable([phrase], sets).spans(judged.words)
    return [" ".join(judged.texts[start:end]) for start, end in spans]


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("full refund", "A full refund.", ["full refund"]),
        ("full refund", "A full. Refund it.", []),
        ("full ~ refund", "full and final refund", ["full and final refund"]),
        ("full ~ refund", "full of this or that refund", []),
        ("full ~ refund", "full refund and one refund", ["full refund and one refund"]),
        ("refund|money back", "your money back", ["money back"]),
        ("refund|money back", "your refund back", ["refund back"]),
        (
            "(refund|money back) now",
            "refund now, money back now",
            ["refund now", "money back now"],
        ),
        ("very? good", "good and very good", ["good", "very good"]),
        ("refund+", "refunds refunded refunding refunder", ["refunds", "refunded", "refunding"]),
        ("in # <unit>", "in 2 hours, in two days, in 48h", ["in 2 hours", "in two days"]),
        ("# hours", "in 12 hours", ["12 hours"]),
        ("don't", "Don’t", ["dont"]),
        ("full ~~ refund", "full of this or that refund", ["full of this or that refund"]),
        ("full ~~ refund", "full of this and that and more or less than refund", []),
        ("^ sell", "Please just sell. We sell. Now, sell.", ["sell", "sell"]),
        ("cool it $", "Cool it, please. Cool it now.", ["cool it"]),
        ("^ wait $", "Wait. We wait. Wait here.", ["wait"]),
        ("send+", "send sends sent sending sender", ["send", "sends", "sent", "sending"]),
        ("pay+", "paid paying payed", ["paid", "paying"]),
    ],
)
def test_the_phrase_language(phrase: str, text: str, found: list[str]) -> None:
    assert _found(phrase, text, unit=["hours", "days"]) == found


@pytest.mark.parametrize("phrase", ["", "~ a", "a ~", "<nowhere>", "a%", "x-ray", "a? b?", "a||b"])
def test_what_is_no_phrase_is_refused(phrase: str) -> None:
    with pytest.raises(SettingsError, match="the phrase"):
        PhraseTable([phrase])


@pytest.mark.parametrize(
    ("word", "some"),
    [
        ("promise", {"promise", "promises", "promised", "promising"}),
        ("stop", {"stops", "stopped", "stopping"}),
        ("apply", {"applies", "applied", "applying"}),
        ("fix", {"fixes", "fixed", "fixing"}),
    ],
)
def test_regular_endings(word: str, some: set[str]) -> None:
    assert some <= forms(word)


NEGATABLE = {
    "phrases": ["we ~ guarantee it"],
    "negations": ["not|never|cannot"],
    "transparent": ["say", "that"],
    "stops": ["not", "never", "cannot"],
    "no_negation": ["why"],
}


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("We guarantee it.", True),
        ("We cannot guarantee it.", False),
        ("I would never say that we guarantee it.", False),
        ("Never mind, we guarantee it.", True),
        ("Do not worry: we guarantee it.", True),
        ("Do not worry we guarantee it.", True),
        ("Why not say we guarantee it?", True),
        ("Never. We guarantee it.", True),
    ],
)
def test_a_negation_counts_where_it_negates(text: str, flagged: bool) -> None:
    assert bool(list(says(Settings(NEGATABLE))(Judged(text, "generic")))) is flagged


TOGETHER = {
    "phrases": ["disable|off & antivirus", "win|get & voucher & review"],
    "negations": ["not|never"],
    "transparent": ["switch", "your"],
    "stops": ["not", "never"],
}


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("Please disable the antivirus.", True),
        ("Your antivirus has to be off.", True),
        ("Disable it. The antivirus stays.", False),
        ("Do not disable your antivirus.", False),
        ("Off it goes, but never your antivirus.", False),
        ("Never switch your antivirus off.", False),
        ("Get a voucher for every review.", True),
        ("A review lets you win a voucher.", True),
        ("Get a voucher.", False),
        ("Off " + "and on " * 6 + "antivirus", False),
    ],
)
def test_parts_joined_by_and_stand_in_any_order(text: str, flagged: bool) -> None:
    assert bool(list(says(Settings(TOGETHER))(Judged(text, "generic")))) is flagged


def test_a_negated_phrase_hides_what_is_inside_it_and_nothing_else() -> None:
    settings = {
        **NEGATABLE,
        "phrases": ["take control of your phone", "control of your", "your phone", "phone now"],
    }
    found = [
        hit.span
        for text in ("never take control of your phone", "never take control of your phone now")
        for hit in says(Settings(settings))(Judged(text, "generic"))
    ]
    assert found == [(27, 36)]


def test_a_rule_may_excuse_questions_and_say_when_it_does_not_hold() -> None:
    detector = says(
        Settings({"phrases": ["tomorrow"], "unless": ["usually"], "in_questions": False})
    )
    texts = ("It comes tomorrow.", "Tomorrow?", "It usually comes tomorrow.", "Usually. Tomorrow.")
    assert [bool(list(detector(Judged(text, "generic")))) for text in texts] == [
        True,
        False,
        False,
        True,
    ]


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
