"""The revisions that are approved at this moment: asked of the database, read from it once."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from sqlalchemy.orm import Session

from knowledge_base.snippet import Revision
from knowledge_base.store import repository

# Revisions kept, about 3 KB each: 30 MB for a large knowledge base, after which it starts again from none.
MOST_KEPT = 10_000


class LiveRevisions:
    """Approved revisions by key, of one database; safe to share between threads.

    Which revision is approved is asked at every request. What an approved revision says never changes, so
    its words are read and parsed once.
    """

    def __init__(self, *, most: int = MOST_KEPT) -> None:
        self._most = most
        self._kept: dict[tuple[int, str], Revision] = {}
        self._lock = Lock()

    def get(self, session: Session, keys: Sequence[str]) -> dict[str, Revision]:
        """The approved revisions of these snippets by key; those without one are left out."""
        versions = repository.live_versions(session, keys)
        found = {key: self._kept.get(version) for key, version in versions.items()}
        missing = [key for key, revision in found.items() if revision is None]
        read = repository.live_revisions(session, missing) if missing else {}
        with self._lock:
            if len(self._kept) + len(read) > self._most:
                self._kept = {}
            self._kept.update((versions[key], revision) for key, revision in read.items())
        known = {key: revision for key, revision in found.items() if revision is not None}
        return known | read
