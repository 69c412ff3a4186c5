"""The tuning run: epochs of batches, watched by held-out phrasings, saved so that a kill costs little."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

import numpy as np
import torch

from knowledge_base.progress import Progress, silent
from knowledge_base.tuning import batches
from knowledge_base.tuning.checkpoint import Checkpoint
from knowledge_base.tuning.material import Material
from knowledge_base.tuning.model import Trainee, Weights, averaged
from knowledge_base.tuning.noise import noised
from knowledge_base.tuning.objective import supervised_contrastive
from knowledge_base.tuning.settings import TuningSettings

STEP = "Tuning the encoder"
SAVE_SECONDS = 30.0  # a kill costs at most so much work; saving 130 MB takes under a second
CLIP = 1.0  # length of the gradient; the usual value for transformers
WARM_UP = 0.1  # share of the steps over which the learning rate rises
MAX_REFERENCES = 4000  # texts that held-out phrasings are compared with after an epoch


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass: mean loss in nats, and how held-out phrasings fare (None where none were kept back).

    `hit_at_1` is the share whose nearest text belongs to the right snippet.
    """

    number: int
    loss: float
    hit_at_1: float | None


@dataclass(frozen=True, slots=True)
class Trained:
    """How a run went. `before` is the held-out hit@1 of the untuned encoder, `chosen` the epoch that was kept."""

    weights: Weights
    before: float | None
    after: float | None
    chosen: int
    history: tuple[Epoch, ...]
    steps: int
    resumed_at: int
    device: str
    seconds: float


@dataclass(slots=True)
class _State:
    """What a checkpoint holds beside weights and optimiser."""

    epoch: int = 0
    done: int = 0  # batches of this epoch
    steps: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: int = 0
    finished: bool = False


def train(
    trainee: Trainee,
    material: Material,
    settings: TuningSettings,
    *,
    checkpoint: Checkpoint,
    progress: Progress = silent,
    ticks: Callable[[], float] = time.monotonic,
) -> Trained:
    """Tune `trainee` and give back the best weights, already averaged with the untuned ones.

    Goes on from `checkpoint` where there is one. Each step draws its chances from the seed and its own
    number, so a run that was killed ends like one that was not (on the same machine and torch).
    """
    return _Run(trainee, material, settings, checkpoint, progress, ticks).to_the_end()


class _Run:
    def __init__(
        self,
        trainee: Trainee,
        material: Material,
        settings: TuningSettings,
        checkpoint: Checkpoint,
        progress: Progress,
        ticks: Callable[[], float],
    ) -> None:
        self._trainee, self._material, self._settings = trainee, material, settings
        self._checkpoint, self._progress, self._ticks = checkpoint, progress, ticks
        self._started = self._saved = ticks()
        self._base = trainee.weights()
        self._best: Weights = self._base
        self._owner = torch.from_numpy(material.owner.astype(np.int64)).to(trainee.device)
        self._before, self._neighbours = self._look_around()
        self._epochs = settings.epochs_for(len(material.texts))
        self._total = sum(sum(1 for _ in self._plan(epoch)) for epoch in range(self._epochs))
        self._optimiser = torch.optim.AdamW(
            trainee.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._state = _State()
        self._resume()

    def to_the_end(self) -> Trained:
        state, resumed_at = self._state, self._state.steps
        while not state.finished:
            self._epoch()
        self._progress(STEP, self._total, self._total)
        chosen = next((e for e in state.history if e["number"] == state.best), None)
        return Trained(
            weights=self._best,
            before=self._before,
            after=chosen["hit_at_1"] if chosen else self._before,
            chosen=state.best,
            history=tuple(Epoch(**epoch) for epoch in state.history),
            steps=state.steps,
            resumed_at=resumed_at,
            device=str(self._trainee.device),
            seconds=round(self._ticks() - self._started, 1),
        )

    def _look_around(self) -> tuple[float | None, batches.Integers]:
        """Before anything is learnt: the held-out hit@1, and which snippets are easily confused."""
        material = self._material
        vectors = self._trainee.encode(material.texts)
        neighbours = batches.confusable(vectors, material.owner, material.snippets)
        return self._hit_at_1(), neighbours

    def _plan(self, epoch: int) -> Any:
        settings = self._settings
        return batches.plan(
            self._material.owner,
            self._neighbours,
            groups=settings.snippets_per_batch,
            size=settings.texts_per_snippet,
            seed=settings.seed,
            epoch=epoch,
            most=settings.texts_per_epoch,
        )

    def _epoch(self) -> None:
        state = self._state
        self._trainee.learning()
        for number, batch in enumerate(self._plan(state.epoch)):
            if number < state.done:
                continue  # learnt before the kill
            state.losses.append(self._step(batch))
            state.done, state.steps = number + 1, state.steps + 1
            self._progress(STEP, state.steps, self._total)
            if self._ticks() - self._saved >= SAVE_SECONDS:
                self._save()
        self._close_epoch()
        self._save()

    def _step(self, batch: batches.Integers) -> float:
        settings, steps = self._settings, self._state.steps
        torch.manual_seed(
            settings.seed * 1_000_003 + steps
        )  # dropout; any prime keeps seeds apart
        rng = np.random.default_rng([settings.seed, steps])
        texts = [noised(self._material.texts[i], rng) for i in batch]
        for group in self._optimiser.param_groups:
            group["lr"] = settings.learning_rate * _schedule(steps, self._total)
        owner = self._owner[torch.from_numpy(batch).to(self._owner.device)]
        loss = supervised_contrastive(
            self._trainee.vectors(texts), owner, temperature=settings.temperature
        )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        torch.nn.utils.clip_grad_norm_(self._trainee.parameters(), CLIP)
        self._optimiser.step()
        return float(loss.detach())

    def _close_epoch(self) -> None:
        """Judge the averaged weights, which are what would be published; keep them when they are the best."""
        state, settings = self._state, self._settings
        learnt = self._trainee.weights()
        candidate = averaged(self._base, learnt, share=settings.tuned_share)
        self._trainee.set_weights(candidate)
        score = self._hit_at_1()
        self._trainee.set_weights(learnt)
        number, loss = state.epoch + 1, sum(state.losses) / max(len(state.losses), 1)
        best = next((e["hit_at_1"] for e in state.history if e["number"] == state.best), None)
        state.history.append(asdict(Epoch(number, round(loss, 6), score)))
        # Of equals the later one: it has learnt more from the phrasings that are not held out.
        if score is None or best is None or score >= best:
            self._best, state.best = candidate, number
        state.epoch, state.done, state.losses = number, 0, []
        stale = number - state.best >= settings.patience
        state.finished = number >= self._epochs or stale

    def _hit_at_1(self) -> float | None:
        """Of the held-out phrasings by their nearest text; None where none were kept back."""
        material = self._material
        if not material.held_texts:
            return None
        rng = np.random.default_rng(self._settings.seed)
        size = len(material.texts)
        chosen = np.sort(rng.permutation(size)[:MAX_REFERENCES])
        references = self._trainee.encode([material.texts[i] for i in chosen])
        nearest = np.argmax(self._trainee.encode(material.held_texts) @ references.T, axis=1)
        right = material.owner[chosen][nearest] == material.held_owner
        return round(float(right.mean()), 6)

    def _save(self) -> None:
        self._checkpoint.write(
            {
                "state": asdict(self._state),
                "weights": self._trainee.weights(),
                "best": self._best,
                "optimiser": self._optimiser.state_dict(),
            }
        )
        self._saved = self._ticks()

    def _resume(self) -> None:
        saved = self._checkpoint.read()
        if saved is None:
            return
        self._state = _State(**saved["state"])
        self._trainee.set_weights(saved["weights"])
        self._best = saved["best"]
        self._optimiser.load_state_dict(saved["optimiser"])


def _schedule(step: int, total: int) -> float:
    """Linear rise over the first tenth, then a linear fall to zero: a factor for the learning rate."""
    rise = max(1, ceil(total * WARM_UP))
    return min((step + 1) / rise, (total - step) / max(1, total - rise + 1))
