"""What is like a snippet that somebody writes, and how one snippet goes up in another."""

from __future__ import annotations

from sqlalchemy.orm import Session

from knowledge_base.similarity import alike
from knowledge_base.similarity.alike import Similar
from knowledge_base.snippet import SnippetContent
from knowledge_base.store import merges
from knowledge_base.store.merges import Merge
from suggest_api.flow.desk import Desk


def find_similar(
    desk: Desk,
    session: Session,
    content: SnippetContent,
    *,
    limit: int = 5,
    with_open: bool = False,
) -> tuple[Similar, ...]:
    """What is like this content: contradictions first, then duplicates, same question, related.

    While one writes: quick but for encoding the words that are new since the last call. `with_open`, for the
    moment of submitting, also compares the revisions that are written on or in review. Empty while nothing is in
    service. Each `Similar` has `revision` (with its status), `sort`, and `alikeness.clashes` with the words.
    """
    held = desk.generations.in_service
    if held is None:
        return ()
    beside = alike.open_revisions(session, but=content.key) if with_open else ()
    return alike.find_similar(session, held.ranker, content, beside=beside, limit=limit)


def begin_merge(desk: Desk, session: Session, from_key: str, *, into: str, by: str) -> Merge:
    """Begin to merge `from_key` into another snippet: a draft by `by` with the phrasings of both.

    `from_key` retires when the draft (`Merge.revision_id`), approved by somebody else, is published. Raises
    NotFound, WorkflowError.
    """
    return merges.merge(session, from_key, into=into, by=by, now=desk.clock())


def withdraw_merge(desk: Desk, session: Session, merge_id: int, *, by: str) -> Merge:
    """Give a merge up before it is published. Raises NotFound, WorkflowError when it has ended."""
    return merges.withdraw(session, merge_id, by=by, now=desk.clock())
