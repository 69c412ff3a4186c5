"""The tables of coverage: questions that nothing answered, and phrasings that customers' words propose."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from knowledge_base.masking import MOST_KEPT
from knowledge_base.store.columns import Base, UtcDateTime
from knowledge_base.store.tables import HASH
from suggest_api.storage.tables import CHANNEL, ID


class UnansweredQuestionRow(Base):
    """A question that got no confident suggestion, with personal data masked before it is stored.

    Nothing leads back to the customer: `asked_key` only tells that the same question was put twice in one
    conversation (suggest_api/coverage/model.py).
    """

    __tablename__ = "unanswered_question"

    id: Mapped[int] = mapped_column(primary_key=True)
    asked_key: Mapped[str] = mapped_column(String(ID))
    question: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(String(CHANNEL))
    locale: Mapped[str | None] = mapped_column(String(35))
    use: Mapped[str] = mapped_column(String(16))
    build_id: Mapped[str] = mapped_column(String(ID))
    reason: Mapped[str] = mapped_column(String(32))
    # Of the best candidate; None where there was none.
    confidence: Mapped[float | None] = mapped_column(Float)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint("use IN ('agent','assistant')", name="use"),
        CheckConstraint(f"question <> '' AND length(question) <= {MOST_KEPT}", name="length"),
        CheckConstraint(
            "confidence IS NULL OR (confidence >= 0 AND confidence <= 1)", name="confidence_share"
        ),
        Index("ix_unanswered_question_asked_at", "asked_at"),
    )


class PhrasingProposalRow(Base):
    """A customer's question, masked, whose suggestion an agent sent as it was: it may become a phrasing."""

    __tablename__ = "phrasing_proposal"

    id: Mapped[int] = mapped_column(primary_key=True)
    snippet_key: Mapped[str] = mapped_column(ForeignKey("snippet.key"))
    phrasing: Mapped[str] = mapped_column(Text)
    phrasing_key: Mapped[str] = mapped_column(String(HASH))  # SHA-256 of the folded words
    count: Mapped[int] = mapped_column(default=1)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The draft revision that carries it; somebody else has yet to approve that.
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))

    __table_args__ = (
        UniqueConstraint("snippet_key", "phrasing_key"),
        CheckConstraint("state IN ('proposed','accepted','declined')", name="state"),
        CheckConstraint("count > 0 AND first_seen_at <= last_seen_at", name="seen"),
        CheckConstraint(f"phrasing <> '' AND length(phrasing) <= {MOST_KEPT}", name="length"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decision_whole"),
        CheckConstraint("(state = 'proposed') = (decided_by IS NULL)", name="decided_by_someone"),
        CheckConstraint(
            "(state = 'accepted') = (revision_id IS NOT NULL)", name="accepted_into_a_revision"
        ),
        Index("ix_phrasing_proposal_state", "state", "snippet_key"),
    )
