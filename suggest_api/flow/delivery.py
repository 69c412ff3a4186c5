"""What goes out: one reply is leased, judged again, handed to its network, and settled by what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound, PolicyUnavailable, WordingError
from knowledge_base.policy import Severity
from suggest_api.channels.port import (
    OutgoingMessage,
    Rejected,
    RetryLater,
    SendOutcome,
    Sent,
    Unclear,
)
from suggest_api.compliance import service as compliance
from suggest_api.compliance.model import Circumstances
from suggest_api.conversations import service as conversations
from suggest_api.delivery import service as delivery
from suggest_api.delivery.model import (
    AttemptOutcome,
    AttemptResult,
    DeliveryState,
    LeasedDelivery,
)
from suggest_api.delivery.stopping import Queued
from suggest_api.drafts import service as drafts
from suggest_api.errors import Refused
from suggest_api.flow import circumstances, stopping
from suggest_api.flow.desk import Desk
from suggest_api.logs import get_logger
from suggest_api.storage import unit_of_work
from suggest_api.values import Author, CheckedText, sha256

log = get_logger(__name__)

NETWORK = "network"  # who tells that a draft was sent
# What a customer says may overtake the assistant's answer: it is dropped then.
OVERTAKEN = frozenset({"CTX-OPTED-OUT", "CTX-CARE"})
# What was pulled or frozen since it was queued is dropped too, and a person has to answer instead.
FROZEN = frozenset({"CTX-FROZEN", "CTX-FROZEN-TOPIC"})
RECALLED = "META-NOT-LIVE"


def deliver(desk: Desk) -> bool:
    """Send the next reply that is due; False if there is none.

    The attempt is committed before the network hears of it and closed after: whatever dies in between,
    the attempt is there. Raises StorageError.
    """
    idempotent = frozenset(n for n, channel in desk.channels.items() if channel.idempotent_send)
    with unit_of_work.read(desk.engine) as session:
        if not delivery.anything_due(session, now=desk.clock()):
            return False
    lease = timedelta(seconds=desk.settings.lease_seconds)
    with unit_of_work.write(desk.engine) as session:
        delivery.recover(session, idempotent=idempotent, now=desk.clock())
        leased = delivery.lease_due(session, lease=lease, now=desk.clock())
    if leased is None:
        return False
    result = _attempt(desk, leased)
    now = desk.clock()
    with unit_of_work.write(desk.engine) as session:
        if result.stopped_by:  # whoever locks both locks the conversation first
            conversations.lock(session, leased.conversation_id)
        state = delivery.settle(
            session,
            leased,
            result,
            idempotent=leased.channel in idempotent,
            delays=desk.settings.retry_seconds,
            now=now,
        )
        if state is DeliveryState.SENT:
            mark_draft_sent(session, leased.draft_id, now=now)
        elif result.stopped_by and state is DeliveryState.CANCELLED:
            _answer_instead(desk, session, leased, result, now=now)
    log.info(
        "reply.attempted",
        outbox_id=leased.id,
        attempt=leased.number,
        possible_repeat=leased.possible_repeat,
        outcome=result.outcome.value,
        state=state.value,
    )
    return True


def mark_draft_sent(session: Session, draft_id: str | None, *, now: datetime) -> None:
    """The network has the reply that this draft became, if it became one."""
    if draft_id is not None:
        drafts.mark_sent(session, draft_id, by=NETWORK, now=now)


def _attempt(desk: Desk, leased: LeasedDelivery) -> AttemptResult:
    """Judge exactly the bytes that would go out, then hand them over. Never raises for a network."""
    network = desk.channels.get(leased.channel)
    account = desk.settings.account(leased.channel, leased.account)
    if network is None or account is None:
        return _retry("this channel account is not configured any more")
    checked = _judge_again(desk, leased)
    if isinstance(checked, AttemptResult):
        return checked
    now = desk.clock()
    # Half the lease at most: whoever takes over after it must find this attempt over.
    deadline = min(network.send_deadline, desk.settings.lease_seconds / 2)
    if now + timedelta(seconds=deadline) > leased.lease_until:
        return _retry("the sender was held up for too long before it began")
    message = OutgoingMessage(reference=leased.id, to=leased.peer, text=checked.text)
    return _result(network.send(message, account=account, deadline=deadline, now=now))


def _judge_again(desk: Desk, leased: LeasedDelivery) -> CheckedText | AttemptResult:
    """Exactly these bytes with today's verdict on them, or why they stay here.

    A warning that nobody gave a reason for is a no: it came after the reply was queued.
    """
    if sha256(leased.text) != leased.text_sha256:
        return _withheld("the text is not the one that was judged")
    try:
        with unit_of_work.read(desk.engine) as session:
            here = circumstances.leaving(desk, session, leased, now=desk.clock())
            locale = conversations.get(session, leased.conversation_id).locale
            policy = desk.policies.at(session)
        checked = compliance.check(
            policy, leased.text, channel=leased.channel, locale=locale, here=here
        )
    except PolicyUnavailable as error:
        return _retry(str(error))
    except Refused as error:
        blocking = {f.rule_id for f in error.findings if f.severity is Severity.block}
        stopped_by = next(iter(sorted(blocking & _stopping(here))), "")
        if stopped_by:
            return AttemptResult(
                outcome=AttemptOutcome.WITHDRAWN, detail=str(error), stopped_by=stopped_by
            )
        if leased.author == Author.BOT and blocking and blocking <= OVERTAKEN:
            return AttemptResult(outcome=AttemptOutcome.WITHDRAWN, detail=str(error))
        return _withheld(str(error))
    except (NotFound, WordingError) as error:
        return _withheld(str(error))
    if checked.text != leased.text:
        return _withheld("the text is not in its normal form")
    warned = {f.rule_id for f in checked.verdict.findings if f.severity is Severity.warn}
    unweighed = sorted(warned if leased.author == Author.BOT else warned - leased.warned)
    if unweighed:
        return _withheld(f"{', '.join(unweighed)} warns about it by now, and nobody weighed that")
    return checked


def _stopping(here: Circumstances) -> frozenset[str]:
    """The rules by which a person has to answer instead of this reply."""
    recalled = here.revision is not None and here.revision.recall is not None
    return FROZEN | {RECALLED} if recalled else FROZEN


def _answer_instead(
    desk: Desk, session: Session, leased: LeasedDelivery, result: AttemptResult, *, now: datetime
) -> None:
    """The reply was stopped at the last moment; its conversation is locked."""
    revision = circumstances.revision_of(session, leased.revision_id)
    row = Queued(
        id=leased.id,
        conversation_id=leased.conversation_id,
        author=leased.author,
        author_name=leased.author_name,
        draft_id=leased.draft_id,
        snippet_key=None if revision is None else revision.key,
    )
    if result.stopped_by == RECALLED and revision is not None:
        stopping.after_recall(desk, session, row, revision, now=now)
        return
    freely = conversations.get(session, leased.conversation_id).topic
    topic = freely if revision is None else revision.content.topic
    stopping.after_freeze(desk, session, row, topic=topic, now=now)


def _withheld(reason: str) -> AttemptResult:
    return AttemptResult(outcome=AttemptOutcome.WITHHELD, detail=reason)


def _retry(reason: str) -> AttemptResult:
    return AttemptResult(outcome=AttemptOutcome.RETRY, detail=reason)


def _result(outcome: SendOutcome) -> AttemptResult:
    match outcome:
        case Sent(platform_id=platform_id):
            return AttemptResult(outcome=AttemptOutcome.SENT, platform_id=platform_id)
        case Rejected(reason=reason):
            return AttemptResult(outcome=AttemptOutcome.REJECTED, detail=reason)
        case RetryLater(reason=reason, after=after):
            return AttemptResult(outcome=AttemptOutcome.RETRY, detail=reason, after=after)
        case Unclear(reason=reason):
            return AttemptResult(outcome=AttemptOutcome.UNCLEAR, detail=reason)
