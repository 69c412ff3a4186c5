"""What is in review, as one person sees it: what they may decide, and why they may not decide the rest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from knowledge_base.errors import WorkflowError
from knowledge_base.snippet import Revision
from knowledge_base.store import review
from knowledge_base.store.revisions import COLUMNS, to_revision
from knowledge_base.workflow import SignOff, sign_off


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A submission: its path, the steps taken, whose turn it is ('' is any approver's).

    `mine` says that the person may take the next step; if not, `why_not` tells them.
    """

    revision: Revision
    path: tuple[str, ...]
    signed: tuple[SignOff, ...]
    waits_for: str
    mine: bool
    why_not: str = ""


def review_queue(session: Session, *, by: str, teams: Collection[str]) -> list[Waiting]:
    """Everything in review, first what `by` may decide, the oldest submission first.

    `teams` are those that `by` approves for: '*' is all, none at all means that they are no approver.
    """
    statement: Select[Any] = select(*COLUMNS).where(sql("revision.status = 'in_review'"))
    revisions = [to_revision(row) for row in session.execute(statement)]
    paths = review.paths(session)
    signed = review.all_sign_offs(session, revisions)
    found = [
        _waiting(
            revision,
            path=review.path_of(paths, revision.content.topic),
            signed=signed.get(revision.id, ()),
            by=by,
            teams=teams,
        )
        for revision in revisions
    ]
    return sorted(found, key=lambda w: (not w.mine, str(w.revision.submitted_at), w.revision.id))


def _waiting(
    revision: Revision,
    *,
    path: tuple[str, ...],
    signed: tuple[SignOff, ...],
    by: str,
    teams: Collection[str],
) -> Waiting:
    why_not = "" if teams else "to decide takes the role approver"
    if not why_not and revision.submitted_at is not None:
        try:  # the workflow's own answer, so that the list never promises what the step refuses
            sign_off(
                revision, by=by, at=revision.submitted_at, teams=teams, path=path, signed=signed
            )
        except WorkflowError as error:
            why_not = str(error)
    return Waiting(
        revision=revision,
        path=path,
        signed=signed,
        waits_for=path[len(signed)] if len(signed) < len(path) else "",
        mine=not why_not,
        why_not=why_not,
    )
