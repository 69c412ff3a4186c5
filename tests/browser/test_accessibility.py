"""Every page of the console can be read and used: contrast, focus, labels, 360 pixels, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from knowledge_base import publish
from knowledge_base.curation import authoring
from knowledge_base.store import merges, repository, review
from suggest_api import flow
from suggest_api.flow.operating import record_offers
from suggest_api.storage import unit_of_work
from tests.architecture.test_routes import routes
from tests.browser.conftest import SIZES, OpenWindow
from tests.browser.test_governed_content import build_candidate, enter
from tests.conftest import NOW
from tests.console.conftest import (
    ANSWER,
    PASSWORD,
    QUESTION,
    Office,
    console_template,
    make_office,
    office,
    served,
)
from tests.console.test_curation_publish import approved, asked

__all__ = ["console_template", "make_office", "office"]  # fixtures of the console's tests

pytestmark = pytest.mark.browser

AUDIT = (Path(__file__).parent / "accessible.js").read_text()
# Not whole pages: parts that htmx asks for, streams, files. What is below the policy has tests of its own.
PARTS = re.compile(
    r"/(inbox|thread|head|story|drafts|rows|count|events|banner|candidate|gain)$|\.\{suffix\}$|/policy/"
)

SEEN = ("/knowledge", "/knowledge/audit", "/knowledge/people")  # pictures of them are kept


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    with served(office.app) as base:
        yield f"{base}/console"


@pytest.fixture
def busy(office: Office) -> dict[str, str]:
    """Something of everything that pages show; gives what stands for the names in their addresses."""
    parts = office.parts
    conversation = office.customer().rpartition("/")[2]
    office.customer("my parcel is broken <b>now</b>", peer="peer-8", name="Ben" + "n" * 60)
    office.customer("purple monkey dishwasher", peer="peer-9")
    asked(office, QUESTION, "stores.hours")
    approved(office, "stores.hours", examples=("qqq zzz",), title="Zzz", text="Qqq zzz.")
    policy = parts.desk.policy
    assert policy is not None
    with unit_of_work.write(parts.engine) as session:
        review.set_path(session, "", ["legal", "communications"], by="ruth", now=NOW)
        live = repository.snippet(session, "returns.how").live
        assert live is not None
        other = replace(live.content, text="You can return anything within 40 days.")
        draft = repository.add_revision(session, other, author="maya", now=NOW)
        waiting = authoring.submit(session, draft.id, by="maya", now=NOW, policy=policy)
        review.comment(session, waiting, "Which app?", by="lena", now=NOW)
        merges.merge(session, "gift_cards.balance", into="delivery.late", by="maya", now=NOW)
        repository.recall(session, "praise.thanks", by="lena", reason="Too warm.", now=NOW)
    publications = "SELECT max(id) FROM publication"
    published = parts.value(publications)
    with unit_of_work.write(parts.engine) as session:
        flow.freeze(
            parts.desk, session, topic="", team="press", drill=True, by="petra", reason="An exercise.", now=NOW
        )  # fmt: skip
    with unit_of_work.write(parts.engine) as session:
        publish.request(session, by="petra", now=NOW)
    build_candidate(office)
    record_offers(parts.desk)
    return {
        "conversation_id": conversation,
        "key": "returns.how",
        "revision_id": str(waiting.id),
        "publication_id": str(published),
    }


def pages(office: Office, names: dict[str, str]) -> list[str]:
    """The address of every whole page of the console, and of some in another state."""
    found = {
        path
        for method, path, _ in routes(office.app)
        if method == "GET" and path.startswith("/console") and not PARTS.search(path)
    }
    found -= {"/console/knowledge/coverage/gaps/{gap_id}/draft"}  # goes on to the editor
    known = [path.removeprefix("/console").format(**names) for path in sorted(found)]
    conversation = f"/conversations/{names['conversation_id']}"
    return [
        *known,
        f"{conversation}?drafts=1",
        "/knowledge?unused=offered&within=30&q=shop",
        "/knowledge?tab=in_review",
        "/knowledge/snippets/praise.thanks",
        "/knowledge/audit/proof?draft=none",
    ]


def audit(page: Page, where: str) -> list[str]:
    """What is wrong with the page as it is shown, in both schemes, with everything unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    wrong: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of two words
        wrong += [f"{where} ({scheme}): {one}" for one in page.evaluate(AUDIT)]
    return wrong


def test_every_page_can_be_read_and_used(
    office: Office, address: str, busy: dict[str, str], window: OpenWindow
) -> None:
    shown = window("laptop")
    shown.refusals = ("404", "422")  # a proof of no draft
    page = shown.page
    page.goto(f"{address}/sign-in")
    wrong = audit(page, "/sign-in")
    enter(shown, address, "ruth")
    page.keyboard.press("Tab")  # from now on focus shows as it does for the keyboard
    for place in pages(office, busy):
        if place == "/sign-in":
            continue
        page.set_viewport_size({"width": SIZES["laptop"][0], "height": SIZES["laptop"][1]})
        page.goto(f"{address}{place}", wait_until="load")
        assert page.url.endswith(place), f"{place} went on to {page.url}"
        wrong += audit(page, place)
        page.set_viewport_size({"width": SIZES["narrow"][0], "height": SIZES["narrow"][1]})
        if place in SEEN:
            shown.keep(f"accessible-{place.rpartition('/')[2]}-narrow")
        if shown.overflow() > 0:
            wrong.append(f"{place}: {shown.overflow()} pixels wider than a window of 360")
    assert wrong == [], "\n".join(wrong)
    page.goto(f"{address}/knowledge/people")  # the last of a row that is wider than a phone
    expect(page.get_by_role("link", name="People", exact=True)).to_be_in_viewport(ratio=1)


def test_without_javascript_people_sign_in_answer_write_submit_and_approve(
    office: Office, address: str, window: OpenWindow
) -> None:
    def sign_in(name: str) -> Page:
        page = window("phone", scripts=False).page
        page.goto(f"{address}/sign-in")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        return page

    office.customer()
    agent = sign_in("ana")
    agent.get_by_role("link", name="Ana Lima").click()
    agent.get_by_role("link", name="Show approved answers").click()
    agent.locator(".draft", has_text=ANSWER).click()
    expect(agent.locator("#text")).to_have_value(ANSWER)
    agent.locator("#send").click()
    expect(agent.locator("#thread")).to_contain_text(ANSWER)

    author = sign_in("maya")
    author.get_by_role("link", name="New snippet").click()
    author.locator("input[name=key]").fill("stores.lift")
    author.locator("#text").fill("Most shops have a lift.")
    author.get_by_role("button", name="Submit").click()
    expect(author.locator(".state.in_review").first).to_be_visible()

    approver = sign_in("tomas")
    approver.goto(f"{address}/knowledge/review")
    approver.get_by_role("link", name="stores.lift").first.click()
    approver.locator("#sign-off").click()
    expect(approver.get_by_text("Nothing waits for you.")).to_be_visible()
    with unit_of_work.read(office.parts.engine) as session:
        found = repository.snippet(session, "stores.lift").revisions[-1]
    assert (found.status.value, found.approved_by) == ("approved", "tomas")
