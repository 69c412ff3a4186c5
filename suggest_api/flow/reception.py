"""What comes in: a signed event is stored once and acknowledged, then worked off in its own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from suggest_api.channels.port import (
    Channel,
    CustomerMessage,
    DeliveryReceipt,
    InboundEvent,
    UnknownEvent,
)
from suggest_api.conversations import events
from suggest_api.conversations import service as conversations
from suggest_api.conversations.model import EventState, StoredEvent
from suggest_api.conversations.service import Heard
from suggest_api.delivery import service as delivery
from suggest_api.errors import MalformedEvent, StorageError, TooLarge, UnknownAccount
from suggest_api.flow.delivery import mark_draft_sent
from suggest_api.flow.desk import Desk
from suggest_api.freezes import service as freezes
from suggest_api.logs import get_logger
from suggest_api.settings import Account
from suggest_api.storage import unit_of_work

log = get_logger(__name__)


def receive(
    desk: Desk, *, channel: str, account: str, headers: Mapping[str, str], body: bytes
) -> bool:
    """Store a signed event once; True if it is new. When this returns, the event is on disk.

    Nothing is stored before the signature is right, and nothing is read from the body but what the
    signature covers. Raises UnknownAccount, SignatureWrong, TooLarge, MalformedEvent (an id that cannot be
    kept) and StorageError, after which the network has to send it again.
    """
    network, configured = _account(desk, channel, account)
    if len(body) > network.max_body_bytes:
        msg = f"an event of this channel may have {network.max_body_bytes} bytes at most"
        raise TooLarge(msg)
    now = desk.clock()
    network.verify(headers, body, account=configured, now=now)
    external_id = network.delivery_id(headers, body)
    with unit_of_work.write(desk.engine) as session:
        return events.store(
            session,
            channel=channel,
            account=account,
            external_id=external_id,
            raw=body,
            now=now,
        )


def ingest(desk: Desk) -> bool:
    """Work off the oldest stored event in one transaction; False if none waits.

    What cannot be read is quarantined with the reason. An event on which our own code fails is tried
    again and then quarantined too, so that it cannot hold up the others. Raises StorageError.
    """
    with unit_of_work.read(desk.engine) as session:
        if not events.anything_pending(session):
            return False
    event: StoredEvent | None = None
    try:
        with unit_of_work.write(desk.engine) as session:
            event = events.next_pending(session)
            if event is None:
                return False
            _work_off(desk, session, event)
    except StorageError:
        raise
    except Exception as error:
        if event is None:
            raise
        log.error("event.failed", event_id=event.id, exc_info=error)
        with unit_of_work.write(desk.engine) as session:
            reason = f"our own error: {type(error).__name__}"
            events.failed(session, event.id, reason=reason, now=desk.clock())
    return True


def replay_event(session: Session, event_id: int) -> StoredEvent:
    """Let a stored event be worked off again; raises NotFound. What it did before is not done twice."""
    return events.replay(session, event_id)


def stored_events(
    session: Session, *, state: EventState | None = None, limit: int = 100
) -> tuple[StoredEvent, ...]:
    """The newest stored events, of one state or of all: `quarantined` are those that need a look."""
    return events.in_state(session, state, limit=limit)


def _work_off(desk: Desk, session: Session, event: StoredEvent) -> None:
    now = desk.clock()
    try:
        network = desk.channels.get(event.channel)
        if network is None:
            msg = f"there is no channel {event.channel} any more"
            raise MalformedEvent(msg)
        parsed = network.parse(event.raw)
    except MalformedEvent as error:
        log.warning("event.quarantined", event_id=event.id, channel=event.channel)
        events.settle(session, event.id, state=EventState.QUARANTINED, reason=str(error), now=now)
        return
    notes = [_take_in(desk, session, event, one) for one in parsed]
    ignored = [note for note in notes if note is not None]
    state = EventState.IGNORED if len(ignored) == len(notes) else EventState.DONE
    events.settle(session, event.id, state=state, reason="; ".join(ignored), now=now)
    log.info("event.ingested", event_id=event.id, channel=event.channel, state=state.value)


def _take_in(
    desk: Desk, session: Session, event: StoredEvent, inbound: InboundEvent
) -> str | None:
    """Do what one event asks for; a reason if it changed nothing."""
    now = desk.clock()
    match inbound:
        case CustomerMessage():
            heard = Heard(
                channel=event.channel,
                account=event.account,
                peer=inbound.peer,
                external_id=inbound.external_id,
                display_name=inbound.display_name,
                locale=inbound.locale,
                text=inbound.text,
                supported=inbound.supported,
                said_at=inbound.said_at,
                received_at=event.received_at,
                inbox_event_id=event.id,
            )
            turn = conversations.record_customer_turn(session, heard, now=now)
            if turn is None:
                return "duplicate: we know this message"
            _give_to_team(session, turn.conversation_id, now=now)
            return None
        case DeliveryReceipt():
            return _take_receipt(desk, session, event, inbound)
        case UnknownEvent():
            return f"unknown event type {inbound.type}"


def _give_to_team(session: Session, conversation_id: str, *, now: datetime) -> None:
    """Who waits for a person about something frozen waits for the team of the freeze."""
    state = freezes.in_force(session)
    if not state.freezes:
        return
    conversation = conversations.get(session, conversation_id)
    freeze = state.on(conversation.topic, channel=conversation.channel)
    if freeze is not None and conversation.waiting_since is not None:
        conversations.give_to_team(session, [conversation_id], team=freeze.team, now=now)


def _take_receipt(
    desk: Desk, session: Session, event: StoredEvent, receipt: DeliveryReceipt
) -> str | None:
    now = desk.clock()
    settled = delivery.record_receipt(
        session,
        receipt.reference,
        channel=event.channel,
        account=event.account,
        kind=receipt.kind.value,
        at=receipt.at or event.received_at,
        platform_id=receipt.platform_id,
        now=now,
    )
    if settled is None:
        return "a receipt for no reply of ours"
    mark_draft_sent(session, settled.draft_id, now=now)
    return None


def _account(desk: Desk, channel: str, account: str) -> tuple[Channel, Account]:
    network = desk.channels.get(channel)
    configured = desk.settings.account(channel, account)
    if network is None or configured is None:
        msg = "no such channel and account are configured: see FIRSTLINE_ACCOUNTS"
        raise UnknownAccount(msg)
    return network, configured
