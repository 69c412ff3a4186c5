"""The workflow: who may do what to a revision, in which order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from knowledge_base import workflow
from knowledge_base.errors import PolicyBlocked, SamePerson, StaleRevision, WorkflowError
from knowledge_base.snippet import Revision, SnippetContent, Status

AT = datetime(2026, 3, 2, tzinfo=UTC)
CONTENT = SnippetContent(key="orders.track", text="Hello")
DRAFT = Revision(
    id=1,
    number=1,
    content=CONTENT,
    content_hash=CONTENT.content_hash,
    status=Status.DRAFT,
    author="Ana",
    created_at=AT,
)


@dataclass(frozen=True)
class Finding:
    reason: str


@dataclass(frozen=True)
class Verdict:
    outcome: str = "pass"
    policy_version: str = "p1"
    findings: tuple[Finding, ...] = ()


def in_review() -> Revision:
    return workflow.submit(DRAFT, by="Ana", at=AT)


def approved() -> Revision:
    return workflow.approve(in_review(), by="Bo", at=AT, verdict=Verdict())


def test_the_whole_way() -> None:
    assert in_review().status is Status.IN_REVIEW
    assert in_review().submitted_at == AT
    live = approved()
    assert (live.status, live.approved_by, live.approved_at) == (Status.APPROVED, "Bo", AT)
    assert live.policy_version == "p1"
    gone = workflow.retire(live, by="Cy", at=AT)
    assert (gone.status, gone.retired_by, gone.retired_at) == (Status.RETIRED, "Cy", AT)
    assert gone.approved_by == "Bo"  # who approved it stays known


def test_only_the_author_submits() -> None:
    with pytest.raises(WorkflowError, match="written by Ana: only the author submits it, not Bo"):
        workflow.submit(DRAFT, by="Bo", at=AT)


def test_the_author_does_not_approve() -> None:
    with pytest.raises(SamePerson, match="revision 1 of orders.track was written by Ana"):
        workflow.approve(in_review(), by="Ana", at=AT, verdict=Verdict())


def test_a_draft_is_not_approved_past_the_review() -> None:
    with pytest.raises(WorkflowError, match="is a draft: only a revision that is in review"):
        workflow.approve(DRAFT, by="Bo", at=AT, verdict=Verdict())


@pytest.mark.parametrize("revision", [in_review(), approved()])
def test_nothing_is_submitted_twice(revision: Revision) -> None:
    with pytest.raises(WorkflowError, match="can be submitted"):
        workflow.submit(revision, by="Ana", at=AT)


def test_a_blocking_verdict_stops_the_approval_and_says_why() -> None:
    verdict = Verdict(outcome="block", findings=(Finding("asks for a password"),))
    with pytest.raises(PolicyBlocked, match="asks for a password") as caught:
        workflow.approve(in_review(), by="Bo", at=AT, verdict=verdict)
    assert caught.value.verdict is verdict


def test_a_warning_does_not_stop_the_approval() -> None:
    live = workflow.approve(in_review(), by="Bo", at=AT, verdict=Verdict(outcome="warn"))
    assert live.status is Status.APPROVED


def test_approval_is_bound_to_the_content() -> None:
    other = replace(in_review(), content=replace(CONTENT, text="Something else"))
    with pytest.raises(StaleRevision, match="its content hash differs"):
        workflow.approve(other, by="Bo", at=AT, verdict=Verdict())


@pytest.mark.parametrize("revision", [DRAFT, in_review(), approved()])
def test_anything_that_is_not_retired_can_be_retired(revision: Revision) -> None:
    assert workflow.retire(revision, by="Cy", at=AT).status is Status.RETIRED


def test_retired_is_for_good() -> None:
    gone = workflow.retire(DRAFT, by="Cy", at=AT)
    with pytest.raises(WorkflowError, match="already retired, by Cy"):
        workflow.retire(gone, by="Bo", at=AT)
    with pytest.raises(WorkflowError, match="is retired"):
        workflow.submit(gone, by="Ana", at=AT)
