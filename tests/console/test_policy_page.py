"""The policy page, open to all roles, and the composer: a text tried or written there meets every layer."""

from __future__ import annotations

import re

import pytest

from suggest_api.compliance.holder import FixedPolicy
from tests.console.conftest import ANSWER, Browser, Office, drafts_in, said
from tests.small_policy import small_policy

ADDRESS = "/console/policy"


def without_inbox(office: Office, name: str) -> Browser:
    """Somebody whose role has no inbox; the token of their forms comes from the policy page."""
    browser = office.browser()
    assert browser.sign_in(name, inbox=False).status_code == 303
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', browser.get(ADDRESS).text)
    assert found
    browser.csrf = found[1]
    return browser


@pytest.mark.parametrize("name", ["ana", "cora", "ruth"])
def test_everybody_who_is_signed_in_may_read_and_try_it(office: Office, name: str) -> None:
    browser = without_inbox(office, name)
    policy = office.parts.desk.policy
    assert policy is not None
    answer = browser.get(ADDRESS)
    assert answer.status_code == 200
    assert policy.version[:12] in said(answer)
    for rule in policy.rules:
        assert f'id="rule-{rule.id}"' in answer.text
    assert f"{len(policy.rules)} rules" in said(answer)
    assert "<b>PCI</b>" in answer.text
    assert "<b>Privacy</b>" in answer.text
    first = policy.rules[0]
    assert first.must_pass[0] in said(answer)
    assert browser.post(f"{ADDRESS}/try", htmx=True, text="Hello").status_code == 200


def test_a_tried_text_meets_every_rule_and_is_not_stored(office: Office, ana: Browser) -> None:
    before = office.parts.value("SELECT count(*) FROM audit")
    answer = ana.post(
        f"{ADDRESS}/try", htmx=True, text="Please send me your card number", channel="generic"
    )
    assert 'data-outcome="block"' in answer.text
    assert "PCI-ASK" in said(answer)
    assert "This could not be sent." in said(answer)
    assert 'Blocks <a href="#rule-PCI-ASK">' in answer.text.replace("<b>", "").replace("</b>", "")
    assert "other rules found nothing" in said(answer)
    assert office.parts.value("SELECT count(*) FROM audit") == before

    fine = said(ana.post(f"{ADDRESS}/try", htmx=True, text=ANSWER, channel="generic"))
    assert "Fine to send." in fine
    assert f"{len(ANSWER)} of 139 characters" in fine


def test_the_networks_own_count_is_explained(office: Office, ana: Browser) -> None:
    answer = said(ana.post(f"{ADDRESS}/try", htmx=True, text="é", channel="instagram"))
    assert "2 of 1000 bytes on instagram" in answer
    assert "Instagram counts bytes: Bytes of UTF-8" in answer
    assert "on instagram" not in said(
        ana.post(f"{ADDRESS}/try", htmx=True, text="é", channel="generic")
    )


def test_what_is_tried_is_shown_as_text(office: Office, ana: Browser) -> None:
    answer = ana.post(
        f"{ADDRESS}/try", htmx=True, text="<img src=x onerror=alert(1)> www.evil.example"
    )
    assert "<img" not in answer.text


@pytest.mark.parametrize("channel", ["a b", "x" * 40, "<b>"])
def test_a_name_that_no_channel_can_have_is_refused(
    office: Office, ana: Browser, channel: str
) -> None:
    answer = ana.post(f"{ADDRESS}/try", htmx=True, text="hi", channel=channel)
    assert answer.status_code == 422
    assert "<b>" not in answer.text


def test_a_form_without_its_token_is_refused(office: Office, ana: Browser) -> None:
    ana.csrf = "0" * 64
    assert ana.post(f"{ADDRESS}/try", htmx=True, text="hi").status_code == 403


def test_without_a_policy_the_page_says_what_that_means(office: Office, ana: Browser) -> None:
    object.__setattr__(office.parts.desk, "policies", FixedPolicy(None))
    assert "nothing can be suggested or sent" in said(ana.get(ADDRESS))
    assert ana.post(f"{ADDRESS}/try", htmx=True, text="hi").status_code == 200


# The composer


def test_a_warning_needs_a_reason_in_the_browser_too(office: Office, ana: Browser) -> None:
    page = office.customer()
    object.__setattr__(office.parts.desk, "policies", FixedPolicy(small_policy()))
    loud = "Your parcel is on its way!!"

    checked = ana.post(f"{page}/check", htmx=True, text=loud)
    assert "This needs a reason." in said(checked)
    assert 'id="reason" required' in checked.text

    form = {"text": loud, "version": office.version()}
    for empty in ({}, {"reason": "   "}):
        refused = ana.post(f"{page}/reply", htmx=True, **form, **empty)
        assert "give a reason to send it all the same" in said(refused)
        assert 'id="reason" required' in refused.text
    assert office.parts.deliveries() == ()
    ana.post(f"{page}/reply", htmx=True, **form, reason="They asked us to.")
    assert [d.text for d in office.parts.deliveries()] == [loud]
    detail = office.parts.value("SELECT detail FROM audit WHERE action = 'reply.queue'")
    assert "They asked us to." in detail


def test_no_reason_opens_the_gate_to_what_is_blocked(office: Office, ana: Browser) -> None:
    page = office.customer()
    for htmx in (True, False):
        ana.post(
            f"{page}/reply",
            htmx=htmx,
            text="Please send me your card number",
            reason="I know better",
            version=office.version(),
        )
    assert office.parts.deliveries() == ()


def test_the_composer_shows_how_far_a_text_is_from_the_approved_one(
    office: Office, ana: Browser
) -> None:
    page = office.customer()
    (draft, text), *_ = drafts_in(ana.part(f"{page}/drafts"))
    greeted = ana.post(f"{page}/check", htmx=True, text=f"Hi Ana, {text}", draft_id=draft)
    assert 'data-outcome="pass"' in greeted.text
    assert re.search(r'id="drift">\d+ % differs', greeted.text)

    changed = ana.post(f"{page}/check", htmx=True, text=text.replace("9", "8"), draft_id=draft)
    assert 'data-outcome="warn"' in changed.text
    assert "A number of the approved text changed" in said(changed)


def test_a_text_of_ones_own_is_marked_in_the_thread(office: Office, ana: Browser) -> None:
    page = office.customer()
    ana.post(f"{page}/reply", htmx=True, text="I will look for it.", version=office.version())
    assert "written freely" in said(ana.part(f"{page}/thread"))


def test_who_needs_care_is_marked_and_gets_no_ready_answer(office: Office, ana: Browser) -> None:
    page = office.customer("my mum passed away, can you close her account")
    assert "Needs care" in said(ana.get(page))
    drafts = ana.part(f"{page}/drafts")
    assert drafts_in(drafts) == []
    assert "This customer needs care" in said(drafts)
    assert "Needs care" not in said(ana.get(office.customer("hello", peer="p8", name="Bo")))
