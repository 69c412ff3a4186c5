"""Publishing by the page: a candidate, a refusal with what is lost, two people who override, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.store import golden, publications, repository
from suggest_api.storage import unit_of_work
from tests.conftest import NOW
from tests.console.conftest import Browser, Office, said
from tests.console.test_hostile_text import HOSTILE, assert_harmless

PUBLISH = "/console/knowledge/publish"
GOLDEN = "/console/knowledge/golden"


def approved(office: Office, key: str, **changes: object) -> None:
    """A new revision, approved by somebody else."""
    assert office.parts.desk.policy is not None
    with unit_of_work.write(office.parts.engine) as session:
        live = repository.snippet(session, key).live
        assert live is not None
        content = replace(live.content, **changes)  # type: ignore[arg-type]  # fields by name
        draft = repository.add_revision(session, content, author="maya", now=NOW)
        repository.submit(session, draft.id, by="maya", now=NOW)
        policy = office.parts.desk.policy
        repository.approve(session, draft.id, by="lena", now=NOW, policy=policy)


def asked(office: Office, question: str, key: str | None) -> None:
    with unit_of_work.write(office.parts.engine) as session:
        golden.add(session, question, expected_key=key, must_pass=True, by="petra", now=NOW)


def compared(office: Office) -> publish.Candidate:
    """What the worker does with what was requested."""
    with unit_of_work.read(office.parts.engine) as session:
        number = publications.open_ones(session)[0].id
    home = Home.at(office.parts.desk.settings.home)
    return publish.prepare_candidate(home, office.parts.engine, number, clock=lambda: NOW)


def recall(office: Office, key: str) -> None:
    with unit_of_work.write(office.parts.engine) as session:
        repository.recall(session, key, by="lena", reason="Too warm.", now=NOW)


@pytest.fixture
def petra(office: Office) -> Browser:
    return office.signed_in("petra")


def live_text(office: Office, key: str) -> str:
    with unit_of_work.read(office.parts.engine) as session:
        live = repository.snippet(session, key).live
    assert live is not None
    return live.content.text


def test_a_candidate_is_asked_for_compared_published_and_gone_back_from(
    office: Office, petra: Browser
) -> None:
    before = live_text(office, "stores.hours")
    assert "There is no candidate." in said(petra.get(PUBLISH))
    approved(office, "stores.hours", text="Most shops open from 9 to 7.")
    assert "Waits to be published 1" in said(petra.get(PUBLISH))

    assert petra.post(PUBLISH).status_code == 303
    waiting = petra.get(PUBLISH)
    assert 'hx-trigger="every 2s"' in waiting.text
    assert "Publish it" not in said(waiting)
    candidate = compared(office)
    assert "May be published" in said(petra.get(f"{PUBLISH}/candidate"))
    number = candidate.publication.id
    assert petra.post(f"{PUBLISH}/{number}/publish").status_code == 303
    assert live_text(office, "stores.hours") == "Most shops open from 9 to 7."
    assert "Live now" in said(petra.get(PUBLISH))

    first = office.parts.value("SELECT min(id) FROM publication WHERE state = 'published'")
    assert first < number
    recall(office, "praise.thanks")
    told = said(petra.get(f"{PUBLISH}/{first}"))
    assert "What would not come back 1" in told
    gone_back = petra.post(f"{PUBLISH}/{first}/back")
    assert gone_back.status_code == 303
    told = said(petra.get(gone_back.headers["location"]))
    assert "What did not come back 1" in told
    assert "praise.thanks recalled by lena" in told
    assert live_text(office, "stores.hours") == before
    history = said(petra.get(PUBLISH))
    assert "Rollback" in history
    assert "Waits to be published 1" in history


def test_a_refusal_names_the_questions_and_two_people_may_set_it_aside(
    office: Office, petra: Browser
) -> None:
    question = "what time does the shop close"
    asked(office, question, "stores.hours")
    approved(office, "stores.hours", examples=("qqq zzz",), title="Zzz", text="Qqq zzz.")
    petra.post(PUBLISH)
    number = compared(office).publication.id

    page = petra.get(PUBLISH)
    assert "It may not be published" in said(page)
    lost = said(page).partition("Lost 1")[2]
    assert question in lost
    assert "Publish it" not in said(page).replace("Publish it all the same", "")
    refused = petra.post(f"{PUBLISH}/{number}/publish")
    assert refused.status_code == 409
    assert "was refused by the gate" in said(refused)

    empty = petra.post(f"{PUBLISH}/{number}/override", reason=" ")
    assert empty.status_code == 409
    ruth = office.signed_in("ruth")
    assert ruth.post(f"{PUBLISH}/{number}/confirm").status_code == 409
    assert petra.post(f"{PUBLISH}/{number}/override", reason="The shop closes.").status_code == 303
    assert petra.post(f"{PUBLISH}/{number}/confirm").status_code == 403
    assert "The shop closes." in said(ruth.get(PUBLISH))
    assert ruth.post(f"{PUBLISH}/{number}/confirm").status_code == 303
    assert petra.post(f"{PUBLISH}/{number}/publish").status_code == 303
    assert live_text(office, "stores.hours") == "Qqq zzz."
    assert "overridden by petra and ruth" in said(petra.get(PUBLISH))
    assert question in said(petra.get(f"{PUBLISH}/{number}"))


def test_nobody_confirms_their_own_override(office: Office) -> None:
    asked(office, "when do you open", "stores.hours")
    approved(office, "stores.hours", examples=("qqq zzz",), title="Zzz", text="Qqq zzz.")
    ruth = office.signed_in("ruth")
    ruth.post(PUBLISH)
    number = compared(office).publication.id
    assert ruth.post(f"{PUBLISH}/{number}/override", reason="Because.").status_code == 303
    assert "somebody else has to confirm" in said(ruth.get(PUBLISH))
    assert ruth.post(f"{PUBLISH}/{number}/confirm").status_code == 403


def test_who_may_not_publish_sees_no_button(office: Office) -> None:
    approved(office, "stores.hours", text="Most shops open from 9 to 7.")
    maya = office.signed_in("maya")
    assert "Compare what is approved now" not in said(maya.get(PUBLISH))
    for path in ("", "/1/publish", "/1/override", "/1/confirm", "/1/back"):
        assert maya.post(PUBLISH + path).status_code == 403
    assert maya.get(f"{PUBLISH}/99999").status_code == 404


def test_golden_questions_are_added_changed_and_removed(office: Office, petra: Browser) -> None:
    assert petra.post(GOLDEN, question="do you gift wrap", expected_key="").status_code == 303
    assert (
        petra.post(
            GOLDEN, question="do you gift wrap", expected_key="stores.hours", must_pass="true"
        ).status_code
        == 303
    )
    page = said(petra.get(GOLDEN))
    assert "do you gift wrap must pass" in page
    assert page.count("do you gift wrap") == 1
    wrong = petra.post(GOLDEN, question="kept words", expected_key="no.such")
    assert wrong.status_code == 404
    assert "kept words" in wrong.text
    number = office.parts.value("SELECT max(id) FROM golden_question")
    assert petra.post(f"{GOLDEN}/remove", number=number).status_code == 303
    assert "There is no golden question yet" in said(petra.get(GOLDEN))
    assert petra.post(f"{GOLDEN}/remove", number=number).status_code == 404


def test_questions_are_shown_as_they_were_written(office: Office, petra: Browser) -> None:
    for text in HOSTILE:
        assert_harmless(petra.post(GOLDEN, question=text, expected_key=text).text)
        assert petra.post(GOLDEN, question=text, expected_key="").status_code in {303, 422}
    assert_harmless(petra.get(GOLDEN).text)
    approved(office, "stores.hours", text="Most shops open from 9 to 7.")
    petra.post(PUBLISH)
    compared(office)
    assert_harmless(petra.get(PUBLISH).text)
