"""The steps of a draft, what an edit changed, and when two drafts are the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.policy import Outcome, Verdict
from suggest_api.drafts import model
from suggest_api.drafts.model import Draft, DraftState, difference
from suggest_api.errors import DraftDecided
from suggest_api.suggestions.model import near_identical
from suggest_api.values import CheckedText, Use, sha256
from tests.conftest import NOW

LATER = NOW + timedelta(minutes=5)
TEXT = "We will look into it."


def checked(text: str) -> CheckedText:
    verdict = Verdict(Outcome.pass_, "1", (), sha256(text))
    return CheckedText(text=text, sha256=sha256(text), verdict=verdict)


def draft(state: DraftState = DraftState.PROPOSED) -> Draft:
    decided = state is not DraftState.PROPOSED
    return Draft(
        id="d" * 32, request_id="r", conversation_id=None, channel="generic", use=Use.AGENT,
        rank=1, snippet_key="k", revision_id=1, text=TEXT, text_sha256=sha256(TEXT), proof={},
        proof_sha256="", created_at=NOW, state=state,
        decided_by="Ana" if decided else None, decided_at=NOW if decided else None,
    )  # fmt: skip


def step(name: str, before: Draft, text: str = TEXT) -> Draft:
    if name == "dismissed":
        return model.dismiss(before, by="Bea", at=LATER)
    if name == "sent":
        return model.mark_sent(before)
    take = model.edit if name == "edited" else model.accept
    return take(before, final=checked(text), by="Bea", at=LATER)


ALLOWED = {
    ("proposed", "edited"), ("proposed", "accepted"), ("proposed", "dismissed"),
    ("edited", "accepted"), ("edited", "dismissed"), ("accepted", "sent"),
}  # fmt: skip
# Telling the same again, with the same text, changes nothing.
REPEATED = {
    ("edited", "edited"), ("accepted", "accepted"), ("accepted", "edited"), ("sent", "sent"),
    ("sent", "accepted"), ("sent", "edited"), ("dismissed", "dismissed"),
}  # fmt: skip


@pytest.mark.parametrize("state", DraftState)
@pytest.mark.parametrize("name", ["edited", "accepted", "sent", "dismissed"])
def test_every_step_from_every_state(state: DraftState, name: str) -> None:
    before = draft(state)
    if (state.value, name) in ALLOWED:
        assert step(name, before).state.value == name
    elif (state.value, name) in REPEATED:
        assert step(name, before) is before
    else:
        with pytest.raises(DraftDecided, match=state.value):
            step(name, before)


@pytest.mark.parametrize("state", [DraftState.ACCEPTED, DraftState.SENT])
@pytest.mark.parametrize("name", ["edited", "accepted"])
def test_another_text_contradicts_a_decision(state: DraftState, name: str) -> None:
    with pytest.raises(DraftDecided):
        step(name, draft(state), "Something else.")


def test_an_edit_can_be_edited_again_and_taken_back() -> None:
    once = step("edited", draft(), "First try.")
    twice = step("edited", once, "Second try.")
    assert (twice.outgoing_text, twice.decided_by) == ("Second try.", "Bea")
    back = step("edited", twice, TEXT)
    assert (back.final_text, back.final_verdict, back.outgoing_text) == (None, None, TEXT)


def test_who_accepted_stays_when_it_is_sent() -> None:
    sent = step("sent", step("accepted", draft(), "Changed."))
    assert (sent.decided_by, sent.decided_at, sent.outgoing_text) == ("Bea", LATER, "Changed.")


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_difference_turns_the_approved_text_into_the_final_one(was: str, now: str) -> None:
    made = was
    for change in reversed(difference(was, now)):
        start, end = change["approved"]
        assert was[start:end] == change["was"]
        made = made[:start] + change["is"] + made[end:]
    assert made == now


class TestNearIdentical:
    LONG = "You can return most items within 30 days of delivery or purchase with the tags on."

    @pytest.mark.parametrize(
        "other",
        [LONG, LONG.upper(), LONG.replace(".", "!"), LONG.replace("most items", "most  items"),
         LONG.replace("purchase", "order")],
    )  # fmt: skip
    def test_the_same_said_twice(self, other: str) -> None:
        assert near_identical(self.LONG, other)
        assert near_identical(other, self.LONG)

    @pytest.mark.parametrize(
        "other",
        [LONG.replace("30", "14"), LONG.replace("can return", "can not return"),
         LONG.replace("You can", "You can't"), LONG.replace("with the", "without the"),
         "Returns are free, by drop-off point or in any shop.", ""],
    )  # fmt: skip
    def test_another_answer_however_alike(self, other: str) -> None:
        assert not near_identical(self.LONG, other)

    @given(st.text(max_size=80), st.text(max_size=80))
    def test_it_has_no_direction(self, one: str, other: str) -> None:
        assert near_identical(one, other) == near_identical(other, one)
        assert near_identical(one, one)
