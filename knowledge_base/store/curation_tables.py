"""The tables of governed content: review, verification, recall, freeze, golden questions and publications."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from knowledge_base.store.columns import Base, CanonicalJson, UtcDateTime
from knowledge_base.store.tables import HASH, NAME

BUILD = 64  # characters of a build id
CHANNEL_NAME = 32  # characters of a channel's name


class LiveSetRow(Base):
    """One row: a version that a trigger counts up whenever a revision becomes live or ceases to be."""

    __tablename__ = "live_set"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class ReviewPathRow(Base):
    """The teams that sign off revisions of a topic, in their order. The path of topic '' is for all others."""

    __tablename__ = "review_path"

    topic: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    teams: Mapped[list[str]] = mapped_column(CanonicalJson)
    set_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReviewDecisionRow(Base):
    """One sign-off, return or withdrawal of a submitted revision, bound to its author and content."""

    __tablename__ = "review_decision"

    id: Mapped[int] = mapped_column(primary_key=True)
    revision_id: Mapped[int]
    author: Mapped[str] = mapped_column(String(NAME))
    content_hash: Mapped[str] = mapped_column(String(HASH))
    submitted_at: Mapped[datetime] = mapped_column(UtcDateTime)  # which submission it is about
    kind: Mapped[str] = mapped_column(String(16))
    step: Mapped[int]  # of the path, from 0
    team: Mapped[str] = mapped_column(String(NAME), default="")  # '' where the topic names no team
    by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (
        ForeignKeyConstraint(
            ["revision_id", "author", "content_hash"],
            ["revision.id", "revision.author", "revision.content_hash"],
            name="fk_review_decision_bound_to_content",
        ),
        CheckConstraint("kind IN ('approve','return','withdraw')", name="kind"),
        CheckConstraint("kind = 'withdraw' OR by <> author", name="two_people"),
        CheckConstraint("kind <> 'withdraw' OR by = author", name="withdrawn_by_author"),
        CheckConstraint("kind <> 'return' OR reason <> ''", name="return_has_reason"),
        CheckConstraint("step >= 0", name="step_counts_from_zero"),
        # Every step once, and every step by somebody else.
        Index(
            "uq_review_decision_step",
            "revision_id",
            "submitted_at",
            "step",
            unique=True,
            sqlite_where=sql("kind = 'approve'"),
            postgresql_where=sql("kind = 'approve'"),
        ),
        Index(
            "uq_review_decision_person",
            "revision_id",
            "submitted_at",
            "by",
            unique=True,
            sqlite_where=sql("kind = 'approve'"),
            postgresql_where=sql("kind = 'approve'"),
        ),
    )


class ReviewCommentRow(Base):
    """A remark on a revision, at any time, by anybody who may see it."""

    __tablename__ = "review_comment"

    id: Mapped[int] = mapped_column(primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"))
    by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("text <> ''", name="says_something"),
        Index("ix_review_comment_revision", "revision_id"),
    )


class VerificationRow(Base):
    """Somebody read a live revision again and stands by it until `due_at`."""

    __tablename__ = "verification"

    id: Mapped[int] = mapped_column(primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"))
    by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint("at < due_at", name="due_later"),
        Index("ix_verification_revision", "revision_id"),
    )


class RecallRow(Base):
    """A snippet that was pulled at once: who, when and why."""

    __tablename__ = "recall"

    id: Mapped[int] = mapped_column(primary_key=True)
    snippet_key: Mapped[str] = mapped_column(ForeignKey("snippet.key"))
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"), unique=True)
    by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("reason <> ''", name="has_reason"),
        Index("ix_recall_snippet", "snippet_key"),
    )


class FreezeRow(Base):
    """A topic, or everything but the holding statement, that is not answered for the time being."""

    __tablename__ = "freeze"

    id: Mapped[int] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(String(NAME), default="")  # '' is everything
    channel: Mapped[str] = mapped_column(String(CHANNEL_NAME), default="")  # '' is all channels
    holding_key: Mapped[str | None] = mapped_column(ForeignKey("snippet.key"))
    team: Mapped[str] = mapped_column(String(NAME))  # who gets the conversations
    drill: Mapped[bool] = mapped_column(default=False)
    by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text)
    thawed_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    thawed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    thaw_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("reason <> '' AND team <> ''", name="says_why_and_who"),
        CheckConstraint(
            "(thawed_by IS NULL) = (thawed_at IS NULL)"
            " AND (thawed_by IS NULL) = (thaw_reason IS NULL)",
            name="thaw_whole",
        ),
        Index(
            "uq_freeze_in_force",
            "topic",
            "channel",
            "drill",
            unique=True,
            sqlite_where=sql("thawed_at IS NULL"),
            postgresql_where=sql("thawed_at IS NULL"),
        ),
    )


class GoldenQuestionRow(Base):
    """A question with the snippet that has to answer it; no snippet means that none may."""

    __tablename__ = "golden_question"

    id: Mapped[int] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(Text)
    expected_key: Mapped[str | None] = mapped_column(ForeignKey("snippet.key"))
    must_pass: Mapped[bool] = mapped_column(default=False)
    added_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint("question <> ''", name="asks_something"),
        CheckConstraint("(removed_by IS NULL) = (removed_at IS NULL)", name="removal_whole"),
        Index(
            "uq_golden_question_in_use",
            "question",
            unique=True,
            sqlite_where=sql("removed_at IS NULL"),
            postgresql_where=sql("removed_at IS NULL"),
        ),
    )


class PublicationRow(Base):
    """One change of what is live: asked for, built beside the live one, compared, then published or refused."""

    __tablename__ = "publication"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    requested_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    compared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    base_build_id: Mapped[str | None] = mapped_column(String(BUILD))
    build_id: Mapped[str | None] = mapped_column(String(BUILD))
    report: Mapped[dict[str, Any] | None] = mapped_column(CanonicalJson)
    failure: Mapped[str | None] = mapped_column(Text)
    # A refusal is set aside by two people: who asks, with a reason, and who confirms.
    override_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    override_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    override_reason: Mapped[str | None] = mapped_column(Text)
    confirmed_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    published_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint(
            "state IN ('requested','building','ready','refused','failed','published','superseded')",
            name="state",
        ),
        CheckConstraint(
            "(override_by IS NULL) = (override_at IS NULL)"
            " AND (override_by IS NULL) = (override_reason IS NULL)",
            name="override_whole",
        ),
        CheckConstraint(
            "(confirmed_by IS NULL) = (confirmed_at IS NULL)"
            " AND (confirmed_by IS NULL OR override_by IS NOT NULL)",
            name="confirmation_whole",
        ),
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> override_by", name="two_people"),
        CheckConstraint(
            "(published_by IS NULL) = (published_at IS NULL)"
            " AND (state = 'published') = (published_at IS NOT NULL)",
            name="publication_whole",
        ),
        CheckConstraint(
            "state NOT IN ('ready','refused','published') OR build_id IS NOT NULL",
            name="compared_has_build",
        ),
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure_named"),
        Index("ix_publication_state", "state", "id"),
    )
