"""Review paths, publication of what was approved, recall and reopening, in both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from knowledge_base.errors import ContentError, NotFound, SamePerson, WorkflowError
from knowledge_base.policy import Policy
from knowledge_base.snippet import Revision, SnippetContent, Status, base_key
from knowledge_base.store import audit, repository, review
from knowledge_base.store.engine import read_session, write_session
from tests.small_policy import small_policy

POLICY: Policy = small_policy()
CONTENT = SnippetContent(key="orders.track", text="You can follow it here.", topic="orders")
HOUR = timedelta(hours=1)
DECIDE = (
    "INSERT INTO review_decision (revision_id, author, content_hash, submitted_at, kind, step, team,"
    " by, at, reason) SELECT id, author, {content_hash}, submitted_at, 'approve', 3, '', {by},"
    " created_at, '' FROM revision WHERE number = 1"
)


def submitted(session: Session, content: SnippetContent, *, now: datetime) -> Revision:
    added = repository.add_revision(session, content, author="Ana", now=now)
    return repository.submit(session, added.id, by="Ana", now=now)


def approved(session: Session, content: SnippetContent, *, now: datetime) -> Revision:
    waiting = submitted(session, content, now=now)
    return repository.approve(session, waiting.id, by="Bo", now=now, policy=POLICY)


def publish_all(session: Session, *, now: datetime | None = None) -> tuple[int, int]:
    chosen = repository.approved_revisions(session, now=now)
    return repository.go_live(session, [revision.id for revision in chosen])


def test_an_edit_waits_while_the_old_words_stay_live(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        first = approved(session, CONTENT, now=now)
        assert repository.live_revision(session, CONTENT.key) is None
        assert publish_all(session) == (1, 0)
        second = approved(session, replace(CONTENT, text="Follow it here."), now=now + HOUR)
        snippet = repository.snippet(session, CONTENT.key)
        assert (snippet.live, snippet.waiting) == (replace(first, live=True), second)
        assert publish_all(session) == (1, 1)
        assert repository.snippet(session, CONTENT.key).live == replace(second, live=True)
        assert repository.go_live(session, [first.id]) == (1, 1)  # back again
        assert repository.snippet(session, CONTENT.key).waiting == second


def test_a_replacement_waits_for_its_time_and_a_new_snippet_does_not(
    engine: Engine, now: datetime
) -> None:
    later = now + HOUR
    with write_session(engine) as session:
        first = approved(session, CONTENT, now=now)
        publish_all(session)
        second = approved(session, replace(CONTENT, valid_from=later), now=now)
        new = approved(session, replace(CONTENT, key="orders.new", valid_from=later), now=now)
        chosen = repository.approved_revisions(session, now=now)
        assert [r.id for r in chosen] == [new.id, first.id]
        chosen = repository.approved_revisions(session, now=later)
        assert [r.id for r in chosen] == [new.id, second.id]


def test_a_path_is_signed_off_in_its_order_by_different_people(
    engine: Engine, now: datetime
) -> None:
    with write_session(engine) as session:
        review.set_path(session, "orders", ["legal", "communications"], by="Root", now=now)
        waiting = submitted(session, CONTENT, now=now)

        def sign(by: str, *teams: str) -> Revision:
            return repository.approve(
                session, waiting.id, by=by, now=now, policy=POLICY, teams=teams
            )

        with pytest.raises(WorkflowError, match="waits for legal: Cy does not approve for that"):
            sign("Cy", "communications")
        assert sign("Bo", "legal", "communications").status is Status.IN_REVIEW
        with pytest.raises(SamePerson, match="signed off by Bo already"):
            sign("Bo", "legal", "communications")
        with pytest.raises(SamePerson, match="written by Ana"):
            sign("Ana", "communications")
        whole = sign("Cy", "communications")
        assert (whole.status, whole.approved_by) == (Status.APPROVED, "Cy")
        taken = [(d.kind, d.step, d.team, d.by) for d in review.decisions(session, [whole.id])]
        assert taken == [("approve", 0, "legal", "Bo"), ("approve", 1, "communications", "Cy")]
    with read_session(engine) as session:
        said = session.execute(text("SELECT action FROM audit ORDER BY seq")).scalars().all()
        assert said[-2:] == ["revision.sign_off", "revision.approve"]
        assert audit.verify(session).intact


def test_what_is_returned_can_be_submitted_again_and_starts_anew(
    engine: Engine, now: datetime
) -> None:
    with write_session(engine) as session:
        review.set_path(session, "", ["legal", "communications"], by="Root", now=now)
        waiting = submitted(session, CONTENT, now=now)
        repository.approve(session, waiting.id, by="Bo", now=now, policy=POLICY)
        with pytest.raises(WorkflowError, match="say why"):
            repository.return_to_author(session, waiting.id, by="Cy", reason=" ", now=now)
        with pytest.raises(SamePerson):
            repository.return_to_author(session, waiting.id, by="Ana", reason="No", now=now)
        back = repository.return_to_author(session, waiting.id, by="Cy", reason="Where?", now=now)
        assert (back.status, back.submitted_at) == (Status.DRAFT, None)
        again = repository.submit(session, waiting.id, by="Ana", now=now + HOUR)
        assert review.sign_offs(session, again) == ()
        repository.withdraw(session, waiting.id, by="Ana", now=now + HOUR)
        kinds = [d.kind for d in review.decisions(session, [waiting.id])]
        assert kinds == ["approve", "return", "withdraw"]


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("UPDATE revision SET live = true WHERE number = 2", "live_is_approved"),
        ("UPDATE review_decision SET by = 'Ana'", "never changed"),
        ("DELETE FROM review_decision", "never deleted"),
        (DECIDE.format(content_hash="content_hash", by="author"), "two_people"),
        (DECIDE.format(content_hash="'another'", by="'Cy'"), "(?i)foreign key"),
    ],
)
def test_the_database_holds_these_rules_as_well(
    engine: Engine, now: datetime, change: str, constraint: str
) -> None:
    with write_session(engine) as session:
        approved(session, CONTENT, now=now)
        repository.add_revision(session, replace(CONTENT, title="New"), author="Cy", now=now)
    with pytest.raises(IntegrityError, match=constraint), engine.begin() as connection:
        connection.execute(text(change))


def test_a_recall_pulls_what_is_live_and_what_it_had_replaced(
    engine: Engine, now: datetime
) -> None:
    with write_session(engine) as session:
        first = approved(session, CONTENT, now=now)
        publish_all(session)
        second = approved(session, replace(CONTENT, title="New"), now=now)
        publish_all(session)
        third = approved(session, replace(CONTENT, title="Newer"), now=now)
        with pytest.raises(WorkflowError, match="say why"):
            repository.recall(session, CONTENT.key, by="Cy", reason="", now=now)
        gone, number = repository.recall(session, CONTENT.key, by="Cy", reason="Wrong", now=now)
        assert (gone.id, gone.status, gone.live, number) == (second.id, Status.RETIRED, False, 1)
        assert repository.go_live(session, [first.id, second.id]) == (0, 0)  # no way back
        assert repository.snippet(session, CONTENT.key).waiting == third
        with pytest.raises(NotFound, match="nothing of orders.track is live"):
            repository.recall(session, CONTENT.key, by="Cy", reason="Wrong", now=now)


def test_a_retired_snippet_is_reopened_as_a_draft_of_the_same_words(
    engine: Engine, now: datetime
) -> None:
    with write_session(engine) as session:
        first = approved(session, CONTENT, now=now)
        with pytest.raises(WorkflowError, match="revision 1 of orders.track is not retired"):
            repository.reopen(session, CONTENT.key, by="Cy", now=now)
        repository.retire(session, first.id, by="Bo", now=now)
        draft = repository.reopen(session, CONTENT.key, by="Cy", now=now)
        assert (draft.number, draft.status, draft.author) == (2, Status.DRAFT, "Cy")
        assert draft.content == CONTENT


def test_comments_are_kept_and_bounded(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        waiting = submitted(session, CONTENT, now=now)
        review.comment(session, waiting, " Is this so?\r\n", by="Cy", now=now)
        with pytest.raises(ContentError, match="is empty"):
            review.comment(session, waiting, " \n", by="Cy", now=now)
        with pytest.raises(ContentError, match="at most 2,000 characters, this one has 2,001"):
            review.comment(session, waiting, "x" * 2001, by="Cy", now=now)
        assert [c.text for c in review.comments(session, [waiting.id])] == ["Is this so?"]


@pytest.mark.parametrize("teams", [["legal", "legal"], [""], ["*"], ["a"] * 7, ["x" * 121]])
def test_a_path_names_each_team_once(engine: Engine, now: datetime, teams: list[str]) -> None:
    with write_session(engine) as session, pytest.raises(ContentError):
        review.set_path(session, "orders", teams, by="Root", now=now)


def test_a_path_is_replaced_and_removed(engine: Engine, now: datetime) -> None:
    with write_session(engine) as session:
        review.set_path(session, "", ["care"], by="Root", now=now)
        review.set_path(session, "orders", ["legal"], by="Root", now=now)
        known = review.paths(session)
        assert review.path_of(known, "orders") == ("legal",)
        assert review.path_of(known, "returns") == ("care",)
        review.set_path(session, "orders", [], by="Root", now=now)
        assert review.path_of(review.paths(session), "orders") == ("care",)
        assert review.path_of({}, "orders") == ("",)


def test_variants_share_the_part_before_the_tilde() -> None:
    assert base_key("orders.track~formal") == base_key("orders.track") == "orders.track"
