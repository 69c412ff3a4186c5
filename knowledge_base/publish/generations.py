"""From approved revisions to generations on disk: preparing, opening, evaluating them, and how they differ."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

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
from knowledge_base.index.rows import collect
from knowledge_base.progress import Progress, silent
from knowledge_base.ranking import evaluation
from knowledge_base.ranking.fitting import Recipe, fit
from knowledge_base.ranking.priors import Counts, priors
from knowledge_base.ranking.ranker import Ranker
from knowledge_base.ranking.risk import Risk
from knowledge_base.snippet import Revision
from knowledge_base.store import repository
from knowledge_base.store.engine import read_session

BUILD_LOCK = ".build-lock"  # of its own, so that a rollback never waits for a build


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
    recipe = recipe_for(revisions, choices)
    with sealed.lock(home.index, BUILD_LOCK):
        return prepare_locked(home, revisions, encoder=encoder, recipe=recipe, progress=progress)


def recipe_for(
    revisions: Sequence[Revision], choices: Counts, *, risk: Risk | None = None
) -> Recipe:
    """What a build of these revisions takes into account beside them; `risk` is the environment's unless given.

    `choices` is what agents took of what they were offered.
    """
    keys = sorted(revision.key for revision in revisions)
    return Recipe(risk or Risk.from_environment(), priors(keys, choices))


def prepare_locked(
    home: Home,
    revisions: Sequence[Revision],
    *,
    encoder: Encoder,
    recipe: Recipe,
    progress: Progress,
) -> tuple[Ranker, bool]:
    """What `prepare` does, for a caller that holds BUILD_LOCK: written unless it is there and whole, verified."""
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
    return ranker, not whole


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


def open_ranker(home: Home, build_id: str | None = None, *, threads: int | None = None) -> Ranker:
    """The ranker of a generation (the live one unless named) with the encoder that made it.

    Raises NotFound, GenerationError, EncoderError; it never falls back to another generation.
    """
    loaded = generations.load(home, build_id)
    return Ranker(loaded, encoder_of(home, loaded, threads=threads))


def evaluate(
    home: Home, path: Path, *, build_id: str | None = None, progress: Progress = silent
) -> evaluation.Evaluation:
    """Put the questions of a file to a generation (see `ranking.evaluation`).

    Raises UnreadableFile (also for an expected key that the generation does not have), NotFound,
    GenerationError, EncoderError.
    """
    questions = evaluation.read_questions(path)
    loaded = generations.load(home, build_id)
    ranker = Ranker(loaded, encoder_of(home, loaded))
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


def encoder_of(home: Home, loaded: Generation, *, threads: int | None = None) -> Encoder:
    """The encoder that made a generation. Raises EncoderError."""
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


def live_build(home: Home) -> str | None:
    """The id of the generation that CURRENT names; None without one, or where it cannot be read."""
    try:
        return generations.current_build_id(home)
    except GenerationCorrupt:
        return None  # an unreadable CURRENT is about to be replaced


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
