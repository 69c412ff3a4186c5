"""The policy in a real browser: its pages are readable and usable like all others, also without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from suggest_api.compliance.holder import PolicyHolder
from suggest_api.main import create_app
from tests.browser.conftest import SIZES, OpenWindow
from tests.browser.test_accessibility import audit
from tests.browser.test_governed_content import enter
from tests.console.conftest import (
    ANSWER,
    PASSWORD,
    MakeOffice,
    Office,
    console_template,
    make_office,
    served,
)
from tests.policy_sets import FILES, SHIPPED, pack, rule

__all__ = ["console_template", "make_office"]  # fixtures of the console's tests

pytestmark = pytest.mark.browser

GREEN = pack("brand", rule("TEAL", "teal", severity="warn"), rule("GREEN", "green"))
BROKEN = GREEN.replace('"No green"', '"No green')


@pytest.fixture
def governed(make_office: MakeOffice) -> Office:
    office = make_office()
    policies = PolicyHolder(office.parts.engine, packs=SHIPPED)
    office.parts.desk = replace(office.parts.desk, policies=policies)
    office.app = create_app(office.parts.desk.settings, desk=office.parts.desk)
    return office


@pytest.fixture
def address(governed: Office) -> Iterator[str]:
    with served(governed.app) as base:
        yield f"{base}/console"


def test_every_page_of_the_policy_can_be_read_and_used(
    governed: Office, address: str, window: OpenWindow
) -> None:
    author = governed.signed_in("cora")
    versions = "/console/policy/versions"
    for files in ({"brand": GREEN}, {"brand": BROKEN}, {"core": pack("core", rule("WE", "most"))}):
        made = author.post(versions, note="a change").headers["location"]
        for name, content in files.items():
            seen = author.get(f"{made}/files/{name}.yaml").text.split('name="seen" value="')[1][
                :64
            ]
            author.post(f"{made}/files/{name}.yaml", content=content, seen=seen)
        author.post(f"{made}/submit")
    assert ANSWER.startswith("Most")
    shown = window("laptop")
    enter(shown, address, "ruth")
    shown.page.keyboard.press("Tab")
    wrong: list[str] = []
    for place in (
        "/versions",
        "/versions/1",
        "/versions/1/files/brand.yaml",
        "/versions/2",
        "/versions/2/files/brand.yaml",
        "/versions/3",
        "/versions/compare?before=0&after=1",
    ):
        shown.page.set_viewport_size({"width": SIZES["laptop"][0], "height": SIZES["laptop"][1]})
        shown.page.goto(f"{address}/policy{place}")
        shown.keep(f"policy-{place.replace('/', '-').partition('?')[0]}")
        wrong += audit(shown.page, place)
        shown.page.set_viewport_size({"width": SIZES["narrow"][0], "height": SIZES["narrow"][1]})
        if shown.overflow() > 0:
            wrong.append(f"{place}: {shown.overflow()} pixels wider than a window of 360")
    assert wrong == [], "\n".join(wrong)


def test_without_javascript_one_proposes_and_another_approves(
    governed: Office, address: str, window: OpenWindow
) -> None:
    author, approver = (window("phone", scripts=False).page for _ in range(2))
    for page, name in ((author, "cora"), (approver, "lena")):
        page.goto(f"{address}/sign-in?next=/console/policy/versions")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
    author.locator("textarea[name=note]").fill("gold is not ours")
    author.get_by_role("button", name="Begin a draft").click()
    author.get_by_role("link", name="core.yaml").click()
    author.locator("textarea[name=content]").fill(FILES["core.yaml"] + rule("GOLD", "gold"))
    author.get_by_role("button", name="Save").click()
    author.get_by_role("link", name="Back to the proposal").click()
    author.locator("#try-both textarea").fill("so gold")
    author.get_by_role("button", name="Try it").click()
    expect(author.locator('[data-outcome="block"]')).to_have_count(1)
    author.go_back()
    author.get_by_role("button", name="Submit it for approval").click()
    expect(author.get_by_text("nobody approves their own policy")).to_be_visible()
    approver.goto(author.url)
    approver.get_by_role("button", name="Approve").click()
    expect(approver.locator("h1 .state")).to_have_text("in force")
