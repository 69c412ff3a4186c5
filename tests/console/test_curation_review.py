"""The review queue: one team after the other, never the author, and every refusal keeps what was typed."""

from __future__ import annotations

import pytest

from knowledge_base.snippet import Revision, SnippetContent
from knowledge_base.store import repository, review
from suggest_api.storage import unit_of_work
from tests.conftest import NOW
from tests.console.conftest import Browser, Office, said
from tests.console.test_hostile_text import HOSTILE, assert_harmless

REVIEW = "/console/knowledge/review"


def submitted(office: Office, *, text: str = "Shops open at 9.", by: str = "maya") -> Revision:
    """Somebody's snippet in review, on a path of legal, then communications."""
    with unit_of_work.write(office.parts.engine) as session:
        review.set_path(session, "stores", ["legal", "communications"], by="ruth", now=NOW)
        content = SnippetContent(key="stores.early", text=text, title="Early", topic="stores")
        draft = repository.add_revision(session, content, author=by, now=NOW)
        return repository.submit(session, draft.id, by=by, now=NOW)


def status(office: Office, revision: Revision) -> str:
    with unit_of_work.read(office.parts.engine) as session:
        return repository.get_revision(session, revision.id).status.value


def test_teams_sign_off_one_after_the_other(office: Office) -> None:
    revision = submitted(office)
    page = f"{REVIEW}/{revision.id}"
    lena, tomas = office.signed_in("lena"), office.signed_in("tomas")

    assert "waits for legal" in said(tomas.get(page))
    early = tomas.post(f"{page}/sign-off", reason="kept words")
    assert early.status_code == 409
    assert "waits for legal" in said(early)

    assert "Sign off for legal" in said(lena.get(page))
    assert lena.post(f"{page}/sign-off", reason="Fine with the terms.").status_code == 303
    assert status(office, revision) == "in_review"
    twice = lena.post(f"{page}/sign-off")
    assert twice.status_code == 403
    assert "signed off by lena already" in said(twice)

    assert "Fine with the terms." in said(tomas.get(page))
    assert tomas.post(f"{page}/sign-off").status_code == 303
    assert status(office, revision) == "approved"
    assert "signed off revision 1 for legal" in said(
        lena.get("/console/knowledge/snippets/stores.early")
    )


def test_the_author_sees_no_button_and_is_refused_all_the_same(office: Office) -> None:
    revision = submitted(office, by="cora")
    cora = office.signed_in("cora")
    page = cora.get(f"{REVIEW}/{revision.id}")
    assert "was written by cora: somebody else has to approve it" in said(page)
    assert 'id="sign-off"' not in page.text
    assert cora.post(f"{REVIEW}/{revision.id}/sign-off").status_code == 403
    assert cora.post(f"{REVIEW}/{revision.id}/return", reason="no").status_code == 403
    assert status(office, revision) == "in_review"


def test_an_admin_approves_nothing_of_their_own(office: Office) -> None:
    revision = submitted(office, by="ruth")
    ruth = office.signed_in("ruth")
    assert 'id="sign-off"' not in ruth.get(f"{REVIEW}/{revision.id}").text
    assert ruth.post(f"{REVIEW}/{revision.id}/sign-off").status_code == 403


def test_returning_takes_a_reason_that_the_author_reads(office: Office) -> None:
    revision = submitted(office)
    page = f"{REVIEW}/{revision.id}"
    lena, maya = office.signed_in("lena"), office.signed_in("maya")
    empty = lena.post(f"{page}/return", reason=" ")
    assert empty.status_code == 409
    assert "say why" in said(empty).lower()
    long = lena.post(f"{page}/return", reason="w" * 2001)
    assert long.status_code == 422
    assert "w" * 2001 in long.text
    assert lena.post(f"{page}/return", reason="Which shops?").status_code == 303
    assert status(office, revision) == "draft"
    assert "Which shops?" in said(maya.get("/console/knowledge/snippets/stores.early"))


def test_withdrawing_is_the_authors(office: Office) -> None:
    revision = submitted(office)
    page = f"{REVIEW}/{revision.id}"
    cora, maya = office.signed_in("cora"), office.signed_in("maya")
    assert cora.post(f"{page}/withdraw").status_code == 409
    assert "Withdraw it" in said(maya.get(page))
    assert maya.post(f"{page}/withdraw").status_code == 303
    assert status(office, revision) == "draft"


def test_the_queue_has_first_what_waits_for_me(office: Office) -> None:
    submitted(office)
    assert "For you 1" in said(office.signed_in("lena").get(REVIEW))
    tomas = said(office.signed_in("tomas").get(REVIEW))
    assert "Nothing waits for you." in tomas
    assert "Early" in tomas
    assert "Review 1" in said(office.signed_in("lena").get("/console/knowledge"))


def test_a_blocked_text_cannot_be_signed_off(office: Office) -> None:
    revision = submitted(office, text="Please send me your card number.")
    lena = office.signed_in("lena")
    page = lena.get(f"{REVIEW}/{revision.id}")
    assert "<mark" in page.text
    assert "cannot be approved" in said(page)
    assert lena.post(f"{REVIEW}/{revision.id}/sign-off").status_code == 422


@pytest.mark.parametrize("text", HOSTILE)
def test_reasons_and_comments_are_shown_as_they_were_written(office: Office, text: str) -> None:
    revision = submitted(office)
    lena = office.signed_in("lena")
    page = f"{REVIEW}/{revision.id}"
    assert lena.post(f"{page}/comment", text=text).status_code == 303
    assert lena.post(f"{page}/sign-off", reason=text).status_code == 303
    for path in (page, REVIEW, "/console/knowledge/snippets/stores.early"):
        assert_harmless(lena.get(path).text)


def test_what_is_not_there_is_told(office: Office) -> None:
    lena: Browser = office.signed_in("lena")
    assert lena.get(f"{REVIEW}/99999").status_code == 404
    assert lena.get(f"{REVIEW}/0").status_code == 422
