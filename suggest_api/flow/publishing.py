"""From an approval to what is live: candidates are built by themselves, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base import publish
from knowledge_base.store import publications
from knowledge_base.store.publications import Publication
from suggest_api.coverage import repository as coverage
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.settings import PREFIX

# Real questions put to every candidate: at 5 ms each the comparison stays at a few seconds.
MOST_ACCEPTED = 1000
NICENESS = 10  # of a builder, beside the processes that people wait for

log = get_logger(__name__)


def after_approval(session: Session, *, by: str, now: datetime) -> Publication:
    """Ask for a candidate in the transaction of the approval; one that waits already takes this one along."""
    return publications.request(session, by=by, now=now)


def accepted_questions(session: Session) -> tuple[tuple[str, str], ...]:
    """What customers asked lately, masked, with the snippet that an agent sent for it, for the gate."""
    return coverage.answered(session, most=MOST_ACCEPTED)


def put_back(desk: Desk) -> str | None:
    """Put the index back to what the database has live, where a killed process left it elsewhere."""
    build_id = publish.recover(desk.settings.place, desk.engine)
    if build_id is not None:
        log.warning("generation.put_back", build_id=build_id)
    return build_id


def prune(desk: Desk) -> int:
    """Delete candidates that nobody will publish any more; returns how many went."""
    gone = publish.prune(desk.settings.place, desk.engine, now=desk.clock())
    for one in gone:
        log.info("generation.deleted", build_id=one.build_id, publication=one.publication)
    return len(gone)


def start_builder(desk: Desk) -> subprocess.Popen[bytes] | None:
    """Build what was requested, and compare it, in another process; None when nothing is due.

    Learning takes seconds to minutes of a core and hundreds of MB, which must not slow the queues down and are
    given back with the process. With FIRSTLINE_AUTO_PUBLISH it publishes what passes.
    """
    place = desk.settings.place
    number = publish.due(place, desk.engine)
    if number is None:
        return None
    command = [sys.executable, "-m", "suggest_api.cli", "kb", "candidate", "--waiting", "--json"]
    if desk.settings.auto_publish:
        command.append("--publish")
    own = {f"{PREFIX}HOME": str(place.root), f"{PREFIX}DATABASE_URL": place.database_url}
    log.info("publication.building", publication=number)
    process = subprocess.Popen(  # noqa: S603  # our own program, no input in it
        command,
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    return process
