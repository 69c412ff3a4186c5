"""`kb tune` from end to end: learn, export, build a candidate, compare; then publish it or change nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from knowledge_base import publish
from knowledge_base.errors import ConfigurationError
from knowledge_base.home import Home
from knowledge_base.index import export, sealed
from knowledge_base.index.encoder import Encoder, current_encoder_folder
from knowledge_base.progress import Progress, silent
from knowledge_base.ranking import evaluation
from knowledge_base.ranking.evaluation import QuestionSet
from knowledge_base.ranking.priors import Counts
from knowledge_base.snippet import Revision
from knowledge_base.store import feedback
from knowledge_base.tuning.comparison import Comparison, compare
from knowledge_base.tuning.material import Material, gather
from knowledge_base.tuning.settings import TuningSettings

if TYPE_CHECKING:  # torch: only when a run starts
    from knowledge_base.tuning.checkpoint import Checkpoint
    from knowledge_base.tuning.trainer import Trained

RECIPE = 1  # raise it when the same settings would give other weights
ABANDONED_SECONDS = 7 * 24 * 3600.0  # an unfinished run that nobody went on with


@dataclass(frozen=True, slots=True)
class TuningReport:
    """What a run did. `refused` names each reason why nothing was published, empty when nothing spoke against it.

    `held_out_before` and `held_out_after` are hit@1 by nearest text on phrasings kept back from learning.
    """

    published: bool
    dry_run: bool
    refused: tuple[str, ...]
    build_id: str
    encoder_fingerprint: str
    tuned_from: str
    phrasings: int
    snippets: int
    seed: int
    epochs: int
    chosen_epoch: int
    held_out: int
    held_out_before: float | None
    held_out_after: float | None
    history: tuple[dict[str, Any], ...]
    resumed_at_step: int
    steps: int
    device: str
    learning_seconds: float
    seconds: float
    comparison: Comparison | None


def tune(
    home: Home,
    engine: Engine,
    *,
    now: datetime,
    settings: TuningSettings,
    questions: Path | None = None,
    dry_run: bool = False,
    by: str = publish.SYSTEM,
    progress: Progress = silent,
) -> TuningReport:
    """Tune the current encoder on the approved phrasings and publish it with a generation, if nothing gets worse.

    It always starts from the untuned encoder, so that repeated tuning does not add up. Without `questions`
    only the phrasings kept back decide. A run that was killed goes on where it was; a dry run keeps what it
    has learnt for the run that follows.
    Raises NothingToBuild, NothingToTune, UnreadableFile, ConfigurationError, EncoderError, GenerationError.
    """
    started = time.monotonic()
    asked = None if questions is None else evaluation.read_questions(questions)
    revisions = publish.approved(engine, now=now)
    if asked is not None:
        evaluation.check_keys(asked, {revision.key for revision in revisions})
    before = publish.current_encoder(home, progress=progress)
    base = untuned_source(home)
    with sealed.lock(home.tuning):  # two runs at once would only take each other's time
        _forget_abandoned(home)
        material = gather(revisions, seed=settings.seed)
        checkpoint = _checkpoint(home, base, material, settings)
        known = {path.name for path in home.encoders.iterdir()}
        trained, fingerprint = _learn(home, base, material, settings, checkpoint, progress)
        candidate = _Candidate(
            home,
            fingerprint,
            revisions,
            progress,
            choices=feedback.choices(engine),
            new=fingerprint not in known,
        )
        comparison = candidate.compared_with(before, asked)
        refused = _reasons(trained, comparison)
        published = not refused and not dry_run
        if published:
            detail = {"tuned_from": base.fingerprint, "phrasings": material.phrasings}
            publish.adopt(home, engine, candidate.build_id, now=now, detail=detail, by=by)
        else:
            candidate.remove()
        if not dry_run:
            checkpoint.remove()
    return TuningReport(
        published=published,
        dry_run=dry_run,
        refused=refused,
        build_id=candidate.build_id,
        encoder_fingerprint=fingerprint,
        tuned_from=base.fingerprint,
        phrasings=material.phrasings,
        snippets=material.snippets,
        seed=settings.seed,
        epochs=len(trained.history),
        chosen_epoch=trained.chosen,
        held_out=len(material.held_texts),
        held_out_before=trained.before,
        held_out_after=trained.after,
        history=tuple(asdict(epoch) for epoch in trained.history),
        resumed_at_step=trained.resumed_at,
        steps=trained.steps,
        device=trained.device,
        learning_seconds=trained.seconds,
        seconds=round(time.monotonic() - started, 1),
        comparison=comparison,
    )


def untuned_source(home: Home) -> export.Source:
    """The sentence-transformers model that the current encoder, tuned or not, was made of.

    Raises ConfigurationError when it is no longer there or no longer the same.
    """
    manifest = sealed.read_manifest(current_encoder_folder(home))
    tuned = manifest.get("tuned")
    label = str(tuned["base_source"] if tuned else manifest["source"])
    wanted = str(tuned["base"] if tuned else manifest["fingerprint"])
    found = (
        export.packaged_source() if label == export.DEFAULT_SOURCE else export.named_source(label)
    )
    if found.fingerprint != wanted:
        command = "firstline encoder export"
        if label != export.DEFAULT_SOURCE:
            command += f" {label}"
        raise ConfigurationError(
            f"the current encoder was made of {label}, which has changed since (or an earlier version"
            f" made it): run `{command}` and `firstline kb build` first"
        )
    return found


class _Candidate:
    """The tuned encoder and its generation, on disk and not in service."""

    def __init__(
        self,
        home: Home,
        fingerprint: str,
        revisions: Sequence[Revision],
        progress: Progress,
        *,
        choices: Counts,
        new: bool,
    ) -> None:
        self._home, self._revisions, self._progress = home, revisions, progress
        self._fingerprint, self._new = fingerprint, new
        encoder = Encoder.load(home.encoders / fingerprint)
        self._choices = choices
        self._ranker, self._written = publish.prepare(
            home, revisions, encoder=encoder, choices=choices, progress=progress
        )
        self.build_id = self._ranker.build_id

    def compared_with(self, before: Encoder, asked: QuestionSet | None) -> Comparison | None:
        """The same content built with the encoder in use, on the same questions: only the encoder differs."""
        if asked is None:
            return None
        other, written = publish.prepare(
            self._home,
            self._revisions,
            encoder=before,
            choices=self._choices,
            progress=self._progress,
        )
        found = compare(other, self._ranker, asked, progress=self._progress)
        if written:  # made for this comparison alone
            _remove(self._home.index, other.build_id)
        return found

    def remove(self) -> None:
        """Leave no trace; what was there before this run stays."""
        if self._written:
            _remove(self._home.index, self.build_id)
        if self._new:
            _remove(self._home.encoders, self._fingerprint)


def _learn(
    home: Home,
    base: export.Source,
    material: Material,
    settings: TuningSettings,
    checkpoint: Checkpoint,
    progress: Progress,
) -> tuple[Trained, str]:
    """Train and export; returns how it went and the tuned encoder's fingerprint."""
    from knowledge_base.tuning.model import Trainee
    from knowledge_base.tuning.trainer import train

    progress("Loading the model", 0, 1)
    trainee = Trainee(base)
    progress("Loading the model", 1, 1)
    trained = train(trainee, material, settings, checkpoint=checkpoint, progress=progress)
    trainee.set_weights(trained.weights)
    folder = sealed.temporary_folder(home.tuning)
    try:
        trainee.save(folder / "model")
        label = f"tuned from {base.fingerprint} on {material.phrasings} phrasings, seed {settings.seed}"
        record = {
            "base": base.fingerprint,
            "base_source": base.label,
            "material": material.digest,
            "settings": asdict(settings),
            "epoch": trained.chosen,
            "recipe": RECIPE,
        }
        source = export.describe(label, folder / "model")
        return trained, export.export_source(home, source, record=record, progress=progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _checkpoint(
    home: Home, base: export.Source, material: Material, settings: TuningSettings
) -> Checkpoint:
    from knowledge_base.tuning.checkpoint import Checkpoint

    identity = {
        "recipe": RECIPE,
        "base": base.fingerprint,
        "material": material.digest,
        "settings": asdict(settings),
    }
    return Checkpoint(home.tuning, identity)


def _reasons(trained: Trained, comparison: Comparison | None) -> tuple[str, ...]:
    """Why the tuned encoder must not go into service; empty when nothing speaks against it."""
    reasons = []
    if trained.before is not None and trained.after is not None and trained.after < trained.before:
        reasons.append(
            f"hit@1 on phrasings kept back fell from {trained.before:.1%} to {trained.after:.1%}"
        )
    if comparison is not None:
        reasons += [
            f"{figure.name} on the questions fell from {figure.before} to {figure.after} of {figure.total}"
            for figure in comparison.figures
            if figure.worse
        ]
    return tuple(reasons)


def _remove(parent: Path, name: str) -> None:
    with sealed.lock(parent):
        shutil.rmtree(parent / name, ignore_errors=True)


def _forget_abandoned(home: Home) -> None:
    """Delete runs that were interrupted long ago, and half-written folders."""
    now = time.time()
    sealed.remove_leftovers(home.tuning, older_than=0, now=now)
    for folder in home.tuning.iterdir():
        if folder.is_dir() and now - folder.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
