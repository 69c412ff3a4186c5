"""Phrasings from accepted suggestions are proposed, masked, and enter a snippet only through two people."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from knowledge_base.errors import NotFound, SamePerson, WorkflowError
from knowledge_base.snippet import Revision, Status
from knowledge_base.store import audit
from knowledge_base.store.repository import approve, live_revision, submit
from suggest_api.coverage.model import PhrasingProposal, ProposalState
from suggest_api.drafts.model import DraftState
from suggest_api.flow.coverage import sweep_questions
from suggest_api.flow.feedback import feedback
from suggest_api.flow.phrasings import accept_phrasings, decline_phrasings, list_phrasings
from suggest_api.storage import unit_of_work
from tests.doubles.desk import Parts
from tests.doubles.rasa import Rasa, hand_over
from tests.flow.test_gate import RETURNS, offer

ASKED = "how do I return this, I am Ana Lima, order QH-1048213"


@pytest.fixture
def waiting(parts: Parts, rasa: Rasa) -> Parts:
    rasa.reply = lambda m, e: [hand_over()]
    parts.write(ASKED)
    parts.drain()
    return parts


def proposals(parts: Parts, **more: Any) -> tuple[PhrasingProposal, ...]:
    with unit_of_work.read(parts.engine) as session:
        return list_phrasings(session, **more)


def sent(parts: Parts, words: str = RETURNS, **content: Any) -> PhrasingProposal:
    """An agent sends a draft as it is; gives what is proposed."""
    parts.reply(words, draft_id=offer(parts, words, **content))
    return proposals(parts)[0]


def accept(parts: Parts, *ids: int, by: str = "Kim") -> Revision:
    with unit_of_work.write(parts.engine) as session:
        return accept_phrasings(parts.desk, session, ids, by=by)


def test_an_accepted_suggestion_proposes_the_question_masked(waiting: Parts) -> None:
    proposal = sent(waiting)
    assert proposal.phrasing == "how do I return this, I am"
    assert (proposal.count, proposal.state) == (1, ProposalState.PROPOSED)
    assert proposal.first_seen_at == proposal.last_seen_at == waiting.clock()
    with unit_of_work.read(waiting.engine) as session:
        live = live_revision(session, proposal.snippet_key)
    assert live is not None
    assert live.content.examples == ()


def test_an_edited_one_proposes_nothing(waiting: Parts) -> None:
    waiting.reply(RETURNS.replace("Start", "Begin"), draft_id=offer(waiting), reason="clearer")
    assert proposals(waiting) == ()


def test_a_reply_without_a_draft_proposes_nothing(waiting: Parts) -> None:
    waiting.reply("Your parcel left our warehouse this morning.")
    assert proposals(waiting) == ()


def test_feedback_from_outside_proposes_once(waiting: Parts) -> None:
    draft = offer(waiting)
    for _ in range(2):
        with unit_of_work.write(waiting.engine) as session:
            feedback(
                waiting.desk,
                session,
                draft,
                action=DraftState.SENT,
                final_text=None,
                reason=None,
                by="key:desk",
            )
    assert [p.count for p in proposals(waiting)] == [1]


def test_the_same_words_again_are_counted_and_not_repeated(waiting: Parts) -> None:
    first = sent(waiting)
    waiting.clock.forward(60)
    waiting.write("how do I return this? I am Ana Lima - ORDER QH-7654321")
    waiting.ingest()
    waiting.reply(RETURNS, draft_id=_again(waiting, first.snippet_key))
    (proposal,) = proposals(waiting)
    assert (proposal.count, proposal.first_seen_at) == (2, first.first_seen_at)
    assert proposal.last_seen_at > first.last_seen_at


def _again(parts: Parts, key: str) -> str:
    """Another draft of the same snippet."""
    with unit_of_work.write(parts.engine) as session:
        old = parts.value("SELECT id FROM draft WHERE snippet_key = :key", key=key)
        new = "f" * 32
        columns = [row[0] for row in _columns(parts)]
        copied = ", ".join(c for c in columns if c not in _DECISION)
        chosen = copied.replace("created_at", ":now").replace("id,", ":id,", 1)
        now = parts.clock()
        session.execute(
            text(
                f"INSERT INTO draft ({copied}, state) SELECT {chosen}, 'proposed' FROM draft"  # noqa: S608 - our own columns
                " WHERE id = :old"
            ),
            {
                "id": new,
                "now": now.replace(tzinfo=None)
                if session.get_bind().dialect.name == "sqlite"
                else now,
                "old": old,
            },
        )
    return new


_DECISION = {"state", "final_text", "final_verdict", "decided_by", "decided_at", "reason"}


def _columns(parts: Parts) -> list[Any]:
    from suggest_api.storage.tables import DraftRow

    return [(c.name,) for c in DraftRow.__table__.columns]


def test_what_the_snippet_has_is_not_proposed(waiting: Parts) -> None:
    offered = offer(waiting, examples=("HOW do I return this; I am!",))
    waiting.reply(RETURNS, draft_id=offered)
    assert proposals(waiting) == ()


def test_a_long_story_is_no_phrasing(parts: Parts, rasa: Rasa) -> None:
    rasa.reply = lambda m, e: [hand_over()]
    parts.write("how do I return this " * 20)
    parts.drain()
    parts.reply(RETURNS, draft_id=offer(parts))
    assert proposals(parts) == ()


def test_accepting_makes_a_draft_that_somebody_else_approves(waiting: Parts) -> None:
    proposal = sent(waiting)
    revision = accept(waiting, proposal.id)
    assert (revision.status, revision.author, revision.number) == (Status.DRAFT, "Kim", 2)
    assert revision.content.examples == (proposal.phrasing,)
    assert revision.content.text == RETURNS
    (decided,) = proposals(waiting, state=ProposalState.ACCEPTED)
    assert (decided.decided_by, decided.revision_id) == ("Kim", revision.id)
    assert proposals(waiting) == ()
    with unit_of_work.write(waiting.engine) as session:
        submit(session, revision.id, by="Kim", now=waiting.clock())
        assert waiting.desk.policy is not None
        with pytest.raises(SamePerson):
            approve(
                session, revision.id, by="Kim", now=waiting.clock(), policy=waiting.desk.policy
            )
        approve(session, revision.id, by="Ines", now=waiting.clock(), policy=waiting.desk.policy)


def test_a_decision_is_audited_without_the_customers_words(waiting: Parts) -> None:
    proposal = sent(waiting)
    accept(waiting, proposal.id)
    rows = waiting.rows(
        "SELECT actor, subject, detail FROM audit WHERE action = 'phrasing.accept'"
    )
    assert [(row.actor, row.subject) for row in rows] == [("Kim", f"phrasing:{proposal.id}")]
    assert "return this" not in rows[0].detail
    with unit_of_work.read(waiting.engine) as session:
        assert audit.verify(session).intact


def test_a_declined_phrasing_is_not_proposed_again(waiting: Parts) -> None:
    proposal = sent(waiting)
    with unit_of_work.write(waiting.engine) as session:
        (declined,) = decline_phrasings(waiting.desk, session, [proposal.id], by="Kim")
    assert (declined.state, declined.decided_by) == (ProposalState.DECLINED, "Kim")
    waiting.write("how do I return this, I am Ana Lima, order QH-1048213")
    waiting.ingest()
    waiting.reply(RETURNS, draft_id=_again(waiting, proposal.snippet_key))
    assert proposals(waiting) == ()
    assert [p.count for p in proposals(waiting, state=None)] == [2]


def test_what_cannot_be_decided_is_refused_and_nothing_changes(waiting: Parts) -> None:
    first = sent(waiting)
    second = sent(waiting, "You can bring it back to any of our shops within 30 days.")
    with pytest.raises(WorkflowError, match="belong to 2 snippets"):
        accept(waiting, *(p.id for p in proposals(waiting)))
    with pytest.raises(NotFound):
        accept(waiting, first.id, 999)
    with pytest.raises(NotFound):
        accept(waiting)
    assert len(proposals(waiting)) == 2
    accept(waiting, first.id)
    with pytest.raises(WorkflowError, match="was accepted by Kim already"):
        accept(waiting, first.id)
    assert second.state is ProposalState.PROPOSED


def test_the_database_keeps_a_decision_whole(waiting: Parts) -> None:
    sent(waiting)
    for change in (
        "state = 'accepted'",
        "decided_by = 'Kim'",
        "state = 'declined'",
        "count = 0",
        "phrasing = ''",
        "state = 'maybe'",
    ):
        with pytest.raises(IntegrityError), unit_of_work.write(waiting.engine) as session:
            session.execute(text(f"UPDATE phrasing_proposal SET {change}"))  # noqa: S608 - our own words


def test_undecided_phrasings_are_swept_and_decided_ones_stay(waiting: Parts) -> None:
    first = sent(waiting)
    sent(waiting, "You can bring it back to any of our shops within 30 days.")
    accept(waiting, first.id)
    days = waiting.desk.settings.keep_questions_days
    waiting.clock.forward(days * 86_400 + 1)
    assert sweep_questions(waiting.desk) == 1
    assert [p.id for p in proposals(waiting, state=None)] == [first.id]


def test_nothing_is_proposed_where_no_question_may_be_kept(parts: Parts, rasa: Rasa) -> None:
    from dataclasses import replace

    rasa.reply = lambda m, e: [hand_over()]
    parts.write(ASKED)
    parts.drain()
    off = parts.desk.settings.model_copy(update={"keep_questions_days": 0})
    parts.desk = replace(parts.desk, settings=off)
    parts.reply(RETURNS, draft_id=offer(parts))
    assert proposals(parts) == ()
