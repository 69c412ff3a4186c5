"""Suggestions, what became of them, and their proofs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request

from knowledge_base.wording import clean_customer_text
from suggest_api import flow
from suggest_api.access.model import KeyIdentity, Scope
from suggest_api.access.service import require
from suggest_api.api.body import StrictRoute
from suggest_api.api.guards import desk_of, require_scope
from suggest_api.api.wire import (
    MOST_REASON,
    FeedbackIn,
    FeedbackOut,
    ProofOut,
    SuggestionsIn,
    SuggestionsOut,
    VerdictOut,
)
from suggest_api.drafts.model import Draft, DraftState
from suggest_api.problems import request_id
from suggest_api.storage import unit_of_work
from suggest_api.values import Use

router = APIRouter(prefix="/v1", tags=["suggestions"], route_class=StrictRoute)

DraftId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.post("/suggestions", summary="Drafts for a reply")
def suggest(
    request: Request,
    body: SuggestionsIn,
    identity: Annotated[KeyIdentity, Depends(require_scope("suggest", "assist"))],
) -> SuggestionsOut:
    """Up to `limit` drafts from approved snippets, each cleared by policy; or why there are none."""
    require(identity, Scope.ASSIST if body.use is Use.ASSISTANT else Scope.SUGGEST)
    answer = flow.suggest(desk_of(request), body.to_request(request_id=request_id(request)))
    return SuggestionsOut.of(answer)


@router.post("/suggestions/{draft_id}/feedback", summary="What became of a draft")
def feedback(
    request: Request,
    draft_id: DraftId,
    body: FeedbackIn,
    identity: Annotated[KeyIdentity, Depends(require_scope("suggest"))],
) -> FeedbackOut:
    """Record that a draft was sent, edited or dismissed; telling the same again changes nothing."""
    desk = desk_of(request)
    reason = (
        None if body.reason is None else clean_customer_text(body.reason, cap=MOST_REASON).text
    )
    with unit_of_work.write(desk.engine) as session:
        draft = flow.feedback(
            desk,
            session,
            draft_id,
            action=DraftState(body.action),
            final_text=body.final_text,
            reason=reason,
            by=identity.actor,
        )
    return _feedback_out(draft)


@router.get("/drafts/{draft_id}/proof", summary="A draft's proof, recomputed")
def proof(
    request: Request,
    draft_id: DraftId,
    _identity: Annotated[KeyIdentity, Depends(require_scope("drafts"))],
) -> ProofOut:
    """The draft rebuilt from the stored revision and slot values, and every part of its proof compared."""
    desk = desk_of(request)
    with unit_of_work.read(desk.engine) as session:
        report = flow.prove(desk, session, draft_id)
    return ProofOut.model_validate(report.to_json())


def _feedback_out(draft: Draft) -> FeedbackOut:
    verdict = draft.proof.get("verdict") if draft.final_verdict is None else draft.final_verdict
    return FeedbackOut(
        draft_id=draft.id,
        state=draft.state.value,
        text=draft.outgoing_text,
        verdict=None if verdict is None else VerdictOut.model_validate(verdict),
        decided_by=draft.decided_by,
        decided_at=draft.decided_at,
    )
