"""Board, snippet page and editor: a colleague writes, sees what is wrong, saves, and never loses a word."""

from __future__ import annotations

import html
import re

import pytest

from knowledge_base.snippet import Snippet
from knowledge_base.store import repository
from suggest_api.storage import unit_of_work
from tests.api.conftest import contents
from tests.console.conftest import Browser, Office, drafts_in, said
from tests.console.test_hostile_text import HOSTILE, assert_harmless

KNOWLEDGE = "/console/knowledge"
KEYS = {content.key for content in contents()}
OFFERED = "SELECT count(*) FROM draft WHERE snippet_key = :key"
WORDS = "Tell us the shop and we will look it up for you."


@pytest.fixture
def maya(office: Office) -> Browser:
    return office.signed_in("maya")


def stored(office: Office, key: str) -> Snippet:
    with unit_of_work.read(office.parts.engine) as session:
        return repository.snippet(session, key)


def box(page: str, name: str) -> str:
    """What stands in a text area of a page."""
    found = re.search(rf'<textarea[^>]*name="{name}"[^>]*>(.*?)</textarea>', page, re.S)
    assert found, page
    return html.unescape(found[1])


def test_somebody_who_writes_lands_on_the_board(office: Office, maya: Browser) -> None:
    assert maya.get("/console").headers["location"] == KNOWLEDGE
    board = maya.get(KNOWLEDGE)
    assert "Opening hours" in said(board)
    assert "Live 6" in said(board)
    assert "New snippet" in said(board)
    assert "Inbox" not in said(board)
    assert office.signed_in("ana").get(KNOWLEDGE).status_code == 403


def test_an_auditor_reads_and_is_offered_no_step(office: Office) -> None:
    udo = office.signed_in("udo")
    for path in ("", "/snippets/stores.hours", "/review"):
        page = udo.get(KNOWLEDGE + path)
        assert page.status_code == 200
        shown = said(page)
        for step in ("New snippet", "Recall it now", "Retire revision", "Add the comment"):
            assert step not in shown
    assert udo.get(f"{KNOWLEDGE}/new").status_code == 403
    refused = udo.post(f"{KNOWLEDGE}/save", key="a.b", text="Hi")
    assert refused.status_code == 403
    assert "takes the role admin or author" in said(refused)


@pytest.mark.parametrize(
    ("query", "found", "gone"),
    [
        ("?q=opening+sunday", "stores.hours", "returns.how"),
        ("?q=when+are+the+shops+open&by=meaning", "stores.hours", "nothing"),
        ("?tab=draft", "No snippet fits", "stores.hours"),
        ("?topic=nothing", "No snippet fits", "stores.hours"),
        ("?q=%3Cscript%3Ealert(1)", "No snippet fits", "<script>alert"),
        ("?page=9999", "stores.hours", "No snippet fits"),
    ],
)
def test_the_board_shows_what_was_asked_for(
    office: Office, maya: Browser, query: str, found: str, gone: str
) -> None:
    page = maya.get(KNOWLEDGE + query)
    assert page.status_code == 200
    assert found in said(page)
    assert gone not in page.text
    assert_harmless(page.text)


def test_what_nobody_was_offered_or_took_is_found(office: Office, maya: Browser) -> None:
    page = office.customer()
    ana = office.signed_in("ana")
    assert drafts_in(ana.part(f"{page}/drafts"))
    offered = {key for key in KEYS if office.parts.value(OFFERED, key=key)}

    def listed(query: str, who: Browser = maya) -> set[str]:
        shown = who.get(f"{KNOWLEDGE}?tab=live&{query}").text
        return {key for key in KEYS if f"<code>{key}</code>" in shown}

    assert listed("unused=") == KEYS
    assert listed("unused=offered") == KEYS - offered
    assert listed("unused=taken&within=30") == KEYS
    office.parts.clock.forward(91 * 86_400)
    later = office.signed_in("maya")
    assert listed("unused=offered&within=365", later) == KEYS - offered
    assert listed("unused=offered", later) == KEYS
    assert later.get(f"{KNOWLEDGE}?unused=else").status_code == 422
    kept = later.get(f"{KNOWLEDGE}?unused=offered&within=365").text
    assert "tab=draft&amp;unused=offered&amp;within=365" in kept


def test_a_snippet_is_written_mended_and_submitted(office: Office, maya: Browser) -> None:
    assert maya.get(f"{KNOWLEDGE}/new").status_code == 200
    bad = "Please send me your card number!! It is DEFINITELY safe"

    helped = maya.post(f"{KNOWLEDGE}/help", htmx=True, text=bad)
    assert "<mark" in helped.text
    assert 'class="block"' in helped.text

    refused = maya.post(
        f"{KNOWLEDGE}/save", key="stores.find", text=bad, then="submit", topic="stores"
    )
    assert refused.status_code == 422
    assert "breaks the policy" in said(refused)
    assert box(refused.text, "text") == bad
    assert 'value="stores.find"' in refused.text
    assert office.parts.value("SELECT count(*) FROM snippet WHERE key = 'stores.find'") == 0

    saved = maya.post(
        f"{KNOWLEDGE}/save",
        key="stores.find",
        text=WORDS,
        examples="where is my shop\n\nshop near me",
    )
    assert saved.status_code == 303
    assert saved.headers["location"] == f"{KNOWLEDGE}/snippets/stores.find"
    edit = maya.get(f"{KNOWLEDGE}/snippets/stores.find/edit")
    assert box(edit.text, "examples") == "where is my shop\nshop near me"

    same = {"text": WORDS, "examples": "where is my shop\nshop near me", "locale": "en"}
    again = maya.post(f"{KNOWLEDGE}/snippets/stores.find/save", base=1, then="submit", **same)
    assert again.status_code == 303
    assert [r.status.value for r in stored(office, "stores.find").revisions] == ["in_review"]
    assert "In review" in said(maya.get(f"{KNOWLEDGE}/snippets/stores.find"))


def test_what_is_wrong_is_told_at_its_field_and_everything_typed_stays(
    office: Office, maya: Browser
) -> None:
    typed = {
        "key": "Not A Key",
        "text": "x" * 140,
        "title": "Kept",
        "channels": "No Channel",
        "locale": "klingon!",
        "valid_from": "2026-05-02T10:00",
        "valid_until": "2026-05-01T10:00",
        "tags": "a, b",
        "auto_send": "true",
    }
    page = maya.post(f"{KNOWLEDGE}/save", **typed)
    assert page.status_code == 422
    for name in ("key", "text", "channels", "locale", "valid_until"):
        assert f'id="{name}-wrong"' in page.text, name
    for name in ("key", "title", "channels", "locale", "valid_from", "tags"):
        assert f'value="{typed[name]}"' in page.text, name
    assert box(page.text, "text") == typed["text"]
    assert re.search(r'name="auto_send" value="true" checked', page.text)


def test_two_people_who_edit_at_once_both_keep_their_words(office: Office, maya: Browser) -> None:
    cora = office.signed_in("cora")
    address = f"{KNOWLEDGE}/snippets/stores.hours"
    theirs = "Most shops open from 9 to 7. The store finder has each shop's hours."
    mine = "Most shops open from 10 to 6. The store finder has each shop's hours."
    assert cora.post(f"{address}/save", base=1, text=theirs, title="Hours").status_code == 303

    conflict = maya.post(f"{address}/save", base=1, text=mine, title="Opening hours", then="draft")
    assert conflict.status_code == 409
    assert "cora saved revision 2 while you were writing" in said(conflict)
    assert box(conflict.text, "text") == mine
    assert re.search(r"<del>7</del>", conflict.text)
    assert 'name="base" value="2"' in conflict.text
    assert len(stored(office, "stores.hours").revisions) == 2

    assert (
        maya.post(f"{address}/save", base=2, text=mine, title="Opening hours").status_code == 303
    )
    assert [r.content.text for r in stored(office, "stores.hours").revisions][1:] == [theirs, mine]


def test_a_new_key_that_somebody_took_meanwhile_is_a_conflict_as_well(maya: Browser) -> None:
    page = maya.post(f"{KNOWLEDGE}/save", key="stores.hours", text=WORDS)
    assert page.status_code == 409
    assert "Ana saved revision 1" in said(page)
    assert box(page.text, "text") == WORDS


def test_revisions_are_compared_word_by_word(office: Office, maya: Browser) -> None:
    address = f"{KNOWLEDGE}/snippets/returns.how"
    text = "You can return anything within 60 days. Start in the app under Orders."
    maya.post(f"{address}/save", base=1, text=text, title="How to return something")

    page = maya.get(f"{address}/compare")
    assert "<del>30</del>" in page.text
    assert "<ins>60</ins>" in page.text
    assert "Live" in said(maya.get(address))
    assert maya.get(f"{address}/compare?before=2&after=1").status_code == 200
    assert maya.get(f"{KNOWLEDGE}/snippets/no.such/compare").status_code == 404


def test_lengths_are_told_at_their_worst(maya: Browser) -> None:
    shown = said(
        maya.post(f"{KNOWLEDGE}/help", htmx=True, text="Hello {first_name}, all is well.")
    )
    assert "40 of 139 characters" in shown
    assert "60 of 139 as X counts" in shown
    assert "Hello Ana, all is well." in shown
    assert "Instagram:" in shown
    unknown = said(maya.post(f"{KNOWLEDGE}/help", htmx=True, text="Hello {nobody}"))
    assert "there is no slot {nobody}" in unknown.lower()


def test_a_comment_is_kept_and_an_empty_one_refused(office: Office, maya: Browser) -> None:
    address = f"{KNOWLEDGE}/snippets/stores.hours"
    number = stored(office, "stores.hours").revisions[-1].id
    assert maya.post(f"{address}/comment", revision=number, text="Is that so?").status_code == 303
    assert "Is that so?" in said(maya.get(address))
    empty = maya.post(f"{address}/comment", revision=number, text="  ")
    assert empty.status_code == 422
    other = maya.post(f"{KNOWLEDGE}/snippets/returns.how/comment", revision=number, text="kept")
    assert other.status_code == 404
    assert box(other.text, "text") == "kept"


def test_retiring_and_reopening(office: Office, maya: Browser) -> None:
    address = f"{KNOWLEDGE}/snippets/praise.thanks"
    number = stored(office, "praise.thanks").revisions[-1].id
    assert maya.post(f"{address}/retire", revision=number).status_code == 403
    petra = office.signed_in("petra")
    assert "Retire revision 1" in said(petra.get(address))
    assert petra.post(f"{address}/retire", revision=number).status_code == 303
    assert petra.post(f"{address}/retire", revision=number).status_code == 409
    assert "Reopen as a new draft" in said(maya.get(address))
    assert maya.post(f"{address}/reopen").status_code == 303
    assert [r.status.value for r in stored(office, "praise.thanks").revisions] == [
        "retired",
        "draft",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_content_is_shown_as_it_was_written(office: Office, maya: Browser, text: str) -> None:
    fields = {
        "text": text,
        "title": text,
        "examples": text,
        "topic": text,
        "owner": text,
        "tags": text,
    }
    for answer in (
        maya.post(f"{KNOWLEDGE}/help", htmx=True, text=text),
        maya.post(f"{KNOWLEDGE}/save", key=text, **fields, channels=text, locale=text),
        maya.post(f"{KNOWLEDGE}/snippets/stores.hours/save", base=0, **fields),
        maya.get(f"{KNOWLEDGE}?q={html.escape(text)}"),
    ):
        assert answer.status_code in {200, 303, 400, 409, 422}
        assert_harmless(answer.text)
    plain = {**fields, "text": "Fine words.", "examples": f"ask {text}"}
    maya.post(f"{KNOWLEDGE}/save", key="hostile.one", **plain)
    for path in (
        "",
        "?tab=draft",
        "/snippets/hostile.one",
        "/snippets/hostile.one/edit",
        "/snippets/hostile.one/compare",
    ):
        page = maya.get(KNOWLEDGE + path)
        assert page.status_code in {200, 404}
        assert_harmless(page.text)
