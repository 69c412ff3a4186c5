"""What is live changes in one step: the index's CURRENT, the live revisions and the publication together.

The database decides. CURRENT is written inside the transaction that makes the revisions live, so an error takes
both back. A process killed between the two leaves CURRENT one step ahead of the database; until `recover` puts it
back, the texts offered are still those that the database has live.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from knowledge_base.errors import EncoderError, GenerationError, NotFound
from knowledge_base.home import Home
from knowledge_base.index import generation as generations
from knowledge_base.index import sealed
from knowledge_base.index.encoder import Encoder
from knowledge_base.index.generation import Generation
from knowledge_base.publish.generations import encoder_of, live_build
from knowledge_base.ranking.ranker import Ranker
from knowledge_base.store import audit, merges, publications, repository
from knowledge_base.store.engine import read_session, write_session

SYSTEM = "system"  # who builds or publishes when nobody is named

# Writes the publication that a switch belongs to, in its transaction.
Mark = Callable[[Session], object]


def adopt(
    home: Home,
    engine: Engine,
    build_id: str,
    *,
    now: datetime,
    detail: Mapping[str, Any],
    by: str = SYSTEM,
) -> Generation:
    """Make a prepared generation and its encoder the current ones together, with an audit row.

    For whoever compared it by other means than the gate. Raises NotFound, GenerationError, EncoderError;
    then nothing has changed.
    """
    with sealed.lock(home.index):
        recover_locked(home, engine)
        return switch(
            home, engine, build_id, action="generation.publish", by=by, now=now, detail=detail
        )


def rollback(
    home: Home, engine: Engine, build_id: str, *, now: datetime, by: str = SYSTEM
) -> Generation:
    """Make an earlier generation the live one, with an audit row; it does not wait for a build that is under way.

    It and its encoder are verified first, and its encoder becomes the current one again. The revisions that
    it names are live again, except those that were retired or recalled since: these stay gone. What was
    published after it waits for publication again. Call it outside a transaction.
    Raises NotFound, GenerationError, EncoderError.
    """
    with sealed.lock(home.index):
        recover_locked(home, engine)
        return switch(home, engine, build_id, action="generation.rollback", by=by, now=now)


def recover(home: Home, engine: Engine) -> str | None:
    """Point CURRENT at what was published last, where a killed process left it at something else.

    Returns the build id when it had to. Cheap enough to be called every second: one row and one small file.
    Does nothing while somebody is switching, or where that generation is gone or damaged (`kb build` mends that).
    """
    if _differing(home, engine) is None:
        return None
    with sealed.try_lock(home.index) as free:
        return recover_locked(home, engine) if free else None


def recover_locked(home: Home, engine: Engine) -> str | None:
    """`recover` for a caller that holds the lock of the index."""
    build_id = _differing(home, engine)
    if build_id is None:
        return None
    try:
        loaded = generations.load(home, build_id)
        Ranker(loaded, encoder_of(home, loaded))
    except (GenerationError, EncoderError, NotFound):
        return None
    _take_up_encoder(home, loaded)
    generations.activate(home, build_id)
    return build_id


def switch(
    home: Home,
    engine: Engine,
    build_id: str,
    *,
    action: str,
    by: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
    mark: Mark | None = None,
    encoder: Encoder | None = None,
) -> Generation:
    """Verify a generation with its encoder and make both current; one that is live already stays so.

    The caller holds the lock of the index. Killed between the two it leaves the encoder of the new generation
    with the old generation in service, which keeps using its own: the next build takes up the new encoder.
    """
    loaded = generations.load(home, build_id)
    Ranker(loaded, encoder or encoder_of(home, loaded))
    before = sealed.read_current(home.encoders)
    try:
        _take_up_encoder(home, loaded)
        if live_build(home) != build_id or mark is not None:
            activate(home, engine, loaded, action=action, by=by, now=now, extra=detail, mark=mark)
    except BaseException:
        if before is not None:
            sealed.write_current(home.encoders, before)
        raise
    return loaded


def activate(
    home: Home,
    engine: Engine,
    loaded: Generation,
    *,
    action: str,
    by: str,
    now: datetime,
    extra: Mapping[str, Any] | None = None,
    mark: Mark | None = None,
) -> None:
    """Switch index and live revisions, and record it, together: without the audit row the switch is taken back.

    The caller holds the lock of the index. Without a `mark` the switch is a publication of its own.
    """
    previous = live_build(home)
    switched = False
    try:
        with write_session(engine) as session:
            if mark is None:
                publications.unasked(
                    session,
                    build_id=loaded.build_id,
                    base_build_id=previous,
                    action=action,
                    by=by,
                    now=now,
                )
            else:
                mark(session)
            come, gone = repository.go_live(session, revision_ids(loaded))
            # A snippet whose phrasings have gone live in another one has done its work.
            merged = merges.settle_merges(session, by=by, now=now)
            detail = {
                "previous": previous,
                "encoder": loaded.encoder_fingerprint,
                "snippets": len(loaded.rows.snippets),
                "came_live": come,
                "went": gone,
                **({"merged": [one.from_key for one in merged]} if merged else {}),
                **(extra or {}),
            }
            subject = f"generation:{loaded.build_id}"
            audit.append(session, actor=by, action=action, subject=subject, detail=detail, now=now)
            generations.activate(home, loaded.build_id)
            switched = True
    except BaseException:
        if switched and previous is not None:
            generations.activate(home, previous)
        raise


def revision_ids(loaded: Generation) -> set[int]:
    """The revisions that a generation names."""
    return {snippet.revision_id for snippet in loaded.rows.snippets}


def behind(engine: Engine, loaded: Generation) -> bool:
    """Whether the database does not have live what this generation in service says."""
    with read_session(engine) as session:
        return repository.live_ids(session) != revision_ids(loaded)


def _take_up_encoder(home: Home, loaded: Generation) -> None:
    """Make a generation's encoder the current one, where it is kept in this home."""
    if (home.encoders / loaded.encoder_fingerprint).is_dir():
        sealed.write_current(home.encoders, loaded.encoder_fingerprint)


def _differing(home: Home, engine: Engine) -> str | None:
    """The build that was published last, when it is not what CURRENT names."""
    with read_session(engine) as session:
        last = publications.last_published(session)
    if last is None or last.build_id is None or last.build_id == live_build(home):
        return None
    return last.build_id
