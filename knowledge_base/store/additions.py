"""Phrasings added to an approved snippet: as a new draft, which somebody else has to approve."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base.errors import WorkflowError
from knowledge_base.snippet import Revision, Snippet, Status, folded
from knowledge_base.store import repository


def add_phrasings(
    session: Session, key: str, phrasings: Iterable[str], *, by: str, now: datetime
) -> Revision:
    """A new draft of the snippet with these phrasings beside its own; each once, in the order given.

    The revision it starts from (see `base_for`) comes back when it has all of them already. Raises NotFound,
    WorkflowError.
    """
    base = base_for(repository.snippet(session, key), by=by)
    known = {folded(example) for example in base.content.examples}
    fresh: dict[str, str] = {}
    for phrasing in phrasings:
        words = folded(phrasing)
        if words and words not in known:
            fresh.setdefault(words, phrasing)
    if not fresh:
        return base
    content = replace(base.content, examples=(*base.content.examples, *fresh.values()))
    return repository.add_revision(session, content, author=by, now=now)


def base_for(snippet: Snippet, *, by: str) -> Revision:
    """The revision that an addition by `by` starts from: their own open one, else the one approved last.

    Raises WorkflowError when the newest revision is somebody else's and still open (their words would be lost
    or taken over unapproved), or when nothing of the snippet is approved.
    """
    newest = snippet.revisions[-1]
    if newest.status in (Status.DRAFT, Status.IN_REVIEW):
        if newest.author == by:
            return newest
        msg = (
            f"revision {newest.number} of {snippet.key} by {newest.author} is still open:"
            " let it be approved or retired first"
        )
        raise WorkflowError(msg)
    for revision in reversed(snippet.revisions):
        if revision.status is Status.APPROVED:
            return revision
    msg = f"{snippet.key} has no approved revision: write one before adding to it"
    raise WorkflowError(msg)
