"""From approved revisions to the generation in service: build, status, rollback, evaluation."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from knowledge_base.errors import (
    EncoderMissing,
    GenerationCorrupt,
    GenerationError,
    NotFound,
    NothingToBuild,
)
from knowledge_base.home import Home
from knowledge_base.index import generation as generations
from knowledge_base.index import sealed
from knowledge_base.index.encoder import Encoder, load_current_encoder
from knowledge_base.index.export import SETTING, export_default
from knowledge_base.index.generation import Generation, GenerationEntry
from knowledge_base.index.progress import Progress, silent
from knowledge_base.index.rows import collect
from knowledge_base.ranking import evaluation
from knowledge_base.ranking.fitting import Recipe, fit
from knowledge_base.ranking.priors import Counts, priors
from knowledge_base.ranking.ranker import Ranker
from knowledge_base.ranking.risk import Risk
from knowledge_base.snippet import Revision
from knowledge_base.store import audit, feedback, repository
from knowledge_base.store.engine import read_session, write_session

SYSTEM = "system"  # who builds when nobody is named


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `built` is false when this very generation was already there and whole.

    `published` says whether it became the live one now; `calibration` is the held-out report.
    """

    build_id: str
    built: bool
    published: bool
    snippets: int
    vectors: int
    encoder_fingerprint: str
    seconds: float
    calibration: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drift:
    """Keys in which the live generation and the approved revisions differ."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    no_longer_approved: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether a build would change something."""
        return bool(self.missing or self.changed or self.no_longer_approved)


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The live generation, what is wrong with it, all generations on disk, and the drift."""

    live: str | None
    problem: str | None
    encoder_fingerprint: str | None
    approved: int
    drift: Drift
    generations: tuple[GenerationEntry, ...]


def build(
    home: Home,
    engine: Engine,
    *,
    now: datetime,
    progress: Progress = silent,
    encoder: Encoder | None = None,
    risk: Risk | None = None,
    choices: Counts | None = None,
    by: str = SYSTEM,
) -> BuildReport:
    """Build a generation of all approved revisions and make it the live one, with an audit row.

    The same content and encoder are recognised and not built again, only verified. Exports the encoder
    first where there is none yet. `risk` is the environment's unless given, `choices` (what agents took
    of what they were offered) the database's.
    Raises NothingToBuild, EncoderError, ConfigurationError.
    """
    started = time.monotonic()
    revisions = approved(engine, now=now)
    recipe = _recipe(revisions, feedback.choices(engine) if choices is None else choices, risk)
    chosen = encoder or current_encoder(home, progress=progress)
    with sealed.lock(home.index):
        loaded, ranker, written = _prepare(home, revisions, chosen, recipe, progress)
        published = _live(home) != loaded.build_id
        if published or _behind(engine, loaded):
            _activate(home, engine, loaded, action="generation.publish", by=by, now=now)
    return BuildReport(
        build_id=loaded.build_id,
        built=written,
        published=published,
        snippets=len(revisions),
        vectors=len(loaded.rows.snippet),
        encoder_fingerprint=chosen.fingerprint,
        seconds=round(time.monotonic() - started, 3),
        calibration=dict(ranker.calibration.report),
    )


def approved(engine: Engine, *, now: datetime) -> list[Revision]:
    """The revisions to publish: the newest approved of each snippet whose time has come.

    Raises NothingToBuild when there is none.
    """
    with read_session(engine) as session:
        revisions = repository.approved_revisions(session, now=now)
    if not revisions:
        raise NothingToBuild(
            "there is no approved snippet: import some with"
            " `firstline kb import FILE --author A --approve-as B`, or approve the waiting ones"
        )
    return list(revisions)


def prepare(
    home: Home,
    revisions: Sequence[Revision],
    *,
    encoder: Encoder,
    choices: Counts,
    progress: Progress = silent,
) -> tuple[Ranker, bool]:
    """Build the generation of these revisions without putting it into service.

    Returns its ranker and whether it had to be written (it may have been there already).
    """
    recipe = _recipe(revisions, choices, None)
    with sealed.lock(home.index):
        _, ranker, written = _prepare(home, revisions, encoder, recipe, progress)
    return ranker, written


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

    Raises NotFound, GenerationError, EncoderError; then nothing has changed.
    """
    with sealed.lock(home.index):
        return _switch(
            home, engine, build_id, action="generation.publish", by=by, now=now, detail=detail
        )


def status(home: Home, engine: Engine) -> StatusReport:
    """What is live and whether it still says what is approved."""
    with read_session(engine) as session:
        revisions = repository.approved_revisions(session)
    problem: str | None = None
    live: str | None = None
    loaded: Generation | None = None
    try:
        live = generations.current_build_id(home)
        loaded = generations.load(home, live) if live else None
    except (GenerationError, NotFound) as error:
        problem = str(error)
    return StatusReport(
        live=live,
        problem=problem,
        encoder_fingerprint=loaded.encoder_fingerprint if loaded else None,
        approved=len(revisions),
        drift=_drift(loaded, revisions),
        generations=generations.available(home),
    )


def rollback(
    home: Home, engine: Engine, build_id: str, *, now: datetime, by: str = SYSTEM
) -> Generation:
    """Make an earlier generation the live one, with an audit row.

    It and its encoder are verified first, and its encoder becomes the current one again. The revisions that
    it names are live again, except those that were retired or recalled since: these stay gone. What was
    published after it waits for publication again.
    Raises NotFound, GenerationError, EncoderError.
    """
    with sealed.lock(home.index):
        return _switch(home, engine, build_id, action="generation.rollback", by=by, now=now)


def open_ranker(home: Home, build_id: str | None = None, *, threads: int | None = None) -> Ranker:
    """The ranker of a generation (the live one unless named) with the encoder that made it.

    Raises NotFound, GenerationError, EncoderError; it never falls back to another generation.
    """
    loaded = generations.load(home, build_id)
    return Ranker(loaded, _encoder_of(home, loaded, threads=threads))


def evaluate(
    home: Home, path: Path, *, build_id: str | None = None, progress: Progress = silent
) -> evaluation.Evaluation:
    """Put the questions of a file to a generation (see `ranking.evaluation`).

    Raises UnreadableFile (also for an expected key that the generation does not have), NotFound,
    GenerationError, EncoderError.
    """
    questions = evaluation.read_questions(path)
    loaded = generations.load(home, build_id)
    ranker = Ranker(loaded, _encoder_of(home, loaded))
    evaluation.check_keys(questions, {snippet.key for snippet in loaded.rows.snippets})
    return evaluation.evaluate(ranker, questions, progress=progress)


def current_encoder(home: Home, *, progress: Progress = silent) -> Encoder:
    """The encoder of the setting if there is one, else the current one, exported where there is none yet."""
    if not os.environ.get(SETTING):
        try:
            return load_current_encoder(home)
        except EncoderMissing:
            pass  # the first build on this machine
    export_default(home, progress=progress)
    return load_current_encoder(home)


def _encoder_of(home: Home, loaded: Generation, *, threads: int | None = None) -> Encoder:
    return Encoder.load(home.encoders / loaded.encoder_fingerprint, threads=threads)


def _intact(home: Home, build_id: str, revisions: Sequence[Revision]) -> bool:
    """Whether this generation is on disk, whole, and names the same rows of this database."""
    try:
        loaded = generations.load(home, build_id)
    except (GenerationError, NotFound):
        return False
    known = {snippet.key: snippet.revision_id for snippet in loaded.rows.snippets}
    return known == {revision.key: revision.id for revision in revisions}


def _write(
    home: Home,
    build_id: str,
    revisions: Sequence[Revision],
    encoder: Encoder,
    recipe: Recipe,
    progress: Progress,
) -> None:
    rows, texts = collect(revisions)
    vectors = encoder.encode(texts, progress=progress)
    fitted = fit(rows, vectors, texts, recipe=recipe, progress=progress)
    progress("Writing", 0, 1)
    generations.write(
        home,
        build_id=build_id,
        encoder_fingerprint=encoder.fingerprint,
        rows=rows,
        vectors=fitted.vectors,
        artefacts=fitted.files(),
        parameters=recipe.parameters(),
    )
    progress("Writing", 1, 1)


def _live(home: Home) -> str | None:
    try:
        return generations.current_build_id(home)
    except GenerationCorrupt:
        return None  # an unreadable CURRENT is about to be replaced


def _recipe(revisions: Sequence[Revision], choices: Counts, risk: Risk | None) -> Recipe:
    keys = sorted(revision.key for revision in revisions)
    return Recipe(risk or Risk.from_environment(), priors(keys, choices))


def _prepare(
    home: Home, revisions: Sequence[Revision], encoder: Encoder, recipe: Recipe, progress: Progress
) -> tuple[Generation, Ranker, bool]:
    """Write the generation unless it is there and whole, and verify it; the caller holds the lock."""
    build_id = generations.make_build_id(
        revisions, encoder_fingerprint=encoder.fingerprint, parameters=recipe.parameters()
    )
    whole = _intact(home, build_id, revisions)
    if not whole:
        _write(home, build_id, revisions, encoder, recipe, progress)
    progress("Verifying", 0, 1)
    loaded = generations.load(home, build_id, encoder_fingerprint=encoder.fingerprint)
    ranker = Ranker(loaded, encoder)
    progress("Verifying", 1, 1)
    return loaded, ranker, not whole


def _switch(
    home: Home,
    engine: Engine,
    build_id: str,
    *,
    action: str,
    by: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> Generation:
    """Verify a generation with its encoder and make both current; one that is live already stays so.

    Killed between the two it leaves the encoder of the new generation with the old generation in
    service, which keeps using its own: the next build takes up the new encoder.
    """
    loaded = generations.load(home, build_id)
    Ranker(loaded, _encoder_of(home, loaded))
    before = sealed.read_current(home.encoders)
    try:
        if (home.encoders / loaded.encoder_fingerprint).is_dir():
            sealed.write_current(home.encoders, loaded.encoder_fingerprint)
        if _live(home) != build_id:
            _activate(home, engine, loaded, action=action, by=by, now=now, extra=detail or {})
    except BaseException:
        if before is not None:
            sealed.write_current(home.encoders, before)
        raise
    return loaded


def _activate(
    home: Home,
    engine: Engine,
    loaded: Generation,
    *,
    action: str,
    by: str,
    now: datetime,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Switch index and live revisions, and record it, together: without the audit row the switch is taken back."""
    previous = _live(home)
    switched = False
    try:
        with write_session(engine) as session:
            come, gone = repository.go_live(session, _revision_ids(loaded))
            detail = {
                "previous": previous,
                "encoder": loaded.encoder_fingerprint,
                "snippets": len(loaded.rows.snippets),
                "came_live": come,
                "went": gone,
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


def _revision_ids(loaded: Generation) -> set[int]:
    return {snippet.revision_id for snippet in loaded.rows.snippets}


def _behind(engine: Engine, loaded: Generation) -> bool:
    """Whether the database does not have live what this generation in service says."""
    with read_session(engine) as session:
        return {r.id for r in repository.all_live(session)} != _revision_ids(loaded)


def _drift(loaded: Generation | None, revisions: Sequence[Revision]) -> Drift:
    indexed = {s.key: s.content_hash for s in loaded.rows.snippets} if loaded else {}
    approved = {revision.key: revision.content_hash for revision in revisions}
    return Drift(
        missing=tuple(sorted(approved.keys() - indexed.keys())),
        changed=tuple(
            sorted(k for k in approved.keys() & indexed.keys() if approved[k] != indexed[k])
        ),
        no_longer_approved=tuple(sorted(indexed.keys() - approved.keys())),
    )
