"""Help while writing, and how often snippets are used: on a real index, policy and database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from knowledge_base.curation.outlook import READ_AT_ONCE
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import golden, repository
from suggest_api import flow
from suggest_api.compliance.holder import FixedPolicy
from suggest_api.flow import Desk
from suggest_api.flow.usage import Usage, usage, used
from suggest_api.flow.writing import WritingHelp, help_with
from suggest_api.storage import unit_of_work
from tests.api.conftest import Service
from tests.conftest import NOW

HOURS = "stores.hours"
QUESTION = "what time does the shop close"


def ask(desk: Desk, content: SnippetContent) -> WritingHelp:
    with unit_of_work.read(desk.engine) as session:
        return help_with(desk, content, session=session)


def live(desk: Desk, key: str = HOURS) -> SnippetContent:
    with unit_of_work.read(desk.engine) as session:
        found = repository.live_revision(session, key)
    assert found is not None
    return found.content


def test_both_lengths_are_told_as_they_stand_and_at_their_worst(desk: Desk) -> None:
    text = "Sorry that {order_number} is late, {first_name}. I am checking where it is."
    told = ask(desk, SnippetContent(key="a.new", text=text))
    assert told.plain.code_points == len(text)
    assert {slot.name: slot.max_code_points for slot in told.slots} == {
        "order_number": 10,
        "first_name": 20,
    }
    assert told.worst.code_points == len(text) - len("{order_number}{first_name}") + 30
    shown = {each.channel: each for each in told.channels}
    assert "QH-1048213 is late, Ana." in shown["instagram"].preview
    assert [length.unit for length in shown["bluesky"].lengths] == ["graphemes", "bytes"]
    assert not told.blocked


def test_findings_have_their_place_and_a_way_to_mend_them_for_each_channel(desk: Desk) -> None:
    text = "Send your card number to pay@quillhaven.example.com and we will help."
    told = ask(desk, SnippetContent(key="a.new", text=text, channels=("x", "sms")))
    assert [each.channel for each in told.channels] == ["x", "sms"]
    assert told.blocked
    for each in told.channels:
        assert each.blocked
        assert any(f.span is not None and f.mend for f in each.findings)


@pytest.mark.parametrize(
    ("text", "unusable", "blocked"),
    [
        ("", False, True),
        ("   ", False, True),
        ("Hello {nobody}.", True, True),
        ("Hello {first_name", True, True),
        ("word " * 60, False, True),
        ("We open at nine.", False, False),
        ("\u202eevil", True, True),
    ],
)
def test_whatever_is_typed_is_answered(
    desk: Desk, text: str, unusable: bool, blocked: bool
) -> None:
    told = ask(desk, SnippetContent(key="a.new", text=text))
    assert (bool(told.unusable), told.blocked) == (unusable, blocked)
    assert told.text == " ".join(text.split())


def test_similar_snippets_are_named_with_their_status(desk: Desk) -> None:
    told = ask(desk, replace(live(desk), key="a.copy"))
    assert told.similar[0].key == HOURS
    assert told.similar[0].revision.live
    assert told.similar[0].sort == "duplicate"


class TestGolden:
    @pytest.fixture(autouse=True)
    def _questions(self, desk: Desk) -> None:
        with unit_of_work.write(desk.engine) as session:
            golden.add(session, QUESTION, expected_key=HOURS, must_pass=True, by="maya", now=NOW)
            golden.add(
                session, "where is my parcel", expected_key="delivery.late", by="maya", now=NOW
            )
            golden.add(session, "xyzzy plugh quux", expected_key=None, by="maya", now=NOW)

    def test_what_is_live_wins_and_loses_nothing_by_staying_as_it_is(self, desk: Desk) -> None:
        for key in (HOURS, "delivery.late", "returns.how"):
            told = ask(desk, live(desk, key)).golden
            assert told is not None
            assert (told.won, told.lost, told.read, told.total) == ((), (), 3, 3)

    def test_a_snippet_that_forgets_its_phrasings_loses_its_question(self, desk: Desk) -> None:
        emptied = replace(
            live(desk),
            title="Gift cards",
            text="You can return anything.",
            examples=("a voucher",),
        )
        told = ask(desk, emptied).golden
        assert told is not None
        assert [(c.question, c.before, c.must_pass) for c in told.lost] == [
            (QUESTION, HOURS, True)
        ]
        assert told.won == ()

    def test_another_that_says_the_same_more_nearly_takes_the_question(self, desk: Desk) -> None:
        thief = SnippetContent(key="a.thief", text=QUESTION, title=QUESTION, examples=(QUESTION,))
        told = ask(desk, thief).golden
        assert told is not None
        assert [(c.question, c.after) for c in told.lost] == [(QUESTION, "a.thief")]

    def test_a_question_that_nothing_answers_is_won(self, desk: Desk) -> None:
        with unit_of_work.write(desk.engine) as session:
            repository.add_revision(
                session, SnippetContent(key="a.new", text="x"), author="ana", now=NOW
            )
            asked = "do you sell furniture insurance"
            golden.add(session, asked, expected_key="a.new", by="maya", now=NOW)
        new = SnippetContent(key="a.new", text=asked, title=asked, examples=(asked,))
        told = ask(desk, new).golden
        assert told is not None
        assert [c.question for c in told.won] in ([asked], [])  # its words may be unknown here

    def test_many_questions_are_read_little_by_little(self, desk: Desk) -> None:
        with unit_of_work.write(desk.engine) as session:
            for number in range(READ_AT_ONCE + 2):
                golden.add(session, f"{QUESTION} {number}", expected_key=HOURS, by="maya", now=NOW)
        read = [ask(desk, live(desk)).golden for _ in range(3)]
        assert [told.read for told in read if told is not None] == [
            READ_AT_ONCE, 2 * READ_AT_ONCE - 1, 2 * READ_AT_ONCE - 1,
        ]  # fmt: skip


def test_without_an_index_and_a_policy_there_is_still_the_length(desk: Desk) -> None:
    bare = replace(
        desk, policies=FixedPolicy(None), generations=type(desk.generations)(desk.settings.place)
    )
    (desk.settings.place.index / "CURRENT").unlink()
    told = ask(bare, SnippetContent(key="a.new", text="We open at nine."))
    assert (told.similar, told.golden, told.blocked) == ((), None, True)
    assert told.worst.code_points == 16


def test_use_is_counted_for_each_snippet(service: Service) -> None:
    desk = service.desk
    answers = [service.suggest(QUESTION)["suggestions"][0] for _ in range(4)]
    assert {answer["snippet_key"] for answer in answers} == {HOURS}
    text = answers[0]["text"]
    for answer, body in zip(
        answers,
        (
            {"action": "sent"},
            {"action": "edited", "final_text": text.replace("Most", "Nearly all")},
            {"action": "dismissed"},
        ),
        strict=False,
    ):
        path = f"/v1/suggestions/{answer['draft_id']}/feedback"
        assert service.post(path, {**body, "reason": "as it was"}).status_code == 200
    with unit_of_work.read(desk.engine) as session:
        found = usage(session, [HOURS, "returns.how"], since=NOW)
        later = usage(session, [HOURS], since=NOW + timedelta(seconds=1))
        everything = used(session, since=NOW)
        taken = used(session, since=NOW, taken=True)
        nothing = used(session, since=NOW + timedelta(seconds=1))
    assert found[HOURS] == Usage(shown=4, accepted=1, edited=1, dismissed=1)
    assert found[HOURS].acceptance == pytest.approx(2 / 3)
    assert found["returns.how"] == later[HOURS] == Usage()
    assert Usage().acceptance is None
    offered = {
        each["snippet_key"]
        for answer in (service.suggest(QUESTION),)
        for each in answer["suggestions"]
    }
    assert everything == offered
    assert (taken, nothing) == ({HOURS}, frozenset())


def test_flow_and_help_share_the_generation(desk: Desk) -> None:
    held = desk.generations.in_service
    assert held is not None
    assert ask(desk, live(desk)).golden is not None
    assert desk.generations.in_service is held
    assert flow.judge(desk, "We open at nine.", channel="generic").outcome.value == "pass"
