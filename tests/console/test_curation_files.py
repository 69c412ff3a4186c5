"""Import and export, the audit log, proofs, and people: what is shown is what is applied, and nothing else."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from httpx import Response

from knowledge_base.store import audit
from suggest_api.storage import unit_of_work
from tests.conftest import NOW
from tests.console.conftest import OURS, Browser, Office, drafts_in, said
from tests.console.test_hostile_text import HOSTILE, assert_harmless

KNOWLEDGE = "/console/knowledge"
IMPORT = f"{KNOWLEDGE}/import"
GOOD = "key;text;examples\nstores.parking;Most shops have a car park.;where can i park\n"


def upload(browser: Browser, data: bytes | str, name: str = "content.csv") -> Response:
    raw = data.encode() if isinstance(data, str) else data
    answer: Any = browser.client.post(
        IMPORT, data={"csrf": browser.csrf}, files={"file": (name, raw)}, headers=OURS
    )
    return answer


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return html.unescape(found[1])


def apply(browser: Browser, page: Response, **other: str) -> Response:
    fields = {name: hidden(page.text, name) for name in ("filename", "sha256", "data")}
    answer: Any = browser.post(f"{IMPORT}/apply", **{**fields, **other})
    return answer


@pytest.fixture
def maya(office: Office) -> Browser:
    return office.signed_in("maya")


def test_a_file_is_shown_before_it_is_written(office: Office, maya: Browser) -> None:
    page = upload(maya, GOOD.encode("utf-16"))
    assert page.status_code == 200
    shown = said(page)
    assert "encoding UTF-16" in shown
    assert "separated by semicolon" in shown
    assert "stores.parking" in shown
    assert office.parts.value("SELECT count(*) FROM snippet WHERE key = 'stores.parking'") == 0

    done = apply(maya, page)
    assert done.status_code == 200
    assert "1 snippet waits in review" in said(done)
    row = office.parts.rows(
        "SELECT author, status FROM revision WHERE snippet_key = 'stores.parking'"
    )
    assert [tuple(each) for each in row] == [("maya", "in_review")]


def test_another_file_than_the_one_shown_is_not_written(office: Office, maya: Browser) -> None:
    shown = upload(maya, GOOD)
    other = upload(maya, GOOD.replace("car park", "bike park"))
    for fields in ({"data": hidden(other.text, "data")}, {"sha256": "0" * 64}, {"data": "???"}):
        refused = apply(maya, shown, **fields)
        assert refused.status_code == 422
        assert "upload it again" in said(refused)
    assert office.parts.value("SELECT count(*) FROM snippet WHERE key = 'stores.parking'") == 0


def test_every_bad_row_is_named_and_nothing_can_be_applied(office: Office, maya: Browser) -> None:
    bad = f'key,text\n"<b>x</b>",Hi\nstores.a,{"x" * 150}\nstores.b,Please send me your card number\n'
    page = upload(maya, bad)
    assert page.text.count("<tr>") == 4
    assert "all rows come in, or none" in said(page)
    assert 'name="data"' not in page.text
    assert_harmless(page.text)
    assert office.parts.value("SELECT count(*) FROM snippet WHERE key LIKE 'stores.a%'") == 0


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [
        (b"", "content.csv", "this one is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "content.csv", "content.csv"),
        (b"key,text\na.b,Hi\n", "content.docx", "content.docx"),
        (b"key: [unclosed", "content.yaml", "content.yaml"),
        (b"title\nno key\n", "content.csv", "key"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    office: Office, maya: Browser, data: bytes, name: str, told: str
) -> None:
    before = office.parts.value("SELECT count(*) FROM revision")
    page = upload(maya, data, name)
    assert page.status_code in {200, 422}
    assert told in said(page)
    assert 'name="data"' not in page.text
    assert office.parts.value("SELECT count(*) FROM revision") == before


def test_a_snippet_that_changed_after_it_was_shown_is_not_overwritten(
    office: Office, maya: Browser
) -> None:
    page = upload(maya, "key,text\nstores.hours,Shops are open from 9 to 7.\n")
    assert "changes text" in said(page)
    assert apply(maya, page).status_code == 200
    again = apply(maya, page)
    assert again.status_code == 200
    assert (
        office.parts.value("SELECT count(*) FROM revision WHERE snippet_key = 'stores.hours'") == 2
    )


def test_who_may_not_write_may_not_import(office: Office) -> None:
    udo = office.signed_in("udo")
    assert "Show what it would do" not in said(udo.get(IMPORT))
    assert upload(udo, GOOD).status_code == 403


def test_sample_and_export_can_be_imported_again(maya: Browser) -> None:
    for kind in ("csv", "yaml"):
        for name in ("sample", "export"):
            answer = maya.get(f"{IMPORT}/{name}.{kind}")
            assert answer.status_code == 200
            assert answer.headers["content-disposition"].endswith(f'.{kind}"')
            page = said(upload(maya, answer.content, f"{name}.{kind}"))
            assert (
                "Nothing would change" in page
                if name == "export"
                else "0 rows that cannot be used"
            )
    assert maya.get(f"{IMPORT}/sample.exe").status_code == 422


@pytest.mark.parametrize("text", HOSTILE[:5])
def test_a_file_is_shown_as_it_was_written(maya: Browser, text: str) -> None:
    cell = text.replace('"', '""')
    for name in ("content.csv", f"{text}.csv"):
        assert_harmless(
            upload(
                maya, f'key,text,title\n"{cell}","{cell}","{cell}"\na.b,Fine.,"{cell}"\n', name
            ).text
        )


def test_the_log_is_filtered_and_the_chain_verified(office: Office) -> None:
    udo = office.signed_in("udo")
    page = udo.get(f"{KNOWLEDGE}/audit")
    assert "session.start" in said(page)
    only = said(udo.get(f"{KNOWLEDGE}/audit?action=revision.approve&subject=stores.hours"))
    assert "revision:stores.hours@1" in only
    assert "revision:returns.how@1" not in only
    assert "No entry fits" in said(udo.get(f"{KNOWLEDGE}/audit?actor=%3Cb%3E"))
    assert "entries hold" in said(udo.post(f"{KNOWLEDGE}/audit/verify"))
    assert office.signed_in("maya").get(f"{KNOWLEDGE}/audit").status_code == 403


def test_a_draft_is_proved_by_its_id(office: Office) -> None:
    page = office.customer()
    [(number, text), *_] = drafts_in(office.signed_in("ana").get(f"{page}/drafts"))
    udo = office.signed_in("udo")
    proof = udo.get(f"{KNOWLEDGE}/audit/proof?draft={number}")
    assert proof.status_code == 200
    assert "Every part holds." in said(proof)
    assert text in said(proof)
    assert udo.get(f"{KNOWLEDGE}/audit/proof?draft={'0' * 32}").status_code == 404
    odd = udo.get(f"{KNOWLEDGE}/audit/proof?draft=%3Cscript%3E")
    assert odd.status_code == 422
    assert_harmless(odd.text)


def test_an_admin_gives_and_takes_roles_and_sets_paths(office: Office) -> None:
    ruth = office.signed_in("ruth")
    people = f"{KNOWLEDGE}/people"
    assert (
        ruth.post(f"{people}/grant", name="ana", role="approver", teams="legal, press").status_code
        == 303
    )
    assert "approver: legal, press" in said(ruth.get(people))
    assert office.signed_in("ana").get(KNOWLEDGE).status_code == 200
    assert ruth.post(f"{people}/revoke", name="ana", role="approver").status_code == 303
    assert ruth.post(f"{people}/revoke", name="ana", role="approver").status_code == 404
    last = ruth.post(f"{people}/revoke", name="ruth", role="admin")
    assert last.status_code == 403
    assert "only admin" in said(last)
    assert (
        ruth.post(f"{people}/path", topic="stores", teams="legal, communications").status_code
        == 303
    )
    assert "legal, then communications" in said(ruth.get(people))
    wrong = ruth.post(f"{people}/path", topic="stores", teams="legal, legal")
    assert wrong.status_code == 422
    assert 'value="legal, legal"' in wrong.text
    assert ruth.post(f"{people}/grant", name="nobody", role="author").status_code == 404
    assert office.signed_in("cora").get(people).status_code == 403
    assert (
        office.signed_in("cora").post(f"{people}/grant", name="cora", role="admin").status_code
        == 403
    )


def test_a_long_audit_entry_is_cut_on_the_page(office: Office) -> None:
    with unit_of_work.write(office.parts.engine) as session:
        proofs = {f"{number:032x}": "a" * 64 for number in range(500)}
        audit.append(
            session, actor="x", action="draft.offered", subject="drafts", now=NOW, detail={"proofs": proofs}
        )  # fmt: skip
    page = office.signed_in("udo").get("/console/knowledge/audit?action=draft.offered")
    assert "more characters)" in said(page)
    assert f"{1:032x}" in page.text
    assert f"{499:032x}" not in page.text
