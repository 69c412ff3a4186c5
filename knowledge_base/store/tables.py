"""The tables of the knowledge base: people, snippets, revisions and the audit chain, with their constraints."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from knowledge_base.snippet import MAX_KEY
from knowledge_base.store.columns import Base, CanonicalJson, UtcDateTime

NAME = 120  # characters of a person's name, a topic or an owner
HASH = 64  # hex digits of a SHA-256
SIGNATURE = 128  # hex digits of an Ed25519 signature


def approval_rules() -> tuple[CheckConstraint, ...]:
    """What holds for everything that is approved: by another than its author, as a whole, for this content."""
    return (
        CheckConstraint("approved_by IS NULL OR approved_by <> author", name="two_people"),
        CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)"
            " AND (approved_by IS NULL) = (approved_hash IS NULL)"
            " AND (approved_by IS NULL) = (policy_version IS NULL)",
            name="approval_whole",
        ),
        CheckConstraint(
            "approved_hash IS NULL OR approved_hash = content_hash",
            name="approval_bound_to_content",
        ),
    )


class PersonRow(Base):
    """Somebody who writes, approves or answers; a sign-in is a separate thing."""

    __tablename__ = "person"

    name: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SnippetRow(Base):
    """A key; all that it says is in its revisions."""

    __tablename__ = "snippet"

    key: Mapped[str] = mapped_column(String(MAX_KEY), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RevisionRow(Base):
    """One version of a snippet. Triggers refuse any change of its content (see the first migration)."""

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(primary_key=True)
    snippet_key: Mapped[str] = mapped_column(ForeignKey("snippet.key"))
    number: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    examples: Mapped[list[str]] = mapped_column(CanonicalJson)
    topic: Mapped[str] = mapped_column(String(NAME))
    tags: Mapped[list[str]] = mapped_column(CanonicalJson)
    locale: Mapped[str] = mapped_column(String(35))  # the longest tag of BCP 47 section 4.4.1
    channels: Mapped[list[str]] = mapped_column(CanonicalJson)
    auto_send: Mapped[bool]
    valid_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    owner: Mapped[str] = mapped_column(String(NAME))
    content_hash: Mapped[str] = mapped_column(String(HASH))

    status: Mapped[str] = mapped_column(String(16))
    author: Mapped[str] = mapped_column(ForeignKey("person.name"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_hash: Mapped[str | None] = mapped_column(String(HASH))
    policy_version: Mapped[str | None] = mapped_column(String(HASH))
    retired_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Published: what may be offered. Several approved revisions may wait or be kept to go back to.
    live: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))

    __table_args__ = (
        UniqueConstraint("snippet_key", "number"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("status IN ('draft','in_review','approved','retired')", name="status"),
        *approval_rules(),
        CheckConstraint(
            "status <> 'approved' OR approved_by IS NOT NULL", name="approved_by_someone"
        ),
        CheckConstraint("(retired_by IS NULL) = (retired_at IS NULL)", name="retirement_whole"),
        CheckConstraint(
            "(status = 'retired') = (retired_at IS NOT NULL)", name="retired_by_someone"
        ),
        CheckConstraint(
            "valid_until IS NULL OR valid_from IS NULL OR valid_from < valid_until",
            name="valid_from_before_until",
        ),
        CheckConstraint("NOT live OR status = 'approved'", name="live_is_approved"),
        Index(
            "uq_revision_one_live",
            "snippet_key",
            unique=True,
            sqlite_where=sql("live"),
            postgresql_where=sql("live"),
        ),
        # What decisions refer to: a sign-off is bound to this author and this content.
        Index("uq_revision_bound", "id", "author", "content_hash", unique=True),
        # No index on the status alone: SQLite would prefer it to the first one and read every live row.
        Index(
            "ix_revision_in_review",
            "snippet_key",
            sqlite_where=sql("status = 'in_review'"),
            postgresql_where=sql("status = 'in_review'"),
        ),
    )


class AuditRow(Base):
    """One link of the audit chain: `hash` = SHA-256(previous hash, then the canonical JSON of the rest)."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(NAME))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(200), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(CanonicalJson)
    previous_hash: Mapped[str] = mapped_column(String(HASH))
    hash: Mapped[str] = mapped_column(String(HASH), unique=True)


class SnippetMergeRow(Base):
    """One snippet that goes up in another: both live on until the revision that takes its phrasings is live."""

    __tablename__ = "snippet_merge"

    id: Mapped[int] = mapped_column(primary_key=True)
    from_key: Mapped[str] = mapped_column(ForeignKey("snippet.key"))
    merged_into: Mapped[str] = mapped_column(ForeignKey("snippet.key"))
    # The draft that the merge made, and the revision that retired when that draft (or a later one) went live.
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"))
    retired_revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    state: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint("from_key <> merged_into", name="two_snippets"),
        CheckConstraint("state IN ('open','done','withdrawn')", name="state"),
        CheckConstraint("(settled_by IS NULL) = (settled_at IS NULL)", name="settlement_whole"),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled"),
        CheckConstraint(
            "state = 'done' OR retired_revision_id IS NULL", name="retires_only_when_done"
        ),
        Index(
            "uq_snippet_merge_one_open",
            "from_key",
            unique=True,
            sqlite_where=sql("state = 'open'"),
            postgresql_where=sql("state = 'open'"),
        ),
        Index("ix_snippet_merge_merged_into", "merged_into"),
    )


class AuditCheckpointRow(Base):
    """A signed note of how long the chain was at a time, and which hash it ended in (`store.checkpoints`)."""

    __tablename__ = "audit_checkpoint"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    head: Mapped[str] = mapped_column(String(HASH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    key_fingerprint: Mapped[str] = mapped_column(String(HASH))
    signature: Mapped[str] = mapped_column(String(SIGNATURE))

    __table_args__ = (CheckConstraint("seq > 0", name="seq_positive"),)
