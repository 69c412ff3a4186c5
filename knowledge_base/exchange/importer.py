"""Imports a file: reads, judges every row, plans what is new or changed, and writes all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from knowledge_base.errors import ContentError, ImportRefused, SamePerson, StaleRevision
from knowledge_base.exchange import plan
from knowledge_base.exchange.desks import DESKS
from knowledge_base.exchange.model import ParsedFile, Problem, Source
from knowledge_base.exchange.reader import read
from knowledge_base.exchange.rows import (
    Candidate,
    doubled_keys,
    interpret,
    keys_of,
    shared_phrasings,
)
from knowledge_base.policy import Policy, Verdict
from knowledge_base.progress import Progress, silent
from knowledge_base.snippet import Revision
from knowledge_base.store import review
from knowledge_base.store.approval import verdict_on
from knowledge_base.store.batch import apply_steps, lock_snippets, newest_revisions
from knowledge_base.store.people import ensure_person
from knowledge_base.store.repository import approved_revisions
from knowledge_base.workflow import ONE_APPROVER

DEFAULT_AUTHOR = "import"  # who stands as the author when nobody is named

_REPORT_EVERY = 200  # rows between two signs of progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or would do (`dry_run`). The tuples hold keys in the order of the file."""

    path: str
    dry_run: bool
    rows: int
    phrasings: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int
    approved: tuple[str, ...]
    waiting: tuple[str, ...]
    retired: tuple[str, ...]
    drafted: tuple[str, ...] = ()
    # Of another desk's export: how many entries were not meant to come along, by reason, and the bad rows that
    # were left out because that was asked for.
    skipped: tuple[tuple[str, int], ...] = ()
    left_out: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = field(default=())
    problems: tuple[Problem, ...] = field(default=())
    changes: tuple[plan.Change, ...] = field(default=())
    source: Source | None = None

    @property
    def bad_rows(self) -> int:
        """Rows with at least one problem."""
        return len({(problem.file, problem.line) for problem in self.problems})

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An import that was read, judged and planned, and only has to be written.

    With `problems` in its report the plan is for the other rows, to show what they would do: `write` refuses it.
    """

    report: ImportReport
    plan: plan.Plan
    newest: Mapping[str, Revision]
    people: tuple[str, ...]
    now: datetime


def import_file(
    session: Session,
    path: Path,
    *,
    policy: Policy,
    author: str | None = None,
    approve_as: str | None = None,
    dry_run: bool = False,
    now: datetime,
    progress: Progress = silent,
) -> ImportReport:
    """Bring the snippets of a file or folder into the session's transaction: all rows or none.

    New and changed snippets become revisions by `author`, submitted, and approved when `approve_as` names
    somebody else; without it they wait in review. What is as it was is left alone, and so is what somebody
    retired in exactly these words. A dry run judges and plans the same and writes nothing.

    Raises ImportRefused with every problem, UnreadableFile, SamePerson, StaleRevision.
    """
    prepared = prepare(
        session,
        path,
        policy=policy,
        author=author,
        approve_as=approve_as,
        dry_run=dry_run,
        now=now,
        progress=progress,
    )
    if not dry_run:
        write(session, prepared, progress=progress)
    return prepared.report


def prepare(
    session: Session,
    path: Path,
    *,
    policy: Policy,
    author: str | None = None,
    approve_as: str | None = None,
    desk: str | None = None,
    leave_out_bad: bool = False,
    dry_run: bool = False,
    now: datetime,
    progress: Progress = silent,
) -> Prepared:
    """The first part of `import_file`, which only reads: seconds for a large file, and nobody has to wait.

    Raises ImportRefused, UnreadableFile, SamePerson.
    """
    _two_people(author, approve_as)
    prepared = prepare_rows(
        session,
        read(path, desk=desk),
        path=str(path),
        policy=policy,
        author=author,
        approve_as=approve_as,
        leave_out_bad=leave_out_bad,
        dry_run=dry_run,
        now=now,
        progress=progress,
    )
    _refuse_bad_rows(prepared.report)
    return prepared


def prepare_rows(
    session: Session,
    parsed: ParsedFile,
    *,
    path: str,
    policy: Policy,
    author: str | None,
    approve_as: str | None,
    leave_out_bad: bool = False,
    dry_run: bool,
    now: datetime,
    progress: Progress = silent,
) -> Prepared:
    """`prepare` for rows that were read already; bad rows are named in the report instead of raised.

    `path` is what the report calls the file. What comes from another desk becomes drafts of the author;
    `leave_out_bad` imports its good rows although others are bad. Raises SamePerson, ContentError.
    """
    writer, approver = _two_people(author, approve_as)
    foreign = parsed.source is not None and parsed.source.kind in DESKS
    _refuse_for_desks(foreign, approver=approver, leave_out_bad=leave_out_bad)
    newest = newest_revisions(session, keys_of(parsed.rows))
    candidates, problems = _candidates(parsed, newest, progress)
    problems += doubled_keys(candidates)
    verdicts, findings, warnings = _judge(candidates, policy, progress)
    problems += findings
    approved = {revision.key: revision for revision in approved_revisions(session)}
    if approver is not None:
        fresh = [c for c in candidates if not _as_it_is(c, approved)]
        problems += _long_paths(fresh, review.paths(session))
    bad = {problem.key for problem in problems}
    good = [candidate for candidate in candidates if candidate.content.key not in bad]
    warnings += _across(good, approved)
    made = plan.make(
        good,
        newest=newest,
        approved=approved,
        author=writer,
        approver=approver,
        submit=not foreign,
        now=now,
        verdicts=verdicts,
    )
    left_out = problems if leave_out_bad else []
    problems = [] if leave_out_bad else problems
    return Prepared(
        report=_report(path, parsed, good, made, warnings, problems, left_out, dry_run=dry_run),
        plan=made,
        newest=newest,
        people=(writer,) if approver is None else (writer, approver),
        now=now,
    )


def write(session: Session, prepared: Prepared, *, progress: Progress = silent) -> None:
    """The second part: everything is written, or nothing.

    Raises ImportRefused when a row was bad, StaleRevision when a snippet changed since it was read.
    """
    _refuse_bad_rows(prepared.report)
    steps = prepared.plan.steps
    if not steps:
        return
    progress("Writing", 0, len(steps))
    for person in prepared.people:
        ensure_person(session, person, now=prepared.now)
    keys = {step.after.key for step in steps}
    lock_snippets(session, keys, now=prepared.now)
    held = newest_revisions(session, keys)
    if any(held.get(key) != prepared.newest.get(key) for key in keys):
        msg = "a snippet of the file was changed by somebody else in between: run the import again"
        raise StaleRevision(msg)
    apply_steps(session, steps, now=prepared.now)
    progress("Writing", len(steps), len(steps))


def _candidates(
    parsed: ParsedFile, newest: Mapping[str, Revision], progress: Progress
) -> tuple[list[Candidate], list[Problem]]:
    candidates: list[Candidate] = []
    problems = list(parsed.problems)
    for done, row in enumerate(parsed.rows):
        if done % _REPORT_EVERY == 0:
            progress("Checking rows", done, len(parsed.rows))
        named = row.cells["key"].value
        base = newest.get(named.strip()) if isinstance(named, str) else None
        candidate, faults = interpret(row, base=None if base is None else base.content)
        problems += faults
        if candidate is not None:
            candidates.append(candidate)
    progress("Checking rows", len(parsed.rows), len(parsed.rows))
    return candidates, problems


def _judge(
    candidates: Sequence[Candidate], policy: Policy, progress: Progress
) -> tuple[dict[str, Verdict], list[Problem], list[Problem]]:
    """The verdict by key, what blocks, and what is only a warning."""
    verdicts: dict[str, Verdict] = {}
    blocking: list[Problem] = []
    warnings: list[Problem] = []
    for done, candidate in enumerate(candidates):
        if done % _REPORT_EVERY == 0:
            progress("Judging texts", done, len(candidates))
        verdict = verdict_on(policy, candidate.content)
        verdicts[candidate.content.key] = verdict
        for finding in verdict.findings:
            problem = candidate.row.problem("text", plan.finding_text(finding))
            (blocking if finding.severity == "block" else warnings).append(problem)
        if verdict.outcome == "block" and not any(f.severity == "block" for f in verdict.findings):
            blocking.append(candidate.row.problem("text", "the policy says no without a finding"))
    progress("Judging texts", len(candidates), len(candidates))
    return verdicts, blocking, warnings


def _as_it_is(candidate: Candidate, approved: Mapping[str, Revision]) -> bool:
    """Whether the row says what is approved already, so that there is nothing to sign off."""
    known = approved.get(candidate.content.key)
    return known is not None and known.content_hash == candidate.content.content_hash


def _long_paths(
    candidates: Sequence[Candidate], paths: Mapping[str, Sequence[str]]
) -> list[Problem]:
    """One person cannot approve what several teams sign off."""
    problems: list[Problem] = []
    for candidate in candidates:
        path = review.path_of(paths, candidate.content.topic)
        if path != ONE_APPROVER:
            teams = ", then ".join(path)
            said = f"this topic is signed off by {teams}: import it without --approve-as"
            problems.append(candidate.row.problem("topic", said))
    return problems


def _across(candidates: Sequence[Candidate], approved: Mapping[str, Revision]) -> list[Problem]:
    mine = {candidate.content.key for candidate in candidates}
    others = {key: r.content.examples for key, r in approved.items() if key not in mine}
    return shared_phrasings(candidates, others)


def _two_people(author: str | None, approve_as: str | None) -> tuple[str, str | None]:
    """Who writes and who approves, white space folded."""
    writer = " ".join((author or DEFAULT_AUTHOR).split())
    approver = None if approve_as is None else " ".join(approve_as.split())
    if writer == approver:
        msg = f"{writer} cannot approve their own snippets: name two people with --author and --approve-as"
        raise SamePerson(msg)
    return writer, approver


def _in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.file, problem.line)))


def _refuse_for_desks(foreign: bool, *, approver: str | None, leave_out_bad: bool) -> None:
    """What only our own files may ask for, and what only those of other desks may."""
    if foreign and approver is not None:
        msg = "what comes from another desk arrives as drafts, which their author submits: leave out --approve-as"
        raise ContentError(msg)
    if leave_out_bad and not foreign:
        msg = "bad rows can only be left out of another desk's export: mend the rows of your own file"
        raise ContentError(msg)


def _refuse_bad_rows(report: ImportReport) -> None:
    if report.problems:
        many, rows = _counted(len(report.problems), "problem"), _counted(report.bad_rows, "row")
        msg = f"{report.path}: nothing was imported: {many} in {rows}"
        raise ImportRefused(msg, problems=report.problems, report=report)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _report(
    path: str,
    parsed: ParsedFile,
    candidates: Sequence[Candidate],
    made: plan.Plan,
    warnings: Sequence[Problem],
    problems: Sequence[Problem],
    left_out: Sequence[Problem],
    *,
    dry_run: bool,
) -> ImportReport:
    return ImportReport(
        path=path,
        dry_run=dry_run,
        rows=len(parsed.rows),
        phrasings=sum(len(candidate.content.examples) for candidate in candidates),
        added=made.added,
        changed=made.changed,
        unchanged=made.unchanged,
        approved=made.approved,
        waiting=made.waiting,
        retired=made.retired,
        drafted=made.drafted,
        skipped=parsed.skipped,
        left_out=_in_order(left_out),
        warnings=tuple(warnings),
        problems=_in_order(problems),
        changes=made.changes,
        source=parsed.source,
    )
