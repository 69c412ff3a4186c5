"""A candidate beside the live generation: built, compared at the gate, and published when it may be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from knowledge_base.errors import (
    FirstlineError,
    GateRefused,
    StaleCandidate,
    WorkflowError,
)
from knowledge_base.home import Home
from knowledge_base.index import generation as generations
from knowledge_base.index import sealed
from knowledge_base.index.encoder import Encoder
from knowledge_base.index.generation import Generation
from knowledge_base.progress import Progress, silent
from knowledge_base.publish.comparing import Accepted, compared, live_set, nothing_accepted
from knowledge_base.publish.gate import GateReport
from knowledge_base.publish.generations import (
    BUILD_LOCK,
    approved,
    current_encoder,
    live_build,
    prepare_locked,
    recipe_for,
)
from knowledge_base.publish.limits import Limits
from knowledge_base.publish.switching import (
    SYSTEM,
    behind,
    recover,
    recover_locked,
    revision_ids,
    switch,
)
from knowledge_base.ranking.priors import Counts
from knowledge_base.ranking.ranker import Ranker
from knowledge_base.ranking.risk import Risk
from knowledge_base.snippet import Revision
from knowledge_base.store import feedback, publications, repository
from knowledge_base.store.engine import read_session, write_session
from knowledge_base.store.publications import Publication, State

Clock = Callable[[], datetime]
LIVE_SET = "live_set"  # in a publication's report: the hash of what was live when it was compared


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `built` is false when this very generation was already there and whole.

    `published` says whether it became the live one now; `calibration` is the held-out report. `publication`
    and `gate` are None where nothing had to change.
    """

    build_id: str
    built: bool
    published: bool
    snippets: int
    vectors: int
    encoder_fingerprint: str
    seconds: float
    calibration: Mapping[str, Any]
    publication: int | None = None
    gate: GateReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A generation that was built and compared; `publication` is ready or refused."""

    publication: Publication
    report: GateReport
    ranker: Ranker
    built: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Two people set a refusal aside: `by` asks with a reason, `confirmed_by` agrees."""

    by: str
    confirmed_by: str
    reason: str


def build(
    home: Home,
    engine: Engine,
    *,
    now: datetime,
    progress: Progress = silent,
    encoder: Encoder | None = None,
    risk: Risk | None = None,
    choices: Counts | None = None,
    limits: Limits | None = None,
    accepted: Accepted = nothing_accepted,
    override: Override | None = None,
    by: str = SYSTEM,
) -> BuildReport:
    """Build a candidate of all approved revisions, compare it at the gate, and publish it.

    The same content and encoder are recognised and not built again, only verified. Exports the encoder
    first where there is none yet. `risk` and `limits` are the environment's unless given, `choices` (what agents
    took of what they were offered) the database's.
    Raises GateRefused without an override, NothingToBuild, EncoderError, ConfigurationError.
    """
    started = time.monotonic()
    recover(home, engine)
    revisions = approved(engine, now=now)
    taken = feedback.choices(engine) if choices is None else choices
    recipe = recipe_for(revisions, taken, risk=risk)
    allowed = limits or Limits.from_environment()
    chosen = encoder or current_encoder(home, progress=progress)
    candidate: Candidate | None = None
    with sealed.lock(home.index, BUILD_LOCK):
        ranker, written = prepare_locked(
            home, revisions, encoder=chosen, recipe=recipe, progress=progress
        )
        recover(
            home, engine
        )  # what was published last may have been damaged, and be whole again now
        loaded = ranker.generation
        changes = live_build(home) != loaded.build_id or behind(engine, loaded)
        if changes:
            with write_session(engine) as session:
                asked = publications.request(session, by=by, now=now)
                publications.start(session, asked.id, now=now)
            candidate = _compare(
                home,
                engine,
                asked.id,
                ranker,
                revisions,
                built=written,
                clock=lambda: now,
                limits=allowed,
                accepted=accepted,
                progress=progress,
            )
    if candidate is not None:
        if not candidate.report.passes:
            _set_aside(engine, candidate, override, now=now)
        publish_ready(home, engine, candidate.publication.id, by=by, now=now, encoder=chosen)
    return BuildReport(
        build_id=loaded.build_id,
        built=written,
        published=candidate is not None,
        snippets=len(revisions),
        vectors=len(loaded.rows.snippet),
        encoder_fingerprint=chosen.fingerprint,
        seconds=round(time.monotonic() - started, 3),
        calibration=dict(ranker.calibration.report),
        publication=None if candidate is None else candidate.publication.id,
        gate=None if candidate is None else candidate.report,
    )


def due(home: Home, engine: Engine) -> int | None:
    """The publication that has to be built now: one that was requested, or one whose builder died.

    None while somebody builds: it is asked again afterwards.
    """
    with read_session(engine) as session:
        requested = publications.newest(session, State.REQUESTED)
        building = publications.newest(session, State.BUILDING)
    found = requested or building
    if found is None:
        return None
    with sealed.try_lock(home.index, BUILD_LOCK) as free:
        return found.id if free else None


def prepare_candidate(
    home: Home,
    engine: Engine,
    publication_id: int,
    *,
    clock: Clock,
    encoder: Encoder | None = None,
    risk: Risk | None = None,
    limits: Limits | None = None,
    accepted: Accepted = nothing_accepted,
    progress: Progress = silent,
) -> Candidate:
    """Build the candidate of a requested publication beside the live generation and compare it.

    Waits while another process builds. It ends ready, refused or, when this raises, failed with the reason.
    Raises NotFound, WorkflowError (it is not waiting), NothingToBuild, GenerationError, EncoderError.
    """
    recover(home, engine)
    with sealed.lock(home.index, BUILD_LOCK):
        with write_session(engine) as session:
            publications.start(session, publication_id, now=clock())
        try:
            revisions = approved(engine, now=clock())
            ranker, built = prepare_locked(
                home,
                revisions,
                encoder=encoder or current_encoder(home, progress=progress),
                recipe=recipe_for(revisions, feedback.choices(engine), risk=risk),
                progress=progress,
            )
            return _compare(
                home,
                engine,
                publication_id,
                ranker,
                revisions,
                built=built,
                clock=clock,
                limits=limits or Limits.from_environment(),
                accepted=accepted,
                progress=progress,
            )
        except Exception as error:
            named = str(error) if isinstance(error, FirstlineError) else ""
            with write_session(engine) as session:
                publications.fail(
                    session, publication_id, failure=named or type(error).__name__, now=clock()
                )
            raise


def publish_ready(
    home: Home,
    engine: Engine,
    publication_id: int,
    *,
    by: str,
    now: datetime,
    encoder: Encoder | None = None,
) -> Publication:
    """Make a ready (or refused and overridden) candidate live: index, live revisions and audit row together.

    Call it outside a transaction: it opens its own, and on SQLite a second writer would wait for the first.
    Raises NotFound, WorkflowError (it is not ready), StaleCandidate when what is live or approved changed since
    it was compared: it is then superseded, and a new comparison is requested. GenerationError, EncoderError
    when its files are not whole.
    """
    with sealed.lock(home.index):
        recover_locked(home, engine)
        with read_session(engine) as session:
            publication = publications.get(session, publication_id)
        if not publication.publishable or publication.build_id is None:
            raise WorkflowError(publications.why_not(publication))
        why = _why_stale(home, engine, publication)
        if why is not None:
            with write_session(engine) as session:
                publications.supersede(session, publication_id)
                again = publications.request(session, by=by, now=now)
            msg = f"publication {publication_id} was compared before {why}: it is compared again as {again.id}"
            raise StaleCandidate(msg, publication=again.id)

        def mark(session: Session) -> None:
            publications.published(session, publication_id, by=by, now=now)

        detail: dict[str, Any] = {"publication": publication_id}
        if publication.overridden:
            detail |= {
                "override_by": publication.override_by,
                "confirmed_by": publication.confirmed_by,
            }
        switch(
            home,
            engine,
            publication.build_id,
            action="generation.publish",
            by=by,
            now=now,
            detail=detail,
            mark=mark,
            encoder=encoder,
        )
    with read_session(engine) as session:
        return publications.get(session, publication_id)


def report_of(publication: Publication) -> GateReport | None:
    """The comparison of a publication; None before it was made, and where the gate was not asked."""
    if publication.report is None or "changes" not in publication.report:
        return None
    return GateReport.from_json(publication.report)


def _compare(
    home: Home,
    engine: Engine,
    publication_id: int,
    ranker: Ranker,
    revisions: Sequence[Revision],
    *,
    built: bool,
    clock: Clock,
    limits: Limits,
    accepted: Accepted,
    progress: Progress,
) -> Candidate:
    """Compare a built candidate with what is live and write the outcome down; the caller holds BUILD_LOCK."""
    base = live_build(home)
    report, now_live = compared(
        home,
        engine,
        ranker,
        revisions,
        base=base,
        now=clock(),
        limits=limits,
        accepted=accepted,
        progress=progress,
    )
    with write_session(engine) as session:
        publication = publications.compared(
            session,
            publication_id,
            passes=report.passes,
            base_build_id=base,
            build_id=report.build_id,
            report={**report.to_json(), LIVE_SET: now_live},
            now=clock(),
        )
    return Candidate(publication=publication, report=report, ranker=ranker, built=built)


def _why_stale(home: Home, engine: Engine, publication: Publication) -> str | None:
    if live_build(home) != publication.base_build_id:
        return "another generation was published"
    loaded = _open(home, publication)
    with read_session(engine) as session:
        live, known = repository.live_ids(session), repository.approved_ids(session)
    if live_set(live) != (publication.report or {}).get(LIVE_SET):
        return "a snippet was recalled or retired"
    return None if revision_ids(loaded) <= known else "one of its snippets was retired"


def _open(home: Home, publication: Publication) -> Generation:
    return generations.load(home, publication.build_id)


def _set_aside(
    engine: Engine, candidate: Candidate, override: Override | None, *, now: datetime
) -> None:
    """Let two people set the refusal aside, or raise GateRefused."""
    number, report = candidate.publication.id, candidate.report
    if override is None:
        msg = f"publication {number} is refused: {'; '.join(report.reasons)}"
        raise GateRefused(msg, report=report, publication=number)
    with write_session(engine) as session:
        publications.ask_override(session, number, by=override.by, reason=override.reason, now=now)
        publications.confirm_override(session, number, by=override.confirmed_by, now=now)
