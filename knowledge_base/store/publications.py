"""Publications in the database: requested, built and compared, then published, refused, failed or superseded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, SamePerson, WorkflowError
from knowledge_base.store import audit
from knowledge_base.store.curation_tables import PublicationRow
from knowledge_base.store.people import ensure_person
from knowledge_base.store.review import words

_TABLE = PublicationRow.__table__


class State(StrEnum):
    """Where a publication stands.

    requested -> building -> ready (passed the gate) or refused (did not) or failed (could not be built).
    ready and refused -> published, or superseded by a newer one.
    """

    REQUESTED = "requested"
    BUILDING = "building"
    READY = "ready"
    REFUSED = "refused"
    FAILED = "failed"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"


WAITING = (State.REQUESTED, State.BUILDING)
DECIDED = (State.READY, State.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One change of what is live. `report` is a `GateReport` as JSON; `base_build_id` was live at the comparison.

    A refusal is set aside by two people: `override_by` asks with a reason, `confirmed_by` confirms.
    A rollback is a publication too, with {"unasked": "generation.rollback"} for its report.
    """

    id: int
    state: State
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    compared_at: datetime | None
    base_build_id: str | None
    build_id: str | None
    report: Mapping[str, Any] | None
    failure: str | None
    override_by: str | None
    override_at: datetime | None
    override_reason: str | None
    confirmed_by: str | None
    confirmed_at: datetime | None
    published_by: str | None
    published_at: datetime | None

    @property
    def overridden(self) -> bool:
        """Whether two people set its refusal aside."""
        return self.confirmed_by is not None

    @property
    def is_rollback(self) -> bool:
        """Whether it went back to an earlier generation, without the gate."""
        return (self.report or {}).get("unasked") == "generation.rollback"

    @property
    def publishable(self) -> bool:
        """Whether it may be published, as far as the gate is concerned."""
        return self.state is State.READY or (self.state is State.REFUSED and self.overridden)


def request(session: Session, *, by: str, now: datetime) -> Publication:
    """Ask for a candidate of everything that is approved; audited.

    One that waits already will take up everything approved until it starts, so it is returned instead of
    another one: twenty approvals in a row make one candidate, or two when the first had been started.
    """
    waiting = newest(session, State.REQUESTED)
    if waiting is not None:
        return waiting
    person = ensure_person(session, by, now=now)
    values = {"state": State.REQUESTED.value, "requested_by": person, "requested_at": now}
    number: int = session.execute(
        insert(PublicationRow).values(values).returning(PublicationRow.id)
    ).scalar_one()
    record(session, number, "publication.request", by=person, detail={}, now=now)
    return get(session, number)


def get(session: Session, publication_id: int) -> Publication:
    """The publication of this id. Raises NotFound."""
    row = session.execute(select(*_TABLE.c).where(_TABLE.c.id == publication_id)).first()
    if row is None:
        raise NotFound(f"there is no publication {publication_id}")
    return _value(row)


def recent(session: Session, *, limit: int = 20) -> list[Publication]:
    """The newest publications, rollbacks included, newest first."""
    rows = session.execute(select(*_TABLE.c).order_by(_TABLE.c.id.desc()).limit(limit))
    return [_value(row) for row in rows]


def open_ones(session: Session) -> list[Publication]:
    """Those that wait, are being built, or can be decided on, newest first."""
    states = [state.value for state in (*WAITING, *DECIDED)]
    rows = session.execute(
        select(*_TABLE.c).where(_TABLE.c.state.in_(states)).order_by(_TABLE.c.id.desc())
    )
    return [_value(row) for row in rows]


def newest(session: Session, state: State) -> Publication | None:
    """The newest publication in this state."""
    row = session.execute(
        select(*_TABLE.c)
        .where(_TABLE.c.state == state.value)
        .order_by(_TABLE.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _value(row)


def last_published(session: Session) -> Publication | None:
    """The publication or rollback that decided what is live; None before the first."""
    row = session.execute(
        select(*_TABLE.c)
        .where(_TABLE.c.state == State.PUBLISHED.value)
        .order_by(_TABLE.c.published_at.desc(), _TABLE.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _value(row)


def start(session: Session, publication_id: int, *, now: datetime) -> Publication:
    """From requested (or from building, when its builder died) to building. Raises NotFound, WorkflowError."""
    return move(session, publication_id, WAITING, State.BUILDING, started_at=now)


def compared(
    session: Session,
    publication_id: int,
    *,
    passes: bool,
    base_build_id: str | None,
    build_id: str,
    report: Mapping[str, Any],
    now: datetime,
) -> Publication:
    """From building to ready or refused, audited; every older open one is superseded.

    Raises NotFound, WorkflowError when it was superseded meanwhile.
    """
    state = State.READY if passes else State.REFUSED
    after = move(
        session,
        publication_id,
        (State.BUILDING,),
        state,
        compared_at=now,
        base_build_id=base_build_id,
        build_id=build_id,
        report=dict(report),
    )
    supersede_older(session, publication_id)
    detail = {"build": build_id, "base": base_build_id, "reasons": list(report["reasons"])}
    action = f"publication.{state.value}"
    record(session, publication_id, action, by=after.requested_by, detail=detail, now=now)
    return after


def fail(session: Session, publication_id: int, *, failure: str, now: datetime) -> Publication:
    """From building to failed, audited. Raises NotFound, WorkflowError."""
    after = move(session, publication_id, WAITING, State.FAILED, failure=failure)
    detail = {"failure": failure}
    record(
        session,
        publication_id,
        "publication.fail",
        by=after.requested_by,
        detail=detail,
        now=now,
    )
    return after


def ask_override(
    session: Session, publication_id: int, *, by: str, reason: str, now: datetime
) -> Publication:
    """Ask to publish in spite of the refusal; somebody else has to confirm. Audited.

    Raises NotFound, WorkflowError (it is not refused, or no reason is given).
    """
    if not reason.strip():
        raise WorkflowError("say why it should be published although questions are lost")
    person = ensure_person(session, by, now=now)
    before = get(session, publication_id)
    if before.confirmed_by is not None:
        raise WorkflowError(f"the override of publication {publication_id} was confirmed already")
    after = move(
        session,
        publication_id,
        (State.REFUSED,),
        State.REFUSED,
        override_by=person,
        override_at=now,
        override_reason=words(reason),
    )
    detail = {"reason": words(reason), "build": after.build_id}
    action = "publication.ask_override"
    record(session, publication_id, action, by=person, detail=detail, now=now)
    return after


def confirm_override(
    session: Session, publication_id: int, *, by: str, now: datetime
) -> Publication:
    """The second person agrees: it may be published now. Audited.

    Raises NotFound, WorkflowError (nobody asked, or it is not refused), SamePerson.
    """
    person = ensure_person(session, by, now=now)
    before = get(session, publication_id)
    if before.override_by is None:
        raise WorkflowError(
            f"nobody asked to set the refusal of publication {publication_id} aside"
        )
    if before.override_by == person:
        raise SamePerson(f"{person} asked for the override: somebody else has to confirm it")
    after = move(
        session,
        publication_id,
        (State.REFUSED,),
        State.REFUSED,
        confirmed_by=person,
        confirmed_at=now,
    )
    detail = {"asked_by": before.override_by, "build": after.build_id}
    action = "publication.confirm_override"
    record(session, publication_id, action, by=person, detail=detail, now=now)
    return after


def published(session: Session, publication_id: int, *, by: str, now: datetime) -> Publication:
    """From ready, or refused and overridden, to published; the caller switches what is live in this transaction.

    Raises NotFound, WorkflowError.
    """
    before = get(session, publication_id)
    if not before.publishable:
        raise WorkflowError(why_not(before))
    after = move(
        session,
        publication_id,
        (before.state,),
        State.PUBLISHED,
        published_by=ensure_person(session, by, now=now),
        published_at=now,
    )
    supersede_older(session, publication_id)
    return after


def unasked(
    session: Session,
    *,
    build_id: str,
    base_build_id: str | None,
    action: str,
    by: str,
    now: datetime,
) -> Publication:
    """A change of what is live that the gate did not judge: a rollback, a tuned encoder."""
    person = ensure_person(session, by, now=now)
    values: dict[str, Any] = {
        "state": State.PUBLISHED.value,
        "requested_by": person,
        "requested_at": now,
        "base_build_id": base_build_id,
        "build_id": build_id,
        "report": {"unasked": action},
        "published_by": person,
        "published_at": now,
    }
    number: int = session.execute(
        insert(PublicationRow).values(values).returning(PublicationRow.id)
    ).scalar_one()
    return get(session, number)


def supersede(session: Session, publication_id: int) -> Publication:
    """Set an open one aside: what it was compared with is no longer live. Raises NotFound, WorkflowError."""
    return move(session, publication_id, (*WAITING, *DECIDED), State.SUPERSEDED)


def supersede_older(session: Session, publication_id: int) -> None:
    """Set aside every open one that was asked for before this one."""
    states = [state.value for state in (*WAITING, *DECIDED)]
    session.execute(
        update(PublicationRow)
        .where(PublicationRow.id < publication_id, PublicationRow.state.in_(states))
        .values(state=State.SUPERSEDED.value)
        .execution_options(synchronize_session=False)
    )


def why_not(publication: Publication) -> str:
    """Why a publication cannot be published, for a person."""
    number = publication.id
    if publication.state is State.REFUSED:
        return f"publication {number} was refused by the gate: mend what is lost, or let two people override it"
    return f"publication {number} is {publication.state.value}: only a ready one can be published"


def move(
    session: Session,
    publication_id: int,
    before: tuple[State, ...],
    after: State,
    **values: Any,
) -> Publication:
    """Compare-and-set of the state. Raises NotFound, WorkflowError when it is in none of `before`."""
    moved = session.execute(
        update(PublicationRow)
        .where(
            PublicationRow.id == publication_id,
            PublicationRow.state.in_([state.value for state in before]),
        )
        .values(state=after.value, **values)
        .execution_options(synchronize_session=False)
    )
    found = get(session, publication_id)
    if moved.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult
        raise WorkflowError(
            f"publication {publication_id} is {found.state.value}, not"
            f" {' or '.join(state.value for state in before)}: look again"
        )
    return found


def record(
    session: Session,
    publication_id: int,
    action: str,
    *,
    by: str,
    detail: dict[str, Any],
    now: datetime,
) -> None:
    """The audit row of a step."""
    subject = f"publication:{publication_id}"
    audit.append(session, actor=by, action=action, subject=subject, detail=detail, now=now)


def _value(row: Any) -> Publication:
    return Publication(**{**row._mapping, "state": State(row.state)})
