"""Between rows and values: how a Revision is read from its row and a row is written from content."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy import text as sql

from knowledge_base.snippet import Revision, SnippetContent, Status
from knowledge_base.store.tables import RevisionRow

TABLE = RevisionRow.__table__

COLUMNS = tuple(TABLE.c[name] for name in (
    "id", "number", "content_hash", "status", "author", "created_at", "submitted_at",
    "approved_by", "approved_at", "policy_version", "retired_by", "retired_at", "live",
    "snippet_key", "text", "title", "examples", "topic", "tags", "locale", "channels",
    "auto_send", "valid_from", "valid_until", "owner",
))  # fmt: skip


# Written out, not bound: SQLite uses the index of live revisions only when it sees the constant.
LIVE = sql("revision.live")


def subject(key: str, number: int) -> str:
    """How the audit chain names a revision."""
    return f"revision:{key}@{number}"


def to_revision(row: Row[Any]) -> Revision:
    """The frozen value of a row that was selected with `COLUMNS`."""
    content = SnippetContent(
        key=row.snippet_key,
        text=row.text,
        title=row.title,
        examples=tuple(row.examples),
        topic=row.topic,
        tags=tuple(row.tags),
        locale=row.locale,
        channels=tuple(row.channels),
        auto_send=row.auto_send,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        owner=row.owner,
    )
    return Revision(
        id=row.id,
        number=row.number,
        content=content,
        content_hash=row.content_hash,
        status=Status(row.status),
        author=row.author,
        created_at=row.created_at,
        submitted_at=row.submitted_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        policy_version=row.policy_version,
        retired_by=row.retired_by,
        retired_at=row.retired_at,
        live=row.live,
    )


def new_row(content: SnippetContent, *, number: int, author: str, now: datetime) -> dict[str, Any]:
    """The columns of a new draft of this content."""
    return {
        "snippet_key": content.key,
        "number": number,
        "title": content.title,
        "text": content.text,
        "examples": list(content.examples),
        "topic": content.topic,
        "tags": list(content.tags),
        "locale": content.locale,
        "channels": list(content.channels),
        "auto_send": content.auto_send,
        "valid_from": content.valid_from,
        "valid_until": content.valid_until,
        "owner": content.owner,
        "content_hash": content.content_hash,
        "status": Status.DRAFT.value,
        "author": author,
        "created_at": now,
    }
