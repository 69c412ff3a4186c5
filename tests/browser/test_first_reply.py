"""A customer writes, an agent inserts a draft with the keyboard, edits and sends it, the customer reads it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from knowledge_base.home import Home
from suggest_api.demo import parts
from tests.browser.conftest import PASSWORD, ROOT, OpenWindow, Running, Window, started
from tests.crash.home import copy_home
from tests.fixtures_generation import TEST_HOME

pytestmark = pytest.mark.browser

QUESTION = "hiya do u do gift wrapping? its for my mum"
NEXT_QUESTION = "ok and how long does a refund take?"
FORBIDDEN = " Please send me your card number"
PATIENCE_MS = 20_000  # two shared cores may be busy with something else


def sign_in(window: Window, running: Running, name: str = "olga") -> None:
    window.page.goto(running.console)
    window.page.get_by_label("Name").fill(name)
    window.page.get_by_label("Password").fill(PASSWORD)
    window.page.get_by_role("button", name="Sign in").click()
    expect(window.page.get_by_role("heading", name=re.compile("^Waiting"))).to_be_visible()


def write_as(window: Window, running: Running, name: str, text: str) -> None:
    """The customer opens the network's chat page and writes."""
    window.page.goto(f"{running.network}/?as={name}")
    window.page.locator("#text").fill(text)
    window.page.locator("#text").press("Enter")


def open_conversation(window: Window, name: str) -> None:
    """Click it in the inbox, where it shows up without a reload."""
    entry = window.page.locator(".inbox a", has_text=name)
    expect(entry).to_be_visible(timeout=PATIENCE_MS)
    entry.click()
    expect(window.page.get_by_role("heading", name=name)).to_be_visible()


def drafts(window: Window) -> Locator:
    return window.page.locator(".draft")


def three_drafts(window: Window) -> list[str]:
    expect(drafts(window)).to_have_count(3, timeout=PATIENCE_MS)
    return window.page.locator(".draft [data-text]").all_inner_texts()


def test_a_draft_is_inserted_edited_and_sent_by_keyboard_and_arrives(
    running: Running, window: OpenWindow
) -> None:
    agent, customer = window("laptop"), window("phone")
    sign_in(agent, running)
    agent.keep("laptop-1-inbox")

    write_as(customer, running, "Leila Haddad", QUESTION)
    open_conversation(agent, "Leila Haddad")
    expect(agent.page.locator("#thread")).to_contain_text(QUESTION)
    second = three_drafts(agent)[1]
    agent.keep("laptop-2-drafts")

    page = agent.page
    text, send = page.locator("#text"), page.locator("#send")
    expect(send).to_be_disabled()
    page.keyboard.press("2")
    expect(text).to_have_value(second)
    expect(text).to_be_focused()
    expect(page.locator("#code-points")).to_have_text(str(len(second)))
    expect(page.locator("#outcome")).to_have_text("Fine to send.")
    expect(send).to_be_enabled()
    expect(drafts(agent).nth(1)).to_have_attribute("aria-pressed", "true")

    page.keyboard.press("End")
    page.keyboard.type(FORBIDDEN)
    expect(page.locator(".findings .block").first).to_be_visible()
    expect(send).to_be_disabled()
    agent.keep("laptop-3-blocked")
    page.keyboard.press("Control+Enter")
    for _ in FORBIDDEN:
        page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.keyboard.type("!")
    final = second[:-1] + "!"
    expect(text).to_have_value(final)
    expect(page.locator("#code-points")).to_have_text(str(len(final)))
    expect(page.locator("#weighted")).not_to_have_text("0")
    expect(page.locator(".change ins")).to_have_text("!")
    expect(page.locator("#outcome")).to_have_text("Fine to send.")
    agent.keep("laptop-4-edited")

    page.keyboard.press("Control+Enter")
    expect(page.locator(".turn.person .bubble")).to_have_text(final)
    expect(text).to_have_value("")
    expect(page.locator("#drafts")).to_contain_text("Answered.")

    arrived = customer.page.locator("#messages li.brand .bubble").last
    expect(arrived).to_have_text(final, timeout=PATIENCE_MS)
    customer.keep("phone-customer")
    expect(page.locator(".turn.person .meta")).to_contain_text(
        re.compile("delivered|read"), timeout=PATIENCE_MS
    )
    agent.keep("laptop-5-sent")

    write_as(customer, running, "Leila Haddad", NEXT_QUESTION)
    expect(page.locator("#thread")).to_contain_text(NEXT_QUESTION, timeout=PATIENCE_MS)
    assert second not in three_drafts(agent)


def test_on_a_phone_everything_is_in_reach(running: Running, window: OpenWindow) -> None:
    agent, customer = window("phone", scheme="dark"), window("laptop")
    write_as(customer, running, "Tom Becker", QUESTION)
    sign_in(agent, running)
    agent.keep("phone-1-inbox")
    assert agent.overflow() == 0

    open_conversation(agent, "Tom Becker")
    first = three_drafts(agent)[0]
    agent.keep("phone-2-drafts")
    assert agent.overflow() == 0
    page = agent.page
    expect(page.locator("#send")).to_be_in_viewport()
    expect(page.locator("#text")).to_be_in_viewport()
    expect(page.locator("#thread .turn").last).to_be_in_viewport()
    expect(page.locator(".inbox")).to_be_hidden()

    page.get_by_text("The story so far").first.click()
    expect(page.locator("#story-brief")).to_contain_text("First name")
    page.get_by_text("The story so far").first.click()
    drafts(agent).first.tap()
    expect(page.locator("#text")).to_have_value(first)
    expect(page.locator("#send")).to_be_enabled()
    page.locator("#send").tap()
    expect(page.locator(".turn.person .bubble")).to_have_text(first)
    agent.keep("phone-3-sent")
    page.get_by_label("Back to the inbox").tap()
    expect(page.locator(".inbox a", has_text="Tom Becker")).to_be_visible()


def test_who_loses_a_conversation_keeps_the_words_and_sees_who_has_it(
    running: Running, window: OpenWindow
) -> None:
    olga, ben, customer = window("wide"), window("laptop"), window("phone")
    sign_in(olga, running, "olga")
    sign_in(ben, running, "ben")
    write_as(customer, running, "Priya Nair", QUESTION)
    for agent in (olga, ben):
        open_conversation(agent, "Priya Nair")
        three_drafts(agent)

    olga.page.locator("#text").fill("I am writing 123")
    ben.page.get_by_role("button", name="Take it").click()
    expect(ben.page.get_by_role("button", name="Put back")).to_be_visible()

    expect(olga.page.locator("#head")).to_contain_text("ben has this one", timeout=PATIENCE_MS)
    expect(olga.page.locator("#outcome")).to_contain_text("ben has this one")
    expect(olga.page.locator("#send")).to_be_disabled()
    expect(olga.page.locator("#text")).to_have_value("I am writing 123")
    olga.keep("wide-conflict")

    ben.page.get_by_role("button", name="Put back").click()
    expect(olga.page.locator("#send")).to_be_enabled(timeout=PATIENCE_MS)
    olga.page.locator("#text").focus()
    olga.page.keyboard.press("Alt+1")
    expect(olga.page.locator("#text")).to_have_value(three_drafts(olga)[0])
    olga.page.keyboard.press("Control+z")
    expect(olga.page.locator("#text")).to_have_value("I am writing 123")
    olga.page.keyboard.press("Escape")
    expect(olga.page.locator("#text")).not_to_be_focused()


def test_a_session_that_ends_leads_to_the_sign_in_and_back_with_the_words(
    running: Running, window: OpenWindow
) -> None:
    agent, customer = window("laptop", scheme="dark"), window("phone")
    sign_in(agent, running, "ben")
    write_as(customer, running, "Chloe Martin", QUESTION)
    open_conversation(agent, "Chloe Martin")
    three_drafts(agent)
    agent.page.locator("#text").fill("Nearly done with this")
    expect(agent.page.locator("#outcome")).to_have_text("Fine to send.")
    agent.keep("laptop-dark")

    agent.session_ends = True
    running.revoke("ben")

    expect(agent.page.get_by_label("Password")).to_be_visible(timeout=PATIENCE_MS)
    agent.keep("laptop-dark-sign-in")
    agent.page.get_by_label("Name").fill("ben")
    agent.page.get_by_label("Password").fill(PASSWORD)
    agent.page.get_by_role("button", name="Sign in").click()
    expect(agent.page.get_by_role("heading", name="Chloe Martin")).to_be_visible()
    expect(agent.page.locator("#text")).to_have_value("Nearly done with this")
    expect(agent.page.locator("#outcome")).to_have_text("Fine to send.")


@pytest.fixture(scope="module")
def with_assistant(
    prepared_home: Home, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """All five parts, with the trained assistant of a set-up home."""
    homes = (os.environ.get(TEST_HOME), ROOT / ".firstline", ROOT / "test-artefacts" / "bot-home")
    trained = next(
        (
            Path(home) / "bot" / "models"
            for home in filter(None, homes)
            if list((Path(home) / "bot" / "models").glob("*.tar.gz"))
        ),
        None,
    )
    if trained is None or not parts.BOT_PYTHON.exists():
        reason = "no trained assistant: run `make setup`"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    # A copy: the worker of the other tests has no assistant and would hand over what comes in here.
    shutil.copytree(trained, prepared_home.bot / "models")
    home = Home.at(copy_home(prepared_home.root, tmp_path_factory.mktemp("assistant") / "home"))
    names = {"assistant", "actions", "service", "worker", "network"}
    with started(home, names=names) as desk:
        yield desk


@pytest.mark.rasa
def test_the_assistant_hands_over_and_the_agent_answers(
    with_assistant: Running, window: OpenWindow
) -> None:
    agent, customer = window("laptop"), window("phone")
    sign_in(agent, with_assistant)
    write_as(customer, with_assistant, "Noah Berg", "can i talk to a real person please")

    first = customer.page.locator("#messages li.brand .bubble").first
    expect(first).to_contain_text("automated", timeout=60_000)
    open_conversation(agent, "Noah Berg")
    expect(agent.page.locator("#story")).to_contain_text("The customer asked for a person.")
    agent.keep("laptop-assistant")
    agent.page.locator("#text").fill("Hello, this is Olga. How can I help?")
    agent.page.keyboard.press("Control+Enter")
    last = customer.page.locator("#messages li.brand .bubble").last
    expect(last).to_have_text("Hello, this is Olga. How can I help?", timeout=PATIENCE_MS)
