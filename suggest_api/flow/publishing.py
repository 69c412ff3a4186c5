"""From an approval to what is live: candidates are asked for by themselves, and real questions judge them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from knowledge_base.store import publications
from knowledge_base.store.publications import Publication
from suggest_api.coverage import repository as coverage

# Real questions put to every candidate: at 5 ms each the comparison stays at a few seconds.
MOST_ACCEPTED = 1000


def after_approval(session: Session, *, by: str, now: datetime) -> Publication:
    """Ask for a candidate in the transaction of the approval; one that waits already takes this one along."""
    return publications.request(session, by=by, now=now)


def accepted_questions(session: Session) -> tuple[tuple[str, str], ...]:
    """What customers asked lately, masked, with the snippet that an agent sent for it: for the gate."""
    return coverage.answered(session, most=MOST_ACCEPTED)
