"""What became of a draft that somebody else shows and sends: recorded, and judged where the text is new."""

from __future__ import annotations

from sqlalchemy.orm import Session

from suggest_api.compliance import service as compliance
from suggest_api.compliance.drift import measure_drift
from suggest_api.compliance.model import Circumstances
from suggest_api.drafts import service as drafts
from suggest_api.drafts.model import Draft, DraftState
from suggest_api.errors import Unprocessable
from suggest_api.flow import circumstances
from suggest_api.flow.conversation import require_reason
from suggest_api.flow.desk import Desk
from suggest_api.flow.phrasings import propose_phrasing
from suggest_api.values import CheckedText


def feedback(
    desk: Desk,
    session: Session,
    draft_id: str,
    *,
    action: DraftState,
    final_text: str | None,
    reason: str | None,
    by: str,
) -> Draft:
    """Record what became of a draft that somebody else shows and sends: edited, sent or dismissed.

    A changed text is judged now. Raises NotFound, Refused (the draft is left as it was), DraftDecided when it
    contradicts what was told before, and Unprocessable when `edited` comes without a text.
    """
    now = desk.clock()
    draft = drafts.get(session, draft_id)
    if action is DraftState.DISMISSED:
        return drafts.dismiss(session, draft_id, by=by, reason=reason, now=now)
    if action is DraftState.EDITED and final_text is None:
        msg = "final_text is missing: `edited` tells what the text is now"
        raise Unprocessable(msg)
    final = _final(desk, session, draft, final_text)
    if action is DraftState.EDITED:
        return drafts.edit(session, draft_id, final=final, by=by, reason=reason, now=now)
    if (
        draft.state is not DraftState.SENT
    ):  # told again, it changes nothing and needs no reason again
        require_reason(final, reason)
        if draft.state is not DraftState.ACCEPTED and final.text == draft.text:
            propose_phrasing(desk, session, draft, now=now)
    drafts.accept(session, draft_id, final=final, by=by, reason=reason, now=now)
    return drafts.mark_sent(session, draft_id, by=by, now=now)


def _final(desk: Desk, session: Session, draft: Draft, final_text: str | None) -> CheckedText:
    """The final text with a verdict on exactly it: a fresh one where the text is new."""
    if final_text is None or final_text == draft.outgoing_text:
        verdict = draft.proof["verdict"] if draft.final_verdict is None else draft.final_verdict
        return compliance.on_record(draft.outgoing_text, verdict)
    locale = str(draft.proof.get("locale", compliance.LOCALE))
    here = Circumstances(
        use=draft.use,
        channel=draft.channel,
        locale=None,
        now=desk.clock(),
        drift=measure_drift(draft.text, final_text),
        limits=circumstances.drift_limits(desk),
    )
    return compliance.check(
        desk.policies.at(session), final_text, channel=draft.channel, locale=locale, here=here
    )
