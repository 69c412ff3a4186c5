"""An uploaded file, without touching a disk: what importing it would do, and the plan that does it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base.errors import UnreadableFile
from knowledge_base.exchange.importer import ImportReport, Prepared, prepare_rows
from knowledge_base.exchange.model import Source
from knowledge_base.exchange.reader import read_bytes
from knowledge_base.policy import Policy
from knowledge_base.progress import Progress, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What importing a file would do.

    `unreadable` says why the file as a whole cannot be read, and how to mend that; `report` is then None.
    Otherwise `report` has everything to show: how the file was read (`report.source`: encoding, delimiter,
    remarks), the counts, `report.changes` with the texts before and after, `report.warnings`, and
    `report.problems`: every bad row with its line, column, value and reason. `prepared` is what `write` takes,
    None while a row is bad. `sha256` of the bytes tells whether what is applied is what was shown.
    """

    filename: str
    sha256: str
    unreadable: str | None = None
    report: ImportReport | None = None
    prepared: Prepared | None = None

    @property
    def source(self) -> Source | None:
        """How the file was read, None when it could not be."""
        return None if self.report is None else self.report.source

    @property
    def applicable(self) -> bool:
        """Whether it can be written: it was read, no row is bad, and something would change."""
        return self.prepared is not None and bool(self.prepared.plan.steps)


def plan_upload(
    data: bytes,
    *,
    filename: str,
    session: Session,
    policy: Policy,
    author: str,
    approve_as: str | None = None,
    desk: str | None = None,
    leave_out_bad: bool = False,
    now: datetime,
    progress: Progress = silent,
) -> Upload:
    """Read, judge and plan an uploaded file; nothing is written, and a read-only session is enough.

    `filename` decides the kind by its ending and is shown; nothing is opened under it. To apply the plan, call
    `write(session, upload.prepared)` in a write session, in the same request or, with the same bytes planned
    again, in a later one: it raises StaleRevision when somebody changed one of the snippets in between.
    `approve_as` has to be somebody else with the right to approve; without it everything waits in review.

    An export of Chatwoot, Zammad or Zendesk is told by its shape unless `desk` names it. It becomes drafts of the
    author (`report.drafted`), and `leave_out_bad` takes its good rows although others are bad.

    What is wrong with the file or its rows is in the result and never raised. Raises SamePerson when `approve_as`
    is the author, and ContentError for `approve_as` with another desk's export or `leave_out_bad` with our own.
    """
    digest = hashlib.sha256(data).hexdigest()
    try:
        parsed = read_bytes(data, name=filename, desk=desk)
    except UnreadableFile as error:
        return Upload(filename=filename, sha256=digest, unreadable=str(error))
    prepared = prepare_rows(
        session,
        parsed,
        path=filename if parsed.source is None else parsed.source.name,
        policy=policy,
        author=author,
        approve_as=approve_as,
        leave_out_bad=leave_out_bad,
        dry_run=True,
        now=now,
        progress=progress,
    )
    return Upload(
        filename=filename,
        sha256=digest,
        report=prepared.report,
        prepared=None if prepared.report.problems else prepared,
    )
