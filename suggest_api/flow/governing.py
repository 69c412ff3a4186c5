"""How the policy changes, for the pages: the examination first, then the step in a transaction of its own."""

from __future__ import annotations

from collections.abc import Collection

from knowledge_base import governance
from knowledge_base.governance import Examination, PolicyRevision
from suggest_api.flow.desk import Desk
from suggest_api.storage import unit_of_work


def examine(desk: Desk, number: int) -> Examination:
    """What speaks for and against a proposal. Reads only, and may take seconds. Raises NotFound."""
    with unit_of_work.read(desk.engine) as session:
        return governance.examine_revision(session, number, packs=desk.policies.packs)


def propose(desk: Desk, *, by: str, note: str, start: int | None) -> PolicyRevision:
    """Begin a draft with the files in force, or with those of policy `start`; 0 is the program's.

    Raises NotFound, PolicyError, WorkflowError.
    """
    packs = desk.policies.packs
    with unit_of_work.write(desk.engine) as session:
        files = (
            governance.files_in_force(session, packs=packs)
            if start is None
            else governance.files_of(session, start, packs=packs)
        )
        return governance.propose(session, files, by=by, note=note, now=desk.clock(), packs=packs)


def save_file(
    desk: Desk, number: int, name: str, text: str | None, *, by: str, seen: str
) -> PolicyRevision:
    """Keep one file of one's own draft as it was written; None takes it away. It need not be in order.

    Raises NotFound, WorkflowError, PolicyRefused for a name that cannot be, PolicyConflict.
    """
    with unit_of_work.write(desk.engine) as session:
        files = governance.files_of(session, number)
        files.pop(name, None)
        if text is not None:
            files[name] = text
        return governance.save(session, number, files, by=by, seen=seen, now=desk.clock())


def submit(desk: Desk, number: int, *, by: str) -> PolicyRevision:
    """Hand a draft to somebody else. Raises as `governance.submit`."""
    examined = examine(desk, number)
    with unit_of_work.write(desk.engine) as session:
        return governance.submit(session, number, by=by, examined=examined, now=desk.clock())


def approve(
    desk: Desk,
    number: int,
    *,
    by: str,
    teams: Collection[str],
    confirmed: Collection[str],
    reason: str,
) -> PolicyRevision:
    """Put a submitted policy in force, here before this returns. Raises as `governance.approve`."""
    examined = examine(desk, number)
    with unit_of_work.write(desk.engine) as session:
        done = governance.approve(
            session,
            number,
            by=by,
            examined=examined,
            confirmed=confirmed,
            teams=teams,
            reason=reason,
            now=desk.clock(),
        )
    with unit_of_work.read(desk.engine) as session:
        desk.policies.at(session)
    return done
