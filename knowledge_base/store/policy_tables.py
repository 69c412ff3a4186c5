"""The tables of the governed policy: texts of packs, sets of them, the versions they judge as, and proposals."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from knowledge_base.store.columns import Base, CanonicalJson, UtcDateTime
from knowledge_base.store.tables import HASH, approval_rules


class PolicyFileRow(Base):
    """The text of one file, kept once however many sets hold it."""

    __tablename__ = "policy_file"

    hash: Mapped[str] = mapped_column(
        String(HASH), primary_key=True
    )  # SHA-256 of the text in UTF-8
    text: Mapped[str] = mapped_column(Text)


class PolicySetRow(Base):
    """All files of a policy: hashes by name. What it says is what it is called."""

    __tablename__ = "policy_set"

    content_hash: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    files: Mapped[dict[str, str]] = mapped_column(CanonicalJson)


class PolicyVersionRow(Base):
    """Which set of files, read by which code, gives verdicts under a version."""

    __tablename__ = "policy_version"

    version: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    content_hash: Mapped[str] = mapped_column(ForeignKey("policy_set.content_hash"))
    code_hash: Mapped[str] = mapped_column(String(HASH))
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PolicyLiveRow(Base):
    """One row: a count that a trigger raises whenever a policy comes into force or goes out of it."""

    __tablename__ = "policy_live"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class PolicyRevisionRow(Base):
    """A proposed policy, and what became of it. While none is live, the packs of the program judge."""

    __tablename__ = "policy_revision"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    author: Mapped[str] = mapped_column(ForeignKey("person.name"))
    note: Mapped[str] = mapped_column(Text)  # why
    content_hash: Mapped[str] = mapped_column(ForeignKey("policy_set.content_hash"))
    # What was in force when it was begun: what it is compared with, and must still be in force.
    base_hash: Mapped[str] = mapped_column(ForeignKey("policy_set.content_hash"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    returned_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    returned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    return_reason: Mapped[str | None] = mapped_column(Text)
    approved_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_hash: Mapped[str | None] = mapped_column(String(HASH))
    policy_version: Mapped[str | None] = mapped_column(ForeignKey("policy_version.version"))
    # The weakenings that the approver saw and confirmed, and why.
    weakenings: Mapped[list[str]] = mapped_column(CanonicalJson)
    reason: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # superseded or withdrawn

    __table_args__ = (
        CheckConstraint(
            "state IN ('draft','in_review','returned','live','superseded','withdrawn')",
            name="state",
        ),
        CheckConstraint("note <> ''", name="says_why"),
        *approval_rules(),
        CheckConstraint(
            "returned_by IS NULL OR returned_by <> author", name="returned_by_another"
        ),
        CheckConstraint(
            "(state IN ('live','superseded')) = (approved_by IS NOT NULL)",
            name="in_force_by_approval",
        ),
        CheckConstraint(
            "state <> 'in_review' OR submitted_at IS NOT NULL", name="submitted_some_time"
        ),
        CheckConstraint(
            "(returned_by IS NULL) = (returned_at IS NULL)"
            " AND (returned_by IS NULL) = (return_reason IS NULL)"
            " AND (return_reason IS NULL OR return_reason <> '')",
            name="return_whole",
        ),
        CheckConstraint(
            "approved_by IS NULL OR weakenings = '[]' OR reason <> ''", name="weaker_with_reason"
        ),
        CheckConstraint(
            "(state IN ('superseded','withdrawn')) = (ended_at IS NOT NULL)", name="end_whole"
        ),
        Index(
            "uq_policy_revision_one_live",
            "state",
            unique=True,
            sqlite_where=sql("state = 'live'"),
            postgresql_where=sql("state = 'live'"),
        ),
    )
