"""What customers write and call themselves is shown as they wrote it, and never does anything."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest

from suggest_api.delivery.model import DeliveryState
from tests.console.conftest import Browser, Office, said

SCRIPT = "<script>alert(1)</script>"
HOSTILE = [
    SCRIPT,
    "<img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    "' autofocus onfocus=alert(1) x='",
    "</textarea><h1>gone</h1>",
    "{{7*7}} {% raw %} ${7*7} #{7*7}",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "javascript:alert(1)",
    "<a href=//evil.example.com hx-get=/console/sign-out hx-trigger=load>x</a>",
]
PARTS = ("", "/thread", "/head", "/story", "/drafts")
# What turns the direction of the text around it, or cannot be seen at all.
TRICKS = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u2060\ufeff\u00ad"


class Elements(HTMLParser):
    """Every element and attribute of a page, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in {"href", "src", "action", "hx-get", "hx-post"}:
                self.addresses.append(value or "")


def assert_harmless(page: str) -> None:
    found = Elements(page)
    assert not {name for name in found.attributes if name.startswith("on")}
    assert not {"img", "svg", "iframe", "object"} & set(found.tags)
    for address in found.addresses:
        assert address.startswith("/console") or address == "#main", address
    for source in re.findall(r"<script([^>]*)>", page):
        assert 'src="/console/static/' in source


@pytest.mark.parametrize("text", HOSTILE)
def test_a_message_is_shown_as_it_was_written_on_every_page(
    office: Office, ana: Browser, text: str
) -> None:
    page = office.customer(text)
    for part in PARTS:
        answer = ana.get(page + part)
        assert answer.status_code == 200
        assert_harmless(answer.text)
    assert text in html.unescape(ana.get(f"{page}/thread").text)
    assert_harmless(ana.get("/console").text)
    assert text in html.unescape(ana.get("/console").text)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_as_it_was_given_on_every_page(
    office: Office, ana: Browser, name: str
) -> None:
    page = office.customer("Hello", name=name)
    for path in (*(page + part for part in PARTS), "/console", "/console/inbox"):
        answer = ana.get(path)
        assert answer.status_code == 200
        assert_harmless(answer.text)
    assert name in html.unescape(ana.get(page).text)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_an_agent_typed_comes_back_as_it_was_typed(
    office: Office, ana: Browser, text: str
) -> None:
    page = office.customer()

    checked = ana.post(f"{page}/check", htmx=True, text=text, reason=text)
    refused = ana.post(
        f"{page}/reply", text=text + " your card number please" * 9, version=office.version()
    )

    assert checked.status_code == 200
    assert refused.status_code == 422
    for answer in (checked, refused):
        assert_harmless(answer.text)
        assert Elements(answer.text).tags.count("h1") == (0 if answer is checked else 2)
    box = re.search(r"<textarea[^>]*>(.*?)</textarea>", refused.text, re.S)
    assert box is not None
    assert html.unescape(box[1]).startswith(text)


def test_a_reply_that_needs_a_decision_is_shown_as_text(office: Office, ana: Browser) -> None:
    page = office.customer(SCRIPT, name=SCRIPT)
    ana.post(f"{page}/reply", text="Sizes 1 < 2 & 3 > 2", version=office.version())
    with office.parts.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE outbox SET state = ?, failure = ?",
            (DeliveryState.DEAD.value, SCRIPT),
        )

    for path in ("/console/delivery", "/console/delivery/rows", page):
        answer = ana.get(path)
        assert_harmless(answer.text)
        assert "Sizes 1 < 2 & 3 > 2" in html.unescape(answer.text)


def test_invisible_and_turning_characters_do_not_reach_a_page(
    office: Office, ana: Browser
) -> None:
    page = office.customer(f"pay{TRICKS} me", name=f"Ana{TRICKS} Lima")
    for path in (*(page + part for part in PARTS), "/console", "/console/inbox"):
        shown = html.unescape(ana.get(path).text)
        assert not set(shown) & set(TRICKS), path
    assert "Ana" in said(ana.get(f"{page}/head"))


def test_a_text_from_right_to_left_turns_only_itself(office: Office, ana: Browser) -> None:
    page = office.customer("أين طلبي؟", name="محمد")
    thread = ana.get(f"{page}/thread").text

    assert '<div class="bubble" dir="auto">أين طلبي؟</div>' in thread
    assert "<bdi>محمد</bdi>" in thread
