"""What a snippet is: frozen values, and the hash that approval binds to.

A revision that is approved may be offered only while it is `live`: the one that was published last. An approved
revision that is not live either waits for publication or was replaced, and a rollback may make it live again.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

# `topic.name`, and `topic.name~formal` for a variant: the part before the tilde is what variants share.
KEY_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*(~[a-z0-9][a-z0-9_-]*)?")
_WORD = re.compile(r"\w+")
MAX_KEY = 120  # code points; long enough for topic.subtopic.name, short enough for an index


class Status(StrEnum):
    """Where a revision stands: draft -> in review -> approved -> retired."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnippetContent:
    """Everything that an author writes and an approver answers for.

    `channels` empty means every channel. Times are aware UTC; `valid_until` is exclusive.
    """

    key: str
    text: str
    title: str = ""
    examples: tuple[str, ...] = ()
    topic: str = ""
    tags: tuple[str, ...] = ()
    locale: str = "en"
    channels: tuple[str, ...] = ()
    auto_send: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    owner: str = ""

    def canonical_json(self) -> str:
        """One spelling for one content: sorted keys, no spaces, UTC times in ISO 8601."""
        plain = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON; approval is given to exactly this."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One immutable version of a snippet with its place in the workflow.

    Who and when always come together: (`approved_by`, `approved_at`), (`retired_by`, `retired_at`).
    """

    id: int
    number: int
    content: SnippetContent
    content_hash: str
    status: Status
    author: str
    created_at: datetime
    submitted_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    policy_version: str | None = None
    live: bool = False
    retired_by: str | None = None
    retired_at: datetime | None = None

    @property
    def key(self) -> str:
        """The snippet's key."""
        return self.content.key

    def in_scope(self, *, channel: str | None, locale: str | None, now: datetime) -> bool:
        """Whether it may be offered: approved and live, valid at `now`, for this channel and locale.

        A locale matches its own language: content in `en` serves `en-GB`; `None` asks no question.
        """
        content = self.content
        return (
            self.live
            and self.status is Status.APPROVED
            and (content.valid_from is None or content.valid_from <= now)
            and (content.valid_until is None or now < content.valid_until)
            and (channel is None or not content.channels or channel in content.channels)
            and (locale is None or _speaks(content.locale, locale))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A key with all its revisions, oldest first."""

    key: str
    revisions: tuple[Revision, ...] = field(default=())

    @property
    def live(self) -> Revision | None:
        """The published revision, of which there is at most one."""
        return next((r for r in self.revisions if r.live), None)

    @property
    def waiting(self) -> Revision | None:
        """The newest approved revision that is newer than the live one: it waits for publication."""
        after = 0 if self.live is None else self.live.number
        approved = (r for r in self.revisions if r.status is Status.APPROVED and r.number > after)
        return max(approved, key=lambda r: r.number, default=None)


def base_key(key: str) -> str:
    """What all variants of a snippet share: the key up to the tilde."""
    return key.partition("~")[0]


def folded(phrasing: str) -> str:
    """The words alone, in lower case: two phrasings with the same ones are one phrasing."""
    return " ".join(_WORD.findall(phrasing.casefold()))


def _speaks(content_locale: str, wanted: str) -> bool:
    mine, theirs = content_locale.lower(), wanted.lower()
    return mine == theirs or theirs.startswith(mine + "-")
