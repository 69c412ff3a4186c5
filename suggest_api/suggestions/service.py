"""Hold the generation that is in service, and swap it when a newer one is current."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from knowledge_base.index.generation import Generation, current_build_id, load

from knowledge_base.errors import FirstlineError
from knowledge_base.home import Home
from knowledge_base.index.encoder import Encoder
from knowledge_base.ranking import Ranker
from suggest_api.logs import get_logger

# A content team that publishes waits at most this long; reading one small file a second costs nothing.
CHECK_SECONDS = 1.0

log = get_logger(__name__)


class GenerationHolder:
    """The ranker in service. A generation that cannot be used is refused; the last good one stays.

    Safe to use from many threads: readers take one reference, and a swap replaces it whole.
    """

    def __init__(self, home: Home, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._ticks = ticks
        self._ranker: Ranker | None = None
        self._loaded: str | None = None  # build id in service
        self._tried: str | None = None  # build id that was refused, so that it is refused once
        self._failure: str | None = None
        self._checked_at = float("-inf")
        self._lock = threading.Lock()

    @property
    def ranker(self) -> Ranker | None:
        """The ranker of the newest usable generation; None until there is one."""
        self.refresh()
        return self._ranker

    @property
    def build_id(self) -> str | None:
        """The build id of the generation in service."""
        return self._loaded

    @property
    def failure(self) -> str | None:
        """Why the current generation is not in service, if it is not."""
        return self._failure

    def refresh(self, *, force: bool = False) -> None:
        """Look at CURRENT, at most once in CHECK_SECONDS, and load what it names if that is new."""
        if not force and self._ticks() - self._checked_at < CHECK_SECONDS:
            return
        # Whoever comes while another thread loads goes on with the generation in service.
        if not self._lock.acquire(blocking=force or self._ranker is None):
            return
        try:
            if force or self._ticks() - self._checked_at >= CHECK_SECONDS:
                self._load_current()
                self._checked_at = self._ticks()
        finally:
            self._lock.release()

    def _load_current(self) -> None:
        build_id: str | None = None
        try:
            build_id = current_build_id(self._home)
            if build_id is None:
                self._failure = "nothing was built yet: run `firstline kb build`"
                return
            if build_id == self._loaded:
                self._failure = None
                return
            if build_id == self._tried:
                return
            generation = load(self._home, build_id)
            self._ranker = Ranker(generation, self._encoder_of(generation))
        except (FirstlineError, OSError) as error:
            self._tried, self._failure = build_id, str(error)
            log.error(
                "generation.refused", build_id=build_id, reason=str(error), kept=self._loaded
            )
            return
        log.info("generation.loaded", build_id=build_id, before=self._loaded)
        self._loaded, self._tried, self._failure = build_id, None, None

    def _encoder_of(self, generation: Generation) -> Encoder:
        return Encoder.load(_encoder_folder(self._home, generation.encoder_fingerprint))


def _encoder_folder(home: Home, fingerprint: str) -> Path:
    return home.encoders / fingerprint
