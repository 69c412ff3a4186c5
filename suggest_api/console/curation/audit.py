"""The audit log as pages: its entries with filters, the state of the chain on demand, checkpoints, and proofs."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from knowledge_base.errors import NotFound
from knowledge_base.store import audit, checkpoints
from knowledge_base.store.tables import AuditRow
from suggest_api import flow
from suggest_api.access.model import Identity
from suggest_api.access.permissions import Action
from suggest_api.console.curation import frame
from suggest_api.console.curation.frame import told
from suggest_api.console.guards import OwnForm, desk_of, require
from suggest_api.console.sections import KNOWLEDGE
from suggest_api.storage import unit_of_work
from suggest_api.values import ID_BYTES

router = APIRouter(prefix=f"{KNOWLEDGE}/audit")

Sees = Annotated[Identity, Depends(require(Action.READ_AUDIT))]
Text = Annotated[str, Query(max_length=200)]
PAGE = 50  # entries on one page
MOST_DETAIL = (
    600  # characters of one value; an entry that records what was offered names up to 500 drafts
)
DRAFT_ID = re.compile(rf"[0-9a-f]{{{2 * ID_BYTES}}}")


@router.get("")
def show(
    request: Request,
    who: Sees,
    actor: Text = "",
    action: Text = "",
    subject: Text = "",
    before: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> Response:
    """The newest entries, or those that the filters ask for."""
    asked = {"actor": actor.strip(), "action": action.strip(), "subject": subject.strip()}
    with unit_of_work.read(desk_of(request).engine) as session:
        return _draw(session, who, asked=asked, before=before)


@router.post("/verify")
def verify(
    request: Request, who: Annotated[Identity, Depends(OwnForm(Action.READ_AUDIT))]
) -> Response:
    """Recompute the whole chain, which reads every entry."""
    with unit_of_work.read(desk_of(request).engine) as session:
        report = audit.verify(session)
        return _draw(session, who, asked={}, report=report)


@router.get("/proof")
def proof(
    request: Request,
    who: Annotated[Identity, Depends(require(Action.VERIFY_PROOF))],
    draft: Text = "",
) -> Response:
    """A draft rebuilt from what is stored, part by part."""
    desk = desk_of(request)
    wanted = draft.strip().lower()
    with unit_of_work.read(desk.engine) as session:
        if DRAFT_ID.fullmatch(wanted) is None:
            notice = told("the id of a draft has 32 digits and letters from a to f", kind="bad")
            return _proof(session, who, wanted=draft, notice=notice, status=422)
        try:
            report = flow.prove(desk, session, wanted)
        except NotFound as error:
            notice = told(str(error), kind="bad")
            return _proof(session, who, wanted=draft, notice=notice, status=404)
        return _proof(session, who, wanted=wanted, report=report)


def _proof(
    session: Session, who: Identity, *, wanted: str, report: Any = None, **more: Any
) -> Response:
    values = {"wanted": wanted, "report": report}
    return frame.draw(session, who, "proof.html", section="audit", values=values, **more)


def _draw(
    session: Session,
    who: Identity,
    *,
    asked: dict[str, str],
    before: int = 0,
    report: audit.ChainReport | None = None,
) -> Response:
    found = list(session.execute(_statement(asked, before=before)))
    values = {
        "entries": found[:PAGE],
        "older": found[PAGE - 1].seq if len(found) > PAGE else 0,
        "asked": {"actor": "", "action": "", "subject": "", **asked},
        "actions": list(
            session.scalars(select(AuditRow.action).distinct().order_by(AuditRow.action))
        ),
        "most_detail": MOST_DETAIL,
        "report": report,
        "checkpoints": checkpoints.stored(session)[-5:][::-1],
    }
    return frame.draw(session, who, "audit.html", section="audit", values=values)


def _statement(asked: dict[str, str], *, before: int) -> Select[Any]:
    statement = select(
        AuditRow.seq,
        AuditRow.at,
        AuditRow.actor,
        AuditRow.action,
        AuditRow.subject,
        AuditRow.detail,
    )
    if asked.get("actor"):
        statement = statement.where(AuditRow.actor == asked["actor"])
    if asked.get("action"):
        statement = statement.where(AuditRow.action == asked["action"])
    if asked.get("subject"):
        statement = statement.where(AuditRow.subject.contains(asked["subject"], autoescape=True))
    if before:
        statement = statement.where(AuditRow.seq < before)
    return statement.order_by(AuditRow.seq.desc()).limit(PAGE + 1)
