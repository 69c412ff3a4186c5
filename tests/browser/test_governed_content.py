"""Governed content in a browser: written, mended, reviewed by two teams, refused, published, recalled."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from knowledge_base import publish
from knowledge_base.home import Home
from knowledge_base.store import publications, review
from suggest_api.storage import unit_of_work
from tests.browser.conftest import SIZES, OpenWindow, Window
from tests.conftest import NOW
from tests.console.conftest import (
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

PATIENCE_MS = 20_000  # two shared cores may be busy with something else
BREAKS_TWO = "Send us your card number and we guarantee a refund."
MENDED = "Most shops have a car park. Each shop's page in the store finder says more."


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    """The console on a real port, with a review path of two teams."""
    with unit_of_work.write(office.parts.engine) as session:
        review.set_path(session, "stores", ["legal", "communications"], by="ruth", now=NOW)
    with served(office.app) as base:
        yield f"{base}/console"


def enter(window: Window, address: str, name: str) -> None:
    window.page.goto(f"{address}/sign-in")
    window.page.get_by_label("Name").fill(name)
    window.page.get_by_label("Password").fill(PASSWORD)
    window.page.get_by_role("button", name="Sign in").click()
    expect(window.page.get_by_role("navigation", name="Pages")).to_be_visible()
    window.page.wait_for_load_state("load")  # until then a key does nothing


def keep(window: Window, name: str) -> None:
    """Pictures in both sizes; a page is never wider than its window."""
    for size in ("laptop", "phone"):
        width, height = SIZES[size]
        window.page.set_viewport_size({"width": width, "height": height})
        window.keep(f"governed-{name}-{size}")
        assert window.overflow() == 0, f"{name} on a {size}"
    width, height = SIZES["laptop"]
    window.page.set_viewport_size({"width": width, "height": height})


def build_candidate(office: Office) -> None:
    """What the worker does with what was requested."""
    with unit_of_work.read(office.parts.engine) as session:
        number = publications.open_ones(session)[0].id
    home = Home.at(office.parts.desk.settings.home)
    publish.prepare_candidate(home, office.parts.engine, number, clock=lambda: NOW)


def test_from_a_draft_that_breaks_two_rules_to_a_recall_in_another_window(
    office: Office, address: str, window: OpenWindow
) -> None:
    knowledge = f"{address}/knowledge"

    # an author writes, sees what is wrong, mends it and submits
    author = window("laptop")
    author.refusals = ("422",)
    enter(author, address, "cora")  # who may approve, what others wrote
    page = author.page
    expect(page.get_by_role("heading", name="Knowledge")).to_be_visible()
    keep(author, "1-board")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    keep(author, "2-keys")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="New snippet")).to_be_visible()
    page.locator("input[name=key]").fill("stores.parking")
    page.locator("input[name=title]").fill("Parking")
    page.locator("input[name=topic]").fill("stores")
    page.locator("textarea[name=examples]").fill("can i park there\nis there a car park")
    text = page.locator("#text")
    text.fill(BREAKS_TWO)
    expect(page.locator("#help .findings .block")).to_have_count(2, timeout=PATIENCE_MS)
    expect(page.locator("#help mark").first).to_be_visible()
    keep(author, "3-two-rules")
    text.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("breaks the policy")
    expect(text).to_have_value(BREAKS_TWO)
    text.fill(MENDED)
    expect(page.locator("#help .fine")).to_have_text("No rule has anything against it.")
    keep(author, "4-mended")
    text.press("Control+Enter")
    expect(page.locator(".state.in_review").first).to_be_visible()
    keep(author, "5-snippet")

    # the author cannot approve
    page.goto(f"{knowledge}/review")  # waits for the scripts as well
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#why-not")).to_contain_text("was written by cora")
    expect(page.locator("#sign-off")).to_have_count(0)

    # legal, then communications
    for name, team in (("lena", "legal"), ("tomas", "communications")):
        approver = window("laptop")
        enter(approver, address, name)
        approver.page.keyboard.press("g")
        approver.page.keyboard.press("r")
        expect(approver.page.get_by_role("heading", name=re.compile("^For you"))).to_be_visible()
        approver.page.wait_for_load_state("load")
        approver.page.keyboard.press("j")
        approver.page.keyboard.press("Enter")
        expect(approver.page.locator("#sign-off")).to_have_text(f"Sign off for {team}")
        approver.page.wait_for_load_state("load")
        keep(approver, f"6-review-{team}")
        approver.page.keyboard.press("a")
        expect(approver.page.get_by_text("Nothing waits for you.")).to_be_visible()

    # a harmful edit is refused, and the lost question is named
    asked(office, QUESTION, "stores.hours")
    approved(office, "stores.hours", examples=("qqq zzz",), title="Zzz", text="Qqq zzz.")
    publisher = window("laptop")
    publisher.page.on("dialog", lambda dialog: dialog.accept())
    enter(publisher, address, "petra")
    page = publisher.page
    page.goto(f"{knowledge}/publish")
    expect(page.get_by_text("Waits to be built")).to_be_visible()
    build_candidate(office)
    expect(page.locator("#refused")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#questions-lost")).to_contain_text(QUESTION)
    expect(page.get_by_role("button", name="Publish it")).to_have_count(0)
    keep(publisher, "7-refused")

    # without the harmful edit it passes
    page.goto(f"{knowledge}/snippets/stores.hours")
    page.get_by_role("button", name="Retire revision 2").click()
    expect(page.locator(".timeline")).to_contain_text("retired revision 2")
    page.goto(f"{knowledge}/publish")
    page.get_by_role("button", name="Compare again").click()
    expect(page.get_by_text("Waits to be built")).to_be_visible()
    build_candidate(office)
    expect(page.get_by_text("May be published")).to_be_visible(timeout=PATIENCE_MS)
    keep(publisher, "8-ready")
    page.keyboard.press("p")
    expect(page.locator("#history")).to_contain_text("Live now")
    author.page.goto(f"{knowledge}/snippets/stores.parking")
    expect(author.page.locator(".state.live").first).to_be_visible()

    # one click goes back
    page.get_by_role("button", name="Go back to this").last.click()
    expect(page.locator("#history")).to_contain_text("Rollback")
    author.page.reload()
    expect(author.page.locator("header .state")).to_have_text("Approved, not published")
    keep(publisher, "9-back")

    # a recall takes the draft out of another window
    agent = window("laptop")
    thread = office.customer(QUESTION)
    enter(agent, address, "ana")
    agent.page.goto(address.removesuffix("/console") + thread)
    draft = agent.page.locator(".draft", has_text="Most shops open from 9 to 6")
    expect(draft).to_be_visible(timeout=PATIENCE_MS)
    agent.keep("governed-10-draft-before-recall")
    page.goto(f"{knowledge}/snippets/stores.hours")
    page.get_by_text("Recall it now").first.click()
    page.locator("textarea[name=reason]").fill("The hours are wrong.")
    page.get_by_role("button", name="Recall it now").click()
    expect(page.locator("#pulled")).to_contain_text("Recalled by petra")
    expect(draft).to_have_count(0, timeout=PATIENCE_MS)
    agent.keep("governed-11-draft-after-recall")
    keep(publisher, "12-recalled")


def test_two_editors_a_file_and_a_freeze(office: Office, address: str, window: OpenWindow) -> None:
    knowledge = f"{address}/knowledge"
    maya, petra, ana = window("laptop"), window("laptop", scheme="dark"), window("phone")
    maya.refusals = ("409",)
    for one, name in ((maya, "maya"), (petra, "petra"), (ana, "ana")):
        enter(one, address, name)

    # somebody else saves in between: both versions, nothing lost
    page = maya.page
    page.goto(f"{knowledge}/snippets/returns.how/edit")
    approved(office, "returns.how", text="You can return anything within 60 days.")
    mine = "You can return anything within 45 days. Start in the app."
    page.locator("#text").fill(mine)
    page.locator("#text").press("Escape")
    page.keyboard.press("f")
    expect(page.locator("#conflict del").first).to_be_visible()
    expect(page.locator("#text")).to_have_value(mine)
    keep(maya, "13-conflict")

    # a file is shown before it is imported
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{knowledge}/import")
    rows = f"key;text\nstores.lift;Most shops have a lift.\nstores.bad;{'x' * 150}\n"
    page.locator("input[type=file]").set_input_files(
        {"name": "content.csv", "mimeType": "text/csv", "buffer": rows.encode("utf-16")}
    )
    page.get_by_role("button", name="Show what it would do").click()
    expect(page.locator("#bad-rows")).to_contain_text("stores.bad")
    keep(maya, "14-import")

    # a freeze is told on every page, at once
    petra.page.on("dialog", lambda dialog: dialog.accept())
    petra.page.goto(f"{knowledge}/crisis")
    petra.page.locator("input[name=team]").fill("crisis team")
    petra.page.locator("textarea[name=reason]").fill("A product recall.")
    petra.page.get_by_role("button", name="Freeze it now").click()
    expect(petra.page.locator("#frozen")).to_contain_text("nothing is answered")
    expect(ana.page.locator("#frozen")).to_contain_text("Frozen:", timeout=PATIENCE_MS)
    keep(petra, "15-crisis")
    ana.keep("governed-16-inbox-frozen")

    # the other pages, each in both sizes
    for name in ("coverage", "coverage/duplicates", "golden", "publish"):
        petra.page.goto(f"{knowledge}/{name}")
        keep(petra, f"17-{name.replace('/', '-')}")
    ruth = window("laptop")
    enter(ruth, address, "ruth")
    for name in ("audit", "people"):
        ruth.page.goto(f"{knowledge}/{name}")
        keep(ruth, f"18-{name}")
