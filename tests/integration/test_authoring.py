"""Writing drafts, submitting them and reading live ones again, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from knowledge_base.curation import authoring, verification
from knowledge_base.errors import (
    ContentError,
    EditConflict,
    PolicyBlocked,
    SamePerson,
    WorkflowError,
)
from knowledge_base.policy import Policy
from knowledge_base.snippet import Revision, SnippetContent, Status
from knowledge_base.store import audit, repository, review
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.workflow import REVERIFY_AFTER
from tests.conftest import NOW
from tests.starter_policy import starter_policy

HELLO = SnippetContent(key="shop.hours", text="We open at nine.", topic="shop")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return starter_policy()


def save(
    engine: Engine, text: str, *, author: str = "ana", based_on: int | None = None
) -> Revision:
    with write_session(engine) as session:
        content = replace(HELLO, text=text)
        return authoring.save_draft(session, content, author=author, based_on=based_on, now=NOW)


def publish(engine: Engine, policy: Policy, revision: Revision, *, at=NOW) -> Revision:
    with write_session(engine) as session:
        authoring.submit(session, revision.id, by=revision.author, now=at, policy=policy)
        repository.approve(session, revision.id, by="tomas", now=at, policy=policy)
        repository.go_live(session, [revision.id])
        return repository.get_revision(session, revision.id)


def revisions(engine: Engine) -> list[tuple[int, str, str]]:
    with read_session(engine) as session:
        found = repository.snippet(session, HELLO.key).revisions
        assert audit.verify(session).intact
    return [(r.number, r.author, r.status.value) for r in found]


def test_an_author_saves_over_their_own_draft(engine: Engine) -> None:
    save(engine, "We open at nine.")
    second = save(engine, "We open at ten.", based_on=1)
    again = save(engine, "We open at ten.", based_on=2)
    assert again == second
    assert revisions(engine) == [(1, "ana", "retired"), (2, "ana", "draft")]


def test_a_draft_of_somebody_else_stays(engine: Engine) -> None:
    save(engine, "We open at nine.")
    save(engine, "We open at ten.", author="bo", based_on=1)
    assert revisions(engine) == [(1, "ana", "draft"), (2, "bo", "draft")]


@pytest.mark.parametrize("based_on", [None, 0, 1, 7])
def test_who_saved_in_between_is_not_overwritten(engine: Engine, based_on: int | None) -> None:
    save(engine, "We open at nine.")
    save(engine, "We open at ten.", based_on=1)
    with pytest.raises(EditConflict, match="ana saved revision 2 of shop.hours") as conflict:
        save(engine, "We open at noon.", author="bo", based_on=based_on)
    assert conflict.value.theirs.content.text == "We open at ten."
    assert len(revisions(engine)) == 2


def test_a_submitted_revision_is_frozen(engine: Engine, policy: Policy) -> None:
    first = save(engine, "We open at nine.")
    with write_session(engine) as session:
        authoring.submit(session, first.id, by="ana", now=NOW, policy=policy)
    for author in ("ana", "bo"):
        with pytest.raises(WorkflowError, match="ana has to withdraw it first"):
            save(engine, "We open at ten.", author=author, based_on=1)
    with write_session(engine) as session:
        repository.withdraw(session, first.id, by="ana", now=NOW)
    assert save(engine, "We open at ten.", based_on=1).number == 2


def test_what_is_live_stays_live_while_an_edit_is_reviewed(engine: Engine, policy: Policy) -> None:
    publish(engine, policy, save(engine, "We open at nine."))
    edit = save(engine, "We open at ten.", based_on=1)
    with write_session(engine) as session:
        authoring.submit(session, edit.id, by="ana", now=NOW, policy=policy)
        repository.approve(session, edit.id, by="tomas", now=NOW, policy=policy)
        live = repository.live_revision(session, HELLO.key)
    assert live is not None
    assert live.number == 1
    with pytest.raises(ContentError, match="already says exactly this"):
        save(engine, "We open at ten.", based_on=2)


def test_findings_do_not_matter_before_a_draft_is_submitted(
    engine: Engine, policy: Policy
) -> None:
    text = "We guarantee a full refund in 2 minutes, you idiot: http://bit.ly/x"
    draft = save(engine, text)
    with write_session(engine) as session, pytest.raises(PolicyBlocked) as blocked:
        authoring.submit(session, draft.id, by="ana", now=NOW, policy=policy)
    assert getattr(blocked.value.verdict, "findings", ())
    assert revisions(engine) == [(1, "ana", "draft")]
    too_long = save(engine, "word " * 40, based_on=1)
    with write_session(engine) as session, pytest.raises(PolicyBlocked, match="at most 139"):
        authoring.submit(session, too_long.id, by="ana", now=NOW, policy=policy)


def test_an_older_draft_is_not_submitted_past_a_newer_one(engine: Engine, policy: Policy) -> None:
    first = save(engine, "We open at nine.")
    save(engine, "We open at ten.", author="bo", based_on=1)
    with write_session(engine) as session, pytest.raises(EditConflict, match="bo saved"):
        authoring.submit(session, first.id, by="ana", now=NOW, policy=policy)


def test_only_ones_own_draft_is_discarded(engine: Engine, policy: Policy) -> None:
    draft = save(engine, "We open at nine.")
    with write_session(engine) as session:
        with pytest.raises(WorkflowError, match="is no draft of bo"):
            authoring.discard(session, draft.id, by="bo", now=NOW)
        authoring.discard(session, draft.id, by="ana", now=NOW)
    again = save(engine, "We open at nine.", based_on=1)
    with write_session(engine) as session:
        authoring.submit(session, again.id, by="ana", now=NOW, policy=policy)
        with pytest.raises(WorkflowError, match="is no draft of ana"):
            authoring.discard(session, again.id, by="ana", now=NOW)
    assert revisions(engine) == [(1, "ana", "retired"), (2, "ana", "in_review")]


def test_a_discarded_draft_leaves_what_there_is_to_go_back_to(
    engine: Engine, policy: Policy
) -> None:
    first = publish(engine, policy, save(engine, "We open at nine."))
    publish(engine, policy, save(engine, "We open at ten.", based_on=1))
    waits = save(engine, "We open at noon.", based_on=2)
    with write_session(engine) as session:
        authoring.submit(session, waits.id, by="ana", now=NOW, policy=policy)
        repository.approve(session, waits.id, by="tomas", now=NOW, policy=policy)
    draft = save(engine, "We open at eight.", based_on=3)
    with write_session(engine) as session:
        authoring.discard(session, draft.id, by="ana", now=NOW)
        assert repository.get_revision(session, first.id).status is Status.APPROVED
        assert repository.get_revision(session, waits.id).status is Status.APPROVED
        repository.retire(session, waits.id, by="tomas", now=NOW)
    assert [status for _, _, status in revisions(engine)] == [
        "approved", "approved", "retired", "retired",
    ]  # fmt: skip


class TestVerification:
    @pytest.fixture
    def live(self, engine: Engine, policy: Policy) -> Revision:
        return publish(engine, policy, save(engine, "We open at nine."))

    def due(self, engine: Engine, at) -> list[tuple[int, bool]]:
        with read_session(engine) as session:
            return [(d.revision.number, d.overdue) for d in verification.due(session, now=at)]

    def again(self, engine: Engine, live: Revision, **more) -> None:
        given = {"by": "tomas", "now": NOW, **more}
        with write_session(engine) as session:
            verification.reverify(session, live.id, **given)

    def test_what_is_live_is_due_after_90_days_and_listed_two_weeks_before(
        self, engine: Engine, live: Revision
    ) -> None:
        assert self.due(engine, NOW + REVERIFY_AFTER - 15 * DAY) == []
        assert self.due(engine, NOW + REVERIFY_AFTER - 14 * DAY) == [(1, False)]
        assert self.due(engine, NOW + REVERIFY_AFTER) == [(1, True)]

    def test_reading_it_again_moves_the_date(self, engine: Engine, live: Revision) -> None:
        then = NOW + 100 * DAY
        self.again(engine, live, now=then, days=30)
        assert self.due(engine, then + 15 * DAY) == []
        assert self.due(engine, then + 16 * DAY) == [(1, False)]
        self.again(engine, live, now=then + 16 * DAY)
        assert self.due(engine, then + 16 * DAY) == []
        with read_session(engine) as session:
            found = verification.due(session, now=then + 106 * DAY)
            assert [d.verified_by for d in found] == ["tomas"]
            assert audit.verify(session).intact

    def test_somebody_else_stands_by_it_who_approves_for_its_topic(
        self, engine: Engine, live: Revision
    ) -> None:
        with pytest.raises(SamePerson):
            self.again(engine, live, by="ana")
        with write_session(engine) as session:
            review.set_path(session, "shop", ["legal", "press"], by="ruth", now=NOW)
        with pytest.raises(WorkflowError, match="signed off by legal, press: tomas does not"):
            self.again(engine, live, teams=["finance"])
        self.again(engine, live, teams=["press"])

    @pytest.mark.parametrize("days", [0, -1, 731])
    def test_for_a_while_that_makes_sense(self, engine: Engine, live: Revision, days: int) -> None:
        with pytest.raises(ContentError, match="1 to 730 days"):
            self.again(engine, live, days=days)

    def test_only_what_is_live_is_verified_and_due(self, engine: Engine, live: Revision) -> None:
        with write_session(engine) as session:
            repository.retire(session, live.id, by="tomas", now=NOW)
        with pytest.raises(WorkflowError, match="is not live"):
            self.again(engine, live)
        assert self.due(engine, NOW + 200 * DAY) == []


def test_two_that_save_at_once_make_one_conflict(engine: Engine) -> None:
    """The second transaction waits for the first, then sees its revision."""
    save(engine, "We open at nine.")

    def write(text: str, author: str) -> Callable[[Session], Revision]:
        content = replace(HELLO, text=text)
        return lambda session: authoring.save_draft(
            session, content, author=author, based_on=1, now=NOW
        )

    with write_session(engine) as session:
        write("We open at ten.", "bo")(session)
    with write_session(engine) as session, pytest.raises(EditConflict):
        write("We open at noon.", "cy")(session)
