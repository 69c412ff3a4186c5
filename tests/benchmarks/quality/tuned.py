"""An encoder tuned on a task's phrasings as `firstline kb tune` does it, without database, export, publication."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from knowledge_base.index.encoder import Encoder, Vectors
from knowledge_base.index.export import packaged_source
from knowledge_base.progress import Progress, silent
from knowledge_base.tuning.checkpoint import Checkpoint
from knowledge_base.tuning.material import gather
from knowledge_base.tuning.model import Trainee
from knowledge_base.tuning.settings import TuningSettings
from knowledge_base.tuning.trainer import train
from tests.benchmarks.quality.data import Task
from tests.benchmarks.quality.measure import RememberingEncoder, snippets


class TraineeEncoder(Encoder):
    """The tuned model in torch, 32-bit for texts and questions alike."""

    def __init__(self, trainee: Trainee, *, name: str) -> None:
        self._trainee = trainee
        self._name = name
        self._dimension = trainee.encode(["x"]).shape[1]

    @property
    def fingerprint(self) -> str:
        """Names the material and the settings."""
        return self._name

    @property
    def dimension(self) -> int:
        """Floats per vector."""
        return int(self._dimension)

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> Vectors:
        """Vectors of many texts, in their order."""
        return self._trainee.encode(texts)


def tuned(
    task: Task, folder: Path, *, progress: Progress = silent
) -> tuple[RememberingEncoder, dict[str, Any]]:
    """The encoder tuned on the phrasings with the default settings, all texts of the task encoded; how it went."""
    settings = TuningSettings()
    material = gather(snippets(task.phrasings), seed=settings.seed)
    name = hashlib.sha256(f"{material.digest} {settings}".encode()).hexdigest()
    trainee = Trainee(packaged_source())
    checkpoint = Checkpoint(folder, {"name": name})
    trained = train(trainee, material, settings, checkpoint=checkpoint, progress=progress)
    checkpoint.remove()
    trainee.set_weights(trained.weights)
    encoder = RememberingEncoder(TraineeEncoder(trainee, name=name), folder)
    asked = [text for text, _ in task.questions]
    encoder.remember([*asked, *(text for some in task.phrasings.values() for text in some)])
    return encoder, {
        "tuned_seconds": trained.seconds,
        "tuned_epochs": len(trained.history),
        "tuned_held_out": [trained.before, trained.after, len(material.held_texts)],
    }
