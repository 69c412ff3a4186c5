"""A snippet goes up in another: phrasings at once as a draft, itself only when that draft is live."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from knowledge_base import publish as publish_module
from knowledge_base.errors import NotFound, WorkflowError
from knowledge_base.home import Home
from knowledge_base.policy import Policy
from knowledge_base.snippet import Revision, SnippetContent, Status
from knowledge_base.store import audit, merges, repository
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.tables import AuditRow
from tests.conftest import NOW
from tests.starter_policy import starter_policy
from tests.tiny_encoder import install

SECOND = (
    "INSERT INTO snippet_merge (from_key, merged_into, revision_id, state, by, at)"
    " SELECT from_key, 'stores.hours', revision_id, 'open', by, at FROM snippet_merge"
)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return starter_policy()


@pytest.fixture
def store(engine: Engine, policy: Policy) -> Engine:
    with write_session(engine) as session:
        made = [
            approved(session, policy, "returns.how", ("how do i return this", "send it back")),
            approved(session, policy, "returns.post", ("Send it back!", "return by post")),
            approved(session, policy, "stores.hours", ("when do you open",)),
        ]
        repository.go_live(session, [revision.id for revision in made])
    return engine


def approved(session: Session, policy: Policy, key: str, examples: tuple[str, ...]) -> Revision:
    content = SnippetContent(key=key, text="We are glad to help you with that.", examples=examples)
    draft = repository.add_revision(session, content, author="Ana", now=NOW)
    return pass_review(session, policy, draft, author="Ana")


def pass_review(session: Session, policy: Policy, draft: Revision, *, author: str) -> Revision:
    repository.submit(session, draft.id, by=author, now=NOW)
    return repository.approve(session, draft.id, by="Noor", now=NOW, policy=policy)


def publish(session: Session) -> tuple[merges.Merge, ...]:
    """What a publication does with the database."""
    wanted = [revision.id for revision in repository.approved_revisions(session)]
    repository.go_live(session, wanted)
    return merges.settle_merges(session, by="Pat", now=NOW)


def begin(session: Session) -> merges.Merge:
    return merges.merge(session, "returns.post", into="returns.how", by="Kim", now=NOW)


def actions(session: Session, subject: str) -> list[str]:
    statement = select(AuditRow.action).where(AuditRow.subject == subject).order_by(AuditRow.seq)
    return list(session.scalars(statement))


def test_a_merge_makes_a_draft_with_the_phrasings_of_both_each_once(store: Engine) -> None:
    with write_session(store) as session:
        made = begin(session)
        draft = repository.get_revision(session, made.revision_id)
    assert (draft.key, draft.status, draft.author) == ("returns.how", Status.DRAFT, "Kim")
    assert draft.content.examples == ("how do i return this", "send it back", "return by post")


def test_until_the_draft_is_live_nothing_that_is_offered_changes(
    store: Engine, policy: Policy
) -> None:
    with write_session(store) as session:
        made = begin(session)
        assert merges.settle_merges(session, by="Pat", now=NOW) == ()
        draft = repository.get_revision(session, made.revision_id)
        pass_review(session, policy, draft, author="Kim")
        assert merges.settle_merges(session, by="Pat", now=NOW) == ()
        keys = [revision.key for revision in repository.all_live(session)]
    assert keys == ["returns.how", "returns.post", "stores.hours"]


def test_once_it_is_live_the_other_retires_and_it_is_known_where_it_went(
    store: Engine, policy: Policy
) -> None:
    with write_session(store) as session:
        made = begin(session)
        pass_review(
            session, policy, repository.get_revision(session, made.revision_id), author="Kim"
        )
        (ended,) = publish(session)
    with read_session(store) as session:
        gone = repository.snippet(session, "returns.post")
        assert gone.live is None
        assert gone.revisions[-1].status is Status.RETIRED
        assert gone.revisions[-1].content.examples == ("Send it back!", "return by post")
        assert ended.retired_revision_id == gone.revisions[-1].id
        assert (ended.state, ended.settled_by) == ("done", "Pat")
        assert merges.merged_into(session, "returns.post") == "returns.how"
        assert merges.merged_into(session, "returns.how") is None
        assert merges.merges(session, key="returns.post") == (ended,)
        assert actions(session, "snippet:returns.post") == ["snippet.merge", "snippet.merge_done"]
        assert actions(session, "revision:returns.post@1")[-1] == "revision.retire"
        assert audit.verify(session).intact


def test_a_live_revision_without_all_the_phrasings_does_not_end_the_merge(
    store: Engine, policy: Policy
) -> None:
    with write_session(store) as session:
        begin(session)
        pass_review(
            session,
            policy,
            repository.add_revision(
                session,
                SnippetContent(key="returns.how", text="Something else.", examples=("new",)),
                author="Ana",
                now=NOW,
            ),
            author="Ana",
        )
        assert publish(session) == ()
        assert repository.live_revision(session, "returns.post") is not None


def test_a_snippet_that_was_recalled_meanwhile_ends_the_merge_too(
    store: Engine, policy: Policy
) -> None:
    with write_session(store) as session:
        made = begin(session)
        pass_review(
            session, policy, repository.get_revision(session, made.revision_id), author="Kim"
        )
        repository.recall(session, "returns.post", by="Pat", reason="wrong", now=NOW)
        (ended,) = publish(session)
    assert (ended.state, ended.retired_revision_id) == ("done", None)


def test_a_merge_can_be_withdrawn_once(store: Engine) -> None:
    with write_session(store) as session:
        made = begin(session)
        gone = merges.withdraw(session, made.id, by="Kim", now=NOW)
        assert (gone.state, gone.settled_by, gone.settled_at) == ("withdrawn", "Kim", NOW)
        with pytest.raises(WorkflowError, match="is withdrawn already"):
            merges.withdraw(session, made.id, by="Kim", now=NOW)
        with pytest.raises(NotFound):
            merges.withdraw(session, 999, by="Kim", now=NOW)
        assert merges.merges(session, state="open") == ()


def test_what_cannot_be_merged_is_refused(store: Engine) -> None:
    with write_session(store) as session:
        with pytest.raises(WorkflowError, match="into itself"):
            merges.merge(session, "returns.how", into="returns.how", by="Kim", now=NOW)
        with pytest.raises(NotFound):
            merges.merge(session, "nothing", into="returns.how", by="Kim", now=NOW)
        begin(session)
        for one, other in (
            ("returns.post", "stores.hours"),
            ("returns.how", "returns.post"),
            ("stores.hours", "returns.post"),
        ):
            with pytest.raises(WorkflowError, match="merged into"):
                merges.merge(session, one, into=other, by="Ana", now=NOW)


def test_somebody_elses_open_words_are_neither_lost_nor_taken_over(store: Engine) -> None:
    with write_session(store) as session:
        content = SnippetContent(key="returns.how", text="I am still writing this.")
        repository.add_revision(session, content, author="Ana", now=NOW)
        with pytest.raises(WorkflowError, match="by Ana is still open"):
            begin(session)
        own = merges.merge(session, "returns.post", into="returns.how", by="Ana", now=NOW)
        draft = repository.get_revision(session, own.revision_id)
    assert draft.content.text == "I am still writing this."
    assert draft.content.examples == ("Send it back!", "return by post")


def test_the_database_refuses_a_second_open_merge_and_half_a_settlement(store: Engine) -> None:
    with write_session(store) as session:
        begin(session)
    for statement in (
        SECOND,
        "UPDATE snippet_merge SET state = 'done'",
        "UPDATE snippet_merge SET settled_by = 'Kim'",
        "UPDATE snippet_merge SET merged_into = from_key",
        "UPDATE snippet_merge SET retired_revision_id = revision_id",
    ):
        with pytest.raises(IntegrityError), write_session(store) as session:
            session.execute(text(statement))


def test_a_publication_ends_the_merge(store: Engine, policy: Policy, tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    encoder = install(home, ["how do i return this", "send it back", "return by post", "open"])
    publish_module.build(home, store, now=NOW, encoder=encoder)
    with write_session(store) as session:
        made = begin(session)
        draft = repository.get_revision(session, made.revision_id)
        pass_review(session, policy, draft, author="Kim")
    publish_module.build(home, store, now=NOW, encoder=encoder, by="Pat")
    with read_session(store) as session:
        assert [r.key for r in repository.all_live(session)] == ["returns.how", "stores.hours"]
        assert merges.merges(session)[0].settled_by == "Pat"
        entry = session.scalars(
            select(AuditRow)
            .where(AuditRow.action == "generation.publish")
            .order_by(AuditRow.seq.desc())
        ).first()
    assert entry is not None
    assert entry.detail["merged"] == ["returns.post"]
    again = publish_module.build(home, store, now=NOW, encoder=encoder)
    assert again.snippets == 2
