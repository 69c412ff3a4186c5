"""What an import has to do: which rows are new, changed, only waiting for approval, or nothing to do; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from knowledge_base import workflow
from knowledge_base.exchange.model import COLUMNS
from knowledge_base.exchange.rows import Candidate
from knowledge_base.policy import Finding, Verdict
from knowledge_base.snippet import Revision, SnippetContent, Status
from knowledge_base.store.batch import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row that becomes a new revision: which columns differ from the newest one, and its text before and after.

    `before` is None for a new snippet, and `columns` empty.
    """

    line: int
    key: str
    columns: tuple[str, ...]
    before: str | None
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps to write, and the keys that the report names."""

    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int
    approved: tuple[str, ...]
    waiting: tuple[str, ...]
    retired: tuple[str, ...]
    drafted: tuple[str, ...]


def make(
    candidates: Iterable[Candidate],
    *,
    newest: Mapping[str, Revision],
    approved: Mapping[str, Revision],
    verdicts: Mapping[str, Verdict],
    author: str,
    approver: str | None,
    submit: bool = True,
    now: datetime,
) -> Plan:
    """Plan the import. Without `submit` what is new stays a draft of the author.

    Raises SamePerson when the approver wrote a revision that is waiting already.
    """
    planner = _Planner(author=author, approver=approver, submit=submit, now=now)
    for candidate in candidates:
        key = candidate.content.key
        planner.take(candidate, newest.get(key), approved.get(key), verdicts[key])
    return planner.result()


def finding_text(finding: Finding) -> str:
    """A policy finding in one line."""
    return " ".join(
        part for part in (finding.reason, finding.mend, f"[{finding.rule_id}]") if part
    )


class _Planner:
    """Collects the steps while the rows go by."""

    def __init__(self, *, author: str, approver: str | None, submit: bool, now: datetime) -> None:
        self._submit = submit
        self._author = author
        self._approver = approver
        self._now = now
        self._steps: list[Step] = []
        self._keys: dict[str, list[str]] = {
            name: [] for name in ("added", "changed", "approved", "waiting", "retired", "drafted")
        }
        self._changes: list[Change] = []
        self._unchanged = 0

    def take(
        self,
        candidate: Candidate,
        newest: Revision | None,
        approved: Revision | None,
        verdict: Verdict,
    ) -> None:
        """Plan one row."""
        content = candidate.content
        wanted = content.content_hash
        if approved is not None and approved.content_hash == wanted:
            self._unchanged += 1
        elif newest is not None and newest.content_hash == wanted:
            self._continue(newest, verdict)
        else:
            self._keys["added" if newest is None else "changed"].append(content.key)
            self._changes.append(_change(candidate, newest))
            fresh = _draft(content, after=newest, author=self._author, now=self._now)
            self._advance(None, fresh, verdict)

    def result(self) -> Plan:
        """The plan for all rows so far."""
        keys = {name: tuple(found) for name, found in self._keys.items()}
        return Plan(
            steps=tuple(self._steps),
            changes=tuple(self._changes),
            unchanged=self._unchanged,
            **keys,
        )

    def _continue(self, newest: Revision, verdict: Verdict) -> None:
        """The newest revision says exactly this, but is not approved: approve it, or leave it."""
        if newest.status is Status.RETIRED:
            self._keys["retired"].append(newest.key)
        elif not self._submit and newest.status is Status.DRAFT:
            self._unchanged += 1
            self._keys["drafted"].append(newest.key)
        elif self._approver is None and newest.status is Status.IN_REVIEW:
            self._unchanged += 1
            self._keys["waiting"].append(newest.key)
        else:
            self._advance(newest, newest, verdict)

    def _advance(self, before: Revision | None, revision: Revision, verdict: Verdict) -> None:
        """As far as it may go: into review, and approved when there is somebody to approve."""
        after = revision
        if not self._submit:
            self._keys["drafted"].append(after.key)
            self._steps.append(Step(before=before, after=after))
            return
        if after.status is Status.DRAFT:
            after = workflow.submit(after, by=after.author, at=self._now)
        if self._approver is None:
            self._keys["waiting"].append(after.key)
        else:
            after = workflow.approve(after, by=self._approver, at=self._now, verdict=verdict)
            self._keys["approved"].append(after.key)
        self._steps.append(Step(before=before, after=after))


def _change(candidate: Candidate, newest: Revision | None) -> Change:
    after, before = candidate.content, None if newest is None else newest.content
    columns = [
        c for c in COLUMNS if before is not None and getattr(before, c) != getattr(after, c)
    ]
    return Change(
        line=candidate.row.line,
        key=after.key,
        columns=tuple(columns),
        before=None if before is None else before.text,
        after=after.text,
    )


def _draft(
    content: SnippetContent, *, after: Revision | None, author: str, now: datetime
) -> Revision:
    """The next revision; its id is given by the database."""
    return Revision(
        id=0,
        number=1 if after is None else after.number + 1,
        content=content,
        content_hash=content.content_hash,
        status=Status.DRAFT,
        author=author,
        created_at=now,
    )
