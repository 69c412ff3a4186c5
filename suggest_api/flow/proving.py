"""A draft proved: its stages' parts of the proof, brought together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from suggest_api.compliance.drift import measure_drift
from suggest_api.delivery import service as delivery
from suggest_api.drafts import proof
from suggest_api.drafts.trail import Sent
from suggest_api.flow.desk import Desk


def prove(desk: Desk, session: Session, draft_id: str) -> proof.ProofReport:
    """Rebuild a draft from the stored revision and slot values, and recompute its proof. Raises NotFound."""
    return proof.verify(
        session, draft_id, policy=desk.policies.judged_by, drift=_drift, replies=_replies
    )


def _drift(approved: str, final: str) -> Mapping[str, Any]:
    return measure_drift(approved, final).to_json()


def _replies(session: Session, draft_id: str) -> tuple[Sent, ...]:
    return tuple(Sent(**row) for row in delivery.queued_from(session, draft_id))
