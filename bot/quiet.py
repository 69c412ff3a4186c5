"""Keeps Rasa's and TensorFlow's noise off the terminal, and customers' words out of every log."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

log = logging.getLogger("bot")

EVENT_CODE = re.compile(r"[a-z0-9_.]+")
ENVIRONMENT = {
    "RASA_TELEMETRY_ENABLED": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",  # errors only
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its notice is printed whatever the level
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
}


class TextFreeFormatter(logging.Formatter):
    """Writes our own lines in full, and of everybody else's only where they come from.

    Rasa and its libraries put messages, trackers and request bodies into their log lines and exceptions.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; never an argument, a message or a traceback of a foreign logger."""
        stamp = self.formatTime(record)
        if record.name == log.name or record.name.startswith(log.name + "."):
            return f"{stamp} {record.levelname} {record.name} {record.getMessage()}"
        code = getattr(record, "event_code", "")
        cause = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        place = f"{record.filename}:{record.lineno}"
        return " ".join(filter(None, [stamp, record.levelname, record.name, place, code, cause]))


def set_environment() -> None:
    """Set what must be set before TensorFlow or Rasa is imported."""
    for name, value in ENVIRONMENT.items():
        os.environ[name] = value


def silence(log_file: Path) -> None:
    """Send every log line to `log_file`, free of text, and drop warnings. Imports Rasa."""
    import sanic.app  # noqa: F401  # it resets the filter for DeprecationWarning when first imported
    import structlog

    warnings.simplefilter("ignore")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, encoding="utf-8")
    handler.setFormatter(TextFreeFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    log.setLevel(logging.INFO)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, _event_code_only],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _event_code_only(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Keep Rasa's constant event names ("rest.message.received.failure") and drop every value."""
    code = str(event.get("event", ""))
    return {"msg": "", "extra": {"event_code": code if EVENT_CODE.fullmatch(code) else ""}}
