"""The revisions that are live at this moment: the database is asked at every request whether anything changed."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from sqlalchemy.orm import Session

from knowledge_base.snippet import Revision
from knowledge_base.store import repository

# Revisions kept, about 3 KB each: 30 MB for a large knowledge base, after which it starts again from none.
MOST_KEPT = 10_000


class LiveRevisions:
    """Live revisions by key, of one database; safe to share between threads.

    Which revisions are live has a version that the database itself counts up with every change (a trigger on
    `revision`). While it stands, what was read stays true; when it moved, everything is asked again,
    but the words of a revision never change and are parsed once.
    """

    def __init__(self, *, most: int = MOST_KEPT) -> None:
        self._most = most
        self._kept: dict[tuple[int, str], Revision] = {}  # parsed, by id and content hash
        # What is known at one version: a snippet without a live revision is known as None.
        self._version = -1
        self._known: dict[str, Revision | None] = {}
        self._lock = Lock()

    def get(self, session: Session, keys: Sequence[str]) -> dict[str, Revision]:
        """The live revisions of these snippets by key; those without one are left out."""
        known = self._known_at(repository.live_set_version(session))
        with self._lock:
            found = {key: known[key] for key in keys if key in known}
        missing = [key for key in keys if key not in found]
        if missing:
            read = self._read(session, missing)
            fresh = {key: read.get(key) for key in missing}
            with self._lock:
                if len(known) + len(fresh) > self._most:
                    known.clear()
                known.update(fresh)
            found.update(fresh)
        return {key: revision for key, revision in found.items() if revision is not None}

    def _known_at(self, version: int) -> dict[str, Revision | None]:
        """What is known at this version; a reader of an older snapshot gets a sheet of its own."""
        with self._lock:
            if version > self._version:
                self._version, self._known = version, {}
            return self._known if version == self._version else {}

    def _read(self, session: Session, keys: Sequence[str]) -> dict[str, Revision]:
        versions = repository.live_versions(session, keys)
        found = {key: self._kept.get(version) for key, version in versions.items()}
        unread = [key for key, revision in found.items() if revision is None]
        read = repository.live_revisions(session, unread) if unread else {}
        with self._lock:
            if len(self._kept) + len(read) > self._most:
                self._kept = {}
            self._kept.update((versions[key], revision) for key, revision in read.items())
        return {key: revision for key, revision in found.items() if revision is not None} | read
