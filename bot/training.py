"""Trains the assistant into FIRSTLINE_HOME/bot/models, and only when something it depends on has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.components.encoder import current_fingerprint, require_same_encoder
from bot.components.language import ensure_language
from bot.settings import BotSettings

BOT = Path(__file__).resolve().parent
TRAINING_DATA = BOT.parent / "training_data"
RECORD_FORMAT = 1
ARCHIVE = "assistant.tar.gz"
RECORD = "assistant.json"
TRAINED_ON = ("nlu", "rules")  # stories are played by the tests, not learnt


class ModelError(Exception):
    """There is no trained model that may be served. The message says what to do."""


@dataclass(frozen=True)
class ModelRecord:
    """What a trained model was made from; stored beside it."""

    format: int
    inputs: str
    encoder: str
    archive_sha256: str


def inputs_digest(encoder: str) -> str:
    """Return the SHA-256 over everything a model depends on: configuration, data, code, lock, encoder."""
    digest = hashlib.sha256(f"{RECORD_FORMAT}\0{encoder}\0".encode())
    for path in _inputs():
        digest.update(f"{path.relative_to(BOT.parent)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _inputs() -> list[Path]:
    files = [BOT / name for name in ("config.yml", "entities.yml", "requirements.lock")]
    files += sorted((BOT / "domain").glob("*.yml"))
    files += sorted((BOT / "components").glob("*.py"))
    for kind in TRAINED_ON:
        files += sorted((TRAINING_DATA / kind).glob("*.yml"))
    return files


def is_current(settings: BotSettings) -> bool:
    """Say whether the stored model was made from exactly these inputs and is intact.

    Raises:
        EncoderError: there is no encoder to compare with.
    """
    encoder = current_fingerprint(settings.home)
    record = _read_record(settings)
    return (
        record is not None
        and record.inputs == inputs_digest(encoder)
        and _sha256(settings.models / ARCHIVE) == record.archive_sha256
    )


def verified_model(settings: BotSettings) -> Path:
    """Return the model to serve. A model names classes to import, so it is code: only an intact one is returned.

    Raises:
        ModelError: none is trained, or it is not the one its record describes.
        EncoderError: the encoder is missing, or the model was trained with another one.
    """
    record = _read_record(settings)
    if record is None:
        raise ModelError("the assistant is not trained yet: run bot/launch.py train")
    archive = settings.models / ARCHIVE
    if _sha256(archive) != record.archive_sha256:
        raise ModelError(f"{archive} is damaged: run bot/launch.py train")
    require_same_encoder(trained_with=record.encoder, current=current_fingerprint(settings.home))
    return archive


def enter_bot_home(settings: BotSettings) -> None:
    """Make FIRSTLINE_HOME/bot the working directory and fill what the configuration refers to.

    Rasa writes its cache into the working directory, and `./language` in config.yml is read from there.
    """
    settings.models.mkdir(parents=True, exist_ok=True)
    ensure_language(BOT / "entities.yml", folder=settings.bot_home / "language")
    os.environ["FIRSTLINE_HOME"] = str(settings.home)
    os.environ["FIRSTLINE_ACTIONS_PORT"] = str(settings.actions_port)
    os.chdir(settings.bot_home)


def train(settings: BotSettings) -> ModelRecord:
    """Train and publish a model; the former one stays in place until the new one is complete.

    Raises:
        EncoderError: the encoder is missing or damaged.
        ModelError: Rasa refused the configuration or the data.
    """
    import rasa.model_training

    encoder = current_fingerprint(settings.home)
    enter_bot_home(settings)
    inputs = inputs_digest(encoder)
    building = settings.models / "building"
    shutil.rmtree(building, ignore_errors=True)
    with _nothing_printed():
        try:
            result = rasa.model_training.train(
                domain=str(BOT / "domain"),
                config=str(BOT / "config.yml"),
                training_files=[str(TRAINING_DATA / kind) for kind in TRAINED_ON],
                output=str(building),
                fixed_model_name=ARCHIVE.removesuffix(".tar.gz"),
                # Rasa's own cache does not see a change of the encoder; inputs_digest does.
                force_training=True,
            )
        except Exception as error:
            raise ModelError(f"training failed: {root_cause(error)}") from error
    if result.code != 0 or not result.model:
        raise ModelError(
            f"training failed with code {result.code}: see FIRSTLINE_HOME/logs/bot.log"
        )
    record = ModelRecord(
        format=RECORD_FORMAT,
        inputs=inputs,
        encoder=encoder,
        archive_sha256=str(_sha256(Path(result.model))),
    )
    # The record goes first out and last in: a crash between leaves "not trained", never a wrong pair.
    (settings.models / RECORD).unlink(missing_ok=True)
    os.replace(result.model, settings.models / ARCHIVE)
    (building / RECORD).write_text(json.dumps(asdict(record), indent=2), encoding="utf-8")
    os.replace(building / RECORD, settings.models / RECORD)
    shutil.rmtree(building)
    shutil.rmtree(
        settings.bot_home / ".rasa", ignore_errors=True
    )  # Rasa's cache, unused: see above
    return record


def root_cause(error: BaseException) -> str:
    """Return the message at the bottom of a chain: Rasa wraps every error of a component."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__


def _read_record(settings: BotSettings) -> ModelRecord | None:
    try:
        content: dict[str, Any] = json.loads((settings.models / RECORD).read_bytes())
        record = ModelRecord(**content)
    except (OSError, ValueError, TypeError):
        return None
    return record if record.format == RECORD_FORMAT else None


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


@contextlib.contextmanager
def _nothing_printed() -> Iterator[None]:
    """Swallow what Rasa prints while it trains: coloured notes, progress bars, its own summary."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
