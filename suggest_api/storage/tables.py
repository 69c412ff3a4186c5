"""The tables of the service: sign-in, inbox, conversations, drafts and the outbox, with their constraints."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from knowledge_base.store import (  # noqa: F401 - `draft` refers to one of their tables; all make one metadata
    curation_tables,
    policy_tables,
)
from knowledge_base.store.columns import Base, CanonicalJson, UtcDateTime
from knowledge_base.store.tables import HASH, NAME

ID = 32  # hex digits of a random 128-bit id
CHANNEL = 32  # characters of a channel's name
EXTERNAL = 255  # characters of an id that a network gives
REQUEST = 64  # characters of a request id, which the caller may choose


class SignInRow(Base):
    """How a person gets into the console. People who only stand as author or approver have none."""

    __tablename__ = "sign_in"

    person: Mapped[str] = mapped_column(ForeignKey("person.name"), primary_key=True)
    password_hash: Mapped[str] = mapped_column(Text)  # argon2id, with its own parameters inside
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PersonRoleRow(Base):
    """One thing that a person may do; approvers have one row for each team, '*' for all of them."""

    __tablename__ = "person_role"

    person: Mapped[str] = mapped_column(ForeignKey("sign_in.person"), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    team: Mapped[str] = mapped_column(String(NAME), primary_key=True, default="")
    granted_by: Mapped[str] = mapped_column(String(NAME))  # 'cli' where it was not a person
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint(
            "role IN ('agent','author','approver','publisher','auditor','admin')", name="role"
        ),
        CheckConstraint("(role = 'approver') = (team <> '')", name="approvers_have_teams"),
    )


class SessionRow(Base):
    """One signed-in browser: only the hash of the cookie is kept, and revoking it here ends it."""

    __tablename__ = "session"

    token_hash: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("sign_in.person"))
    csrf_token: Mapped[str] = mapped_column(String(HASH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiKeyRow(Base):
    """A key for the JSON API; the key itself is shown once and only its hash is kept."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(String(ID), primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME))
    key_hash: Mapped[str] = mapped_column(String(HASH), unique=True)
    scopes: Mapped[list[str]] = mapped_column(CanonicalJson)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InboxEventRow(Base):
    """A webhook body exactly as it came, stored once and committed before the 200."""

    __tablename__ = "inbox_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(CHANNEL))
    account: Mapped[str] = mapped_column(String(NAME))
    external_id: Mapped[str] = mapped_column(String(EXTERNAL))
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    raw_sha256: Mapped[str] = mapped_column(String(HASH))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(Text)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("channel", "account", "external_id"),
        CheckConstraint("state IN ('pending','done','ignored','quarantined')", name="state"),
        CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
        CheckConstraint(
            "state <> 'quarantined' OR reason IS NOT NULL", name="quarantine_has_reason"
        ),
        Index("ix_inbox_event_state", "state", "id"),
    )


class ConversationRow(Base):
    """One customer on one account of one channel, and who owns the reply: the bot or a person."""

    __tablename__ = "conversation"

    id: Mapped[str] = mapped_column(String(ID), primary_key=True)
    channel: Mapped[str] = mapped_column(String(CHANNEL))
    account: Mapped[str] = mapped_column(String(NAME))
    peer: Mapped[str] = mapped_column(String(EXTERNAL))
    display_name: Mapped[str] = mapped_column(String(NAME), default="")
    first_name: Mapped[str | None] = mapped_column(String(NAME))
    locale: Mapped[str] = mapped_column(String(35), default="en")
    owner: Mapped[str] = mapped_column(String(8), default="bot")
    assignee: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    # What it is about, as the newest hand-over says, and the team that a freeze of that gave it to; '' is none.
    topic: Mapped[str] = mapped_column(String(NAME), default="", server_default="")
    team: Mapped[str] = mapped_column(String(NAME), default="", server_default="")
    # Counts every change: ownership moves by compare-and-set on it, and the console sees what is new.
    version: Mapped[int] = mapped_column(default=1)
    waiting_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    facts: Mapped[dict[str, str]] = mapped_column(CanonicalJson)
    bot_session: Mapped[str | None] = mapped_column(String(ID))
    bot_session_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_customer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opted_out_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seq: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("channel", "account", "peer"),
        CheckConstraint("owner IN ('bot','person')", name="owner"),
        CheckConstraint("assignee IS NULL OR owner = 'person'", name="assignee_is_owner"),
        Index("ix_conversation_waiting", "owner", "waiting_since"),
    )


class TurnRow(Base):
    """One entry of a conversation's log: something said, or something that happened. Never changed."""

    __tablename__ = "turn"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"))
    seq: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    author: Mapped[str] = mapped_column(String(16))
    author_name: Mapped[str] = mapped_column(String(NAME), default="")
    text: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[dict[str, Any]] = mapped_column(CanonicalJson)
    external_id: Mapped[str | None] = mapped_column(String(EXTERNAL))
    inbox_event_id: Mapped[int | None] = mapped_column(ForeignKey("inbox_event.id"))
    said_at: Mapped[datetime] = mapped_column(UtcDateTime)  # by the network's clock where it tells
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        UniqueConstraint("conversation_id", "external_id"),
        CheckConstraint(
            "kind IN ('said','unsupported','hand_over','claim','release','opt_out','opt_in','note')",
            name="kind",
        ),
        CheckConstraint("author IN ('customer','bot','person','system')", name="author"),
    )


class BotTurnRow(Base):
    """A customer's turn that the assistant has to answer; at most one per conversation is in flight."""

    __tablename__ = "bot_turn"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"))
    turn_id: Mapped[int] = mapped_column(ForeignKey("turn.id"), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str | None] = mapped_column(String(32))
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(ID))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The session in which the assistant heard it: after a crash these turns are told to a fresh one.
    bot_session: Mapped[str | None] = mapped_column(String(ID))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint("state IN ('ready','leased','done','skipped')", name="state"),
        CheckConstraint("(state = 'leased') = (lease_owner IS NOT NULL)", name="lease_has_owner"),
        CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="lease_whole"),
        CheckConstraint(
            "(state IN ('done','skipped')) = (settled_at IS NOT NULL)", name="settled"
        ),
        Index("ix_bot_turn_state", "state", "id"),
        Index("ix_bot_turn_conversation", "conversation_id", "id"),
    )


class DraftRow(Base):
    """What was offered, with everything needed to rebuild it byte for byte, and what became of it."""

    __tablename__ = "draft"

    id: Mapped[str] = mapped_column(String(ID), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(REQUEST))
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversation.id"))
    channel: Mapped[str] = mapped_column(String(CHANNEL))
    use: Mapped[str] = mapped_column(String(16))
    rank: Mapped[int]
    snippet_key: Mapped[str] = mapped_column(ForeignKey("snippet.key"))
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"))
    text: Mapped[str] = mapped_column(Text)
    text_sha256: Mapped[str] = mapped_column(String(HASH))
    # The proof as it was when offered: canonical JSON, and the hash over it (drafts/model.py).
    proof: Mapped[dict[str, Any]] = mapped_column(CanonicalJson)
    proof_sha256: Mapped[str] = mapped_column(String(HASH))
    state: Mapped[str] = mapped_column(String(16))
    final_text: Mapped[str | None] = mapped_column(Text)
    final_verdict: Mapped[dict[str, Any] | None] = mapped_column(CanonicalJson)
    decided_by: Mapped[str | None] = mapped_column(String(NAME))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Withdrawn, because its snippet was recalled; it is dismissed then, by whoever recalled.
    recall_id: Mapped[int | None] = mapped_column(ForeignKey("recall.id"))

    __table_args__ = (
        CheckConstraint("use IN ('agent','assistant')", name="use"),
        CheckConstraint(
            "state IN ('proposed','edited','accepted','sent','dismissed')", name="state"
        ),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decision_whole"),
        CheckConstraint("(state = 'proposed') = (decided_by IS NULL)", name="decided_by_someone"),
        Index("ix_draft_request", "request_id"),
        Index("ix_draft_conversation", "conversation_id", "created_at"),
        Index("ix_draft_snippet", "snippet_key", "created_at"),
    )


class DraftUnrecordedRow(Base):
    """A draft whose offer the audit chain does not have yet: stored with it, taken away with the chain's entry."""

    __tablename__ = "draft_unrecorded"

    draft_id: Mapped[str] = mapped_column(ForeignKey("draft.id"), primary_key=True)


class OutboxRow(Base):
    """One reply on its way out. Its id is the idempotency key that the network gets."""

    __tablename__ = "outbox"

    id: Mapped[str] = mapped_column(String(ID), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"))
    seq: Mapped[int]
    turn_id: Mapped[int] = mapped_column(ForeignKey("turn.id"), unique=True)
    author: Mapped[str] = mapped_column(String(16))
    author_name: Mapped[str] = mapped_column(String(NAME), default="")
    text: Mapped[str] = mapped_column(Text)
    text_sha256: Mapped[str] = mapped_column(String(HASH))
    draft_id: Mapped[str | None] = mapped_column(ForeignKey("draft.id"))
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    verdict: Mapped[dict[str, Any]] = mapped_column(CanonicalJson)
    verdict_outcome: Mapped[str] = mapped_column(String(8))
    judged_sha256: Mapped[str] = mapped_column(String(HASH))
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_owner: Mapped[str | None] = mapped_column(String(ID))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    platform_id: Mapped[str | None] = mapped_column(String(EXTERNAL))
    failure: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        CheckConstraint("author IN ('bot','person')", name="author"),
        CheckConstraint(
            "state IN ('ready','leased','sent','failed','unknown','dead','cancelled')",
            name="state",
        ),
        # No verdict on exactly these bytes means no: not even a bug can queue an unjudged text.
        CheckConstraint("verdict_outcome IN ('pass','warn')", name="verdict_lets_it_out"),
        CheckConstraint("judged_sha256 = text_sha256", name="verdict_on_these_bytes"),
        # The assistant says approved text only.
        CheckConstraint(
            "author = 'person' OR revision_id IS NOT NULL", name="bot_text_is_approved"
        ),
        CheckConstraint("(state = 'leased') = (lease_owner IS NOT NULL)", name="lease_has_owner"),
        CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="lease_whole"),
        CheckConstraint(
            "(state IN ('sent','failed','cancelled')) = (settled_at IS NOT NULL)", name="settled"
        ),
        CheckConstraint(
            "state NOT IN ('failed','unknown','dead') OR failure IS NOT NULL", name="failure_named"
        ),
        Index("ix_outbox_state", "state", "next_attempt_at"),
    )


class DeliveryAttemptRow(Base):
    """One try to hand a reply to the network: written before the call, closed after it."""

    __tablename__ = "delivery_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    outbox_id: Mapped[str] = mapped_column(ForeignKey("outbox.id"))
    number: Mapped[int]
    # True when an earlier attempt may have reached the network: the customer may see the text twice.
    possible_repeat: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(16))
    detail: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        UniqueConstraint("outbox_id", "number"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended_with_outcome"),
    )


class ReceiptRow(Base):
    """What the network told about a reply later: that it has it, that it was delivered, that it was read."""

    __tablename__ = "receipt"

    id: Mapped[int] = mapped_column(primary_key=True)
    outbox_id: Mapped[str] = mapped_column(ForeignKey("outbox.id"))
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("outbox_id", "kind"),
        CheckConstraint("kind IN ('echo','delivered','read')", name="kind"),
    )


class WorkerRow(Base):
    """A worker process and when it last said that it is alive."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(ID), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
