"""From a query to the candidates that the database, at this moment, allows to be offered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from knowledge_base.errors import NotFound
from knowledge_base.ranking import Candidate as Ranked
from knowledge_base.ranking import Context
from knowledge_base.snippet import Revision
from knowledge_base.store import repository
from suggest_api.logs import get_logger
from suggest_api.suggestions.holder import GenerationHolder, InService
from suggest_api.suggestions.model import Candidate, Candidates, Query, eligible
from suggest_api.values import Abstention

__all__ = ["GenerationHolder", "candidates", "nothing"]

# Candidates asked for beyond the limit: some fall out later for a missing fact, the policy or a twin.
SPARE = 12

# What the ranker calls the reasons of its silence.
REASONS = {
    "nothing_asked": Abstention.EMPTY_QUERY,
    "no_words": Abstention.EMPTY_QUERY,
    "low_confidence": Abstention.NO_CONFIDENT_MATCH,
    "nothing_eligible": Abstention.NOTHING_IN_SCOPE,
}

log = get_logger(__name__)


def candidates(session: Session, held: InService, query: Query, *, now: datetime) -> Candidates:
    """Rank, with the database deciding what may be offered: approved, valid now, in scope, for this use.

    The index may be older than the database: where a snippet has a newer live revision, that one's text
    counts. A failure of the encoder or the index is an abstention that the log explains; the database's own
    errors pass.
    """
    live: dict[str, Revision] = {}

    def allowed(keys: Sequence[str]) -> Collection[str]:
        live.update(held.live.get(session, keys))
        return {k for k in keys if k in live and eligible(live[k], query, now=now)}

    try:
        ranking = held.ranker.rank(
            query.texts,
            limit=query.limit + SPARE,
            eligible=allowed,
            use=query.use.value,
            context=None if query.facts is None else Context(facts=query.facts, topic=query.topic),
        )
    except SQLAlchemyError:
        raise
    except Exception as error:  # whatever a native library raises, the answer is silence
        log.error("ranking.failed", build_id=held.build_id, exc_info=error)
        return nothing(held, Abstention.RANKING_FAILED)
    timings = ranking.timings
    return Candidates(
        build_id=held.build_id,
        encoder_fingerprint=held.encoder_fingerprint,
        candidates=tuple(
            _candidate(session, ranked, live[ranked.snippet_key]) for ranked in ranking.candidates
        ),
        reason=REASONS.get(ranking.reason or "", Abstention.NO_CONFIDENT_MATCH)
        if ranking.abstained
        else None,
        threshold=ranking.threshold,
        timings=(("encode", timings.encode), ("search", timings.search), ("rank", timings.rank)),
    )


def _candidate(session: Session, ranked: Ranked, live: Revision) -> Candidate:
    return Candidate(
        revision=live,
        score=ranked.score,
        confidence=ranked.confidence,
        matched_example=_matched(session, ranked, live),
    )


def _matched(session: Session, ranked: Ranked, live: Revision) -> str:
    """The words that the question was nearest to, from the revision that was indexed; empty if none was near."""
    if ranked.matched is None:
        return ""
    try:
        same = ranked.revision_id == live.id
        indexed = live if same else repository.get_revision(session, ranked.revision_id)
    except NotFound:
        return ""  # another database than the one that was indexed: the words are gone, the answer stands
    content = indexed.content
    if ranked.matched.kind == "example":
        return next(iter(content.examples[ranked.matched.index :]), "")
    return content.title if ranked.matched.kind == "title" else content.text


def nothing(held: InService, reason: Abstention) -> Candidates:
    """No candidates, and why."""
    return Candidates(
        build_id=held.build_id,
        encoder_fingerprint=held.encoder_fingerprint,
        candidates=(),
        reason=reason,
        threshold=1.0,
    )
