"""Reading, taking, checking and answering a conversation, by the pages and their parts."""

from __future__ import annotations

import re

import pytest

from suggest_api.delivery.model import DeliveryState
from tests.console.conftest import ANSWER, QUESTION, Browser, Office, drafts_in, said

CARD = "Please send me your card number"


def outbox(office: Office) -> list[str]:
    return [delivery.text for delivery in office.parts.deliveries()]


def send_disabled(page: str) -> bool:
    found = re.search(r'<button class="primary" id="send" ?([a-z]*)>', page)
    assert found, page
    return found[1] == "disabled"


def test_the_inbox_lists_who_waits_longest_first(office: Office, ana: Browser) -> None:
    office.customer("first", peer="p1", name="Priya Nair")
    office.parts.clock.forward(600)
    office.customer("second", peer="p2", name="Tom Becker")
    office.parts.clock.forward(6000)

    page = said(ana.get("/console"))

    assert page.index("Priya Nair") < page.index("Tom Becker")
    assert "Waiting 2" in page
    assert "Priya Nair 1 h first generic" in page


def test_an_answered_conversation_moves_to_the_recent_ones(office: Office, ana: Browser) -> None:
    page = office.customer()
    ana.post(f"{page}/reply", text=ANSWER, version=office.version())

    inbox = said(ana.get("/console"))

    assert "Nobody is waiting." in inbox
    assert inbox.index("Recent") < inbox.index("Ana Lima")
    assert "generic, yours" in inbox
    assert "generic, ana has it" in said(office.signed_in("ben").get("/console"))


def test_a_conversation_shows_what_was_said_and_why_it_waits(office: Office, ana: Browser) -> None:
    page = said(ana.get(office.customer()))

    assert QUESTION in page
    assert "The story so far" in page
    assert "First name Ana" in page
    assert "0 of 139 characters" in page
    assert "0 of 139 as X counts" in page


def test_drafts_are_offered_with_approver_and_length_and_stored(
    office: Office, ana: Browser
) -> None:
    answer = ana.part(f"{office.customer()}/drafts")

    (number, text), *others = drafts_in(answer)
    assert text == ANSWER
    assert len(others) <= 2
    assert "71 characters, approved by Noor" in said(answer)
    stored = office.parts.rows("SELECT id, text, channel FROM draft ORDER BY rank")
    assert [(row.id, row.text) for row in stored] == drafts_in(answer)
    assert stored[0].id == number


def test_without_an_answer_that_fits_the_page_says_so(office: Office, ana: Browser) -> None:
    answer = ana.part(f"{office.customer('purple monkey dishwasher')}/drafts")

    assert drafts_in(answer) == []
    assert "Please write your own." in said(answer)


def test_once_answered_drafts_come_back_when_the_customer_writes_or_somebody_asks(
    office: Office, ana: Browser
) -> None:
    page = office.customer()
    ana.post(f"{page}/reply", text=ANSWER, version=office.version())

    answered = ana.part(f"{page}/drafts")
    assert drafts_in(answered) == []
    assert "Answered. New drafts come when the customer writes." in said(answered)
    assert drafts_in(ana.part(f"{page}/drafts?again=1"))[0][1] == ANSWER

    office.customer("how much is left on my gift card")
    assert "under Wallet" in said(ana.part(f"{page}/drafts"))


def test_the_check_counts_both_ways_and_stores_nothing(office: Office, ana: Browser) -> None:
    page = office.customer()
    before = office.version()

    answer = ana.post(
        f"{page}/check", htmx=True, text="Thanks 😀 https://quillhaven.example.com/a"
    )

    code_points = re.search(r'id="code-points">(\d+)<', answer.text)
    weighted = re.search(r'id="weighted">(\d+)<', answer.text)
    assert code_points is not None
    assert weighted is not None
    assert int(code_points[1]) == len("Thanks 😀 https://quillhaven.example.com/a")
    assert int(weighted[1]) == len("Thanks ") + 2 + 1 + 23  # emoji 2, any link 23
    assert office.version() == before
    assert outbox(office) == []


def test_a_blocked_text_names_its_findings_and_cannot_be_sent(
    office: Office, ana: Browser
) -> None:
    page = office.customer()

    answer = ana.post(f"{page}/check", htmx=True, text=CARD)

    assert 'data-outcome="block"' in answer.text
    assert send_disabled(answer.text)
    assert "This cannot be sent as it stands." in said(answer)
    assert '<li class="block">' in answer.text


def test_a_text_that_is_too_long_is_blocked_with_its_length(office: Office, ana: Browser) -> None:
    answer = ana.post(f"{office.customer()}/check", htmx=True, text="a " * 80)

    assert "159 of 139 characters" in said(answer)
    assert answer.text.count('class="over"') == 2
    assert send_disabled(answer.text)


def test_a_fine_text_may_be_sent(office: Office, ana: Browser) -> None:
    answer = ana.post(f"{office.customer()}/check", htmx=True, text=ANSWER)

    assert "Fine to send." in said(answer)
    assert not send_disabled(answer.text)


def test_an_edited_draft_shows_what_was_changed(office: Office, ana: Browser) -> None:
    page = office.customer()
    (draft, text), *_ = drafts_in(ana.part(f"{page}/drafts"))

    answer = ana.post(f"{page}/check", htmx=True, text=text.replace("9", "10"), draft_id=draft)

    assert "Changed from the approved text:" in said(answer)
    assert "<del>9</del>" in answer.text
    assert "<ins>10</ins>" in answer.text


def test_a_sent_draft_is_queued_recorded_and_accepted(office: Office, ana: Browser) -> None:
    page = office.customer()
    (draft, text), *_ = drafts_in(ana.part(f"{page}/drafts"))

    answer = ana.post(
        f"{page}/reply", htmx=True, text=text, draft_id=draft, version=office.version()
    )

    assert answer.status_code == 200
    assert "conversation-changed" in answer.headers["hx-trigger"]
    assert re.search(r"<textarea[^>]*></textarea>", answer.text)
    assert outbox(office) == [ANSWER]
    assert office.parts.conversation().assignee == "ana"
    assert office.parts.value("SELECT state FROM draft WHERE id = :id", id=draft) == "accepted"
    assert "ana took this conversation." in said(ana.part(f"{page}/thread"))
    assert ANSWER in said(ana.part(f"{page}/thread"))


def test_the_same_form_twice_is_sent_once(office: Office, ana: Browser) -> None:
    page = office.customer()
    (draft, text), *_ = drafts_in(ana.part(f"{page}/drafts"))
    form = {"text": text, "draft_id": draft, "version": office.version()}

    first = ana.post(f"{page}/reply", htmx=True, **form)
    second = ana.post(f"{page}/reply", htmx=True, **form)

    assert 'role="alert"' not in first.text
    assert "The conversation changed in between" in said(second)
    assert outbox(office) == [ANSWER]


def test_a_draft_is_sent_once_even_by_a_fresh_form(office: Office, ana: Browser) -> None:
    page = office.customer()
    (draft, text), *_ = drafts_in(ana.part(f"{page}/drafts"))
    for _ in range(2):
        answer = ana.post(
            f"{page}/reply", htmx=True, text=text, draft_id=draft, version=office.version()
        )

    assert "This draft was sent already: ask for drafts again." in said(answer)
    assert outbox(office) == [ANSWER]


def test_a_blocked_reply_keeps_the_text_and_sends_nothing(office: Office, ana: Browser) -> None:
    page = office.customer()

    answer = ana.post(f"{page}/reply", htmx=True, text=CARD, version=office.version())

    assert f">{CARD}</textarea>" in answer.text
    assert 'role="alert"' in answer.text
    assert '<li class="block">' in answer.text
    assert outbox(office) == []
    assert office.parts.conversation().assignee is None


def test_a_reply_to_a_conversation_that_moved_on_keeps_the_text(
    office: Office, ana: Browser
) -> None:
    page = office.customer()
    seen = office.version()
    office.customer("and on sundays?")

    answer = ana.post(f"{page}/reply", htmx=True, text=ANSWER, version=seen)

    assert "look at it again before you answer" in said(answer)
    assert f">{ANSWER}</textarea>" in re.sub("&#39;", "'", answer.text)
    assert f'id="version" value="{office.version()}"' in answer.text
    assert outbox(office) == []


def test_nobody_answers_in_a_conversation_of_somebody_else(office: Office, ana: Browser) -> None:
    page = office.customer()
    assert ana.post(f"{page}/claim", version=office.version()).status_code == 303
    ben = office.signed_in("ben")

    shown = ben.get(page)
    assert "ana has this one" in said(shown)
    assert send_disabled(shown.text)
    answer = ben.post(f"{page}/reply", htmx=True, text=ANSWER, version=office.version())
    assert "ana has this conversation: ask them to release it." in said(answer).replace(
        "Ana", "ana"
    )
    assert outbox(office) == []


def test_of_two_who_take_it_at_once_one_is_told(office: Office, ana: Browser) -> None:
    page = office.customer()
    ben = office.signed_in("ben")
    seen = office.version()

    assert ana.post(f"{page}/claim", version=seen).headers["location"] == page
    answer = ben.post(f"{page}/claim", version=seen)

    assert answer.status_code == 409
    assert 'role="alert"' in answer.text
    assert "ana has this one" in said(answer)
    assert office.parts.conversation().assignee == "ana"


def test_what_was_put_back_waits_for_the_next_one(office: Office, ana: Browser) -> None:
    page = office.customer()
    ana.post(f"{page}/claim", version=office.version())

    answer = ana.post(f"{page}/release", version=office.version(), to="person")

    assert answer.headers["location"] == "/console"
    assert office.parts.conversation().assignee is None
    assert "for somebody else to take" in said(ana.part(f"{page}/thread"))
    ben = office.signed_in("ben")
    assert ben.post(f"{page}/claim", version=office.version()).status_code == 303


def test_nobody_puts_back_what_somebody_else_has(office: Office, ana: Browser) -> None:
    page = office.customer()
    ana.post(f"{page}/claim", version=office.version())

    answer = office.signed_in("ben").post(f"{page}/release", version=office.version())

    assert answer.status_code == 409
    assert office.parts.conversation().assignee == "ana"


@pytest.mark.parametrize("text", ["", "   ", "\r\n \t\r\n"])
def test_an_empty_reply_is_refused(office: Office, ana: Browser, text: str) -> None:
    page = office.customer()

    answer = ana.post(f"{page}/reply", htmx=True, text=text, version=office.version())

    assert "The reply is empty" in said(answer)
    assert outbox(office) == []


def test_a_break_in_a_reply_becomes_a_space(office: Office, ana: Browser) -> None:
    page = office.customer()

    ana.post(f"{page}/reply", htmx=True, text="Hello,\r\nwe open at 9.", version=office.version())

    assert outbox(office) == ["Hello, we open at 9."]


@pytest.mark.parametrize(
    "form",
    [
        {"version": "x"},
        {"version": "-1"},
        {"version": str(2**63)},
        {"draft_id": "no id"},
        {"text": "x" * 1001},
        {"reason": "x" * 301},
    ],
)
def test_a_form_that_our_page_never_sends_is_refused_whole(
    office: Office, ana: Browser, form: dict[str, str]
) -> None:
    page = office.customer()
    fields = {"version": str(office.version()), "text": ANSWER, **form}

    answer = ana.post(f"{page}/reply", htmx=True, **fields)

    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/plain")
    assert next(iter(form)) in answer.text
    assert outbox(office) == []


def test_a_draft_of_another_conversation_is_no_draft_here(office: Office, ana: Browser) -> None:
    other = office.customer(peer="p2")
    (draft, text), *_ = drafts_in(ana.part(f"{other}/drafts"))
    page = office.customer()

    checked = ana.post(f"{page}/check", htmx=True, text="Changed", draft_id=draft)
    answer = ana.post(
        f"{page}/reply", htmx=True, text=text, draft_id=draft, version=office.version()
    )

    assert "Changed from the approved text" not in said(checked)
    assert "This draft was offered for another conversation" in said(answer)
    assert outbox(office) == []


class TestWithoutJavaScript:
    """Plain links and forms: whole pages come back."""

    def test_drafts_are_a_link_away_and_one_more_inserts_one(
        self, office: Office, ana: Browser
    ) -> None:
        page = office.customer()
        assert f'<noscript><a class="secondary" href="{page}?drafts=1">' in ana.get(page).text

        (draft, text), *_ = drafts_in(ana.get(f"{page}?drafts=1"))
        inserted = ana.get(f"{page}?draft={draft}")

        assert text == ANSWER
        assert f'id="draft_id" value="{draft}"' in inserted.text
        assert "71 of 139 characters" in said(inserted)
        assert not send_disabled(inserted.text)

    def test_a_sent_reply_leads_back_to_the_conversation(
        self, office: Office, ana: Browser
    ) -> None:
        page = office.customer()
        assert not send_disabled(ana.get(page).text)  # an empty field: the browser asks for a text

        answer = ana.post(f"{page}/reply", text=ANSWER, version=office.version())

        assert answer.status_code == 303
        assert answer.headers["location"] == page
        assert outbox(office) == [ANSWER]

    def test_a_refused_reply_is_a_whole_page_that_keeps_the_text(
        self, office: Office, ana: Browser
    ) -> None:
        page = office.customer()

        answer = ana.post(f"{page}/reply", text=CARD, version=office.version())

        assert answer.status_code == 422
        assert answer.text.startswith("<!doctype html>")
        assert f">{CARD}</textarea>" in answer.text
        assert QUESTION in said(answer)


class TestDelivery:
    """Replies that nobody can vouch for."""

    def dead(self, office: Office, ana: Browser) -> str:
        page = office.customer()
        ana.post(f"{page}/reply", text=ANSWER, version=office.version())
        with office.parts.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE outbox SET state = ?, failure = 'no route'",
                (DeliveryState.DEAD.value,),
            )
        return office.parts.deliveries()[0].id

    def test_they_are_listed_counted_and_shown_in_the_thread(
        self, office: Office, ana: Browser
    ) -> None:
        assert "Every reply has arrived or is on its way." in said(ana.get("/console/delivery"))
        self.dead(office, ana)

        listed = said(ana.get("/console/delivery"))
        assert "Ana Lima could not be sent" in listed
        assert "No route." in listed
        assert said(ana.part("/console/delivery/count")) == "1"
        thread = ana.part(f"/console/conversations/{office.parts.conversation().id}/thread")
        assert "could not be sent" in said(thread)

    @pytest.mark.parametrize(("action", "state"), [("resend", "ready"), ("discard", "cancelled")])
    def test_a_decision_is_carried_out_once(
        self, office: Office, ana: Browser, action: str, state: str
    ) -> None:
        number = self.dead(office, ana)

        answer = ana.post(f"/console/delivery/{number}/{action}")
        again = ana.post(f"/console/delivery/{number}/{action}")

        assert answer.headers["location"] == "/console/delivery"
        assert office.parts.deliveries()[0].state == state
        assert f"This reply is {state} by now" in said(again)

    def test_another_step_does_not_exist(self, office: Office, ana: Browser) -> None:
        number = self.dead(office, ana)

        assert ana.post(f"/console/delivery/{number}/forget").status_code == 422
        assert office.parts.deliveries()[0].state == DeliveryState.DEAD
