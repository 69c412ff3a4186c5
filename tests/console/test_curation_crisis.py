"""Crisis, recall and coverage by their pages: who may, what everybody sees, and what a refusal keeps."""

from __future__ import annotations

import pytest

from tests.console.conftest import QUESTION, Browser, Office, said
from tests.console.test_hostile_text import HOSTILE, assert_harmless

KNOWLEDGE = "/console/knowledge"
CRISIS = f"{KNOWLEDGE}/crisis"
COVERAGE = f"{KNOWLEDGE}/coverage"


@pytest.fixture
def petra(office: Office) -> Browser:
    return office.signed_in("petra")


def test_a_freeze_is_seen_on_every_page_until_it_is_thawed(office: Office, petra: Browser) -> None:
    ana = office.signed_in("ana")
    assert "Nothing is frozen." in said(petra.get(CRISIS))
    assert petra.post(CRISIS, team="crisis team", reason="A recall of lamps.").status_code == 303
    for browser, path in (
        (petra, CRISIS),
        (petra, KNOWLEDGE),
        (petra, "/console/policy"),
        (ana, "/console"),
        (ana, "/console/delivery"),
    ):
        assert "nothing is answered" in said(browser.get(path)), path
        assert "A recall of lamps." in said(browser.get(path))
    assert "nothing is answered" in said(ana.part(f"{CRISIS}/banner"))

    number = office.parts.value("SELECT id FROM freeze")
    assert petra.post(f"{CRISIS}/{number}/thaw", reason=" ").status_code == 422
    assert petra.post(f"{CRISIS}/{number}/thaw", reason="It is over.").status_code == 303
    assert "nothing is answered" not in said(ana.get("/console"))
    assert "It is over." in said(petra.get(CRISIS))


def test_a_drill_is_marked_and_takes_its_own_right(office: Office, petra: Browser) -> None:
    lena = office.signed_in("lena")
    refused = lena.post(f"{CRISIS}/drill", team="t", reason="r")
    assert refused.status_code == 403
    assert petra.post(f"{CRISIS}/drill", team="t", reason="Friday").status_code == 303
    shown = said(petra.get(KNOWLEDGE))
    assert "Drill:" in shown
    assert "Frozen:" not in shown
    number = office.parts.value("SELECT id FROM freeze")
    assert lena.post(f"{CRISIS}/{number}/end-drill", reason="r").status_code == 403
    assert petra.post(f"{CRISIS}/{number}/thaw", reason="r").status_code == 404
    assert "(would be)" in said(petra.get(CRISIS))
    assert petra.post(f"{CRISIS}/{number}/end-drill", reason="Done").status_code == 303
    assert "Drill:" not in said(petra.get(KNOWLEDGE))


def test_a_freeze_that_cannot_be_made_keeps_what_was_typed(office: Office, petra: Browser) -> None:
    page = petra.post(CRISIS, team="press office", reason="Because of this", holding_key="no.such")
    assert page.status_code in {404, 422}
    assert 'value="press office"' in page.text
    assert 'value="no.such"' in page.text
    assert "Because of this" in page.text
    assert petra.post(CRISIS, team="t", reason=" ").status_code == 422
    maya = office.signed_in("maya")
    assert maya.post(CRISIS, team="t", reason="r").status_code == 403
    assert "Freeze something" not in said(maya.get(CRISIS))


def test_a_recall_takes_a_reason_and_reports_where_it_was_used(
    office: Office, petra: Browser
) -> None:
    address = f"{KNOWLEDGE}/snippets/stores.hours"
    page = office.customer(QUESTION)
    ana = office.signed_in("ana")
    assert "Most shops open" in said(ana.get(f"{page}/drafts"))
    assert petra.post(f"{address}/recall", reason=" ").status_code == 409
    assert petra.post(f"{address}/recall", reason="Wrong hours.").status_code == 303
    shown = said(petra.get(address))
    assert "Recalled" in shown
    assert "Wrong hours." in shown
    assert "Most shops open" not in said(ana.get(f"{page}/drafts"))
    used = said(petra.get(f"{address}/used"))
    assert "Wrong hours." in used
    assert "1 drafts withdrawn" in used or "drafts withdrawn 1" in used
    assert office.signed_in("maya").post(f"{address}/recall", reason="r").status_code == 403
    assert petra.get(f"{KNOWLEDGE}/snippets/no.such/used").status_code == 404


def ask_in_vain(office: Office, *questions: str) -> None:
    """Questions that an agent got no suggestion for."""
    ana = office.signed_in("ana")
    for number, text in enumerate(questions):
        ana.get(f"{office.customer(text, peer=f'peer-{number + 20}')}/drafts")


def test_what_nobody_answers_becomes_a_draft(office: Office, petra: Browser) -> None:
    ask_in_vain(office, "qqvb xxwz kkjh", "qqvb xxwz kkjh now", "zzzt plmk")
    maya = office.signed_in("maya")
    page = maya.get(COVERAGE)
    assert page.status_code == 200
    gap = page.text.partition("/coverage/gaps/")[2][:16]
    assert len(gap) == 16, said(page)
    form = maya.get(f"{COVERAGE}/gaps/{gap}/draft")
    assert form.status_code == 200
    assert "qqvb xxwz kkjh" in form.text or "zzzt plmk" in form.text
    assert maya.part(f"{COVERAGE}/gaps/{gap}/gain").status_code == 200
    assert petra.get(f"{COVERAGE}/gaps/{gap}/draft").status_code == 403
    assert maya.get(f"{COVERAGE}/gaps/{'0' * 16}/draft").status_code == 404
    assert maya.get(f"{COVERAGE}/duplicates").status_code == 200
    merge = maya.post(f"{COVERAGE}/merge", gone="stores.hours", into="stores.hours")
    assert merge.status_code == 409
    assert "cannot be merged into itself" in said(merge)
    assert (
        maya.post(f"{COVERAGE}/merge", gone="returns.how", into="stores.hours").status_code == 303
    )
    assert "returns.how goes up in stores.hours" in said(maya.get(f"{COVERAGE}/duplicates"))


def test_questions_and_reasons_are_shown_as_they_were_written(
    office: Office, petra: Browser
) -> None:
    ask_in_vain(office, *HOSTILE)
    assert_harmless(petra.get(COVERAGE).text)
    for text in HOSTILE[:4]:
        page = petra.post(CRISIS, topic=text, team=text, reason=text, holding_key=text)
        assert page.status_code in {404, 422}
        assert_harmless(page.text)
    petra.post(CRISIS, team=HOSTILE[1], reason=HOSTILE[2])
    for path in (CRISIS, KNOWLEDGE, f"{CRISIS}/banner"):
        assert_harmless(petra.get(path).text)
