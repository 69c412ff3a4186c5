"""The SQL of conversations: rows to values and back, every change of a conversation by compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from suggest_api.conversations.model import (
    Conversation,
    EventState,
    InboxItem,
    NewTurn,
    StoredEvent,
    Turn,
    TurnKind,
)
from suggest_api.errors import OwnershipLost
from suggest_api.storage.tables import ConversationRow, InboxEventRow, TurnRow
from suggest_api.values import Author, Owner, new_id

IDS_AT_ONCE = 10_000  # SQLite takes at most 32,766 parameters (sqlite.org/limits.html)
PREVIEW = 140  # characters of the newest message in a list
SAID = (TurnKind.SAID, TurnKind.UNSUPPORTED)


def find_or_create(
    session: Session,
    *,
    channel: str,
    account: str,
    peer: str,
    display_name: str,
    first_name: str | None,
    locale: str,
    now: datetime,
) -> Conversation:
    """The conversation with this customer, locked; two workers that meet here get the same one."""
    values: dict[str, Any] = {
        "id": new_id(),
        "channel": channel,
        "account": account,
        "peer": peer,
        "display_name": display_name,
        "first_name": first_name,
        "locale": locale,
        "owner": Owner.BOT,
        "facts": {},
        "created_at": now,
        "changed_at": now,
    }
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(
        insert(ConversationRow)
        .values(values)
        .on_conflict_do_nothing(index_elements=["channel", "account", "peer"])
    )
    same = (
        ConversationRow.channel == channel,
        ConversationRow.account == account,
        ConversationRow.peer == peer,
    )
    found = _find(session, *same, lock=True)
    assert found is not None  # noqa: S101 - inserted above, or there already; nothing deletes
    return found


def get(session: Session, conversation_id: str) -> Conversation:
    """The conversation as it is; raises NotFound."""
    return _one(session, conversation_id, lock=False)


def lock(session: Session, conversation_id: str) -> Conversation:
    """The conversation, held until the transaction ends; raises NotFound."""
    return _one(session, conversation_id, lock=True)


def save(
    session: Session, before: Conversation, after: Conversation, *, now: datetime
) -> Conversation:
    """Write what differs if nobody changed it since `before`; raises OwnershipLost otherwise."""
    old, new = _columns(before), _columns(after)
    changed = {name: value for name, value in new.items() if old[name] != value}
    if not changed:
        return before
    version = before.version + 1
    statement = (
        update(ConversationRow)
        .where(ConversationRow.id == before.id, ConversationRow.version == before.version)
        .values(**changed, version=version, changed_at=now)
        .execution_options(synchronize_session=False)
    )
    if affected(session, statement) != 1:
        msg = "the conversation changed in between: look at it again"
        raise OwnershipLost(msg)
    return replace(after, version=version, changed_at=now)


def append(
    session: Session, conversation: Conversation, turn: NewTurn, *, now: datetime
) -> tuple[Conversation, Turn]:
    """Write the next entry of the log; the caller saves the returned conversation."""
    seq = conversation.last_seq + 1
    row = TurnRow(
        conversation_id=conversation.id,
        seq=seq,
        kind=turn.kind,
        author=turn.author,
        author_name=turn.author_name,
        text=turn.text,
        detail=dict(turn.detail),
        external_id=turn.external_id,
        inbox_event_id=turn.inbox_event_id,
        said_at=turn.said_at,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return replace(conversation, last_seq=seq), to_turn(row)


def knows_message(session: Session, conversation_id: str, external_id: str) -> bool:
    """Whether this message of the network is in the log already."""
    statement = select(TurnRow.id).where(
        TurnRow.conversation_id == conversation_id, TurnRow.external_id == external_id
    )
    return session.scalar(statement) is not None


def thread(session: Session, conversation_id: str) -> tuple[Turn, ...]:
    """Everything that was said and happened, by the time it was said, then by when we learned it."""
    rows = session.scalars(
        select(TurnRow)
        .where(TurnRow.conversation_id == conversation_id)
        .order_by(TurnRow.said_at, TurnRow.seq)
    )
    return tuple(to_turn(row) for row in rows)


def latest(session: Session, conversation_id: str, *, limit: int) -> tuple[Turn, ...]:
    """The newest entries of a log, oldest first."""
    rows = session.scalars(
        select(TurnRow)
        .where(TurnRow.conversation_id == conversation_id)
        .order_by(TurnRow.seq.desc())
        .limit(limit)
    )
    return tuple(to_turn(row) for row in reversed(rows.all()))


def get_turn(session: Session, turn_id: int) -> Turn:
    """One entry of a log."""
    return to_turn(session.get_one(TurnRow, turn_id))


def items(
    session: Session,
    *,
    waiting: bool,
    limit: int,
    teams: Collection[str] = (),
    team: str | None = None,
) -> tuple[InboxItem, ...]:
    """Conversations that wait for a person, longest first; or the others, newest change first.

    Those of `teams` come before all others; `team` leaves out the rest ('' is those that no team has).
    """
    newest = (
        select(func.max(TurnRow.seq))
        .where(
            TurnRow.conversation_id == ConversationRow.id,
            TurnRow.kind.in_(SAID),
            # What the customer wants tells more than the assistant's last polite line.
            TurnRow.author == Author.CUSTOMER,
        )
        .correlate(ConversationRow)
        .scalar_subquery()
    )
    statement = select(ConversationRow, TurnRow.text).outerjoin(
        TurnRow, (TurnRow.conversation_id == ConversationRow.id) & (TurnRow.seq == newest)
    )
    if team is not None:
        statement = statement.where(ConversationRow.team == team)
    if teams:
        theirs = case((ConversationRow.team.in_(teams), 0), else_=1)
        statement = statement.order_by(theirs)
    if waiting:
        statement = statement.where(ConversationRow.waiting_since.is_not(None)).order_by(
            ConversationRow.waiting_since, ConversationRow.id
        )
    else:
        statement = statement.where(ConversationRow.waiting_since.is_(None)).order_by(
            ConversationRow.changed_at.desc(), ConversationRow.id
        )
    return tuple(
        _item(to_conversation(row), text or "")
        for row, text in session.execute(statement.limit(limit))
    )


def on_topic(session: Session, *, topic: str, channel: str) -> tuple[Conversation, ...]:
    """Conversations that wait for a person and are about this topic ('' is any) on this channel ('' is all)."""
    statement = select(ConversationRow).where(ConversationRow.waiting_since.is_not(None))
    if topic:
        statement = statement.where(ConversationRow.topic == topic)
    if channel:
        statement = statement.where(ConversationRow.channel == channel)
    statement = statement.order_by(ConversationRow.id).execution_options(populate_existing=True)
    return tuple(to_conversation(row) for row in session.scalars(statement))


def teams(session: Session) -> tuple[str, ...]:
    """The teams for which somebody waits, in order."""
    statement = select(ConversationRow.team).where(
        ConversationRow.waiting_since.is_not(None), ConversationRow.team != ""
    )
    return tuple(session.scalars(statement.distinct().order_by(ConversationRow.team)))


def of_team(session: Session, team: str) -> tuple[Conversation, ...]:
    """What a team has and nobody has taken."""
    statement = select(ConversationRow).where(
        ConversationRow.team == team, ConversationRow.assignee.is_(None)
    )
    statement = statement.order_by(ConversationRow.id).execution_options(populate_existing=True)
    return tuple(to_conversation(row) for row in session.scalars(statement))


def give_to_team(session: Session, ids: Collection[str], *, team: str, now: datetime) -> int:
    """Let a team have these conversations; returns how many it did not have before."""
    wanted, moved = sorted(ids), 0
    for start in range(0, len(wanted), IDS_AT_ONCE):
        statement = (
            update(ConversationRow)
            .where(
                ConversationRow.id.in_(wanted[start : start + IDS_AT_ONCE]),
                ConversationRow.team != team,
            )
            .values(team=team, version=ConversationRow.version + 1, changed_at=now)
            .execution_options(synchronize_session=False)
        )
        moved += affected(session, statement)
    return moved


def versions(session: Session) -> tuple[tuple[str, int], ...]:
    """Every conversation that waits or has an owner who is a person, with its version."""
    statement = (
        select(ConversationRow.id, ConversationRow.version)
        .where(
            ConversationRow.waiting_since.is_not(None) | (ConversationRow.owner == Owner.PERSON)
        )
        .order_by(ConversationRow.id)
    )
    return tuple((row.id, row.version) for row in session.execute(statement))


def affected(session: Session, statement: Update) -> int:
    """How many rows an UPDATE changed."""
    result = session.execute(statement)
    return result.rowcount if isinstance(result, CursorResult) else 0


def to_event(row: InboxEventRow) -> StoredEvent:
    """The value of a row."""
    return StoredEvent(
        id=row.id,
        channel=row.channel,
        account=row.account,
        external_id=row.external_id,
        raw=bytes(row.raw),
        received_at=row.received_at,
        state=EventState(row.state),
        attempts=row.attempts,
        reason=row.reason,
    )


def to_conversation(row: ConversationRow) -> Conversation:
    """The value of a row."""
    return Conversation(
        id=row.id,
        channel=row.channel,
        account=row.account,
        peer=row.peer,
        display_name=row.display_name,
        first_name=row.first_name,
        locale=row.locale,
        owner=Owner(row.owner),
        assignee=row.assignee,
        version=row.version,
        waiting_since=row.waiting_since,
        facts=dict(row.facts),
        bot_session=row.bot_session,
        bot_session_seen_at=row.bot_session_seen_at,
        last_customer_at=row.last_customer_at,
        opted_out_at=row.opted_out_at,
        last_seq=row.last_seq,
        created_at=row.created_at,
        changed_at=row.changed_at,
        topic=row.topic,
        team=row.team,
    )


def to_turn(row: TurnRow) -> Turn:
    """The value of a row."""
    return Turn(
        id=row.id,
        conversation_id=row.conversation_id,
        seq=row.seq,
        kind=TurnKind(row.kind),
        author=Author(row.author),
        author_name=row.author_name,
        text=row.text,
        detail=row.detail,
        external_id=row.external_id,
        said_at=row.said_at,
        created_at=row.created_at,
    )


def _one(session: Session, conversation_id: str, *, lock: bool) -> Conversation:
    found = _find(session, ConversationRow.id == conversation_id, lock=lock)
    if found is None:
        msg = "there is no such conversation"
        raise NotFound(msg)
    return found


def _find(session: Session, *conditions: ColumnElement[bool], lock: bool) -> Conversation | None:
    # Changes are written by UPDATE statements, so an object loaded earlier may be stale.
    statement = (
        select(ConversationRow).where(*conditions).execution_options(populate_existing=True)
    )
    if lock:
        # SQLite has one writer at a time and ignores FOR UPDATE.
        statement = statement.with_for_update()
    row = session.scalars(statement).one_or_none()
    return None if row is None else to_conversation(row)


def _columns(conversation: Conversation) -> Mapping[str, Any]:
    columns = asdict(conversation)
    for name in ("id", "version", "changed_at", "created_at"):
        del columns[name]
    return columns


def _item(conversation: Conversation, last_text: str) -> InboxItem:
    return InboxItem(
        id=conversation.id,
        name=conversation.name,
        channel=conversation.channel,
        owner=conversation.owner,
        assignee=conversation.assignee,
        version=conversation.version,
        waiting_since=conversation.waiting_since,
        changed_at=conversation.changed_at,
        last_text=last_text[:PREVIEW],
        topic=conversation.topic,
        team=conversation.team,
    )
