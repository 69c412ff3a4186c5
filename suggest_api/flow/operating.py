"""What whoever runs the service asks: is every part ready, and how much is waiting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from knowledge_base.store import checkpoints, schema, signing
from suggest_api.drafts import service as drafts
from suggest_api.flow.desk import Desk
from suggest_api.freezes import service as freezes
from suggest_api.storage import backlog, unit_of_work


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """One part: `detail` is what is in use, or what is missing and how to mend it."""

    name: str
    ready: bool
    detail: str


def readiness(desk: Desk) -> tuple[PartState, ...]:
    """The state of the database, the generation and the policy; never raises."""
    return (_database(desk), _generation(desk), _policy(desk))


def count_backlog(desk: Desk) -> None:
    """Set the backlog gauges to what the database has now."""
    with unit_of_work.read(desk.engine) as session:
        counts = backlog.count(session)
        frozen = freezes.in_force(session)
    desk.metrics.backlog.clear()  # a state that emptied must not keep its last number
    for (queue, state), number in counts.items():
        desk.metrics.backlog.labels(queue, state).set(number)
    desk.metrics.freezes.labels("drill").set(len(frozen.drills))
    desk.metrics.freezes.labels("freeze").set(len(frozen.freezes) - len(frozen.drills))


def record_offers(desk: Desk) -> int:
    """Let the audit chain have every draft that was offered since the last time; returns how many there were.

    One short transaction for each 500, and one look where there is none.
    """
    recorded = 0
    while True:
        with unit_of_work.read(desk.engine) as session:
            if not drafts.offers_to_record(session):
                return recorded
        with unit_of_work.write(desk.engine) as session:
            taken = drafts.record_offers(session, now=desk.clock())
        recorded += taken
        if not taken:  # another worker has the rest
            return recorded


def checkpoint(desk: Desk) -> bool:
    """Sign the end of the audit chain when that is due and the chain grew; whether it was signed.

    Raises AuditBroken when the chain does not hold, ConfigurationError when the key cannot be used.
    """
    every = timedelta(minutes=desk.settings.checkpoint_minutes)
    now = desk.clock()
    with unit_of_work.read(desk.engine) as session:
        if not every or not checkpoints.due(session, every=every, now=now):
            return False
    key = signing.signing_key(desk.settings.place.keys)
    with unit_of_work.translated():
        return checkpoints.make(desk.engine, key, now=now) is not None


def _database(desk: Desk) -> PartState:
    try:
        found, wanted = schema.current(desk.engine), schema.head()
    except Exception as error:
        detail = f"cannot be reached ({type(error).__name__}): check FIRSTLINE_DATABASE_URL"
        return PartState(name="database", ready=False, detail=detail)
    if found != wanted:
        detail = (
            f"is at {found or 'nothing'}, this program needs {wanted}: run `firstline db upgrade`"
        )
        return PartState(name="database", ready=False, detail=detail)
    return PartState(name="database", ready=True, detail=f"at {found}")


def _generation(desk: Desk) -> PartState:
    ranker, failure = desk.generations.ranker, desk.generations.failure
    in_service = f"build {desk.generations.build_id}"
    if ranker is None:
        detail = failure or "nothing was built yet: run `firstline kb build`"
        return PartState(name="generation", ready=False, detail=detail)
    # The last good one serves on; that the newest was refused is told, and is no reason to take traffic away.
    detail = (
        in_service if failure is None else f"{in_service}; the current one was refused: {failure}"
    )
    return PartState(name="generation", ready=True, detail=detail)


def _policy(desk: Desk) -> PartState:
    policy = desk.policy
    if policy is None:
        why = desk.policies.failure or "it could not be loaded"
        return PartState(name="policy", ready=False, detail=f"{why}; every text is refused")
    return PartState(name="policy", ready=True, detail=f"version {policy.version}")
